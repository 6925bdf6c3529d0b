//! The graph along one traversal, every component one vertex: who reaches each other shares every answer.

use super::Authority;
use super::edges::{Carries, Node};

/// Components in an order in which edges lead from later ones to earlier ones.
pub(super) struct Condensed {
    /// For each node its component.
    of: Vec<u32>,
    /// For each component where its members begin in `members`; one more at the end.
    starts: Vec<u32>,
    members: Vec<Node>,
    /// For each component where its edges begin in `out`; one more at the end.
    begins: Vec<u32>,
    out: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl Condensed {
    /// Condenses a graph: one pass over the edges that an explicit stack keeps off the program's own (Tarjan 1972).
    pub(super) fn new(authority: &Authority<'_>, along: Carries) -> Self {
        let count = authority.nodes();
        let mut order = vec![UNSEEN; count];
        let mut low = vec![UNSEEN; count];
        let mut of = vec![UNSEEN; count];
        let (mut starts, mut members) = (vec![0], Vec::with_capacity(count));
        let (mut stack, mut frames): (Vec<u32>, Vec<(u32, u32)>) = (Vec::new(), Vec::new());
        let (mut next, mut components) = (0, 0);
        for root in 0..count as u32 {
            if at(&order, root) != UNSEEN {
                continue;
            }
            frames.push((root, 0));
            while let Some((vertex, edge)) = frames.last_mut() {
                let vertex = *vertex;
                if at(&order, vertex) == UNSEEN {
                    set(&mut order, vertex, next);
                    set(&mut low, vertex, next);
                    next += 1;
                    stack.push(vertex);
                }
                let edges = authority.edges_from(Node(vertex));
                let mut down = None;
                while let Some(found) = edges.get(*edge as usize) {
                    *edge += 1;
                    if !found.carries.has(along) {
                        continue;
                    }
                    let to = found.to.0;
                    if at(&order, to) == UNSEEN {
                        down = Some(to);
                        break;
                    }
                    // What has no component yet is still on the stack.
                    if at(&of, to) == UNSEEN {
                        let least = at(&low, vertex).min(at(&order, to));
                        set(&mut low, vertex, least);
                    }
                }
                if let Some(to) = down {
                    frames.push((to, 0));
                    continue;
                }
                frames.pop();
                if let Some((parent, _)) = frames.last() {
                    let least = at(&low, *parent).min(at(&low, vertex));
                    set(&mut low, *parent, least);
                }
                if at(&low, vertex) == at(&order, vertex) {
                    while let Some(member) = stack.pop() {
                        set(&mut of, member, components);
                        members.push(Node(member));
                        if member == vertex {
                            break;
                        }
                    }
                    starts.push(members.len() as u32);
                    components += 1;
                }
            }
        }
        let mut condensed = Self { of, starts, members, begins: vec![0], out: Vec::new() };
        condensed.link(authority, along);
        condensed
    }

    fn link(&mut self, authority: &Authority<'_>, along: Carries) {
        let mut seen = vec![UNSEEN; self.count()];
        for component in 0..self.count() as u32 {
            for node in self.members.get(self.range(component)).unwrap_or(&[]) {
                for edge in authority.edges_from(*node).iter().filter(|edge| edge.carries.has(along)) {
                    let to = at(&self.of, edge.to.0);
                    if to != component && at(&seen, to) != component {
                        set(&mut seen, to, component);
                        self.out.push(to);
                    }
                }
            }
            self.begins.push(self.out.len() as u32);
        }
    }

    fn range(&self, component: u32) -> std::ops::Range<usize> {
        at(&self.starts, component) as usize..at(&self.starts, component + 1) as usize
    }

    /// Returns how many components there are.
    pub(super) const fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns a node's component.
    pub(super) fn of(&self, node: Node) -> u32 {
        at(&self.of, node.0)
    }

    /// Returns the nodes of a component.
    pub(super) fn members(&self, component: u32) -> &[Node] {
        self.members.get(self.range(component)).unwrap_or(&[])
    }

    /// Returns the components to which edges lead, all of them earlier ones.
    pub(super) fn out(&self, component: u32) -> &[u32] {
        let range = at(&self.begins, component) as usize..at(&self.begins, component + 1) as usize;
        self.out.get(range).unwrap_or(&[])
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
