//! One unit with its drop-ins and links: what it names, and what its type and settings imply.

use super::name::{UnitName, UnitType};
use crate::foreign::order::Why;
use crate::source::Span;
use std::sync::Arc;

/// In which way a unit names another.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Starting it starts the other (`Requires=`, `BindsTo=`, `Wants=`, `Upholds=`).
    Pull(Strength),
    /// The other must run already, and is looked at (`Requisite=`).
    Verify,
    /// It starts after the other.
    After,
    /// It starts before the other.
    Before,
    /// They do not run together.
    Conflicts,
    /// It starts the other some time later, by itself.
    Triggers,
}

/// Whether a unit starts without what it pulls in.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Not without it.
    Hard,
    /// Also without it.
    Soft,
}

/// That a unit names another.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// In which way.
    pub relation: Relation,
    /// Which.
    pub name: Arc<str>,
    /// Where.
    pub span: Span,
    /// By which word.
    pub why: Why,
}

/// A unit as its files say it.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its name.
    pub id: Arc<str>,
    /// Its type.
    pub unit_type: UnitType,
    /// Whether there is something to start.
    pub state: State,
    /// Whether it has what is usual for its type.
    pub defaults: bool,
    /// What it names.
    pub dependencies: Vec<Dependency>,
    /// Paths that must be mounted before it starts.
    pub paths: Vec<Needed>,
    /// Where it is declared.
    pub header: Span,
    /// Whether a person named its file, or the directory that it is in.
    pub is_given: bool,
}

/// Whether there is something to start.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// By a file, or because such units need none.
    Loaded,
    /// It runs from the beginning, so nobody waits for it.
    Running,
    /// No file says what it is.
    Missing,
    /// Somebody wants it never to start, or its file is refused.
    Refused,
}

/// A path that must be mounted before a unit starts.
#[derive(Clone, Debug)]
pub struct Needed {
    /// The path.
    pub path: String,
    /// Where the unit names it.
    pub span: Span,
    /// By which word.
    pub why: Why,
}

impl Unit {
    /// Returns a unit that nothing is said of yet.
    #[must_use]
    pub fn new(name: &UnitName<'_>, mention: Span) -> Self {
        // Some are made by the kernel, or by whoever uses them; some run before anything is started.
        let state = match (name.text, name.unit_type) {
            ("-.slice" | "system.slice" | "-.mount" | "init.scope", _) => State::Running,
            (_, UnitType::Device | UnitType::Slice) => State::Loaded,
            _ => State::Missing,
        };
        Self {
            id: name.text.into(),
            unit_type: name.unit_type,
            state,
            defaults: true,
            dependencies: Vec::new(),
            paths: Vec::new(),
            header: mention,
            is_given: false,
        }
    }

    /// Adds that it names another.
    pub fn name(&mut self, relation: Relation, name: impl Into<Arc<str>>, span: Span, why: Why) {
        self.dependencies.push(Dependency { relation, name: name.into(), span, why });
    }
}
