//! The one place that refuses what can move a terminal's cursor or turn the reading direction, in everything printed.

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use std::io::{self, Write};

/// Returns whether a letter could make text look like what it is not.
fn is_hostile(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns text in which nothing can move a terminal's cursor or turn the reading direction; lines stay lines.
#[must_use]
pub fn harmless(text: &str) -> String {
    escaped(text, |letter| is_hostile(letter) && letter != '\n')
}

/// Returns text that is harmless and one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    escaped(text, is_hostile)
}

fn escaped(text: &str, is_hostile: impl Fn(char) -> bool) -> String {
    if !text.contains(&is_hostile) {
        return text.to_owned();
    }
    text.chars()
        .map(
            |letter| {
                if is_hostile(letter) { letter.escape_unicode().to_string() } else { letter.to_string() }
            },
        )
        .collect()
}

/// Writes a document as JSON that means the same and is harmless to look at.
///
/// # Errors
/// Whatever the writer says.
pub fn write_json(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Harmless(CompactFormatter));
    document.serialize(&mut serializer).map_err(io::Error::from)
}

/// JSON in which hostile letters are escaped; `serde_json` itself escapes those below a space alone.
struct Harmless(CompactFormatter);

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_hostile(*letter)) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            // Every hostile letter is of the basic plane, so one escape is enough.
            write!(writer, "\\u{:04x}", u32::from(letter))?;
            rest = from.get(letter.len_utf8()..).unwrap_or("");
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_means_the_same_and_turns_nothing() {
        let text = "a\u{1b}[2J\u{202e}b\u{7f}\u{85}\u{200f}ü\n\"\\";
        let mut json = Vec::new();
        write_json(&mut json, &text).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert!(!json.chars().any(is_hostile), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert!(!one_line(text).chars().any(is_hostile));
        assert_eq!(harmless("a\nb"), "a\nb");
        assert_eq!(one_line("a\nb"), "a\\u{a}b");
    }
}
