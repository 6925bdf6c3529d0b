//! What is said of one supervised process.

use super::{CapId, Exposure, FacetId, Rights};
use crate::source::Span;
use std::sync::Arc;

/// A path that somebody wrote, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    /// Absolute, normal, after aliases.
    pub path: Arc<str>,
    /// Where it is written.
    pub span: Span,
}

/// When a service counts as ready.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// As soon as it runs.
    #[default]
    Started,
    /// When it says so.
    Notify,
    /// When its facets exist.
    Socket,
}

/// What happens when a service ends.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    #[default]
    Never,
    /// It starts again unless it ended well.
    OnFailure,
    /// It starts again.
    Always,
}

/// What a service may use up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<(u64, Span)>,
    /// Processes and threads.
    pub tasks: Option<(u64, Span)>,
    /// Open files.
    pub files: Option<(u64, Span)>,
    /// Per cent of one processor.
    pub cpu: Option<(u64, Span)>,
    /// `best-effort=#true`: a limit that this machine cannot enforce is left out, and said.
    pub best_effort: bool,
}

/// A private, empty, writable place in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// Where the service sees it.
    pub at: PathUse,
    /// Bytes; none is the default size.
    pub size: Option<u64>,
}

/// How a holder sees one capability that it `holds`: only `lower` asks.
#[derive(Clone, Debug)]
pub struct Placement {
    /// What is held.
    pub capability: CapId,
    /// The rights named, or the least.
    pub rights: Rights,
    /// Its name here.
    pub name: Arc<str>,
    /// Where its holder wants it, which few say.
    pub placing: Option<Box<Placing>>,
    /// The whole statement.
    pub span: Span,
}

/// Where a holder wants to see what it holds.
#[derive(Clone, Debug)]
pub struct Placing {
    /// `at=`: another path in its world.
    pub at: Option<PathUse>,
    /// `fd=`: the descriptor's number.
    pub fd: Option<(u32, Span)>,
}

impl Placement {
    /// Returns the path that it has in the holder's world, if that is another one.
    #[must_use]
    pub fn at(&self) -> Option<&PathUse> {
        self.placing.as_ref()?.at.as_ref()
    }

    /// Returns the descriptor's number that was asked for.
    #[must_use]
    pub fn fd(&self) -> Option<(u32, Span)> {
        self.placing.as_ref()?.fd
    }
}

/// A supervised process, or a program that a holder of its `launch` may start.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// The program of `run`; none only when the declaration lacks it, which is an error.
    pub program: Option<PathUse>,
    /// The arguments of `run`.
    pub arguments: Vec<(Arc<str>, Span)>,
    /// The absolute paths among the arguments of `run`: whoever changes what lies there controls the service.
    pub argument_paths: Vec<PathUse>,
    /// The program and arguments of `prepare`.
    pub prepare: Option<(PathUse, Vec<Arc<str>>)>,
    /// More code it is made of.
    pub image: Vec<PathUse>,
    /// The words of `image` that name a list of the standard library: what this machine does not have of it is left out.
    pub standard: Vec<Span>,
    /// Configuration it reads.
    pub config: Vec<PathUse>,
    /// `as`: the capability of the identity it runs as.
    pub identity: Option<(CapId, Span)>,
    /// Environment variables, in source order.
    pub environment: Vec<(Arc<str>, Arc<str>)>,
    /// The working directory; `/` when none is given.
    pub workdir: Option<PathUse>,
    /// Private places in memory.
    pub scratch: Vec<Scratch>,
    /// What `holds` statements ask for, in source order.
    pub placements: Vec<Placement>,
    /// Its facets, `control` included.
    pub facets: Vec<FacetId>,
    /// It runs to its end.
    pub oneshot: bool,
    /// What happens when it ends.
    pub restart: Restart,
    /// When it counts as ready.
    pub ready: Ready,
    /// What it may use up.
    pub limits: Limits,
    /// The signal that stops it (a name without `SIG`) and how long that may take, in milliseconds.
    pub stop: Option<(String, u64)>,
    /// The signal that makes it read its configuration again.
    pub reload: Option<String>,
    /// When it starts by the calendar (systemd.time(7)), as written.
    pub schedule: Option<(Arc<str>, Span)>,
    /// Groups of system calls beyond the usual.
    pub syscalls: Vec<(Arc<str>, Span)>,
    /// It has no world at all, and so everything: the statement.
    pub unconfined: Option<Span>,
}

/// A person's endowment: what their `home` file may hand on.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// What `holds` statements ask for, in source order.
    pub placements: Vec<Placement>,
}

/// An object that may hand out some capabilities when a person consents.
#[derive(Clone, Debug, Default)]
pub struct Powerbox {
    /// What it may hand out, in source order; it holds these by endowment.
    pub offers: Vec<Exposure>,
    /// How it asks the person.
    pub asks: Option<(Arc<str>, Span)>,
    /// Its `ask`.
    pub ask: Option<FacetId>,
}
