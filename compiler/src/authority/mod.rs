//! What a holder can come to have: the edges `a → b` ("a can obtain what b can"), and what lies along them.
//!
//! A permission is what somebody holds; authority is what could follow from it, now or later, alone or with others.
//! The worst case is taken, at two levels; `trusted` cuts relaying and nothing else.

mod control;
mod cut;
mod edges;
mod effective;
mod extent;
mod overlap;
mod places;
mod ports;
mod relay;
mod root;
mod sum;
mod walk;
mod condense;
mod finder;
mod batch;
mod sets;
mod ways;
mod words;

pub use batch::{Claim, ClosedSet, Side, Verdict, Verdicts, Who};
pub use control::identity_key;
pub use edges::{Carries, Edge, EdgeRule, Meeting, Node};
pub use effective::{Held, Through, address_of, path_of};
pub use extent::{Asked, Extent, effecting, learning};
pub use places::{PlaceId, Places};
pub use root::{RootReason, root_reason};
pub use sets::{Marks, Towards};
pub use walk::{Chain, Hop};
pub use ways::Ways;

use crate::holdings::Holdings;
use crate::model::{CapId, Model, ObjectId};
use effective::Effective;
use std::sync::Arc;

/// The edges of one model as one scope sees them: whose trust counts depends on who asks.
pub struct Authority<'m> {
    /// The model.
    pub model: &'m Model,
    /// Its holdings.
    pub holdings: &'m Holdings,
    /// Every path that anybody speaks of.
    pub places: Places,
    /// Every edge, by its beginning.
    pub edges: Vec<Edge>,
    /// Where many meet many; a node past the objects is one of these.
    pub meetings: Vec<Meeting>,
    /// The edges that are not there because somebody is trusted.
    pub cut: Vec<Edge>,
    /// Who is trusted, by object.
    pub trusted: Vec<bool>,
    effective: Effective,
    /// For each node where its edges begin; one more at the end.
    out: Vec<u32>,
    /// The edges by their end, and for each node where those begin.
    into: (Vec<u32>, Vec<u32>),
}

impl<'m> Authority<'m> {
    /// Returns the authority graph as the assertions of `scope` see it.
    #[must_use]
    pub fn new(model: &'m Model, holdings: &'m Holdings, scope: ObjectId) -> Self {
        let trusted: Vec<bool> = model.objects().map(|(id, _)| model.is_trusted(id, scope)).collect();
        Self::with_trust(model, holdings, &trusted)
    }

    /// Returns the authority graph when just these objects are trusted.
    #[must_use]
    pub fn with_trust(model: &'m Model, holdings: &'m Holdings, trusted: &[bool]) -> Self {
        let mut authority = Self::without_edges(model, holdings, trusted);
        let mut sink = edges::Sink::new(model, trusted);
        relay::add(&mut sink, model, &authority.effective, &authority.places);
        control::add(&mut sink, model, holdings, &authority.effective, &authority.places);
        let edges::Sink { edges, meetings, cut, .. } = sink;
        (authority.meetings, authority.cut) = (meetings, cut);
        authority.take(edges);
        authority
    }

    /// Returns what everybody counts as holding when just these objects are trusted, and no edge: for those who ask nothing of
    /// what could follow.
    #[must_use]
    pub fn without_edges(model: &'m Model, holdings: &'m Holdings, trusted: &[bool]) -> Self {
        let places = Places::new(paths(model));
        let ports = ports::Ports::new(model, holdings, &places);
        let effective = effective::effective(model, holdings, &places, &ports, trusted);
        Self {
            model,
            holdings,
            places,
            edges: Vec::new(),
            meetings: Vec::new(),
            cut: Vec::new(),
            trusted: trusted.to_vec(),
            effective,
            out: Vec::new(),
            into: (Vec::new(), Vec::new()),
        }
    }

    /// Returns the graph when some others are trusted too, with all that they expose.
    #[must_use]
    pub fn trusting(&self, others: &[ObjectId]) -> Self {
        let mut trusted = self.trusted.clone();
        trusted.resize(self.model.objects.len(), false);
        for other in others {
            if let Some(place) = trusted.get_mut(other.index()) {
                *place = true;
            }
        }
        Self::with_trust(self.model, self.holdings, &trusted)
    }

    /// Sorts the edges so that every walk goes by names and not by the order of the input, and indexes them.
    fn take(&mut self, mut edges: Vec<Edge>) {
        let count = self.model.objects.len() + self.meetings.len();
        let mut by_name: Vec<Node> = (0..count as u32).map(Node).collect();
        by_name.sort_by(|a, b| self.name(*a).cmp(self.name(*b)).then(a.cmp(b)));
        let mut ranks = vec![0u32; count];
        for (rank, node) in by_name.iter().enumerate() {
            if let Some(place) = ranks.get_mut(node.index()) {
                *place = rank as u32;
            }
        }
        let rank = |node: Node| ranks.get(node.index()).copied().unwrap_or(0);
        // By beginning first, which needs no comparisons, and then what begins at one node.
        let (begins, order) = by_node(count, &edges, |edge| edge.from);
        edges = order.iter().filter_map(|at| edges.get(*at as usize).copied()).collect();
        for node in begins.windows(2) {
            let [begin, end] = *node else { continue };
            if let Some(edges) = edges.get_mut(begin as usize..end as usize) {
                edges.sort_by_key(|edge| {
                    (rank(edge.to), edge.rule, edge.relayed, edge.consent, edge.span, edge.carries)
                });
            }
        }
        edges.dedup_by(|next, kept| {
            // The earliest place stays; one that leads along another traversal too keeps its own place.
            let same = (next.from, next.to, next.rule, next.relayed, next.consent)
                == (kept.from, kept.to, kept.rule, kept.relayed, kept.consent);
            same && kept.carries.has(next.carries)
        });
        self.out = starts(count, edges.iter().map(|edge| edge.from));
        let (begins, into) = by_node(count, &edges, |edge| edge.to);
        self.into = (into, begins);
        self.edges = edges;
    }

    /// Returns how many nodes there are: objects, then meetings.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.model.objects.len() + self.meetings.len()
    }

    /// Returns the object that a node is, unless it is a meeting.
    #[must_use]
    pub fn object(&self, node: Node) -> Option<ObjectId> {
        (node.index() < self.model.objects.len()).then_some(ObjectId(node.0))
    }

    /// Returns the meeting that a node is, unless it is an object.
    #[must_use]
    pub fn meeting(&self, node: Node) -> Option<&Meeting> {
        self.meetings.get(node.index().checked_sub(self.model.objects.len())?)
    }

    /// Returns a node's name.
    #[must_use]
    pub fn name(&self, node: Node) -> &str {
        match (self.object(node), self.meeting(node)) {
            (Some(object), _) => &self.model.object(object).name,
            (None, Some(meeting)) => &meeting.name,
            (None, None) => "",
        }
    }

    /// Returns the edges that begin at a node, by name of their end.
    #[must_use]
    pub fn edges_from(&self, node: Node) -> &[Edge] {
        let start = self.out.get(node.index()).copied().unwrap_or(0) as usize;
        let end = self.out.get(node.index() + 1).copied().unwrap_or(0) as usize;
        self.edges.get(start..end).unwrap_or(&[])
    }

    /// Returns the edges that end at a node.
    pub fn edges_into(&self, node: Node) -> impl Iterator<Item = &Edge> {
        let start = self.into.1.get(node.index()).copied().unwrap_or(0) as usize;
        let end = self.into.1.get(node.index() + 1).copied().unwrap_or(0) as usize;
        self.into.0.get(start..end).unwrap_or(&[]).iter().filter_map(|at| self.edges.get(*at as usize))
    }

    /// Returns what an object counts as holding; what is exposed to it counts at level reach alone.
    #[must_use]
    pub fn held(&self, holder: ObjectId) -> &[Held] {
        self.effective.of(holder)
    }

    /// Returns whether an object holds something by that very name.
    #[must_use]
    pub fn is_direct(&self, holder: ObjectId, asked: CapId) -> bool {
        self.holdings.get(holder, asked).is_some()
    }
}

/// Returns for each node the index of the first of its items, which are sorted by node; one more at the end.
fn starts(count: usize, nodes: impl Iterator<Item = Node>) -> Vec<u32> {
    let mut starts = vec![0u32; count + 1];
    for node in nodes {
        if let Some(place) = starts.get_mut(node.index() + 1) {
            *place += 1;
        }
    }
    let mut total = 0;
    for place in &mut starts {
        total += *place;
        *place = total;
    }
    starts
}

/// Returns for each node where those edges begin that have it at one end, and the indices of the edges in that order; among
/// those of one node they stay in theirs.
fn by_node(count: usize, edges: &[Edge], end: impl Fn(&Edge) -> Node) -> (Vec<u32>, Vec<u32>) {
    let begins = starts(count, edges.iter().map(&end));
    let mut next = begins.clone();
    let mut order = vec![0; edges.len()];
    for (at, edge) in edges.iter().enumerate() {
        if let Some(next) = next.get_mut(end(edge).index())
            && let Some(place) = order.get_mut(*next as usize)
        {
            *place = at as u32;
            *next += 1;
        }
    }
    (begins, order)
}

/// Returns every path that a capability has or a service is made of.
fn paths(model: &Model) -> Vec<Arc<str>> {
    let capabilities =
        (0..model.capabilities.len() as u32).filter_map(|id| effective::path_of(model, CapId(id)));
    let services = model
        .processes()
        .flat_map(|(_, _, service)| control::paths_of(service).map(|path| path.path.clone()));
    capabilities.chain(services).collect()
}
