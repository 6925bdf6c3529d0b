//! Diagnostics as workflow commands, which GitHub shows beside the lines of a change.

use super::found::{Found, MOST_OF_ONE_CODE, readable};
use super::harmless::{harmless, one_line};
use super::uri::relative;
use crate::source::Span;
use std::fmt::Write;
use std::path::Path;

/// Returns one command a diagnostic; files below `base` are named from there.
#[must_use]
pub fn commands(all: &[Found<'_>], base: &Path) -> String {
    let mut out = String::new();
    let (shown, omitted) = readable(all, MOST_OF_ONE_CODE);
    for one in shown {
        let diagnostic = one.diagnostic;
        let _ = write!(out, "::{} ", diagnostic.severity.word());
        if let Some((span, file)) = one.first() {
            let name = relative(file, base)
                .map_or_else(|| file.name.clone(), |path| path.to_string_lossy().into_owned());
            let (start, end) = (file.place(span.start), file.place(span.end));
            let _ = write!(out, "file={},line={},endLine={},", property(&name), start.line, end.line);
            // Columns say something on one line only, and there the last one is meant, not the one after it.
            if start.line == end.line {
                let last = end.column.saturating_sub(1).max(start.column);
                let _ = write!(out, "col={},endColumn={last},", start.column);
            }
        }
        let mut message = diagnostic.message.clone();
        for label in diagnostic.labels.iter().skip(1) {
            let (name, place) = one.sources.locate(Span { ..label.span });
            let _ = write!(message, "\n{name}:{}:{}: {}", place.line, place.column, label.text);
        }
        if let Some(help) = &diagnostic.help {
            let _ = write!(message, "\nhelp: {help}");
        }
        let _ = writeln!(out, "title={}::{}", property(diagnostic.code.word()), data(&message));
    }
    for (code, count) in omitted {
        let _ = writeln!(out, "::notice title={}::and {count} more", property(code.word()));
    }
    out
}

/// What ends a command's message, or its line, is escaped.
fn data(text: &str) -> String {
    harmless(&text.replace('%', "%25").replace('\r', "%0D")).replace('\n', "%0A")
}

/// In a property's value what separates properties is escaped too.
fn property(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    one_line(&text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn what_separates_the_parts_of_a_command_is_escaped() {
        assert_eq!(data("50% a:b,c\r\nd"), "50%25 a:b,c%0D%0Ad");
        assert_eq!(property("50%\r\n a:b,c"), "50%25%0D%0A a%3Ab%2Cc");
        assert_eq!(data("\u{202e}"), "\\u{202e}");
    }
}
