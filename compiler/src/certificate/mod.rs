//! Certificates: for every assertion that holds a closed set that proves it, and a checker that shares nothing with what
//! found it.
//!
//! [`Grounds`] is what the check came to, by id; [`issue`] writes it down by name; [`confirm`] believes a certificate only
//! as far as one pass over edges and holdings bears it out.

mod confirm;
mod issue;

pub use confirm::{Doubt, confirm};
pub use issue::issue;

use crate::authority::{Claim, Verdicts};
use crate::source::Span;
use serde::{Deserialize, Serialize};

/// What the assertions of a configuration came to.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// One for each way of seeing trust.
    pub views: Vec<View>,
}

/// The assertions of those scopes that see trust alike.
#[derive(Clone, Debug)]
pub struct View {
    /// Who is trusted, by object.
    pub trusted: Vec<bool>,
    /// What is asserted.
    pub claims: Vec<Claim>,
    /// Where, for each.
    pub spans: Vec<Span>,
    /// Whether it is so, for each, and why.
    pub found: Verdicts,
}

/// `certificate.json`: what proves the assertions that hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// `capc/certificate/1`.
    pub format: String,
    /// One for each way of seeing trust.
    pub views: Vec<CertifiedView>,
}

/// What is proved where just some objects are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedView {
    /// The trusted objects, sorted.
    pub trusted: Vec<String>,
    /// Closed sets; several assertions may share one.
    pub sets: Vec<CertifiedSet>,
    /// The assertions, sorted.
    pub assertions: Vec<CertifiedAssertion>,
}

/// A set that no edge of a traversal leaves (`reached`), or none enters (`obtaining`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedSet {
    /// `hold`, `learn` or `effect`.
    pub along: String,
    /// `obtaining` or `reached`.
    pub side: String,
    /// Its objects and meeting places, sorted.
    pub members: Vec<String>,
}

/// An assertion with its proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedAssertion {
    /// `never` or `only`.
    pub word: String,
    /// Of `never` the subject, of `only` those who may, sorted.
    pub subjects: Vec<String>,
    /// `hold` or `reach`.
    pub level: String,
    /// What.
    pub capability: String,
    /// Any of these rights.
    pub rights: Vec<String>,
    /// The sets, as indices into `sets`: one for each traversal by which the rights could be obtained.
    pub proof: Vec<usize>,
}

/// The value of `format`.
pub const FORMAT: &str = "capc/certificate/1";
