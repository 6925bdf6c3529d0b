//! A shortest circle of a relation, without trying every beginning.
//!
//! Every circle goes through a set of vertices whose removal leaves none, and a small such set is quick to find: take
//! away what has no way in or out, again and again, and when nothing is left to take, the vertex with most ways.
//! One search from each of those finds a shortest circle.

use std::collections::{BinaryHeap, VecDeque};

/// How many edges all searches together may look at; beyond it the shortest circle found so far stands.
const MOST_LOOKS: usize = 200_000_000;

/// Returns a shortest circle of some edges, which are sorted by their ends: of several between the same two the first.
#[must_use]
pub fn circle_of<T>(members: usize, edges: &[(u32, u32, T)]) -> Vec<&(u32, u32, T)> {
    let mut targets: Vec<Vec<u32>> = vec![Vec::new(); members];
    for (from, to, _) in edges {
        if let Some(targets) = targets.get_mut(*from as usize)
            && targets.last() != Some(to)
        {
            targets.push(*to);
        }
    }
    let circle = shortest_circle(&targets);
    let next = circle.iter().skip(1).chain(circle.first());
    let first = |(from, to): (&u32, &u32)| {
        let at = edges.partition_point(|edge| (edge.0, edge.1) < (*from, *to));
        edges.get(at)
    };
    circle.iter().zip(next).filter_map(first).collect()
}

/// Returns a shortest circle of a relation over the indices of `edges`, beginning with its least member; nothing if there is
/// none. Of several the one found first from the least beginning.
#[must_use]
pub fn shortest_circle(edges: &[Vec<u32>]) -> Vec<u32> {
    let targets = |vertex: u32| edges.get(vertex as usize).into_iter().flatten().copied();
    if let Some(alone) =
        (0..edges.len() as u32).find(|vertex| targets(*vertex).any(|target| target == *vertex))
    {
        return vec![alone];
    }
    let mut beginnings = feedback_set(edges);
    beginnings.sort_unstable();
    let mut search = Search { by: vec![None; edges.len()], touched: Vec::new(), looks: 0 };
    let mut best: Vec<u32> = Vec::new();
    for begin in beginnings {
        if best.len() == 2 || search.looks > MOST_LOOKS {
            break;
        }
        if let Some(circle) = search.circle_through(edges, begin, best.len()) {
            best = circle;
        }
    }
    let least = best.iter().enumerate().min_by_key(|(_, vertex)| **vertex).map_or(0, |(at, _)| at);
    best.rotate_left(least);
    best
}

struct Search {
    by: Vec<Option<u32>>,
    touched: Vec<u32>,
    looks: usize,
}

impl Search {
    /// Returns a shortest circle through a vertex, if it is shorter than `known` (or that is 0).
    fn circle_through(&mut self, edges: &[Vec<u32>], begin: u32, known: usize) -> Option<Vec<u32>> {
        for vertex in self.touched.drain(..) {
            if let Some(by) = self.by.get_mut(vertex as usize) {
                *by = None;
            }
        }
        let mut queue = VecDeque::from([(begin, 1)]);
        while let Some((vertex, length)) = queue.pop_front() {
            if known > 0 && length >= known {
                return None;
            }
            for target in edges.get(vertex as usize).into_iter().flatten().copied() {
                self.looks += 1;
                if target == begin {
                    return Some(self.way(begin, vertex));
                }
                if let Some(by) = self.by.get_mut(target as usize)
                    && by.is_none()
                {
                    *by = Some(vertex);
                    self.touched.push(target);
                    queue.push_back((target, length + 1));
                }
            }
        }
        None
    }

    fn way(&self, begin: u32, last: u32) -> Vec<u32> {
        let mut way = vec![last];
        let mut at = last;
        while at != begin {
            let Some(before) = self.by.get(at as usize).copied().flatten() else { break };
            way.push(before);
            at = before;
        }
        way.reverse();
        way
    }
}

/// Returns vertices of which every circle has one.
fn feedback_set(edges: &[Vec<u32>]) -> Vec<u32> {
    let mut into: Vec<Vec<u32>> = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for target in targets {
            if let Some(into) = into.get_mut(*target as usize) {
                into.push(from as u32);
            }
        }
    }
    let mut peel = Peel::new(edges, &into);
    let score = |peel: &Peel<'_>, vertex: u32| {
        let (ins, outs) = peel.degrees(vertex);
        u64::from(ins) * u64::from(outs)
    };
    let mut heap: BinaryHeap<(u64, std::cmp::Reverse<u32>)> =
        (0..edges.len() as u32).map(|vertex| (score(&peel, vertex), std::cmp::Reverse(vertex))).collect();
    let mut chosen = Vec::new();
    while let Some((known, std::cmp::Reverse(vertex))) = heap.pop() {
        if peel.is_gone(vertex) {
            continue;
        }
        // Degrees only fall, so an old score is too high at most.
        let now = score(&peel, vertex);
        if now < known {
            heap.push((now, std::cmp::Reverse(vertex)));
            continue;
        }
        chosen.push(vertex);
        peel.take(vertex);
    }
    chosen
}

/// A relation from which vertices without ways in or out are taken away at once.
struct Peel<'a> {
    edges: &'a [Vec<u32>],
    into: &'a [Vec<u32>],
    /// For each vertex how many ways are left in and out; none when it is gone.
    left: Vec<Option<(u32, u32)>>,
}

impl<'a> Peel<'a> {
    fn new(edges: &'a [Vec<u32>], into: &'a [Vec<u32>]) -> Self {
        let left =
            into.iter().zip(edges).map(|(into, out)| Some((into.len() as u32, out.len() as u32))).collect();
        let mut peel = Self { edges, into, left };
        for vertex in 0..edges.len() as u32 {
            if matches!(peel.degrees(vertex), (0, _) | (_, 0)) {
                peel.take(vertex);
            }
        }
        peel
    }

    fn is_gone(&self, vertex: u32) -> bool {
        self.left.get(vertex as usize).copied().flatten().is_none()
    }

    fn degrees(&self, vertex: u32) -> (u32, u32) {
        self.left.get(vertex as usize).copied().flatten().unwrap_or((0, 0))
    }

    fn take(&mut self, vertex: u32) {
        let mut work = vec![vertex];
        while let Some(vertex) = work.pop() {
            let Some(place) = self.left.get_mut(vertex as usize).filter(|place| place.is_some()) else {
                continue;
            };
            *place = None;
            let out = self.edges.get(vertex as usize).into_iter().flatten().map(|target| (*target, true));
            let into = self.into.get(vertex as usize).into_iter().flatten().map(|source| (*source, false));
            for (other, is_target) in out.chain(into) {
                let Some(Some((ins, outs))) = self.left.get_mut(other as usize) else { continue };
                let ways = if is_target { &mut *ins } else { &mut *outs };
                *ways = ways.saturating_sub(1);
                if *ins == 0 || *outs == 0 {
                    work.push(other);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(edges: &[&[u32]], expected: &[u32]) {
        let edges: Vec<Vec<u32>> = edges.iter().map(|targets| targets.to_vec()).collect();
        assert_eq!(shortest_circle(&edges), expected);
    }

    #[test]
    fn the_shortest_of_several_circles_is_found() {
        check(&[&[1], &[2], &[]], &[]);
        check(&[&[1], &[2], &[0, 3], &[2]], &[2, 3]);
        check(&[&[1], &[2], &[3], &[0], &[4]], &[4]);
        check(&[&[1, 2], &[2], &[3], &[0]], &[0, 2, 3]);
    }

    #[test]
    fn a_ring_of_a_hundred_thousand_is_no_trouble() {
        let count = 100_000u32;
        let edges: Vec<Vec<u32>> = (0..count).map(|vertex| vec![(vertex + 1) % count]).collect();
        assert_eq!(shortest_circle(&edges).len(), count as usize);
    }
}
