//! What a configuration asserts of its own authority, whom it trusts with the root, and which lints it waives.

use super::{CapId, Date, ObjectId, Rights};
use crate::source::Span;
use std::sync::Arc;

/// A level of authority.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What a subject could come to hold.
    Hold,
    /// What it could come to learn or effect.
    Reach,
}

/// `never SUBJECT holds|reaches CAPABILITY [RIGHTS]`.
#[derive(Clone, Debug)]
pub struct Never {
    /// The scope that asserts; decides whose trust counts.
    pub scope: ObjectId,
    /// Who.
    pub subject: ObjectId,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: CapId,
    /// Any of these; all of the kind when none is named.
    pub rights: Rights,
    /// The statement.
    pub span: Span,
    /// The words that name the subject.
    pub subject_span: Span,
    /// The words that name the capability.
    pub capability_span: Span,
}

/// `only SUBJECT… hold|reach CAPABILITY [RIGHTS]`: `never` for every other subject.
#[derive(Clone, Debug)]
pub struct Only {
    /// The scope that asserts; decides whose trust counts.
    pub scope: ObjectId,
    /// Who may, each with the words that name it.
    pub subjects: Vec<(ObjectId, Span)>,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: CapId,
    /// Any of these; all of the kind when none is named.
    pub rights: Rights,
    /// The statement.
    pub span: Span,
    /// The words that name the capability.
    pub capability_span: Span,
}

/// `trust SUBJECT reason=…`: lets it control `reconfigure`, and makes it trusted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Who.
    pub subject: ObjectId,
    /// The statement.
    pub span: Span,
    /// The words that name the subject.
    pub subject_span: Span,
}

/// `allow CODE on=NAME reason=… until=…`: a lint that is known and accepted for a while.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The code of the lint, as written.
    pub code: (Arc<str>, Span),
    /// What it is waived for; everything when nothing is named.
    pub on: Option<Waived>,
    /// The last day on which it counts, with its place.
    pub until: Option<(Date, Span)>,
    /// The statement.
    pub span: Span,
}

/// What a lint is waived for: the object or the capability of the name after `on=`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Waived {
    /// An object.
    Object(ObjectId, Span),
    /// A capability.
    Capability(CapId, Span),
}
