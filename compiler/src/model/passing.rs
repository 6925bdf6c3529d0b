//! Statements by which something goes on under another name.

use super::{Kind, Rights};
use crate::source::Span;
use std::sync::Arc;

/// By which statement something goes on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum PassedAs {
    /// `takes` of a module or home.
    Parameter,
    /// `facet NAME of=…`.
    Facet,
}

/// A statement of a file by which something goes on, whatever its instances.
#[derive(Clone, Debug)]
pub struct Passing {
    /// Which statement.
    pub passed_as: PassedAs,
    /// The name under which it goes on.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// The rights that go on.
    pub rights: Rights,
    /// The rights that are asked of it behind the name; none when nothing speaks of it there.
    pub asked: Option<Rights>,
    /// The statement.
    pub span: Span,
}
