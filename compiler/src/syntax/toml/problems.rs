//! The mistakes found so far, the parser's own among them, in words.

use std::fmt::Write as _;

use toml_parser::{ErrorSink, Expected, ParseError};

use super::super::{Range, SyntaxError};
use crate::diag::Code;

/// No more than this many are kept: nobody reads further, and a hostile file must not fill the memory with them.
pub(super) const MOST: usize = 10_000;

pub(super) struct Problems<'t> {
    source: &'t str,
    list: Vec<SyntaxError>,
    /// The end of the line of the parser's last error: what it says further on that line follows from it.
    quiet_to: usize,
}

impl<'t> Problems<'t> {
    pub fn new(source: &'t str) -> Self {
        Self { source, list: Vec::new(), quiet_to: 0 }
    }

    /// Reports a mistake.
    pub fn report(&mut self, code: Code, range: Range, message: String, help: String) {
        if self.list.len() < MOST {
            self.list.push(SyntaxError { code, range, message, help: Some(help) });
        }
    }

    /// Reports the characters that make text look different from what it is; TOML allows them, and we do not.
    pub fn report_reordering(&mut self) {
        let source = self.source;
        let suspects = source.bytes().enumerate().filter(|(_, byte)| matches!(byte, 0xE2 | 0xEF));
        for (at, _) in suspects {
            let character = source.get(at..).and_then(|rest| rest.chars().next());
            let Some(
                character @ ('\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'),
            ) = character
            else {
                continue;
            };
            // At the beginning it marks the order of bytes.
            if character == '\u{feff}' && at == 0 {
                continue;
            }
            let message = format!("U+{:04X} may not stand in a file", u32::from(character));
            let help = "remove it, or write it as `\\u…` in a string with double quotes".to_owned();
            self.report(Code::Syntax, Range::new(at, at + character.len_utf8()), message, help);
        }
    }

    /// Adds mistakes that were found elsewhere.
    pub fn extend(&mut self, more: Vec<SyntaxError>) {
        let room = MOST.saturating_sub(self.list.len());
        self.list.extend(more.into_iter().take(room));
    }

    /// Returns the mistakes in the order of their places.
    pub fn sorted(mut self) -> Vec<SyntaxError> {
        self.list.sort_by_key(|error| error.range);
        self.list
    }

    /// Returns a place of characters: the parser points between two of them where something is missing.
    fn visible(&self, start: usize, end: usize) -> Range {
        if start < end {
            return Range::new(start, end);
        }
        let (before, after) = self.source.split_at_checked(start).unwrap_or((self.source, ""));
        match (after.chars().next(), before.chars().next_back()) {
            (Some(next), _) if next != '\n' && next != '\r' => Range::new(start, start + next.len_utf8()),
            (_, Some(last)) if last != '\n' => Range::new(start - last.len_utf8(), start),
            (Some(next), _) => Range::new(start, start + next.len_utf8()),
            (None, _) => Range::new(start, start),
        }
    }
}

impl ErrorSink for Problems<'_> {
    fn report_error(&mut self, error: ParseError) {
        let span = error.unexpected().or(error.context()).unwrap_or_default();
        if self.list.len() >= MOST || span.start() < self.quiet_to {
            return;
        }
        let rest = self.source.as_bytes().get(span.start()..).unwrap_or_default();
        let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.quiet_to = span.start().saturating_add(line);
        let range = self.visible(span.start(), span.end());
        self.report(Code::Syntax, range, error.description().to_owned(), help(&error));
    }
}

fn help(error: &ParseError) -> String {
    if error.description().contains("quoted") {
        return "put it in quotes".to_owned();
    }
    let mut help = String::new();
    for expected in error.expected().unwrap_or_default() {
        help.push_str(if help.is_empty() { "write " } else { " or " });
        let _ = match expected {
            Expected::Literal("\n") => write!(help, "a new line"),
            Expected::Literal(literal) => write!(help, "`{literal}`"),
            Expected::Description(description) => write!(help, "a {description}"),
            _ => write!(help, "something else"),
        };
    }
    match help.is_empty() {
        true => "take it out, or put it in quotes".to_owned(),
        false => help + " here",
    }
}
