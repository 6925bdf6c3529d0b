//! The fewest changes that open every circle of services that wait for each other.
//!
//! A change either serves all holders of a facet, or one holding. Where the first is possible the second takes away no
//! more, so it is no candidate. Up to [`EXACT`] candidates the fewest are found exactly: what matters of the relation is then only
//! from which change's facet one can come, without changes, to where another's is waited for. Above it a heuristic
//! stands in: of all services that still have ways in and out, the change that takes most waits away, again and again;
//! then whatever turns out not to be needed is given back.

use crate::model::{FacetId, Model, Transport};
use crate::order::Wait;
use std::collections::{BTreeMap, BinaryHeap};

/// Up to so many candidates the fewest are found exactly.
const EXACT: usize = 12;
/// How many waits the heuristic may look at in order to give changes back.
const MOST_LOOKS: usize = 50_000_000;

/// A change that takes waits away: one facet for all, or one holding of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// `activated`: the init makes the socket.
    Activate(FacetId),
    /// `channel`: a nameless socket pair instead of a port that the service binds itself.
    Channel(FacetId),
    /// `when=use` where this member of the component comes to hold it.
    Late(u32, FacetId),
}

/// Waits between the members of one component, as indices of members.
pub struct Component<W> {
    /// How many members.
    pub members: usize,
    /// From, to, and the wait itself, sorted.
    pub waits: Vec<(u32, u32, W)>,
}

/// Returns the fewest changes that leave no circle; none at all when no change could. Candidates come in the order of `rank`.
#[must_use]
pub fn fewest(
    model: &Model,
    component: &Component<&Wait>,
    rank: impl Fn(&Change) -> (u8, String, u32),
) -> Vec<Change> {
    let mut removes: BTreeMap<Change, Vec<u32>> = BTreeMap::new();
    let mut fixed: Vec<u32> = Vec::new();
    for (at, (from, _, wait)) in component.waits.iter().enumerate() {
        let change = match (wait.can_be_late, &model.facet(wait.facet).transport) {
            (false, _) => None,
            (true, Transport::Socket(_) | Transport::Tcp(_)) => Some(Change::Activate(wait.facet)),
            (true, Transport::Listen(_)) => Some(Change::Channel(wait.facet)),
            (
                true,
                Transport::Channel
                | Transport::Mount(_)
                | Transport::Done
                | Transport::Control
                | Transport::Launch
                | Transport::Ask,
            ) => Some(Change::Late(*from, wait.facet)),
        };
        match change {
            Some(change) => removes.entry(change).or_default().push(at as u32),
            None => fixed.push(at as u32),
        }
    }
    let mut candidates: Vec<(Change, Vec<u32>)> = removes.into_iter().collect();
    candidates.sort_by_cached_key(|(change, _)| rank(change));
    let (changes, waits): (Vec<Change>, Vec<Vec<u32>>) = candidates.into_iter().unzip();
    let chosen = fewest_of(component, &waits, &fixed);
    chosen.into_iter().filter_map(|at| changes.get(at).copied()).collect()
}

/// Returns which candidates are the fewest that leave no circle, by the waits that each takes away, all of them to one member;
/// none at all when no set of them does. `fixed` are the waits that no candidate takes away.
#[must_use]
pub fn fewest_of<W>(component: &Component<W>, candidates: &[Vec<u32>], fixed: &[u32]) -> Vec<usize> {
    match candidates.len() <= EXACT {
        true => exact(component, candidates, fixed),
        false => heuristic(component, candidates),
    }
}

fn exact<W>(component: &Component<W>, candidates: &[Vec<u32>], fixed: &[u32]) -> Vec<usize> {
    if is_circular(component, fixed.iter().copied()) {
        return Vec::new();
    }
    let after = followers(component, candidates, fixed);
    let mut best: Option<(u32, u32)> = None;
    for set in 0u32..1 << candidates.len() {
        let size = set.count_ones();
        // Of two sets of one size the one with the earlier candidates wins: its reversed bits are the greater.
        let is_better =
            best.is_none_or(|(least, found)| (size, found.reverse_bits()) < (least, set.reverse_bits()));
        if is_better && no_circle_left(&after, !set) {
            best = Some((size, set));
        }
    }
    let set = best.map_or(0, |(_, set)| set);
    (0..candidates.len()).filter(|at| set & (1 << at) != 0).collect()
}

/// For each candidate the set of those that can come next on a circle: their waits begin where one comes from its facet's
/// maker over waits that no change takes away.
fn followers<W>(component: &Component<W>, candidates: &[Vec<u32>], fixed: &[u32]) -> Vec<u32> {
    let mut on: Vec<Vec<u32>> = vec![Vec::new(); component.members];
    for (from, to, _) in fixed.iter().filter_map(|at| component.waits.get(*at as usize)) {
        if let Some(on) = on.get_mut(*from as usize) {
            on.push(*to);
        }
    }
    let wait = |at: &u32| component.waits.get(*at as usize);
    let mut after = Vec::new();
    for waits in candidates {
        let mut seen = vec![false; component.members];
        // All waits of one change are for one facet, so they lead to one maker.
        let mut work: Vec<u32> = waits.first().and_then(wait).map(|(_, to, _)| *to).into_iter().collect();
        while let Some(vertex) = work.pop() {
            if let Some(seen) = seen.get_mut(vertex as usize)
                && !std::mem::replace(seen, true)
            {
                work.extend(on.get(vertex as usize).into_iter().flatten());
            }
        }
        let begins = |waits: &[u32]| {
            waits.iter().filter_map(wait).any(|(from, _, _)| seen.get(*from as usize) == Some(&true))
        };
        let next = candidates.iter().enumerate().filter(|(_, waits)| begins(waits));
        after.push(next.fold(0u32, |set, (at, _)| set | 1 << at));
    }
    after
}

/// Returns whether the candidates that are left have no circle: those that nothing follows are taken away, again and again.
fn no_circle_left(after: &[u32], left: u32) -> bool {
    let mut left = left & ((1u32 << after.len()) - 1);
    loop {
        let ends = after.iter().enumerate().filter(|(at, after)| left & (1 << at) != 0 && *after & left == 0);
        let ends = ends.fold(0u32, |set, (at, _)| set | 1 << at);
        if ends == 0 {
            return left == 0;
        }
        left &= !ends;
    }
}

/// Returns whether some waits lead round in a circle.
fn is_circular<W>(component: &Component<W>, waits: impl Iterator<Item = u32> + Clone) -> bool {
    let mut on: Vec<Vec<u32>> = vec![Vec::new(); component.members];
    let mut ins = vec![0u32; component.members];
    for (from, to, _) in waits.filter_map(|at| component.waits.get(at as usize)) {
        if let (Some(on), Some(ins)) = (on.get_mut(*from as usize), ins.get_mut(*to as usize)) {
            on.push(*to);
            *ins += 1;
        }
    }
    let mut work: Vec<u32> =
        (0..component.members as u32).filter(|at| ins.get(*at as usize) == Some(&0)).collect();
    let mut done = 0;
    while let Some(vertex) = work.pop() {
        done += 1;
        for to in on.get(vertex as usize).into_iter().flatten() {
            if let Some(ins) = ins.get_mut(*to as usize) {
                *ins -= 1;
                if *ins == 0 {
                    work.push(*to);
                }
            }
        }
    }
    done < component.members
}

fn heuristic<W>(component: &Component<W>, candidates: &[Vec<u32>]) -> Vec<usize> {
    let mut left = Left::new(component, candidates);
    let all = |left: &Left<'_, W>, at: usize| left.count.get(at).copied().unwrap_or(0);
    let mut heap: BinaryHeap<(u32, std::cmp::Reverse<usize>)> =
        (0..candidates.len()).map(|at| (all(&left, at), std::cmp::Reverse(at))).collect();
    let mut chosen = Vec::new();
    while let Some((known, std::cmp::Reverse(at))) = heap.pop() {
        let now = all(&left, at);
        if now == 0 {
            continue;
        }
        if now < known {
            heap.push((now, std::cmp::Reverse(at)));
            continue;
        }
        chosen.push(at);
        for wait in candidates.get(at).map_or(&[][..], |waits| waits) {
            left.take(*wait);
        }
    }
    if left.waits > 0 {
        return Vec::new();
    }
    give_back(component, candidates, &mut chosen);
    chosen.sort_unstable();
    chosen
}

/// Gives back what is not needed, the last chosen first.
fn give_back<W>(component: &Component<W>, candidates: &[Vec<u32>], chosen: &mut Vec<usize>) {
    if chosen.len().saturating_mul(component.waits.len()) > MOST_LOOKS {
        return;
    }
    for at in (0..chosen.len()).rev() {
        let mut without = chosen.clone();
        without.remove(at);
        let mut gone = vec![false; component.waits.len()];
        for wait in without.iter().filter_map(|at| candidates.get(*at)).flatten() {
            if let Some(gone) = gone.get_mut(*wait as usize) {
                *gone = true;
            }
        }
        let left: Vec<u32> =
            (0..gone.len() as u32).filter(|at| gone.get(*at as usize) == Some(&false)).collect();
        if !is_circular(component, left.iter().copied()) {
            *chosen = without;
        }
    }
}

/// The waits that can still lie on a circle.
struct Left<'a, W> {
    component: &'a Component<W>,
    /// For each wait its candidate, while it is left.
    of: Vec<Option<Option<u32>>>,
    /// For each candidate how many of its waits are left.
    count: Vec<u32>,
    /// For each member its waits out and in, and how many of each are left.
    at: Vec<[(Vec<u32>, u32); 2]>,
    waits: usize,
}

impl<'a, W> Left<'a, W> {
    fn new(component: &'a Component<W>, candidates: &[Vec<u32>]) -> Self {
        let mut of: Vec<Option<Option<u32>>> = vec![Some(None); component.waits.len()];
        for (candidate, waits) in candidates.iter().enumerate() {
            for wait in waits {
                if let Some(of) = of.get_mut(*wait as usize) {
                    *of = Some(Some(candidate as u32));
                }
            }
        }
        let mut at: Vec<[(Vec<u32>, u32); 2]> = vec![Default::default(); component.members];
        for (wait, (from, to, _)) in component.waits.iter().enumerate() {
            for (vertex, way) in [(*from, 0), (*to, 1)] {
                if let Some((waits, count)) = at.get_mut(vertex as usize).and_then(|ways| ways.get_mut(way)) {
                    waits.push(wait as u32);
                    *count += 1;
                }
            }
        }
        let count = candidates.iter().map(|waits| waits.len() as u32).collect();
        Self { component, of, count, at, waits: component.waits.len() }
    }

    /// Takes a wait away, and with it every wait that can then lie on no circle.
    fn take(&mut self, wait: u32) {
        let mut work = vec![wait];
        while let Some(wait) = work.pop() {
            let Some(of) = self.of.get_mut(wait as usize).and_then(Option::take) else { continue };
            self.waits -= 1;
            if let Some(count) = of.and_then(|candidate| self.count.get_mut(candidate as usize)) {
                *count -= 1;
            }
            let Some((from, to, _)) = self.component.waits.get(wait as usize) else { continue };
            for (vertex, way) in [(*from, 0), (*to, 1)] {
                let Some(ways) = self.at.get_mut(vertex as usize) else { continue };
                let Some((_, count)) = ways.get_mut(way) else { continue };
                *count -= 1;
                if *count == 0 {
                    // No way out is left, so no way in leads round either; and the other way about.
                    work.extend(ways.get(1 - way).map_or(&[][..], |(waits, _)| waits));
                }
            }
        }
    }
}
