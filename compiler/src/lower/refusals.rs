//! What this machine does not allow, all of one run.

use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// The refusals and notes of one run.
#[derive(Debug, Default)]
pub struct Refusals {
    diagnostics: Vec<Diagnostic>,
    notes: Vec<String>,
}

impl Refusals {
    /// Adds a refusal: what is wrong, at which statement, what this place has to do with it, what to write instead.
    pub fn refuse(&mut self, span: Span, message: impl Into<String>, label: &str, help: impl Into<String>) {
        let diagnostic = Diagnostic::new(Code::Refused, message, span, label).help(help);
        // One cause, one report: a path that two services hold is refused where it is first written.
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds refusals and notes that were found together.
    pub fn add(&mut self, refusals: &[Diagnostic], notes: &[String]) {
        self.diagnostics.extend_from_slice(refusals);
        notes.iter().for_each(|note| self.note(note.as_str()));
    }

    /// Adds a refusal that no configuration should come to.
    pub fn internal(&mut self, span: Span, what: &str) {
        self.refuse(
            span,
            format!("internal error: {what}"),
            "while lowering this",
            "report this, with the configuration",
        );
    }

    /// Adds something that a person should know and that refuses nothing.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Returns the notes if nothing was refused.
    ///
    /// # Errors
    /// All refusals otherwise, by their places.
    pub fn finish(mut self) -> Result<Vec<String>, Vec<Diagnostic>> {
        if self.diagnostics.is_empty() {
            return Ok(self.notes);
        }
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span));
        Err(self.diagnostics)
    }
}
