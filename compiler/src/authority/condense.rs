//! The graph along one traversal, every component one vertex: who reaches each other shares every answer.

use super::Authority;
use super::edges::{Carries, Node};
use crate::components::Components;

/// Components in an order in which edges lead from later ones to earlier ones.
pub(super) struct Condensed {
    components: Components,
    /// For each component where its edges begin in `out`; one more at the end.
    begins: Vec<u32>,
    out: Vec<u32>,
}

impl Condensed {
    /// Condenses a graph: one pass over the edges.
    pub(super) fn new(authority: &Authority<'_>, along: Carries) -> Self {
        let components = Components::new(authority.nodes(), |vertex, place| {
            let left = authority.edges_from(Node(vertex)).get(*place as usize..)?;
            let skipped = left.iter().position(|edge| edge.carries.has(along))?;
            *place += skipped as u32 + 1;
            left.get(skipped).map(|edge| edge.to.0)
        });
        let mut condensed = Self { components, begins: vec![0], out: Vec::new() };
        condensed.link(authority, along);
        condensed
    }

    fn link(&mut self, authority: &Authority<'_>, along: Carries) {
        let mut seen = vec![NONE; self.count()];
        for component in 0..self.count() as u32 {
            for node in self.components.members(component) {
                for edge in authority.edges_from(Node(*node)).iter().filter(|edge| edge.carries.has(along)) {
                    let to = self.components.of(edge.to.0);
                    if to != component
                        && let Some(seen) = seen.get_mut(to as usize)
                        && *seen != component
                    {
                        *seen = component;
                        self.out.push(to);
                    }
                }
            }
            self.begins.push(self.out.len() as u32);
        }
    }

    /// Returns how many components there are.
    pub(super) const fn count(&self) -> usize {
        self.components.count()
    }

    /// Returns a node's component.
    pub(super) fn of(&self, node: Node) -> u32 {
        self.components.of(node.0)
    }

    /// Returns the nodes of a component.
    pub(super) fn members(&self, component: u32) -> impl ExactSizeIterator<Item = Node> {
        self.components.members(component).iter().map(|node| Node(*node))
    }

    /// Returns the components to which edges lead, all of them earlier ones.
    pub(super) fn out(&self, component: u32) -> &[u32] {
        let begin = |component: u32| self.begins.get(component as usize).copied().unwrap_or(0) as usize;
        self.out.get(begin(component)..begin(component + 1)).unwrap_or(&[])
    }
}

const NONE: u32 = u32::MAX;
