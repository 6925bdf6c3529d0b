//! `bootstrap-cycle` of a foreign set: one shortest circle of each component, and the fewest orders to take away.

use super::order::{Order, Why};
use crate::check::circle::circle_of;
use crate::check::cuts::{Component, fewest_of};
use crate::components::Components;
use crate::diag::{Code, Cut, CycleEdge, Detail, Diagnostic};
use crate::source::SourceMap;
use std::collections::BTreeMap;

/// How many names, and how many places, one report shows; programs get all.
const SHOWN: usize = 12;

/// What reports of one init's services have in common.
pub struct Reporter<'a> {
    /// The files.
    pub sources: &'a SourceMap,
    /// The services' names.
    pub names: &'a [&'a str],
    /// What they are called: `services`, `units`.
    pub noun: &'static str,
    /// What comes of waiting for each other.
    pub consequence: &'static str,
    /// Which orders are to be changed last: the greater, the later.
    pub rank: &'a dyn Fn(&Order) -> u8,
    /// What else helps to change anything, by what is to be changed.
    pub hint: &'a dyn Fn(&[&Order]) -> Option<String>,
}

/// A component that leads round, with its report.
pub struct Circle {
    /// The services, ascending.
    pub members: Vec<u32>,
    /// Those on the circle that is shown.
    pub shown: Vec<u32>,
    /// What to say.
    pub diagnostic: Diagnostic,
}

/// Returns one report for each component of more than one service, and for each service that waits for itself.
#[must_use]
pub fn report(reporter: &Reporter<'_>, orders: &[Order]) -> Vec<Circle> {
    let mut edges: Vec<Vec<u32>> = vec![Vec::new(); reporter.names.len()];
    for order in orders {
        if let Some(edges) = edges.get_mut(order.from as usize) {
            edges.push(order.to);
        }
    }
    let components = Components::of_lists(&edges);
    // For each component that leads round, its orders.
    let mut within: BTreeMap<u32, Vec<&Order>> = BTreeMap::new();
    for order in orders {
        let component = components.of(order.from);
        if component == components.of(order.to) {
            within.entry(component).or_default().push(order);
        }
    }
    within.into_iter().map(|(id, orders)| reporter.circle(components.members(id), &orders)).collect()
}

impl Reporter<'_> {
    fn name(&self, service: u32) -> &str {
        self.names.get(service as usize).copied().unwrap_or_default()
    }

    fn circle(&self, members: &[u32], orders: &[&Order]) -> Circle {
        let mut by_name: Vec<u32> = members.to_vec();
        by_name.sort_by_key(|member| (self.name(*member), *member));
        let mut places: Vec<(u32, u32)> =
            by_name.iter().enumerate().map(|(place, member)| (*member, place as u32)).collect();
        places.sort_unstable();
        let place = |member: u32| {
            let found = places.binary_search_by_key(&member, |(member, _)| *member).ok();
            found.and_then(|at| places.get(at)).map_or(0, |(_, place)| *place)
        };
        let mut waits: Vec<(u32, u32, &Order)> =
            orders.iter().map(|order| (place(order.from), place(order.to), *order)).collect();
        waits.sort_by_key(|(from, to, order)| (*from, *to, order.why, order.span));
        let circle = circle_of(members.len(), &waits);
        let on: Vec<&Order> = circle.into_iter().map(|(_, _, order)| *order).collect();
        let cuts = self.cuts(Component { members: members.len(), waits });
        let diagnostic = self.in_words(&by_name, &on, &cuts);
        Circle { members: members.to_vec(), shown: on.iter().map(|order| order.from).collect(), diagnostic }
    }

    /// Returns the pairs of fewest number that leave no circle, each with all orders that make it wait.
    fn cuts<'o>(&self, component: Component<&'o Order>) -> Vec<Vec<&'o Order>> {
        let mut pairs: Vec<(u32, u32, Vec<u32>)> = Vec::new();
        for (at, (from, to, _)) in component.waits.iter().enumerate() {
            match pairs.last_mut().filter(|pair| (pair.0, pair.1) == (*from, *to)) {
                Some((_, _, orders)) => orders.push(at as u32),
                None => pairs.push((*from, *to, vec![at as u32])),
            }
        }
        let order = |at: &u32| component.waits.get(*at as usize).map(|(_, _, order)| *order);
        let (mut candidates, fixed): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .partition(|(_, _, orders)| orders.iter().filter_map(order).all(Order::can_be_removed));
        // What many or built-in words say is changed last.
        candidates.sort_by_cached_key(|(from, to, orders)| {
            let rank =
                orders.iter().filter_map(order).map(|order| ((self.rank)(order), rank(order.why))).max();
            (rank, orders.len(), *from, *to)
        });
        let fixed: Vec<u32> = fixed.into_iter().flat_map(|(_, _, orders)| orders).collect();
        let waits: Vec<Vec<u32>> = candidates.into_iter().map(|(_, _, orders)| orders).collect();
        let chosen = fewest_of(&component, &waits, &fixed);
        let chosen = chosen.into_iter().filter_map(|at| waits.get(at));
        chosen.map(|orders| orders.iter().filter_map(order).collect()).collect()
    }

    fn in_words(&self, members: &[u32], on: &[&Order], cuts: &[Vec<&Order>]) -> Diagnostic {
        let list = |names: &mut dyn Iterator<Item = u32>, count: usize| {
            let shown: Vec<String> = names.take(SHOWN).map(|id| format!("`{}`", self.name(id))).collect();
            format!("{}{}", shown.join(", "), if count > SHOWN { ", …" } else { "" })
        };
        let way = list(&mut on.iter().map(|order| order.from), on.len());
        let mut message = match on.len() {
            1 => format!("{way} waits for itself, {}", self.consequence),
            _ => format!("{way} wait for each other, {}", self.consequence),
        };
        if members.len() > on.len() {
            let all = list(&mut members.iter().copied(), members.len());
            message = format!("{message} ({} {} are caught in it: {all})", members.len(), self.noun);
        }
        let words = |order: &Order| order.words(self.name(order.from), self.name(order.to));
        let mut orders = on.iter();
        let Some(first) = orders.next() else {
            // INVARIANT: a component has orders within it, so it has a circle.
            let span = crate::source::Span { file: crate::source::FileId(0), start: 0, end: 0 };
            return Diagnostic::new(Code::BootstrapCycle, message, span, "");
        };
        let diagnostic = Diagnostic::new(Code::BootstrapCycle, message, first.span, words(first));
        let diagnostic = orders
            .take(SHOWN - 1)
            .fold(diagnostic, |diagnostic, order| diagnostic.label(order.span, words(order)));
        let diagnostic = diagnostic.about(members.first().map_or("", |id| self.name(*id)));
        let cycle = on.iter().map(|order| CycleEdge {
            from: self.name(order.from).to_owned(),
            to: self.name(order.to).to_owned(),
            kind: "ready",
            facet: self.facet(order),
            span: order.span,
        });
        let mut cut: Vec<Cut> = cuts.iter().flatten().map(|order| self.cut(order)).collect();
        cut.sort_by(|a, b| (&a.from, &a.to, &a.facet, a.change).cmp(&(&b.from, &b.to, &b.facet, b.change)));
        cut.dedup();
        let members = members.iter().map(|id| self.name(*id).to_owned()).collect();
        let detail = Detail::Cycle { cycle: cycle.collect(), members, cuts: cut };
        match self.help(on, cuts) {
            Some(help) => diagnostic.help(help).detail(detail),
            None => diagnostic.detail(detail),
        }
    }

    /// Returns the name by which the one waited for is known to the file.
    fn facet(&self, order: &Order) -> String {
        match order.why {
            Why::After(_) | Why::Wanted(_) => order.name.to_string(),
            Why::Before(_) | Why::Needs(_) | Why::Default | Why::DefaultBefore | Why::Nature(_) => {
                self.name(order.to).to_owned()
            }
        }
    }

    fn cut(&self, order: &Order) -> Cut {
        let (from, to) = (self.name(order.from).to_owned(), self.name(order.to).to_owned());
        Cut { from, to, facet: self.facet(order), change: order.change() }
    }

    fn help(&self, on: &[&Order], cuts: &[Vec<&Order>]) -> Option<String> {
        let remedy = |order: &&Order| {
            let (file, place) = self.sources.locate(order.span);
            let place = format!("{file}:{}", place.line);
            order.remedy(self.name(order.from), self.name(order.to), &place)
        };
        let chosen: Vec<&Order> = cuts.iter().flatten().copied().collect();
        let mut advice: Vec<String> = chosen.iter().take(SHOWN).filter_map(remedy).collect();
        advice.dedup();
        if advice.is_empty() {
            return None;
        }
        let mut help = advice.join(", and ");
        if chosen.len() > SHOWN {
            help = format!("{help}, and {} more such changes", chosen.len() - SHOWN);
        }
        // A service that is to run early is more often meant than one that names an early target by mistake.
        let early = on.iter().find(|order| matches!(order.why, Why::Default | Why::DefaultBefore));
        if let (Some(early), [_]) = (early.and_then(remedy), chosen.as_slice())
            && !advice.contains(&early)
        {
            help = format!("{help}; or, if it is to start that early, {early}");
        }
        if let Some(hint) = (self.hint)(&chosen) {
            help = format!("{help}\n{hint}");
        }
        Some(help)
    }
}

/// Returns how late a way of saying so is to be changed, whichever its word.
const fn rank(why: Why) -> u8 {
    match why {
        Why::After(_) | Why::Before(_) => 0,
        Why::Wanted(_) => 1,
        Why::Needs(_) => 2,
        Why::Default | Why::DefaultBefore => 3,
        Why::Nature(_) => 4,
    }
}
