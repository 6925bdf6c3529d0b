//! What all diagnostics share: a code, a message, labelled places, and what to write instead.
//!
//! The words of a diagnostic stand beside the code that raises it; rendering is in `emit::report`.

mod code;
mod nearest;

pub use code::{Code, Severity};
pub use nearest::nearest;

use crate::source::Span;
use serde::Serialize;

/// A place that a diagnostic is about, and what it has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The words to underline.
    pub span: Span,
    /// What this place has to do with it.
    pub text: String,
    /// Whether it is the place to look at first.
    pub primary: bool,
}

/// One edge of a circular bootstrap dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleEdge {
    /// Who waits.
    pub from: String,
    /// For whom.
    pub to: String,
    /// `mint` or `ready`.
    pub kind: &'static str,
    /// The facet waited for.
    pub facet: String,
    /// The statement that makes it wait.
    pub span: Span,
}

/// One change that helps to break a circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cut {
    /// Who waits; for `activated` and `channel`, which serve all holders, the service that provides the facet.
    pub from: String,
    /// For whom.
    pub to: String,
    /// The facet.
    pub facet: String,
    /// `activated`, `channel` or `when=use`; of another init's services, `remove` or `DefaultDependencies=no`.
    pub change: &'static str,
}

/// One step of a chain of authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `use`, `pass`, `share`, `meet`, `control`, or the rule of a holding.
    pub rule: &'static str,
    /// Who obtains.
    pub from: String,
    /// From whom, or what.
    pub to: String,
    /// The statement behind it.
    pub span: Span,
    /// The step in words.
    pub text: String,
}

/// What some codes carry beyond labels, for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more.
    #[default]
    None,
    /// `bootstrap-cycle`.
    Cycle {
        /// A shortest cycle, closed.
        cycle: Vec<CycleEdge>,
        /// All services of the component, sorted.
        members: Vec<String>,
        /// The fewest changes that open it.
        cuts: Vec<Cut>,
    },
    /// `assertion-failed`.
    Witness {
        /// A shortest chain.
        steps: Vec<Step>,
        /// A smallest set whose being trusted would mend it; none when no trust could.
        trusted_base: Option<Vec<String>>,
    },
}

/// One thing that is wrong, or could be meant better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// Whether it stops what comes after; a lint's may be raised by who asks.
    pub severity: Severity,
    /// What is wrong: one line, lower case, the user's words in backticks.
    pub message: String,
    /// Where; the first is primary unless another says so.
    pub labels: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
    /// Who or what it is about beyond its first place, where that tells it from another of its code at the same words; empty
    /// where all that is said there is one mistake, as of a module that is used many times.
    pub about: String,
    /// More, for programs.
    pub detail: Detail,
}

impl Diagnostic {
    /// Returns a diagnostic with its primary place.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        let primary = Label { span, text: text.into(), primary: true };
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: vec![primary],
            help: None,
            about: String::new(),
            detail: Detail::None,
        }
    }

    /// Returns whether it stops what comes after.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Adds another place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says who or what it is about: at the same words, something else is another report.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Adds what programs read.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}
