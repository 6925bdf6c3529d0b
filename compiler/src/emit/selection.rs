//! Which part of the graph is shown: by level, around one object, between two, or of one kind.

use super::graph::kind_word;
use crate::authority::{Authority, Carries, Edge, Node};
use crate::model::{Level, ObjectId, RECONFIGURE, Target};
use std::collections::BTreeSet;

/// What somebody wants to see; nothing said is everything.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only edges of this level.
    pub level: Option<Level>,
    /// Only this object and all one step around it.
    pub focus: Option<ObjectId>,
    /// Only what this object reaches.
    pub from: Option<ObjectId>,
    /// Only what reaches this object.
    pub to: Option<ObjectId>,
    /// Only objects of this kind, and what joins them.
    pub kind: Option<String>,
}

/// What is shown.
pub struct Selection {
    level: Option<Level>,
    /// By node; none when everything is.
    kept: Option<Vec<bool>>,
}

/// Steps between objects and meetings, of edges and of holdings.
struct Steps {
    out: Vec<Vec<Node>>,
    into: Vec<Vec<Node>>,
}

impl Selection {
    /// Returns what is to be shown.
    #[must_use]
    pub fn new(authority: &Authority<'_>, wanted: &Wanted) -> Self {
        let Wanted { level, focus, from, to, kind } = wanted;
        let mut selection = Self { level: *level, kept: None };
        if focus.is_none() && from.is_none() && to.is_none() && kind.is_none() {
            return selection;
        }
        let steps = selection.steps(authority);
        let mut kept = vec![true; authority.nodes()];
        let mut keep = |some: &BTreeSet<Node>| {
            for (at, kept) in kept.iter_mut().enumerate() {
                *kept &= some.contains(&Node(at as u32));
            }
        };
        if let Some(begin) = from {
            keep(&far(&steps.out, *begin, *to));
        }
        if let Some(end) = to {
            keep(&far(&steps.into, *end, *from));
        }
        if let Some(middle) = focus {
            let mut near = around(authority, &steps.out, *middle);
            near.extend(around(authority, &steps.into, *middle));
            keep(&near);
        }
        if let Some(kind) = kind {
            keep(&of_kind(authority, &steps, kind));
        }
        selection.kept = Some(kept);
        selection
    }

    /// Returns whether a node is shown.
    #[must_use]
    pub fn has(&self, node: Node) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.get(node.index()) == Some(&true))
    }

    /// Returns whether an edge is shown.
    #[must_use]
    pub fn has_edge(&self, edge: &Edge) -> bool {
        self.is_of_level(edge) && self.has(edge.from) && self.has(edge.to)
    }

    /// Returns whether the holding of something is shown: its holder and what it is of.
    #[must_use]
    pub fn has_holding(&self, authority: &Authority<'_>, holder: ObjectId, target: Target) -> bool {
        self.has(holder.into()) && self.has(owner(authority, target).into())
    }

    fn is_of_level(&self, edge: &Edge) -> bool {
        match self.level {
            None => true,
            Some(Level::Hold) => edge.carries.has(Carries::HOLD),
            Some(Level::Reach) => edge.carries.and(Carries::REACH) != Carries::NONE,
        }
    }

    fn steps(&self, authority: &Authority<'_>) -> Steps {
        let mut steps =
            Steps { out: vec![Vec::new(); authority.nodes()], into: vec![Vec::new(); authority.nodes()] };
        let mut add = |from: Node, to: Node| {
            if let Some(out) = steps.out.get_mut(from.index()) {
                out.push(to);
            }
            if let Some(into) = steps.into.get_mut(to.index()) {
                into.push(from);
            }
        };
        for edge in &authority.edges {
            // `reconfigure` controls everybody, which joins nobody with anybody in particular.
            if edge.from != Node::from(RECONFIGURE) && self.is_of_level(edge) {
                add(edge.from, edge.to);
            }
        }
        let model = authority.model;
        for holding in authority.holdings.all() {
            if let (true, Target::Resource(resource)) =
                (model.object(holding.holder).is_subject(), model.capability(holding.capability).target)
            {
                add(holding.holder.into(), resource.into());
            }
        }
        steps
    }
}

/// Returns the object that a capability is of.
fn owner(authority: &Authority<'_>, target: Target) -> ObjectId {
    match target {
        Target::Resource(resource) => resource,
        Target::Facet(facet) => authority.model.facet(facet).owner,
    }
}

/// Returns all that steps lead to, the beginning included, and nothing beyond the end: no way comes by it twice.
fn far(steps: &[Vec<Node>], begin: ObjectId, end: Option<ObjectId>) -> BTreeSet<Node> {
    let mut found = BTreeSet::from([Node::from(begin)]);
    let mut work = vec![Node::from(begin)];
    while let Some(node) = work.pop() {
        if end.map(Node::from) == Some(node) {
            continue;
        }
        for next in steps.get(node.index()).into_iter().flatten() {
            if found.insert(*next) {
                work.push(*next);
            }
        }
    }
    found
}

/// Returns the nearest objects, with the meetings between.
fn around(authority: &Authority<'_>, steps: &[Vec<Node>], middle: ObjectId) -> BTreeSet<Node> {
    let mut found = BTreeSet::from([Node::from(middle)]);
    let mut work = vec![Node::from(middle)];
    while let Some(node) = work.pop() {
        for next in steps.get(node.index()).into_iter().flatten() {
            if found.insert(*next) && authority.object(*next).is_none() {
                work.push(*next);
            }
        }
    }
    found
}

/// Returns the objects of a kind, the meetings where they meet, and, as resources do not meet, the subjects that hold one.
fn of_kind(authority: &Authority<'_>, steps: &Steps, kind: &str) -> BTreeSet<Node> {
    let model = authority.model;
    let mut found = BTreeSet::new();
    for (id, object) in model.objects().filter(|(_, object)| kind_word(&object.kind) == kind) {
        found.insert(Node::from(id));
        if object.resource().is_some() {
            found.extend(steps.into.get(id.index()).into_iter().flatten());
        }
    }
    found.extend((model.objects.len() as u32..authority.nodes() as u32).map(Node));
    found
}
