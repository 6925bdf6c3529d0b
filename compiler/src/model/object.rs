//! What there is: the trust root, resources, subjects, and the scopes that declare them.

use super::{FacetId, ObjectId, Powerbox, Resource, Service, User};
use crate::source::Span;
use std::sync::Arc;

/// Which kind of file a scope is an instance of, by the first word of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Declares resources.
    System,
    /// Has no authority of its own.
    Module,
    /// A module that takes what a user of the system holds.
    Home,
}

impl FileKind {
    /// Returns the word of its header.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Module => "module",
            Self::Home => "home",
        }
    }
}

/// What an object is.
#[derive(Clone, Debug)]
pub enum ObjectKind {
    /// The trust root.
    Reconfigure,
    /// Everybody beyond the machine's network.
    Outside,
    /// One instance of a configuration file.
    Scope(Box<Scope>),
    /// Something that the machine has.
    Resource(Resource),
    /// A supervised process.
    Service(Box<Service>),
    /// A command that a holder of its `launch` may start.
    Program(Box<Service>),
    /// A person's endowment.
    User(Box<User>),
    /// Hands out what it offers when a person consents.
    Powerbox(Box<Powerbox>),
}

/// One instance of a configuration file.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The scope whose file says `use`; none for the system scope.
    pub parent: Option<ObjectId>,
    /// `trust=#true` at the `use`: what the module trusts is trusted by its user too.
    pub lends_trust: bool,
}

/// An object, with the place that declares it.
#[derive(Clone, Debug)]
pub struct Object {
    /// The path of its instance and its name: `shop/nginx`. A scope's ends with `/`, the system scope's is `/`.
    pub name: Arc<str>,
    /// What it is.
    pub kind: ObjectKind,
    /// The scope that declares it; `reconfigure`, `outside` and the system scope count as their own.
    pub scope: ObjectId,
    /// Its name where it is declared.
    pub span: Span,
    /// `trusted "reason"`, with its place.
    pub trusted: Option<Span>,
    /// A `trust` statement of the system file, with its place: trusted everywhere, and it may control `reconfigure`.
    pub lets_control: Option<Span>,
}

impl Object {
    /// Returns the service, if it is one.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        match &self.kind {
            ObjectKind::Service(service) => Some(service),
            _ => None,
        }
    }

    /// Returns what it is made of and runs as: of a service, or of a program.
    #[must_use]
    pub fn process(&self) -> Option<&Service> {
        match &self.kind {
            ObjectKind::Service(process) | ObjectKind::Program(process) => Some(process),
            _ => None,
        }
    }

    /// Returns the powerbox, if it is one.
    #[must_use]
    pub fn powerbox(&self) -> Option<&Powerbox> {
        match &self.kind {
            ObjectKind::Powerbox(powerbox) => Some(powerbox),
            _ => None,
        }
    }

    /// Returns its facets: those that it provides, then its `control`, `launch` or `ask`.
    #[must_use]
    pub fn facets(&self) -> &[FacetId] {
        match &self.kind {
            ObjectKind::Service(process) | ObjectKind::Program(process) => &process.facets,
            ObjectKind::Powerbox(powerbox) => powerbox.ask.as_slice(),
            ObjectKind::Reconfigure
            | ObjectKind::Outside
            | ObjectKind::Scope(_)
            | ObjectKind::Resource(_)
            | ObjectKind::User(_) => &[],
        }
    }

    /// Returns the resource, if it is one.
    #[must_use]
    pub const fn resource(&self) -> Option<&Resource> {
        match &self.kind {
            ObjectKind::Resource(resource) => Some(resource),
            _ => None,
        }
    }

    /// Returns whether it can act: a service, a program, a user, a powerbox, or `outside`.
    #[must_use]
    pub const fn is_subject(&self) -> bool {
        matches!(
            self.kind,
            ObjectKind::Service(_)
                | ObjectKind::Program(_)
                | ObjectKind::User(_)
                | ObjectKind::Powerbox(_)
                | ObjectKind::Outside
        )
    }
}
