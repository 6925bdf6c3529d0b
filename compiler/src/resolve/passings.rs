//! What goes on under other names, parameters and `facet` statements, and what is asked of it behind them: for lints.
//!
//! Statements of a file count, not their instances: what one instance asks for is asked for.

use crate::model::{Kind, PassedAs, Passing, Rights};
use crate::source::Span;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is passed on, by its statement.
#[derive(Debug, Default)]
pub struct Passings {
    made: BTreeMap<Span, Passing>,
    asked: HashMap<Span, Rights, RandomState>,
}

impl Passings {
    /// Something goes on by a statement.
    pub fn made(&mut self, span: Span, passed_as: PassedAs, name: &Arc<str>, kind: Kind, rights: Rights) {
        let passing = || Passing { passed_as, name: name.clone(), kind, rights, asked: None, span };
        self.made.entry(span).or_insert_with(passing);
    }

    /// Rights are asked of what a statement passed on; none, where it is only spoken of.
    pub fn asked(&mut self, limited_at: Option<Span>, rights: Rights) {
        if let Some(span) = limited_at {
            let asked = self.asked.entry(span).or_insert(Rights::NONE);
            *asked = asked.or(rights);
        }
    }

    /// Returns all, in source order.
    pub fn all(mut self) -> Vec<Passing> {
        for (span, passing) in &mut self.made {
            passing.asked = self.asked.remove(span);
        }
        self.made.into_values().collect()
    }
}
