//! Whole sets along the edges: everybody whom some nodes reach, and everybody who reaches them.

use super::Authority;
use super::edges::{Carries, Edge, Node};
use super::walk::Hop;
use crate::model::ObjectId;
use std::collections::{BTreeMap, VecDeque};

/// Which way a search goes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Towards {
    /// Along the edges: who is reached.
    Reached,
    /// Against them: who reaches.
    Reaching,
}

/// Marks that searches of one graph share, so that a small search costs little in a large graph.
pub struct Marks {
    stamps: Vec<u32>,
    now: u32,
    /// How many edges have been looked at, to stop in time.
    pub effort: u64,
}

impl Marks {
    /// Returns marks for the nodes of a graph.
    #[must_use]
    pub fn new(authority: &Authority<'_>) -> Self {
        Self { stamps: vec![0; authority.nodes()], now: 0, effort: 0 }
    }

    fn begin(&mut self) {
        self.now += 1;
    }

    /// Marks a node; returns whether that is new.
    fn mark(&mut self, node: Node) -> bool {
        self.stamps.get_mut(node.index()).is_some_and(|stamp| std::mem::replace(stamp, self.now) != self.now)
    }

    /// Returns whether the last search came by a node.
    #[must_use]
    pub fn has(&self, node: Node) -> bool {
        self.stamps.get(node.index()) == Some(&self.now)
    }
}

impl Authority<'_> {
    /// Returns every node that a search from some nodes comes by, those included, the nearest first.
    pub fn closure(&self, marks: &mut Marks, begin: &[Node], along: Carries, towards: Towards) -> Vec<Node> {
        self.closure_without(marks, begin, &[], along, towards)
    }

    /// The same for a search that does not pass some other nodes.
    pub fn closure_without(
        &self,
        marks: &mut Marks,
        begin: &[Node],
        closed: &[Node],
        along: Carries,
        towards: Towards,
    ) -> Vec<Node> {
        marks.begin();
        for node in closed {
            marks.mark(*node);
        }
        let mut found: Vec<Node> = begin.iter().copied().filter(|node| marks.mark(*node)).collect();
        let mut at = 0;
        while let Some(node) = found.get(at).copied() {
            at += 1;
            let mut go = |next: Node, edge: &Edge| {
                marks.effort += 1;
                if edge.carries.has(along) && marks.mark(next) {
                    found.push(next);
                }
            };
            match towards {
                Towards::Reached => self.edges_from(node).iter().for_each(|edge| go(edge.to, edge)),
                Towards::Reaching => self.edges_into(node).for_each(|edge| go(edge.from, edge)),
            }
        }
        found
    }

    /// Returns a step that leads over an edge, by way of meetings, from one object to another of some; none when it leads
    /// nowhere else.
    #[must_use]
    pub fn hop_over<'a>(
        &'a self,
        edge: &'a Edge,
        along: Carries,
        is_from: &dyn Fn(ObjectId) -> bool,
        is_to: &dyn Fn(ObjectId) -> bool,
    ) -> Option<Hop> {
        let tail = self.object(edge.from);
        let onward = self.way_to(edge.to, along, Towards::Reached, &|id| Some(id) != tail && is_to(id))?;
        let to = onward.last().copied().unwrap_or(edge).to;
        let to = self.object(to)?;
        let mut edges = self.way_to(edge.from, along, Towards::Reaching, &|id| id != to && is_from(id))?;
        edges.reverse();
        edges.push(edge);
        edges.extend(onward);
        let from = self.object(edges.first()?.from)?;
        Some(Hop { from, to, edges: edges.into_iter().copied().collect() })
    }

    /// Returns the edges of a shortest way from a meeting to an object that will do, in the order of the search; none of an
    /// object.
    fn way_to(
        &self,
        begin: Node,
        along: Carries,
        towards: Towards,
        will_do: &dyn Fn(ObjectId) -> bool,
    ) -> Option<Vec<&Edge>> {
        if self.object(begin).is_some() {
            return Some(Vec::new());
        }
        let mut by: BTreeMap<Node, (Node, &Edge)> = BTreeMap::new();
        let mut queue = VecDeque::from([begin]);
        while let Some(node) = queue.pop_front() {
            let next: Vec<(Node, &Edge)> = match towards {
                Towards::Reached => self.edges_from(node).iter().map(|edge| (edge.to, edge)).collect(),
                Towards::Reaching => self.edges_into(node).map(|edge| (edge.from, edge)).collect(),
            };
            for (next, edge) in next.into_iter().filter(|(_, edge)| edge.carries.has(along)) {
                if next == begin || by.contains_key(&next) {
                    continue;
                }
                by.insert(next, (node, edge));
                match self.object(next) {
                    None => queue.push_back(next),
                    Some(object) if !will_do(object) => {}
                    Some(_) => {
                        let mut edges = Vec::new();
                        let mut at = next;
                        while let Some((before, edge)) = by.get(&at).copied() {
                            edges.push(edge);
                            at = before;
                        }
                        edges.reverse();
                        return Some(edges);
                    }
                }
            }
        }
        None
    }

    /// Returns the subjects among some nodes, and `reconfigure`, sorted by name.
    #[must_use]
    pub fn powers(&self, nodes: &[Node]) -> Vec<ObjectId> {
        let objects = nodes.iter().filter_map(|node| self.object(*node));
        let counts = |id: &ObjectId| *id == crate::model::RECONFIGURE || self.model.object(*id).is_subject();
        let mut found: Vec<ObjectId> = objects.filter(counts).collect();
        found.sort_by(|a, b| self.model.object(*a).name.cmp(&self.model.object(*b).name));
        found
    }
}
