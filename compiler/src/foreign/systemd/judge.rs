//! Which circles there are among units that can be started together, and what to say of them.

use super::load::warning;
use super::name::UnitType;
use super::set::Set;
use crate::diag::{Code, Diagnostic};
use crate::foreign::circles::{Circle, Reporter, report};
use crate::foreign::order::Order;
use crate::machine::last_name;

/// How many units all looks from one unit after the other may come to.
const MOST_LOOKS: usize = 200_000_000;

/// Returns what leads round among units that can be started together, and how many orders there are.
pub fn circles(set: &mut Set<'_>, roots: &[u32]) -> (Vec<Diagnostic>, usize) {
    let orders = set.orders();
    let all = judged(set, &orders, None);
    let mut told = Told { circles: Vec::new(), of: vec![None; set.units.len()] };
    if all.is_empty() {
        return (Vec::new(), orders.len());
    }
    // What was named is started together, if it can be.
    let main = set.together(roots);
    let is_one = roots.len() == 1 || !set.excludes(&main);
    let mut looks = 0;
    for circle in judged(set, &orders, Some(&main)) {
        looks += if is_one { 0 } else { set.units.len() };
        if is_one || looks <= MOST_LOOKS && !set.excludes(&set.together(&circle.shown)) {
            told.tell(circle);
        }
    }
    let mut open: Vec<bool> = vec![false; set.units.len()];
    for member in all.iter().filter(|circle| !told.has(&circle.members)).flat_map(|circle| &circle.members) {
        open.get_mut(*member as usize).into_iter().for_each(|open| *open = true);
    }
    let mut wrong = Vec::new();
    if open.contains(&true) {
        wrong.extend(one_by_one(set, roots, &orders, &open, &mut told));
    }
    wrong.extend(told.circles.into_iter().map(|circle| circle.diagnostic));
    (wrong, orders.len())
}

/// Looks at what is started unit by unit, each with what it pulls in: by hand, or by its socket, timer or path, and then
/// beside what that one was started with. Returns what to say if there is too much of it.
fn one_by_one(
    set: &Set<'_>,
    roots: &[u32],
    orders: &[Order],
    open: &[bool],
    told: &mut Told,
) -> Option<Diagnostic> {
    let by_hand = roots.iter().map(|root| (*root, None));
    let by_others = set.triggered().into_iter().map(|(by, other)| (other, Some(by)));
    let mut looks = 0;
    for (root, by) in by_hand.chain(by_others) {
        looks += set.units.len();
        if looks > MOST_LOOKS {
            let unit = set.units.get(root as usize)?;
            let message = "there are too many units to look at each by itself, so circles could be missing";
            let wrong = warning(Code::BadValue, message, unit.header, "from this one on");
            return Some(wrong.help("name fewer units at a time"));
        }
        let mut within = set.together(&[root]);
        if let Some(by) = by {
            let runs = set.together(&[by]);
            within.iter_mut().zip(runs).for_each(|(within, runs)| *within &= !runs);
        }
        if within.iter().zip(open).filter(|(within, open)| **within && **open).count() < 2 {
            continue;
        }
        looks += orders.len();
        for circle in judged(set, orders, Some(&within)) {
            if !told.has(&circle.shown) {
                told.tell(circle);
            }
        }
    }
    None
}

/// The circles that are reported.
struct Told {
    circles: Vec<Circle>,
    /// For each unit the report that has it.
    of: Vec<Option<usize>>,
}

impl Told {
    fn tell(&mut self, circle: Circle) {
        for member in &circle.members {
            if let Some(of) = self.of.get_mut(*member as usize) {
                of.get_or_insert(self.circles.len());
            }
        }
        self.circles.push(circle);
    }

    /// Whether one report has all of these.
    fn has(&self, members: &[u32]) -> bool {
        let mut reports = members.iter().map(|member| self.of.get(*member as usize).copied().flatten());
        let first = reports.next().flatten();
        first.is_some() && reports.all(|report| report == first)
    }
}

/// Returns what leads round among some units.
fn judged(set: &Set<'_>, orders: &[Order], within: Option<&[bool]>) -> Vec<Circle> {
    let names: Vec<&str> = set.units.iter().map(|unit| &*unit.id).collect();
    let hint = |chosen: &[&Order]| hint(set, chosen);
    let reporter = Reporter {
        sources: &set.loader.sources,
        names: &names,
        noun: "units",
        consequence: "so systemd leaves one of them out",
        rank: &|order| rank(set, order),
        hint: &hint,
    };
    match within {
        None => report(&reporter, orders),
        Some(within) => {
            let is_in = |id: u32| within.get(id as usize) == Some(&true);
            let orders: Vec<Order> =
                orders.iter().filter(|order| is_in(order.from) && is_in(order.to)).cloned().collect();
            report(&reporter, &orders)
        }
    }
}

/// Returns the file of an order if a package brings it.
fn packaged<'s>(set: &'s Set<'_>, order: &Order) -> Option<&'s str> {
    let path = set.loader.sources.file(order.span.file)?.path.to_str()?;
    (path.starts_with("/usr/lib/") || path.starts_with("/lib/")).then_some(path)
}

/// Targets stand in an order that everybody counts on, and what a package brings is somebody else's to change.
fn rank(set: &Set<'_>, order: &Order) -> u8 {
    let is_target =
        |id: u32| set.units.get(id as usize).is_some_and(|unit| unit.unit_type == UnitType::Target);
    let among_targets = is_target(order.from) && is_target(order.to);
    2 * u8::from(among_targets) + u8::from(packaged(set, order).is_some())
}

/// Says how a file is changed that a package brings.
fn hint(set: &Set<'_>, chosen: &[&Order]) -> Option<String> {
    let mut removed = chosen.iter().filter(|order| order.change() == "remove");
    let name = removed.find_map(|order| packaged(set, order)).map(last_name)?;
    Some(format!("a drop-in cannot take it back; `systemctl edit --full {name}` makes a file of your own"))
}
