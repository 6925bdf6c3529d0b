//! The trusted base: a smallest set of services and programs whose being trusted would cut every chain.
//!
//! Where one traversal is concerned and nothing that they expose leads round, this is a minimum vertex cut, by augmenting
//! paths. Where learning and effecting must both be cut, or the newly trusted expose what they were to keep, sets are tried
//! by size and name, each continued with the relays of a chain that it leaves, up to a stated effort; beyond it the union
//! of the two cuts stands in, if that is enough.

use super::batch::Claim;
use super::edges::Carries;
use super::walk::{Traversal, chain_against, sources};
use super::{Authority, Chain, Graph};
use crate::model::{ObjectId, Rights};
use std::collections::{BTreeSet, VecDeque};

/// How many sets are tried at most.
const MOST_SETS: usize = 500;
/// How many edges the trying may look at, in all of its sets together.
const MOST_EDGES: usize = 20_000_000;

impl Authority<'_> {
    /// Returns a smallest set, sorted by name, whose being trusted would make a claim true that is not; none when no trust
    /// could.
    #[must_use]
    pub fn trusted_base(&self, claim: &Claim) -> Option<Vec<ObjectId>> {
        let mut cuts = Vec::new();
        for traversal in Traversal::of(claim.level, self.model.capability(claim.capability).kind) {
            let rights = claim.rights.and(traversal.rights);
            if !rights.is_empty() {
                cuts.push(self.flow(claim, rights, traversal.along).least_cut(self)?);
            }
        }
        cuts.retain(|cut| !cut.is_empty());
        cuts.sort_by_key(Vec::len);
        let (Some(largest), union) = (cuts.last(), self.by_name(cuts.concat())) else {
            return Some(Vec::new());
        };
        if self.chain_despite(claim, largest).is_none() {
            return Some(self.by_name(largest.clone()));
        }
        match self.hitting_set(claim, largest.len()) {
            Tried::Found(set) => Some(set),
            Tried::Nothing => None,
            Tried::TooMuch => self.chain_despite(claim, &union).is_none().then_some(union),
        }
    }

    /// Returns the relays of a chain that is left when some more are trusted, first without and then with what they expose.
    fn chain_despite(&self, claim: &Claim, trusted: &[ObjectId]) -> Option<Vec<ObjectId>> {
        let relays = |chain: Chain| {
            let hops = chain.hops.iter();
            let relayed = hops.filter(|hop| hop.edges.last().is_some_and(|edge| edge.relayed));
            let can = |id: &ObjectId| self.model.object(*id).process().is_some();
            relayed.map(|hop| hop.to).filter(can).collect()
        };
        if let Some(chain) = chain_against(self, claim, trusted) {
            return Some(relays(chain));
        }
        let exposes = |id: &ObjectId| {
            let process = self.model.object(*id).process();
            let facets = process.map_or(&[][..], |process| &process.facets);
            facets.iter().any(|facet| !self.model.facet(*facet).exposes.is_empty())
        };
        if !trusted.iter().any(exposes) {
            return None;
        }
        chain_against(&self.trusting(trusted), claim, &[]).map(relays)
    }

    fn by_name(&self, mut set: Vec<ObjectId>) -> Vec<ObjectId> {
        set.sort_by(|a, b| self.model.object(*a).name.cmp(&self.model.object(*b).name));
        set.dedup();
        set
    }

    /// Tries sets by size: each chain that a set leaves must lose one of its relays.
    fn hitting_set(&self, claim: &Claim, fewest: usize) -> Tried {
        let most_sets = MOST_SETS.min(MOST_EDGES / (self.edges.len() + self.nodes()).max(1)).max(4);
        let mut tried = 0;
        for most in fewest.. {
            let mut seen: BTreeSet<Vec<ObjectId>> = BTreeSet::new();
            let mut found: Option<Vec<ObjectId>> = None;
            let mut work: Vec<Vec<ObjectId>> = vec![Vec::new()];
            let mut larger_might_do = false;
            while let Some(set) = work.pop() {
                tried += 1;
                if tried > most_sets {
                    return Tried::TooMuch;
                }
                let Some(relays) = self.chain_despite(claim, &set) else {
                    let names = |set: &[ObjectId]| {
                        set.iter().map(|id| &self.model.object(*id).name).cloned().collect::<Vec<_>>()
                    };
                    if found.as_ref().is_none_or(|known| names(&set) < names(known)) {
                        found = Some(set);
                    }
                    continue;
                };
                if set.len() == most {
                    larger_might_do = true;
                    continue;
                }
                for relay in relays {
                    let mut larger = set.clone();
                    larger.push(relay);
                    let larger = self.by_name(larger);
                    if seen.insert(larger.clone()) {
                        work.push(larger);
                    }
                }
            }
            if let Some(found) = found {
                return Tried::Found(found);
            }
            if !larger_might_do {
                break;
            }
        }
        Tried::Nothing
    }

    /// Returns the flow network of one traversal: each object has an entrance for what it relays, and a way through.
    fn flow(&self, claim: &Claim, rights: Rights, along: Carries) -> Flow {
        let asked = self.asked(claim.capability);
        let count = self.nodes() as u32;
        let mut flow = Flow {
            arcs: Vec::new(),
            of: vec![Vec::new(); 2 * count as usize + 2],
            source: 2 * count + 1,
            sink: 2 * count,
        };
        for source in sources(self, claim) {
            flow.arc(2 * count + 1, source.0, UNLIMITED);
        }
        // Vertices: a node's way out is its own number, its entrance for relaying `count` more.
        for edge in self.edges.iter().filter(|edge| edge.carries.has(along)) {
            let to =
                if edge.relayed && self.object(edge.to).is_some() { edge.to.0 + count } else { edge.to.0 };
            flow.arc(edge.from.0, to, UNLIMITED);
        }
        for (id, object) in self.model.objects() {
            let most = if object.process().is_some() { 1 } else { UNLIMITED };
            flow.arc(id.0 + count, id.0, most);
            if !self.own_extent(id, asked, claim.level).rights().and(rights).is_empty() {
                flow.arc(id.0, 2 * count, UNLIMITED);
            }
        }
        flow
    }
}

/// What trying sets came to.
enum Tried {
    Found(Vec<ObjectId>),
    /// No set would do.
    Nothing,
    /// There are too many sets.
    TooMuch,
}

const UNLIMITED: u32 = u32::MAX / 2;

struct Arc {
    to: u32,
    left: u32,
}

/// Arcs in pairs, each with its way back.
struct Flow {
    arcs: Vec<Arc>,
    of: Vec<Vec<u32>>,
    source: u32,
    sink: u32,
}

impl Flow {
    fn arc(&mut self, from: u32, to: u32, capacity: u32) {
        let at = self.arcs.len() as u32;
        self.arcs.push(Arc { to, left: capacity });
        self.arcs.push(Arc { to: from, left: 0 });
        for (vertex, arc) in [(from, at), (to, at + 1)] {
            if let Some(of) = self.of.get_mut(vertex as usize) {
                of.push(arc);
            }
        }
    }

    /// Sends one more unit; returns false when there is no way, and none when a way has no limit.
    fn augment(&mut self) -> Option<bool> {
        let mut by: Vec<Option<u32>> = vec![None; self.of.len()];
        let mut queue = VecDeque::from([self.source]);
        while let Some(vertex) = queue.pop_front() {
            for arc_id in self.of.get(vertex as usize).into_iter().flatten() {
                let Some(arc) =
                    self.arcs.get(*arc_id as usize).filter(|arc| arc.left > 0 && arc.to != self.source)
                else {
                    continue;
                };
                if let Some(place) = by.get_mut(arc.to as usize)
                    && place.is_none()
                {
                    *place = Some(*arc_id);
                    queue.push_back(arc.to);
                }
            }
        }
        let mut way = Vec::new();
        let mut at = self.sink;
        while at != self.source {
            let Some(arc) = by.get(at as usize).copied().flatten() else { return Some(false) };
            way.push(arc);
            at = self.arcs.get((arc ^ 1) as usize).map_or(self.source, |back| back.to);
        }
        let left = |arc: &u32| self.arcs.get(*arc as usize).map_or(0, |arc| arc.left);
        if way.iter().map(left).min().is_some_and(|least| least > 1) {
            return None;
        }
        for arc in way {
            for (at, more) in [(arc, false), (arc ^ 1, true)] {
                if let Some(arc) = self.arcs.get_mut(at as usize) {
                    arc.left = if more { arc.left + 1 } else { arc.left - 1 };
                }
            }
        }
        Some(true)
    }

    /// Returns a least cut, the first in name order; none when there is no cut.
    fn least_cut(mut self, authority: &Authority<'_>) -> Option<Vec<ObjectId>> {
        let mut size = 0;
        while self.augment()? {
            size += 1;
        }
        let count = authority.nodes() as u32;
        // Every vertex of a least cut is one that the flow fills.
        let full = self.arcs.iter().step_by(2).zip(self.arcs.iter().skip(1).step_by(2)).enumerate();
        let full = full.filter(|(_, (arc, back))| {
            arc.left == 0 && back.left == 1 && back.to >= count && back.to - count == arc.to
        });
        let full: Vec<(u32, ObjectId)> =
            full.map(|(at, (arc, _))| (2 * at as u32, ObjectId(arc.to))).collect();
        let mut candidates = full;
        candidates.sort_by(|a, b| authority.model.object(a.1).name.cmp(&authority.model.object(b.1).name));
        let mut cut = Vec::new();
        for (arc, id) in candidates {
            if cut.len() == size {
                break;
            }
            let is_full = self.arcs.get((arc | 1) as usize).is_some_and(|back| back.left > 0);
            if is_full && self.is_in_a_least_cut(arc) {
                cut.push(id);
            }
        }
        Some(cut)
    }

    /// Takes a full arc away with the unit that it carries, if no other way could take the unit: then it is in a least cut
    /// together with those taken away before.
    fn is_in_a_least_cut(&mut self, arc: u32) -> bool {
        let (to, from) = match (self.arcs.get(arc as usize), self.arcs.get((arc ^ 1) as usize)) {
            (Some(forward), Some(back)) => (forward.to, back.to),
            _ => return false,
        };
        // The unit can go another way exactly if the arc's end can be reached from its beginning over what is left.
        let mut seen = vec![false; self.of.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(vertex) = queue.pop_front() {
            for arc_id in
                self.of.get(vertex as usize).into_iter().flatten().filter(|id| **id != arc && **id != arc ^ 1)
            {
                let Some(next) = self.arcs.get(*arc_id as usize).filter(|next| next.left > 0) else {
                    continue;
                };
                if let Some(seen) = seen.get_mut(next.to as usize)
                    && !std::mem::replace(seen, true)
                {
                    queue.push_back(next.to);
                }
            }
        }
        if seen.get(to as usize) == Some(&true) {
            return false;
        }
        self.cancel(from, Direction::Back);
        self.cancel(to, Direction::On);
        for at in [arc, arc ^ 1] {
            if let Some(arc) = self.arcs.get_mut(at as usize) {
                arc.left = 0;
            }
        }
        true
    }

    /// Takes one unit of flow off a way between a vertex and the source or the sink.
    fn cancel(&mut self, begin: u32, direction: Direction) {
        let end = match direction {
            Direction::Back => self.source,
            Direction::On => self.sink,
        };
        let mut by: Vec<Option<u32>> = vec![None; self.of.len()];
        let mut queue = VecDeque::from([begin]);
        while let Some(vertex) = queue.pop_front() {
            for id in self.of.get(vertex as usize).into_iter().flatten() {
                // Even arcs are the network's, odd ones their ways back; what is left of a way back is the flow.
                let follows = (direction == Direction::On) == (id % 2 == 0);
                let flow = self.arcs.get((id | 1) as usize).map_or(0, |back| back.left);
                let Some(next) = self.arcs.get(*id as usize).filter(|_| follows && flow > 0) else {
                    continue;
                };
                if let Some(place) = by.get_mut(next.to as usize)
                    && place.is_none()
                    && next.to != begin
                {
                    *place = Some(*id);
                    queue.push_back(next.to);
                }
            }
        }
        let mut at = end;
        while at != begin {
            let Some(id) = by.get(at as usize).copied().flatten() else { return };
            if let Some(arc) = self.arcs.get_mut((id & !1) as usize) {
                arc.left += 1;
            }
            if let Some(back) = self.arcs.get_mut((id | 1) as usize) {
                back.left -= 1;
            }
            at = self.arcs.get((id ^ 1) as usize).map_or(begin, |back| back.to);
        }
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Direction {
    Back,
    On,
}
