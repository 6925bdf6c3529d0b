//! What is started together: units and all that they pull in, and the orders among them.

use super::load::Loader;
use super::name::{LONGEST_NAME, UnitName, UnitType, escape_path};
use super::standard;
use super::unit::{Needed, Relation, State, Strength, Unit};
use crate::diag::{Code, Diagnostic};
use crate::foreign::order::{Order, Why};
use crate::source::{FileId, Span};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The most instances of one template that are read: they can name each other, ever longer, nearly without end.
const MOST_INSTANCES: u32 = 10_000;

/// Units that were read, and how they lead to each other.
pub struct Set<'m> {
    /// Reads them.
    pub loader: Loader<'m>,
    /// All of them.
    pub units: Vec<Unit>,
    /// Each name's unit, aliases too; none if it is no name.
    by_name: HashMap<Arc<str>, Option<u32>>,
    /// What other names mean among the units that were read, once all were.
    others: HashMap<Arc<str>, Option<u32>>,
    /// For each template how many instances were named.
    instances: HashMap<String, u32>,
    /// For each unit what is started with it, and whether that is only looked at.
    pulls: Vec<Vec<(u32, Look)>>,
    /// For each unit what it starts later.
    triggers: Vec<Vec<u32>>,
}

/// Whether a unit is started, or only looked at (`Requisite=`).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Look {
    Started,
    LookedAt,
}

impl<'m> Set<'m> {
    /// Returns an empty set.
    #[must_use]
    pub fn new(loader: Loader<'m>) -> Self {
        Self {
            loader,
            units: Vec::new(),
            by_name: HashMap::new(),
            others: HashMap::new(),
            instances: HashMap::new(),
            pulls: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// Returns the unit of a name, read if need be.
    pub fn unit(&mut self, name: &str, mention: Span) -> Option<u32> {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let meaning = self.loader.lookup.meaning(name);
        let known = meaning.as_ref().and_then(|meaning| self.by_name.get(meaning.id.as_str())).copied();
        let id = match (known, meaning) {
            (Some(known), _) => known,
            (None, None) => None,
            (None, Some(meaning)) if self.is_one_too_many(&meaning.id, mention) => None,
            (None, Some(meaning)) => {
                let fragment = meaning.fragment.as_ref();
                let unit = self.loader.unit(&meaning.id, fragment, meaning.is_masked, mention);
                unit.map(|unit| {
                    let id = self.units.len() as u32;
                    self.by_name.insert(unit.id.clone(), Some(id));
                    self.units.push(unit);
                    self.pulls.push(Vec::new());
                    self.triggers.push(Vec::new());
                    id
                })
            }
        };
        self.by_name.insert(name.into(), id);
        id
    }

    fn is_one_too_many(&mut self, id: &str, mention: Span) -> bool {
        let Some(template) = UnitName::parse(id).and_then(|name| name.template()) else { return false };
        let count = self.instances.entry(template).or_default();
        *count += 1;
        if *count == MOST_INSTANCES + 1 {
            let message =
                format!("more than {MOST_INSTANCES} units of one template, so not all were looked at");
            let wrong = Diagnostic::new(Code::Syntax, message, mention, "this is one too many");
            let help = "look for instances that name further instances, each with a longer name";
            self.loader.diagnostics.push(wrong.help(help));
        }
        *count > MOST_INSTANCES
    }

    /// Returns the unit of a name if it has been read.
    fn known(&mut self, name: &str) -> Option<u32> {
        if let Some(known) = self.by_name.get(name).or_else(|| self.others.get(name)) {
            return *known;
        }
        let meaning = self.loader.lookup.meaning(name);
        let known = meaning.and_then(|meaning| self.by_name.get(meaning.id.as_str()).copied().flatten());
        self.others.insert(name.into(), known);
        known
    }

    /// Returns whether no file says anything of a name, and such units need one.
    pub fn is_missing(&mut self, name: &str) -> bool {
        if let Some(known) = self.by_name.get(name) {
            return known.is_some_and(|id| self.state(id) == State::Missing);
        }
        let Some(meaning) = self.loader.lookup.meaning(name) else { return true };
        let span = Span { file: FileId(0), start: 0, end: 0 };
        let new = UnitName::parse(&meaning.id).map(|name| Unit::new(&name, span));
        let is_standard = standard::text(&meaning.id).is_some();
        let needs_file = new.is_none_or(|unit| unit.state == State::Missing);
        needs_file && meaning.fragment.is_none() && !meaning.is_masked && !is_standard
    }

    /// Reads all that some units lead to, by being started or later.
    pub fn follow(&mut self, roots: &[u32]) {
        let mut seen: HashSet<u32> = HashSet::new();
        let mut work: Vec<u32> = roots.to_vec();
        while let Some(id) = work.pop() {
            if !seen.insert(id) || self.state(id) != State::Loaded {
                continue;
            }
            self.mount(id);
            let Some(unit) = self.units.get(id as usize) else { continue };
            let named: Vec<(Relation, Arc<str>, Span)> = unit
                .dependencies
                .iter()
                .filter(|one| {
                    matches!(one.relation, Relation::Pull(_) | Relation::Verify | Relation::Triggers)
                })
                .map(|one| (one.relation, one.name.clone(), one.span))
                .collect();
            for (relation, name, span) in named {
                let Some(other) = self.unit(&name, span) else { continue };
                work.push(other);
                let pulls = self.pulls.get_mut(id as usize);
                match relation {
                    Relation::Pull(_) => pulls.into_iter().for_each(|list| list.push((other, Look::Started))),
                    Relation::Verify => pulls.into_iter().for_each(|list| list.push((other, Look::LookedAt))),
                    _ => self.triggers.get_mut(id as usize).into_iter().for_each(|list| list.push(other)),
                }
            }
        }
    }

    fn state(&self, id: u32) -> State {
        self.units.get(id as usize).map_or(State::Missing, |unit| unit.state)
    }

    /// Turns the paths that a unit needs into the mounts that they lie on.
    fn mount(&mut self, id: u32) {
        let Some(unit) = self.units.get_mut(id as usize) else { return };
        let own = unit.id.clone();
        let mut found: Vec<(String, Needed, bool)> = Vec::new();
        for needed in std::mem::take(&mut unit.paths) {
            // Each directory above it, as far as a unit's name can be so long.
            let path = needed.path.trim_end_matches('/');
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for end in ends.take_while(|end| *end <= LONGEST_NAME) {
                let name = format!("{}.mount", escape_path(path.get(..end).unwrap_or_default()));
                let has_file =
                    self.loader.lookup.meaning(&name).is_some_and(|meaning| meaning.fragment.is_some());
                if (has_file || name == "-.mount") && name != *own {
                    found.push((name, needed.clone(), has_file));
                }
            }
        }
        let Some(unit) = self.units.get_mut(id as usize) else { return };
        for (name, Needed { span, why, .. }, has_file) in found {
            unit.name(Relation::After, name.as_str(), span, why);
            if has_file {
                unit.name(Relation::Pull(Strength::Hard), name.as_str(), span, why);
            }
        }
    }

    /// Returns which units are started together with some.
    #[must_use]
    pub fn together(&self, roots: &[u32]) -> Vec<bool> {
        let mut within = vec![false; self.units.len()];
        let mut started = vec![false; self.units.len()];
        let mut work: Vec<u32> = roots.to_vec();
        while let Some(id) = work.pop() {
            let is_new =
                started.get_mut(id as usize).is_some_and(|started| !std::mem::replace(started, true));
            if !is_new || self.state(id) != State::Loaded {
                continue;
            }
            if let Some(within) = within.get_mut(id as usize) {
                *within = true;
            }
            for (other, look) in self.pulls.get(id as usize).into_iter().flatten() {
                match look {
                    Look::Started => work.push(*other),
                    Look::LookedAt if self.state(*other) == State::Loaded => {
                        if let Some(within) = within.get_mut(*other as usize) {
                            *within = true;
                        }
                    }
                    Look::LookedAt => {}
                }
            }
        }
        within
    }

    /// Returns which units start which others some time later, by themselves.
    #[must_use]
    pub fn triggered(&self) -> Vec<(u32, u32)> {
        let each = self.triggers.iter().enumerate();
        each.flat_map(|(by, others)| others.iter().map(move |other| (by as u32, *other))).collect()
    }

    /// Returns whether two of these units exclude each other.
    #[must_use]
    pub fn excludes(&mut self, within: &[bool]) -> bool {
        let named: Vec<Arc<str>> = self
            .units
            .iter()
            .zip(within)
            .filter(|(_, within)| **within)
            .flat_map(|(unit, _)| &unit.dependencies)
            .filter(|one| one.relation == Relation::Conflicts)
            .map(|one| one.name.clone())
            .collect();
        let names: HashSet<Arc<str>> = named.into_iter().collect();
        names.iter().any(|name| self.known(name).is_some_and(|id| within.get(id as usize) == Some(&true)))
    }

    /// Returns the orders among all units that were read.
    #[must_use]
    pub fn orders(&mut self) -> Vec<Order> {
        let mut orders: Vec<Order> = Vec::new();
        // For each target what it names, for its usual order after that.
        let mut wanted: Vec<Order> = Vec::new();
        for from in 0..self.units.len() as u32 {
            let Some(unit) = self.units.get(from as usize).filter(|unit| unit.state == State::Loaded) else {
                continue;
            };
            let is_target = unit.unit_type == UnitType::Target && unit.defaults;
            let dependencies = unit.dependencies.clone();
            for one in dependencies {
                let Some(other) = self.known(&one.name).filter(|other| *other != from) else { continue };
                let Some(known) = self.units.get(other as usize) else { continue };
                if known.state != State::Loaded {
                    continue;
                }
                let (name, span, why) = (one.name.clone(), one.span, one.why);
                match one.relation {
                    Relation::After => orders.push(Order { from, to: other, name, span, why }),
                    // A device comes when it comes.
                    Relation::Before if known.unit_type != UnitType::Device => {
                        orders.push(Order { from: other, to: from, name, span, why });
                    }
                    Relation::Pull(_) | Relation::Verify if is_target && known.defaults => {
                        let word = match why {
                            Why::After(word) => word,
                            _ => "Requires",
                        };
                        wanted.push(Order { from, to: other, name, span, why: Why::Wanted(word) });
                    }
                    _ => {}
                }
            }
        }
        // A target that is to come first is not made to wait, and of two targets that name each other one comes first.
        let mut known: HashSet<(u32, u32)> = orders.iter().map(|order| (order.from, order.to)).collect();
        for order in wanted {
            if !known.contains(&(order.to, order.from)) && known.insert((order.from, order.to)) {
                orders.push(order);
            }
        }
        orders
    }
}
