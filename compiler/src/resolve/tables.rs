//! The tables that binding goes by: names to what they stand for, targets to their capabilities.
//!
//! A configuration of a million grants asks them some millions of times, so a name is hashed once and never copied.

use super::names::{Meaning, ScopeId};
use crate::model::{CapId, FacetId, ObjectId, Target};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Something by its name.
pub type ByName<V> = HashMap<Arc<str>, V, RandomState>;

/// The capabilities spoken of so far: of whole targets by their ids, of parts by the whole and the path within it.
#[derive(Default)]
pub struct Capabilities {
    resources: Vec<Option<CapId>>,
    facets: Vec<Option<CapId>>,
    parts: HashMap<(Target, Arc<str>), CapId, RandomState>,
}

impl Capabilities {
    /// Returns a capability that has been spoken of.
    pub fn find(&self, target: Target, part: Option<&Arc<str>>) -> Option<CapId> {
        match (target, part) {
            (_, Some(part)) => self.parts.get(&(target, part.clone())).copied(),
            (Target::Resource(object), None) => self.resources.get(object.index()).copied().flatten(),
            (Target::Facet(facet), None) => self.facets.get(facet.index()).copied().flatten(),
        }
    }

    /// Notes a capability that is spoken of for the first time.
    pub fn add(&mut self, target: Target, part: Option<Arc<str>>, capability: CapId) {
        let (table, index) = match (target, part) {
            (_, Some(part)) => {
                self.parts.insert((target, part), capability);
                return;
            }
            (Target::Resource(object), None) => (&mut self.resources, object.index()),
            (Target::Facet(facet), None) => (&mut self.facets, facet.index()),
        };
        if table.len() <= index {
            table.resize(index + 1, None);
        }
        if let Some(place) = table.get_mut(index) {
            *place = Some(capability);
        }
    }
}

/// Facets by their maker and name. Few names are used by many makers, so a name has a number.
#[derive(Default)]
pub struct Facets {
    numbers: ByName<u32>,
    by_maker: HashMap<(ObjectId, u32), FacetId, RandomState>,
}

impl Facets {
    /// Returns a maker's facet.
    pub fn find(&self, maker: ObjectId, name: &str) -> Option<FacetId> {
        let number = *self.numbers.get(name)?;
        self.by_maker.get(&(maker, number)).copied()
    }

    /// Adds a maker's facet.
    pub fn add(&mut self, maker: ObjectId, name: &Arc<str>, facet: FacetId) {
        let next = self.numbers.len() as u32;
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => *self.numbers.entry(name.clone()).or_insert(next),
        };
        self.by_maker.insert((maker, number), facet);
    }
}

/// What words were found to mean, by where their text lies: a file's words of the same text share it, and to look at the text
/// again costs more than all else about most names.
#[derive(Default)]
pub struct Found(HashMap<(ScopeId, usize), (Arc<str>, Meaning), RandomState>);

impl Found {
    /// Returns what a word means in a scope, if that was found for this very text.
    #[must_use]
    pub fn get(&self, scope: ScopeId, word: &Arc<str>) -> Option<Meaning> {
        self.0.get(&(scope, Self::place(word))).map(|(_, meaning)| *meaning)
    }

    /// Notes what a word means. Its text is kept, so that no other comes to lie there.
    pub fn add(&mut self, scope: ScopeId, word: &Arc<str>, meaning: Meaning) {
        self.0.insert((scope, Self::place(word)), (word.clone(), meaning));
    }

    fn place(word: &Arc<str>) -> usize {
        Arc::as_ptr(word).cast::<u8>().addr()
    }
}
