//! `schedule`: calendar words as in systemd.time(7), checked where they are written by who will follow them.

use super::words::{Reader, Word};
use crate::diag::{Code, Diagnostic, nearest};
use capc_supervisor::Calendar;

/// Returns whether a word is a calendar event; reports it otherwise.
pub fn check(reader: &mut Reader<'_>, word: &Word) -> bool {
    let Err(problem) = Calendar::parse(&word.text) else { return true };
    let shown: String = word.text.chars().take(60).collect();
    let wrong = Diagnostic::new(Code::BadValue, format!("`{shown}`: {problem}"), word.span, problem);
    reader.report(match nearest(&word.text, Calendar::WORDS) {
        Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
        None => wrong.help("write for example \"daily\", \"Mon 03:00\" or \"*-*-01 04:00:00\""),
    });
    false
}
