//! All ways to a capability that begin differently, the shortest first.

use super::edges::{Edge, EdgeRule, Node};
use super::walk::{Chain, Hop, Traversal};
use super::{Authority, Graph};
use crate::model::{CapId, Level, ObjectId, Rights};
use std::collections::{BTreeMap, VecDeque};

/// Ways by which somebody can obtain something.
pub struct Ways {
    /// For each first step that leads there, a shortest chain that does not come back to where it began.
    pub chains: Vec<Chain>,
    /// How many there are, shown or not.
    pub count: usize,
}

/// The way on from each node to the nearest holder.
struct Onward<'a> {
    /// The steps, and the next edge; none at a holder.
    to: BTreeMap<Node, (u32, Option<&'a Edge>)>,
}

impl Authority<'_> {
    /// Returns the ways by which a subject can obtain any of some rights, one for each first step, at most so many.
    #[must_use]
    pub fn ways(
        &self,
        subject: ObjectId,
        capability: CapId,
        rights: Rights,
        level: Level,
        most: usize,
    ) -> Ways {
        let asked = self.asked(capability);
        let own = |id: ObjectId| self.own_extent(id, asked, level).rights();
        // The first found of each first step: learning comes before effecting.
        let mut found: BTreeMap<(ObjectId, EdgeRule), Chain> = BTreeMap::new();
        let mut itself: Option<Chain> = None;
        for traversal in Traversal::of(level, self.model.capability(capability).kind) {
            let wanted = rights.and(traversal.rights);
            let here = own(subject).and(wanted);
            if !here.is_empty() && itself.is_none() {
                itself = Some(Chain { hops: Vec::new(), holder: subject, rights: here });
            }
            let holders: Vec<ObjectId> = self.model.objects().map(|(id, _)| id).collect();
            let holders = holders.into_iter().filter(|id| *id != subject && !own(*id).and(wanted).is_empty());
            let onward = self.onward(holders.collect(), subject, traversal);
            for first in self.first_hops(subject, traversal) {
                let Some(rule) = first.edges.first().map(|edge| edge.rule) else { continue };
                let Some(chain) = self.along(first, &onward, |id| own(id).and(wanted)) else { continue };
                let key = (chain.hops.first().map_or(subject, |hop| hop.to), rule);
                let is_shorter = found.get(&key).is_none_or(|known| chain.hops.len() < known.hops.len());
                if is_shorter {
                    found.insert(key, chain);
                }
            }
        }
        let mut chains: Vec<Chain> = itself.into_iter().chain(found.into_values()).collect();
        chains.sort_by_key(|chain| {
            let first = chain.hops.first();
            let name = first.map(|hop| self.model.object(hop.to).name.clone());
            (chain.hops.len(), name, first.and_then(|hop| hop.edges.first()).map(|edge| edge.rule))
        });
        let count = chains.len();
        chains.truncate(most);
        Ways { chains, count }
    }

    /// Searches backwards from those who have it; to a meeting costs nothing, to an object one step.
    fn onward(&self, holders: Vec<ObjectId>, without: ObjectId, traversal: Traversal) -> Onward<'_> {
        let mut onward = Onward { to: BTreeMap::new() };
        let mut queue: VecDeque<(Node, u32, Option<&Edge>)> =
            holders.into_iter().map(|id| (Node::from(id), 0, None)).collect();
        while let Some((node, steps, edge)) = queue.pop_front() {
            if node == Node::from(without) || onward.to.contains_key(&node) {
                continue;
            }
            onward.to.insert(node, (steps, edge));
            let is_object = self.object(node).is_some();
            for edge in self.edges_into(node).filter(|edge| edge.carries.has(traversal.along)) {
                match is_object {
                    true => queue.push_back((edge.from, steps + 1, Some(edge))),
                    false => queue.push_front((edge.from, steps, Some(edge))),
                }
            }
        }
        onward
    }

    /// Returns every step from an object to another, by way of meetings or not.
    fn first_hops(&self, subject: ObjectId, traversal: Traversal) -> Vec<Hop> {
        let mut hops = Vec::new();
        let mut by: BTreeMap<Node, &Edge> = BTreeMap::new();
        let mut work = VecDeque::from([Node::from(subject)]);
        while let Some(node) = work.pop_front() {
            for edge in self.edges_from(node).iter().filter(|edge| edge.carries.has(traversal.along)) {
                match self.object(edge.to) {
                    Some(to) if to == subject => {}
                    Some(to) => {
                        let mut edges = vec![*edge];
                        let mut at = edge.from;
                        while let Some(before) = by.get(&at).copied() {
                            edges.push(*before);
                            at = before.from;
                        }
                        edges.reverse();
                        hops.push(Hop { edges, from: subject, to });
                    }
                    None if by.contains_key(&edge.to) => {}
                    None => {
                        by.insert(edge.to, edge);
                        work.push_back(edge.to);
                    }
                }
            }
        }
        hops
    }

    /// Returns the chain that begins with a step and goes on to the nearest holder.
    fn along<'a>(
        &'a self,
        first: Hop,
        onward: &Onward<'a>,
        rights: impl Fn(ObjectId) -> Rights,
    ) -> Option<Chain> {
        let mut holder = first.to;
        let mut hops = vec![first];
        let mut edges: Vec<Edge> = Vec::new();
        let mut at = Node::from(holder);
        while let (_, Some(edge)) = onward.to.get(&at)? {
            edges.push(**edge);
            at = edge.to;
            if let Some(to) = self.object(at) {
                hops.push(Hop { edges: std::mem::take(&mut edges), from: holder, to });
                holder = to;
            }
        }
        Some(Chain { hops, holder, rights: rights(holder) })
    }
}
