//! What a way is looked for in: an authority graph as it was drawn, or as an index has it. What is found, and how it is said,
//! is one and the same.

use super::edges::{Edge, Node};
use super::extent::{Asked, Extent};
use super::places::PlaceId;
use super::walk::{Chain, Hop};
use super::{Authority, Claim, Held, Who, extent, walk, words};
use crate::diag::Step;
use crate::model::{CapId, Derivation, FacetId, Level, ObjectId, Rights, Rule};

/// An authority graph with the names of what is in it.
pub trait Graph: Sized {
    /// Returns how many objects there are.
    fn objects(&self) -> u32;
    /// Returns how many nodes there are: objects, then meetings.
    fn node_count(&self) -> usize;
    /// Returns whether an object can act.
    fn is_subject(&self, object: ObjectId) -> bool;
    /// Returns an edge by its number.
    fn edge(&self, number: u32) -> Option<Edge>;
    /// Returns the edges that begin at a node with their numbers, by name of their end.
    fn numbered_edges(&self, node: Node) -> impl Iterator<Item = (u32, Edge)> + '_;
    /// Returns what an object counts as holding; what is exposed to it counts at level reach alone.
    fn counted(&self, holder: ObjectId) -> impl Iterator<Item = Held> + '_;
    /// Returns a capability as something to ask about.
    fn asked(&self, capability: CapId) -> Asked;
    /// Returns whether a capability reaches the whole network.
    fn is_network(&self, capability: CapId) -> bool;
    /// Returns whether one place is another or lies in it.
    fn contains(&self, outer: PlaceId, inner: PlaceId) -> bool;
    /// Returns an object's name.
    fn name_of(&self, object: ObjectId) -> &str;
    /// Returns a capability's name.
    fn capability_name(&self, capability: CapId) -> &str;
    /// Returns a place's path.
    fn path_of(&self, place: PlaceId) -> &str;
    /// Returns a facet's name with its owner.
    fn facet_name(&self, facet: FacetId) -> (ObjectId, &str);
    /// Returns what people meet over at a node, if it is a meeting.
    fn met_over(&self, node: Node) -> Option<&str>;
    /// Returns in words the first reason why an object itself controls `reconfigure`.
    fn root_words(&self, subject: ObjectId) -> Option<String>;
    /// Returns whether an object holds something by that very name.
    fn holds(&self, holder: ObjectId, capability: CapId) -> bool;
    /// Returns the derivation of the least right that an object holds; empty when it holds none.
    fn derivation(&self, holder: ObjectId, capability: CapId) -> Vec<Derivation>;
    /// Returns the rule by which an object holds something.
    fn rule(&self, holder: ObjectId, capability: CapId) -> Option<Rule>;

    /// Returns how much of what is asked about something held comes to.
    fn extent_of(&self, held: &Held, asked: Asked) -> Extent {
        extent::of(self, held, asked)
    }

    /// Returns how much of something an object has by itself at a level.
    fn own_extent(&self, holder: ObjectId, asked: Asked, level: Level) -> Extent {
        let held = self.counted(holder).filter(|held| held.counts_at(level));
        held.fold(Extent::default(), |extent, held| extent.or(self.extent_of(&held, asked)))
    }

    /// Returns a shortest chain by which a subject can obtain any of some rights.
    fn chain(&self, subject: ObjectId, capability: CapId, rights: Rights, level: Level) -> Option<Chain> {
        walk::chain_against(self, &Claim { who: Who::Never(subject), capability, rights, level }, &[])
    }

    /// Returns a chain as steps for people and programs; the last says how the end of it has the capability.
    fn steps(&self, chain: &Chain, capability: CapId, level: Level) -> Vec<Step> {
        words::steps(self, chain, capability, level)
    }

    /// Returns by what an object itself has any of some rights at a level, if it does: what is held by that very name explains
    /// more than what contains it.
    fn held_of(&self, holder: ObjectId, capability: CapId, rights: Rights, level: Level) -> Option<Held> {
        let asked = self.asked(capability);
        let counts = |held: &Held| {
            held.counts_at(level) && !self.extent_of(held, asked).rights().and(rights).is_empty()
        };
        let by_name = self.counted(holder).filter(counts).find(|held| held.capability == Some(capability));
        by_name.or_else(|| self.counted(holder).find(counts))
    }

    /// Returns one step of a chain in words.
    fn step(&self, hop: &Hop) -> Option<Step> {
        words::step(self, hop)
    }

    /// Returns the derivation of what an object holds, step by step.
    fn provenance(&self, holder: ObjectId, capability: CapId) -> Vec<Step> {
        self.derivation(holder, capability).iter().map(|step| self.derived(step)).collect()
    }

    /// Returns one step of a derivation in words.
    fn derived(&self, step: &Derivation) -> Step {
        words::derived(self, step)
    }
}

impl Graph for Authority<'_> {
    fn objects(&self) -> u32 {
        self.model.objects.len() as u32
    }

    fn node_count(&self) -> usize {
        self.nodes()
    }

    fn is_subject(&self, object: ObjectId) -> bool {
        self.model.object(object).is_subject()
    }

    fn edge(&self, number: u32) -> Option<Edge> {
        self.edges.get(number as usize).copied()
    }

    fn numbered_edges(&self, node: Node) -> impl Iterator<Item = (u32, Edge)> + '_ {
        let first = self.out.get(node.index()).copied().unwrap_or(0);
        (first..).zip(self.edges_from(node).iter().copied())
    }

    fn counted(&self, holder: ObjectId) -> impl Iterator<Item = Held> + '_ {
        self.held(holder).iter().copied()
    }

    fn asked(&self, capability: CapId) -> Asked {
        let place = super::path_of(self.model, capability).and_then(|path| self.places.find(path));
        Asked { capability, kind: self.model.capability(capability).kind, place }
    }

    fn is_network(&self, capability: CapId) -> bool {
        super::is_network(self.model, capability)
    }

    fn contains(&self, outer: PlaceId, inner: PlaceId) -> bool {
        self.places.contains(outer, inner)
    }

    fn name_of(&self, object: ObjectId) -> &str {
        &self.model.object(object).name
    }

    fn capability_name(&self, capability: CapId) -> &str {
        &self.model.capability(capability).name
    }

    fn path_of(&self, place: PlaceId) -> &str {
        self.places.path(place)
    }

    fn facet_name(&self, facet: FacetId) -> (ObjectId, &str) {
        let facet = self.model.facet(facet);
        (facet.owner, &facet.name)
    }

    fn met_over(&self, node: Node) -> Option<&str> {
        self.meeting(node).map(|meeting| &*meeting.subject)
    }

    fn root_words(&self, subject: ObjectId) -> Option<String> {
        let reason = self.root_reasons(subject).into_iter().next();
        reason.map(|way| way.reason.words(way.path))
    }

    fn holds(&self, holder: ObjectId, capability: CapId) -> bool {
        self.is_direct(holder, capability)
    }

    fn derivation(&self, holder: ObjectId, capability: CapId) -> Vec<Derivation> {
        let Some(holding) = self.holdings.get(holder, capability) else { return Vec::new() };
        self.holdings.shortest(self.model, holding).into_iter().cloned().collect()
    }

    fn rule(&self, holder: ObjectId, capability: CapId) -> Option<Rule> {
        let holding = self.holdings.get(holder, capability)?;
        self.holdings.last_step(self.model, holding).map(|step| step.rule)
    }
}
