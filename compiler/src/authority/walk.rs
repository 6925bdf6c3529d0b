//! Along the edges: who is reached from somebody, who reaches somebody, and by which shortest chain.

use super::edges::{Carries, Edge};
use super::{Authority, effecting, learning};
use crate::model::{CapId, Level, ObjectId, Rights};
use std::collections::VecDeque;

/// The vertices that one traversal reaches, each with the edge that reached it first.
pub struct Reached {
    begin: ObjectId,
    by: Vec<Option<u32>>,
    /// In the order in which they were reached: by distance, then by the order of edges.
    pub order: Vec<ObjectId>,
}

/// A chain of edges from a subject to one that holds what was asked for.
pub struct Chain<'a> {
    /// The edges, in order; none when the subject itself holds it.
    pub edges: Vec<&'a Edge>,
    /// Who holds it.
    pub holder: ObjectId,
    /// Which of the rights asked for.
    pub rights: Rights,
}

impl Authority<'_> {
    /// Returns what can be reached from a subject along one traversal.
    #[must_use]
    pub fn from(&self, begin: ObjectId, along: Carries) -> Reached {
        let mut reached = Reached { begin, by: vec![None; self.model.objects.len()], order: vec![begin] };
        let mut queue = VecDeque::from([begin]);
        while let Some(vertex) = queue.pop_front() {
            let first = self.out.get(vertex.index()).map_or(0, |range| range.0);
            for (at, edge) in self.edges_from(vertex).iter().enumerate() {
                if !edge.carries.has(along) || edge.to == begin {
                    continue;
                }
                if let Some(by) = reached.by.get_mut(edge.to.index())
                    && by.is_none()
                {
                    *by = Some(first + at as u32);
                    reached.order.push(edge.to);
                    queue.push_back(edge.to);
                }
            }
        }
        reached
    }

    /// Returns who can reach any of some vertices along one traversal, those included.
    #[must_use]
    pub fn into(&self, ends: impl IntoIterator<Item = ObjectId>, along: Carries) -> Vec<bool> {
        let mut seen = vec![false; self.model.objects.len()];
        let mut queue = VecDeque::new();
        for end in ends {
            if let Some(seen) = seen.get_mut(end.index())
                && !std::mem::replace(seen, true)
            {
                queue.push_back(end);
            }
        }
        while let Some(vertex) = queue.pop_front() {
            for edge in self.edges_into(vertex).filter(|edge| edge.carries.has(along)) {
                if let Some(seen) = seen.get_mut(edge.from.index())
                    && !std::mem::replace(seen, true)
                {
                    queue.push_back(edge.from);
                }
            }
        }
        seen
    }

    /// Returns the traversals of a level, each with the rights of a capability that it is about.
    #[must_use]
    pub fn traversals(&self, level: Level, asked: CapId) -> Vec<(Carries, Rights)> {
        let kind = self.model.capability(asked).kind;
        match level {
            Level::Hold => vec![(Carries::HOLD, kind.all())],
            Level::Reach => vec![(Carries::LEARN, learning(kind)), (Carries::EFFECT, effecting(kind))],
        }
    }

    /// Returns a shortest chain by which a subject can obtain any of some rights.
    #[must_use]
    pub fn chain(&self, subject: ObjectId, asked: CapId, rights: Rights, level: Level) -> Option<Chain<'_>> {
        let mut best: Option<Chain<'_>> = None;
        for (along, about) in self.traversals(level, asked) {
            let wanted = rights.and(about);
            if wanted.is_empty() {
                continue;
            }
            let reached = self.from(subject, along);
            let found = reached.order.iter().find_map(|holder| {
                let rights = self.own_rights(*holder, asked, level).and(wanted);
                (!rights.is_empty()).then_some((*holder, rights))
            });
            if let Some((holder, rights)) = found {
                let edges = reached.way(self, holder);
                if best.as_ref().is_none_or(|best| edges.len() < best.edges.len()) {
                    best = Some(Chain { edges, holder, rights });
                }
            }
        }
        best
    }
}

impl Reached {
    /// Returns the edges from the beginning to a vertex that was reached.
    fn way<'a>(&self, authority: &'a Authority<'_>, to: ObjectId) -> Vec<&'a Edge> {
        let mut edges = Vec::new();
        let mut at = to;
        while at != self.begin {
            let edge =
                self.by.get(at.index()).copied().flatten().and_then(|by| authority.edges.get(by as usize));
            let Some(edge) = edge else { break };
            edges.push(edge);
            at = edge.from;
        }
        edges.reverse();
        edges
    }
}
