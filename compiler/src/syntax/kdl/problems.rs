//! The mistakes found so far, and how the user's words are shown in a message.

use std::fmt;

use super::super::{Range, SyntaxError};
use super::lex::forbidden_len;
use crate::diag::Code;

/// No more than this many are kept: nobody reads further, and a hostile file must not fill the memory with them.
pub(super) const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Problems {
    list: Vec<SyntaxError>,
    found: usize,
    quiet_to: Option<u32>,
}

impl Problems {
    /// Reports a mistake, unless a report before it is about this place or explains it.
    pub fn report(&mut self, range: Range, message: impl fmt::Display, help: impl fmt::Display) {
        let is_known = self.list.last().is_some_and(|last| last.range == range);
        if !is_known && !self.is_quiet_at(range.start) {
            self.report_anyway(range, message, help);
        }
        self.found = self.found.saturating_add(1);
    }

    /// Says whether a mistake at `offset` would not be reported.
    pub fn is_quiet_at(&self, offset: u32) -> bool {
        self.quiet_to.is_some_and(|quiet_to| offset <= quiet_to)
    }

    /// Reports a mistake that later places have nothing to do with.
    pub fn report_anyway(&mut self, range: Range, message: impl fmt::Display, help: impl fmt::Display) {
        if self.list.len() < MOST {
            let (message, help) = (message.to_string(), Some(help.to_string()));
            self.list.push(SyntaxError { code: Code::Syntax, range, message, help });
        }
    }

    /// Reports nothing more up to and including `offset`: what is amiss there follows from the last mistake.
    pub fn be_quiet_to(&mut self, offset: u32) {
        self.quiet_to = self.quiet_to.max(Some(offset));
    }

    /// Returns how many mistakes were found, reported or not.
    pub fn found(&self) -> usize {
        self.found
    }

    /// Returns the mistakes in the order of their places.
    pub fn sorted(mut self) -> Vec<SyntaxError> {
        self.list.sort_by_key(|error| error.range);
        self.list
    }
}

/// The user's words as a message can show them: not too many, and nothing that could disturb a terminal.
pub(super) struct Shown<'t>(pub &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, character) in self.0.chars().enumerate() {
            if count == 40 {
                return f.write_str("…");
            }
            let mut buffer = [0; 4];
            if character.is_control() || forbidden_len(character.encode_utf8(&mut buffer).as_bytes()) > 0 {
                write!(f, "U+{:04X}", u32::from(character))?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}
