//! Along the edges: who is reached from somebody, who reaches somebody, and by which shortest chain.

use super::batch::{Claim, Who};
use super::control::counts;
use super::edges::{Carries, Edge, Node};
use super::extent::{Extent, effecting, learning};
use super::graph::Graph;
use super::{Authority, Held};
use crate::model::{Kind, Level, ObjectId, Rights};
use std::collections::VecDeque;

/// One way of going along the edges, with the rights of some kind that are obtained by it.
#[derive(Copy, Clone, Debug)]
pub struct Traversal {
    /// Along which edges.
    pub along: Carries,
    /// The rights.
    pub rights: Rights,
}

impl Traversal {
    /// Returns the ways of a level.
    #[must_use]
    pub const fn alongs(level: Level) -> &'static [Carries] {
        match level {
            Level::Hold => &[Carries::HOLD],
            Level::Reach => &[Carries::LEARN, Carries::EFFECT],
        }
    }

    /// Returns the rights of a kind that are obtained along one way.
    #[must_use]
    pub fn rights_along(along: Carries, kind: Kind) -> Rights {
        match along {
            Carries::LEARN => learning(kind),
            Carries::EFFECT => effecting(kind),
            _ => kind.all(),
        }
    }

    /// Returns the traversals of a level for a kind; learning and effecting are two.
    pub fn of(level: Level, kind: Kind) -> impl Iterator<Item = Self> {
        let alongs = Self::alongs(level).iter();
        alongs.map(move |along| Self { along: *along, rights: Self::rights_along(*along, kind) })
    }
}

impl Held {
    /// Returns whether it counts at a level.
    #[must_use]
    pub fn counts_at(&self, level: Level) -> bool {
        level == Level::Reach || counts(self).has(Carries::HOLD)
    }
}

/// One step from object to object: an edge, or several by way of meetings.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The edges in order; all but the last end at meetings.
    pub edges: Vec<Edge>,
    /// Who obtains.
    pub from: ObjectId,
    /// From whom.
    pub to: ObjectId,
}

/// A chain from a subject to one that has what was asked for.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The steps; none when the subject itself has it.
    pub hops: Vec<Hop>,
    /// Who has it.
    pub holder: ObjectId,
    /// Which of the rights asked for.
    pub rights: Rights,
}

impl Authority<'_> {
    /// Returns every object that can be reached from one along some edges, itself included, the nearest first.
    #[must_use]
    pub fn reached_from(&self, begin: ObjectId, along: Carries) -> Vec<ObjectId> {
        search(self, &[begin], along, &[], Consent::Given, |_| false).order
    }

    /// Returns every object that can be reached when nobody consents to anything.
    #[must_use]
    pub fn reached_freely_from(&self, begin: ObjectId, along: Carries) -> Vec<ObjectId> {
        search(self, &[begin], along, &[], Consent::Withheld, |_| false).order
    }

    /// Returns whether anything at all is by consent.
    #[must_use]
    pub fn any_consent(&self) -> bool {
        self.edges.iter().any(|edge| edge.consent)
    }

    /// Carries extents backwards along edges: each node comes to have what any node has that it reaches.
    pub(super) fn flood(&self, mut extents: Vec<Extent>, along: Carries) -> Vec<Extent> {
        extents.resize(self.nodes(), Extent::default());
        let begin = extents.iter().enumerate().filter(|(_, extent)| !extent.rights().is_empty());
        let mut queue: VecDeque<Node> = begin.map(|(at, _)| Node(at as u32)).collect();
        let mut queued: Vec<bool> = extents.iter().map(|extent| !extent.rights().is_empty()).collect();
        while let Some(node) = queue.pop_front() {
            if let Some(queued) = queued.get_mut(node.index()) {
                *queued = false;
            }
            let has = extents.get(node.index()).copied().unwrap_or_default();
            for edge in self.edges_into(node).filter(|edge| edge.carries.has(along)) {
                let has = if edge.consent { has.by_consent() } else { has };
                let (Some(extent), Some(queued)) =
                    (extents.get_mut(edge.from.index()), queued.get_mut(edge.from.index()))
                else {
                    continue;
                };
                let grown = extent.or(has);
                if grown != *extent {
                    *extent = grown;
                    if !std::mem::replace(queued, true) {
                        queue.push_back(edge.from);
                    }
                }
            }
        }
        extents.truncate(self.model.objects.len());
        extents
    }
}

/// Returns a shortest chain that refutes a claim though some further objects do not relay.
pub(super) fn chain_against<G: Graph>(graph: &G, claim: &Claim, silent: &[ObjectId]) -> Option<Chain> {
    let asked = graph.asked(claim.capability);
    let begin = sources(graph, claim);
    let mut best: Option<Chain> = None;
    for traversal in Traversal::of(claim.level, asked.kind) {
        let wanted = claim.rights.and(traversal.rights);
        if wanted.is_empty() {
            continue;
        }
        let has = |holder| graph.own_extent(holder, asked, claim.level).rights().and(wanted);
        let until = |holder: ObjectId| !has(holder).is_empty();
        let search = search(graph, &begin, traversal.along, silent, Consent::Given, until);
        let Some(holder) = search.order.last().copied().filter(|holder| until(*holder)) else { continue };
        let hops = hops(graph, &search, holder);
        if best.as_ref().is_none_or(|best| hops.len() < best.hops.len()) {
            best = Some(Chain { hops, holder, rights: has(holder) });
        }
    }
    best
}

/// Returns whom a claim is about: who must not obtain.
pub(super) fn sources(graph: &impl Graph, claim: &Claim) -> Vec<ObjectId> {
    match &claim.who {
        Who::Never(subject) => vec![*subject],
        Who::Only(allowed) => {
            let others = (0..graph.objects()).map(ObjectId).filter(|id| graph.is_subject(*id));
            let mut others: Vec<ObjectId> = others.filter(|id| !allowed.contains(id)).collect();
            others.sort_by(|a, b| graph.name_of(*a).cmp(graph.name_of(*b)));
            others
        }
    }
}

/// Searches by distance in objects, until one will do: to a meeting costs nothing, from it to an object one step.
fn search<G: Graph>(
    graph: &G,
    begin: &[ObjectId],
    along: Carries,
    silent: &[ObjectId],
    consent: Consent,
    until: impl Fn(ObjectId) -> bool,
) -> Search {
    let mut search = Search { by: vec![None; graph.node_count()], order: Vec::new() };
    let mut done = vec![false; graph.node_count()];
    let mut queue: VecDeque<(Node, Option<u32>)> =
        begin.iter().map(|begin| (Node::from(*begin), None)).collect();
    while let Some((node, by)) = queue.pop_front() {
        let Some(done) = done.get_mut(node.index()) else { continue };
        if std::mem::replace(done, true) {
            continue;
        }
        if let Some(place) = search.by.get_mut(node.index()) {
            *place = by;
        }
        if let Some(object) = object(graph, node) {
            search.order.push(object);
            if until(object) {
                break;
            }
        }
        let mut meetings = Vec::new();
        for (number, edge) in graph.numbered_edges(node).filter(|(_, edge)| edge.carries.has(along)) {
            let by = Some(number);
            match object(graph, edge.to) {
                Some(object) if edge.relayed && silent.contains(&object) => {}
                _ if edge.consent && consent == Consent::Withheld => {}
                Some(_) => queue.push_back((edge.to, by)),
                None => meetings.push((edge.to, by)),
            }
        }
        // The first by name is to be the first out.
        for meeting in meetings.into_iter().rev() {
            queue.push_front(meeting);
        }
    }
    search
}

/// Returns the steps from the beginning of a search to an object that it reached.
fn hops(graph: &impl Graph, search: &Search, to: ObjectId) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    let mut edges: Vec<Edge> = Vec::new();
    let mut end = to;
    let mut at = Node::from(to);
    let by = |node: Node| search.by.get(node.index()).copied().flatten();
    while let Some(edge) = by(at).and_then(|by| graph.edge(by)) {
        edges.push(edge);
        at = edge.from;
        if let Some(from) = object(graph, at) {
            edges.reverse();
            hops.push(Hop { edges: std::mem::take(&mut edges), from, to: end });
            end = from;
        }
    }
    hops.reverse();
    hops
}

/// Returns the object that a node is, unless it is a meeting.
fn object(graph: &impl Graph, node: Node) -> Option<ObjectId> {
    (node.0 < graph.objects()).then_some(ObjectId(node.0))
}

/// Whether people consent to what powerboxes ask them.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Consent {
    Given,
    Withheld,
}

/// What one search reached, each node with the edge by which it was reached first.
struct Search {
    by: Vec<Option<u32>>,
    order: Vec<ObjectId>,
}
