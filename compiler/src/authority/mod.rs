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
mod restored;
mod graph;

pub use batch::{Claim, ClosedSet, Side, Verdict, Verdicts, Who};
pub use control::identity_key;
pub use edges::{Carries, Edge, EdgeRule, Meeting, Node};
pub use effective::{Held, Through, address_of, is_network, path_of};
pub use extent::{Asked, Extent, effecting, learning};
pub use graph::Graph;
pub use places::{PlaceId, Places};
pub use restored::Drawn;
pub use root::{Near, RootReason, RootWay, root_reason};
pub use sets::{Marks, Towards};
pub use walk::{Chain, Hop};
pub use ways::Ways;

use crate::holdings::Holdings;
use crate::model::table::{grouped, part, starts};
use crate::model::{CapId, Model, ObjectId};
use effective::Effective;
use std::collections::BTreeMap;
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

/// What everybody counts as holding, and where: what edges are drawn from.
pub struct Footing<'m> {
    /// The model.
    pub model: &'m Model,
    holdings: &'m Holdings,
    trusted: Vec<bool>,
    places: Places,
    effective: Effective,
    near: root::Near,
}

impl<'m> Footing<'m> {
    /// Returns it as the assertions of `scope` see it.
    #[must_use]
    pub fn new(model: &'m Model, holdings: &'m Holdings, scope: ObjectId) -> Self {
        Self::with_trust(model, holdings, trusted(model, scope))
    }

    fn with_trust(model: &'m Model, holdings: &'m Holdings, trusted: Vec<bool>) -> Self {
        let places = Places::new(paths(model));
        let ports = ports::Ports::new(model, holdings, &places);
        let effective = effective::effective(model, holdings, &places, &ports, &trusted);
        let near = root::Near::new(model, &places);
        Self { model, holdings, trusted, places, effective, near }
    }

    /// Returns everything by which an object itself controls `reconfigure`: what it has itself first, then by place in the
    /// source.
    #[must_use]
    pub fn root_reasons(&self, subject: ObjectId) -> Vec<RootWay<'_>> {
        root::root_reasons(self.model, &self.near, &self.places, self.effective.of(subject), subject)
    }
}

/// Returns for each object whether it is trusted for the assertions of `scope`.
fn trusted(model: &Model, scope: ObjectId) -> Vec<bool> {
    model.objects().map(|(id, _)| model.is_trusted(id, scope)).collect()
}

impl<'m> Authority<'m> {
    /// Returns the authority graph as the assertions of `scope` see it.
    #[must_use]
    pub fn new(model: &'m Model, holdings: &'m Holdings, scope: ObjectId) -> Self {
        Self::drawn(Footing::new(model, holdings, scope))
    }

    /// Returns the authority graph when just these objects are trusted.
    #[must_use]
    pub fn with_trust(model: &'m Model, holdings: &'m Holdings, trusted: &[bool]) -> Self {
        Self::drawn(Footing::with_trust(model, holdings, trusted.to_vec()))
    }

    /// Draws the edges.
    #[must_use]
    pub fn drawn(footing: Footing<'m>) -> Self {
        let Footing { model, holdings, trusted, places, effective, .. } = footing;
        let mut sink = edges::Sink::new(model, &trusted);
        relay::add(&mut sink, model, &effective, &places);
        control::add(&mut sink, model, holdings, &effective, &places);
        let edges::Sink { edges, meetings, cut, .. } = sink;
        let mut authority = Self {
            model,
            holdings,
            places,
            edges: Vec::new(),
            meetings,
            cut,
            trusted,
            effective,
            out: Vec::new(),
            into: (Vec::new(), Vec::new()),
        };
        authority.take(edges);
        authority
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
    fn take(&mut self, edges: Vec<Edge>) {
        let count = self.nodes();
        let ranks = self.ranks();
        let rank = |node: Node| ranks.get(node.index()).copied().unwrap_or(0);
        let (order, begins) = grouped(count, edges.iter().map(|edge| edge.from.index()));
        let mut edges: Vec<Edge> = order.iter().filter_map(|at| edges.get(*at as usize).copied()).collect();
        for (begin, end) in begins.iter().zip(begins.iter().skip(1)) {
            if let Some(from_one) = edges.get_mut(*begin as usize..*end as usize) {
                from_one.sort_unstable_by_key(|edge| {
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
        self.out = starts(count, edges.iter().map(|edge| edge.from.index()));
        self.into = grouped(count, edges.iter().map(|edge| edge.to.index()));
        self.edges = edges;
    }

    /// Returns for each node a number that goes by its name.
    ///
    /// Most nodes are meetings at places. Those of one sort have names that differ in the path alone, so paths are sorted
    /// once, and of each sort only its beginning is sorted among the names.
    fn ranks(&self) -> Vec<u32> {
        let by_path = self.places.ranks();
        let mut sorts: BTreeMap<&str, Vec<(Node, u32)>> = BTreeMap::new();
        let mut names: Vec<(&str, Node)> =
            self.model.objects().map(|(id, object)| (&*object.name, id.into())).collect();
        for (at, meeting) in self.meetings.iter().enumerate() {
            let node = Node((self.model.objects.len() + at) as u32);
            let by_path = meeting.place.and_then(|place| by_path.get(place.0 as usize));
            match (by_path, meeting.name.strip_suffix(&*meeting.subject)) {
                (Some(rank), Some(sort)) => sorts.entry(sort).or_default().push((node, *rank)),
                _ => names.push((&meeting.name, node)),
            }
        }
        names.sort_unstable();
        let mut ranks = vec![0u32; self.nodes()];
        let mut set = |node: Node, rank: u32| {
            if let Some(place) = ranks.get_mut(node.index()) {
                *place = rank;
            }
        };
        let mut next = 0;
        let mut names = names.into_iter().peekable();
        for (sort, meetings) in sorts {
            while let Some((_, node)) = names.next_if(|(name, _)| *name < sort) {
                set(node, next);
                next += 1;
            }
            for (node, rank) in meetings {
                set(node, next + rank);
            }
            next += by_path.len() as u32;
        }
        for (_, node) in names {
            set(node, next);
            next += 1;
        }
        ranks
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
        part(&self.edges, &self.out, node.index())
    }

    /// Returns the edges that end at a node.
    pub fn edges_into(&self, node: Node) -> impl Iterator<Item = &Edge> {
        let (indices, begins) = &self.into;
        part(indices, begins, node.index()).iter().filter_map(|at| self.edges.get(*at as usize))
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

/// Returns every path that a capability has or a service is made of.
fn paths(model: &Model) -> impl Iterator<Item = &Arc<str>> {
    let capabilities =
        (0..model.capabilities.len() as u32).filter_map(|id| effective::path_of(model, CapId(id)));
    let services =
        model.processes().flat_map(|(_, _, service)| control::paths_of(service).map(|path| &path.path));
    capabilities.chain(services)
}
