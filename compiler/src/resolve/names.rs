//! The names of each scope, and what a name means when the ways it was passed on are followed back.
//!
//! A parameter is another name for something of the user's scope, a `gives` for something of the module's, a `facet` for
//! something of its own scope. Following is iterative and remembered, so that names cost what they are long.

use super::declaration::{HoldsDeclaration, TakesDeclaration};
use super::tables::ByName;
use super::words::Word;
use crate::model::{CapId, Kind, ObjectId, Rights};
use crate::source::Span;

/// A scope: an index into the table of scopes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub usize);

/// What a declared name stands for. Most are few words long; what is longer stands elsewhere, as there are many names.
#[derive(Clone, Debug)]
pub enum Binding {
    /// A resource.
    Capability(CapId),
    /// A parameter of a file that is read by itself: something that nothing else speaks of, with at most these rights.
    Open {
        /// What stands for it.
        capability: CapId,
        /// The contract.
        rights: Rights,
        /// `takes`.
        takes: Span,
    },
    /// A service, program, user or powerbox of the scope.
    Subject(ObjectId),
    /// An instance of a module.
    Instance(ScopeId),
    /// A parameter: a name in the user's scope, with at most some rights.
    Parameter(Box<Parameter>),
    /// A parameter of a home: what the user of the system holds by this name, with at most these rights.
    Endowed {
        /// The scope that declares the user.
        scope: ScopeId,
        /// The user.
        user: ObjectId,
        /// Its `holds` of this name; there is one at least.
        first: Box<HoldsDeclaration>,
        /// Further ones of the same capability.
        more: Vec<HoldsDeclaration>,
        /// The contract.
        takes: Box<TakesDeclaration>,
    },
    /// An attenuated name: a name in the same scope, with at most some rights.
    Facet(Box<Attenuation>),
    /// An optional parameter that was left out.
    Absent,
    /// Something whose declaration is wrong, which has been reported.
    Broken,
}

/// A parameter of an instance: an argument as far as the contract goes.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The scope of the `use`.
    pub user: ScopeId,
    /// The argument as written there.
    pub argument: Word,
    /// The contract.
    pub kind: Kind,
    /// The contract.
    pub rights: Rights,
    /// `takes`.
    pub takes: Span,
    /// `use`.
    pub used: Span,
}

/// A `facet` statement.
#[derive(Clone, Debug)]
pub struct Attenuation {
    /// What it is a facet of, as written.
    pub of: Word,
    /// The rights as written.
    pub rights: Vec<Word>,
    /// A part.
    pub part: Option<Word>,
    /// The statement.
    pub span: Span,
}

impl Binding {
    /// Returns whether it can turn out to mean a capability.
    #[must_use]
    pub const fn may_be_capability(&self) -> bool {
        matches!(
            self,
            Self::Capability(_)
                | Self::Open { .. }
                | Self::Parameter(_)
                | Self::Endowed { .. }
                | Self::Facet(_)
        )
    }
}

/// A name with the place that declares it.
#[derive(Clone, Debug)]
pub struct Named {
    /// Where it is declared.
    pub span: Span,
    /// What it stands for.
    pub binding: Binding,
}

/// One scope's names.
#[derive(Debug)]
pub struct ScopeNames {
    /// The scope as an object.
    pub object: ObjectId,
    /// What comes before the names of its objects: `shop/`, or nothing.
    pub prefix: String,
    /// Its own names.
    pub names: ByName<Named>,
    /// What its module gives, by name: the inner name.
    pub gives: ByName<Word>,
    /// The scope that uses it.
    pub user: Option<ScopeId>,
}

/// What a name turns out to mean.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A capability, with the rights that the name allows at most.
    Capability {
        /// Which.
        capability: CapId,
        /// At most these.
        limit: Rights,
        /// The narrowest statement on the way, when there is one.
        limited_at: Option<Span>,
    },
    /// An optional parameter that was left out: what speaks of it is as if not written.
    Absent,
    /// Reported already.
    Broken,
    /// Not a name of the scope.
    Unknown,
    /// A subject, an instance or a scope, which is no capability by itself.
    Object(ObjectId),
}
