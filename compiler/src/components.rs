//! Strongly connected components of any relation between numbers: what is in one component leads to each other.
//!
//! Tarjan's algorithm (1972) with a stack of its own, so that depth is bounded by memory alone.

/// The components of a relation, in an order in which it leads from later ones to earlier ones.
pub struct Components {
    /// For each vertex its component.
    of: Vec<u32>,
    /// For each component where its members begin; one more at the end.
    starts: Vec<u32>,
    members: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl Components {
    /// Finds the components of a relation over `0..count`. `next` returns a vertex's next target and moves the place, which
    /// begins at 0, past it; none when there are no more.
    #[must_use]
    pub fn new(count: usize, next: impl Fn(u32, &mut u32) -> Option<u32>) -> Self {
        let mut found = Self { of: vec![UNSEEN; count], starts: vec![0], members: Vec::with_capacity(count) };
        let mut order = vec![UNSEEN; count];
        let mut low = vec![UNSEEN; count];
        let (mut stack, mut frames): (Vec<u32>, Vec<(u32, u32)>) = (Vec::new(), Vec::new());
        let mut seen = 0;
        for root in 0..count as u32 {
            if at(&order, root) != UNSEEN {
                continue;
            }
            frames.push((root, 0));
            while let Some((vertex, place)) = frames.last_mut() {
                let vertex = *vertex;
                if at(&order, vertex) == UNSEEN {
                    set(&mut order, vertex, seen);
                    set(&mut low, vertex, seen);
                    seen += 1;
                    stack.push(vertex);
                }
                let mut down = None;
                while let Some(target) = next(vertex, place) {
                    if at(&order, target) == UNSEEN {
                        down = Some(target);
                        break;
                    }
                    // What has no component yet is still on the stack.
                    if at(&found.of, target) == UNSEEN {
                        let least = at(&low, vertex).min(at(&order, target));
                        set(&mut low, vertex, least);
                    }
                }
                if let Some(target) = down {
                    frames.push((target, 0));
                    continue;
                }
                frames.pop();
                if let Some((parent, _)) = frames.last() {
                    let least = at(&low, *parent).min(at(&low, vertex));
                    set(&mut low, *parent, least);
                }
                if at(&low, vertex) == at(&order, vertex) {
                    found.close(&mut stack, vertex);
                }
            }
        }
        found
    }

    /// Finds the components of a relation by the list of each vertex's targets.
    #[must_use]
    pub fn of_lists(targets: &[Vec<u32>]) -> Self {
        Self::new(targets.len(), |vertex, place| {
            let target = targets.get(vertex as usize)?.get(*place as usize).copied()?;
            *place += 1;
            Some(target)
        })
    }

    /// Makes a component of what is on the stack down to its root.
    fn close(&mut self, stack: &mut Vec<u32>, root: u32) {
        let component = self.count() as u32;
        while let Some(member) = stack.pop() {
            set(&mut self.of, member, component);
            self.members.push(member);
            if member == root {
                break;
            }
        }
        let begin = self.starts.last().copied().unwrap_or(0);
        if let Some(members) = self.members.get_mut(begin as usize..) {
            members.sort_unstable();
        }
        self.starts.push(self.members.len() as u32);
    }

    /// Returns how many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns a vertex's component.
    #[must_use]
    pub fn of(&self, vertex: u32) -> u32 {
        at(&self.of, vertex)
    }

    /// Returns the vertices of a component, ascending.
    #[must_use]
    pub fn members(&self, component: u32) -> &[u32] {
        let range = at(&self.starts, component) as usize..at(&self.starts, component + 1) as usize;
        self.members.get(range).unwrap_or(&[])
    }

    /// Returns the vertices of each component, ascending.
    pub fn all(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.count() as u32).map(|component| self.members(component))
    }
}

fn at(table: &[u32], index: u32) -> u32 {
    table.get(index as usize).copied().unwrap_or(UNSEEN)
}

fn set(table: &mut [u32], index: u32, value: u32) {
    if let Some(place) = table.get_mut(index as usize) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn components_are_those_that_petgraph_finds() {
        let mut state = 1u64;
        let mut roll = |sides: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32 % sides
        };
        for _ in 0..500 {
            let count = 1 + roll(12);
            let mut edges = vec![Vec::new(); count as usize];
            let mut graph = petgraph::graph::DiGraph::<(), ()>::new();
            let nodes: Vec<_> = (0..count).map(|_| graph.add_node(())).collect();
            for _ in 0..roll(2 * count) {
                let (from, to) = (roll(count), roll(count));
                edges[from as usize].push(to);
                graph.add_edge(nodes[from as usize], nodes[to as usize], ());
            }
            let ours: BTreeSet<Vec<u32>> = Components::of_lists(&edges).all().map(<[u32]>::to_vec).collect();
            let theirs = petgraph::algo::kosaraju_scc(&graph).into_iter().map(|component| {
                let mut component: Vec<u32> = component.iter().map(|node| node.index() as u32).collect();
                component.sort_unstable();
                component
            });
            assert_eq!(ours, theirs.collect());
        }
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_stack() {
        let edges: Vec<Vec<u32>> = (0..100_000u32).map(|at| vec![(at + 1) % 100_000]).collect();
        assert_eq!(Components::of_lists(&edges).count(), 1);
    }
}
