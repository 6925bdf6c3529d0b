//! The edges between subjects, and the meeting places through which edges go where many could meet many.

use super::places::PlaceId;
use crate::model::{Model, OUTSIDE, ObjectId};
use crate::source::Span;
use std::sync::Arc;

/// A vertex: an object's id, or one past the objects for each meeting place.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

impl Node {
    /// Returns the index into tables by node.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<ObjectId> for Node {
    fn from(object: ObjectId) -> Self {
        Self(object.0)
    }
}

/// Along which traversals an edge leads.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Carries(u8);

impl Carries {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Capabilities, at level hold.
    pub const HOLD: Self = Self(1);
    /// What is learnt, at level reach.
    pub const LEARN: Self = Self(2);
    /// What is effected, at level reach.
    pub const EFFECT: Self = Self(4);
    /// Both of level reach.
    pub const REACH: Self = Self(6);
    /// All three.
    pub const ALL: Self = Self(7);

    /// Returns the traversals in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Returns the traversals in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Returns the traversals in here and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Returns whether the edge leads along this traversal.
    #[must_use]
    pub const fn has(self, one: Self) -> bool {
        self.0 & one.0 == one.0
    }
    /// Returns the words that programs read.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let named = [(Self::HOLD, "hold"), (Self::LEARN, "learn"), (Self::EFFECT, "effect")];
        named.into_iter().filter(move |(one, _)| self.has(*one)).map(|(_, word)| word)
    }
}

/// Which rule an edge comes by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words are the model's rules")]
pub enum EdgeRule {
    Use,
    Pass,
    Share,
    Meet,
    Control,
}

impl EdgeRule {
    /// Returns the word that programs read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Pass => "pass",
            Self::Share => "share",
            Self::Meet => "meet",
            Self::Control => "control",
        }
    }
}

/// `from` can obtain what `to` can.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who obtains.
    pub from: Node,
    /// From whom.
    pub to: Node,
    /// By which rule.
    pub rule: EdgeRule,
    /// Along which traversals.
    pub carries: Carries,
    /// Whether it leads there only because the other relays: a trusted one would not.
    pub relayed: bool,
    /// Whether it leads there only when a person consents.
    pub consent: bool,
    /// The statement behind it; the earliest, when there are several.
    pub span: Span,
}

/// Where many meet many: a path, a port, an identity.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// Says which rule meets where: `learn:/srv/site`.
    pub name: String,
    /// `place` or `identity`.
    pub kind: &'static str,
    /// Where in the configuration the first who meets there comes to do so.
    pub span: Span,
    /// What people meet over: a path, a port, an identity.
    pub subject: Arc<str>,
    /// The path, if it is one; then the name ends with it.
    pub place: Option<PlaceId>,
}

/// Somebody at a meeting, with the statement that brings them.
#[derive(Copy, Clone, Debug)]
pub struct Party {
    /// Who.
    pub who: ObjectId,
    /// The statement.
    pub span: Span,
    /// For which traversals it counts.
    pub carries: Carries,
}

/// Collects edges and meetings; knows who is trusted.
pub struct Sink<'a> {
    /// The edges so far.
    pub edges: Vec<Edge>,
    /// The meetings so far.
    pub meetings: Vec<Meeting>,
    /// The edges that trust cuts.
    pub cut: Vec<Edge>,
    objects: u32,
    trusted: &'a [bool],
}

impl<'a> Sink<'a> {
    /// Returns an empty sink.
    #[must_use]
    pub fn new(model: &Model, trusted: &'a [bool]) -> Self {
        Self {
            edges: Vec::new(),
            meetings: Vec::new(),
            cut: Vec::new(),
            objects: model.objects.len() as u32,
            trusted,
        }
    }

    /// Returns whether an object relays nothing but what it exposes.
    #[must_use]
    pub fn is_trusted(&self, object: ObjectId) -> bool {
        self.trusted.get(object.index()) == Some(&true)
    }

    /// Adds a meeting.
    pub fn meeting(&mut self, meeting: Meeting) -> Node {
        self.meetings.push(meeting);
        Node(self.objects + self.meetings.len() as u32 - 1)
    }

    /// Adds an edge.
    pub fn push(&mut self, from: Node, to: Node, rule: EdgeRule, carries: Carries, span: Span) {
        self.add(Edge { from, to, rule, carries, relayed: false, consent: false, span });
    }

    /// Adds an edge into somebody who relays: not if trusted.
    pub fn relayed(&mut self, from: Node, to: ObjectId, rule: EdgeRule, carries: Carries, span: Span) {
        let edge = Edge { from, to: to.into(), rule, carries, relayed: true, consent: false, span };
        if self.is_trusted(to) {
            self.cut.push(edge);
        } else {
            self.add(edge);
        }
    }

    /// Adds an edge to a powerbox, which hands out what it offers when a person consents, trusted or not.
    pub fn by_consent(&mut self, from: Node, to: ObjectId, carries: Carries, span: Span) {
        self.add(Edge {
            from,
            to: to.into(),
            rule: EdgeRule::Use,
            carries,
            relayed: false,
            consent: true,
            span,
        });
    }

    fn add(&mut self, edge: Edge) {
        // Nobody obtains anything from `outside`.
        if edge.from != edge.to && edge.to != Node::from(OUTSIDE) {
            self.edges.push(edge);
        }
    }
}

/// Whether those at the end of an edge must relay for it to lead there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Entering {
    /// It leads only to those who are not trusted.
    Relaying,
    /// It leads there whatever they are: they are controlled.
    Forced,
}
