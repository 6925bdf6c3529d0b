//! The reader's place in the text, what KDL calls a character of which kind, and the white space between words.

use super::super::Range;
use super::problems::{Problems, Shown};

pub(super) struct Lexer<'t> {
    pub text: &'t str,
    /// The next byte to read.
    pub at: usize,
    /// The texts of strings that do not read as they are written, one after another.
    pub decoded: String,
    pub problems: Problems,
    /// Up to here a quote opens no string, because one before it was never closed.
    pub lost_to: usize,
    /// Whether something that was never closed swallowed the end of the file.
    pub cut_off: bool,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Lexer<'t> {
        let at = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        Lexer { text, at, decoded: String::new(), problems: Problems::default(), lost_to: 0, cut_off: false }
    }

    /// Returns what is not yet read.
    pub fn ahead(&self) -> &'t [u8] {
        self.ahead_of(self.at)
    }

    pub fn ahead_of(&self, at: usize) -> &'t [u8] {
        self.text.as_bytes().get(at..).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Returns the text between two offsets, which are at characters' ends.
    pub fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    pub fn shown(&self, range: Range) -> Shown<'t> {
        Shown(self.text.get(range.as_usize()).unwrap_or_default())
    }

    /// Returns the place from `start` to the next byte to read.
    pub fn range_from(&self, start: usize) -> Range {
        Range::new(start, self.at)
    }

    /// Skips as many bytes and returns their place.
    pub fn take(&mut self, count: usize) -> Range {
        let start = self.at;
        self.at = start.saturating_add(count).min(self.text.len());
        self.range_from(start)
    }

    /// Skips what separates words inside a node, and says whether there was any.
    pub fn skip_space(&mut self) -> bool {
        let start = self.at;
        loop {
            match self.ahead() {
                [b' ' | b'\t', ..] => self.at = self.at.saturating_add(1),
                [b'/', b'*', ..] => self.skip_comment(),
                [b'\\', ..] => self.skip_continuation(),
                [b'!'..=b'~', ..] => break,
                // A forbidden code point is reported by `report_forbidden` and does no further harm.
                ahead => match space_len(ahead).max(forbidden_len(ahead)) {
                    0 => break,
                    length => self.at = self.at.saturating_add(length),
                },
            }
        }
        self.at > start
    }

    /// Skips what separates nodes, the semicolon apart.
    pub fn skip_lines(&mut self) {
        loop {
            self.skip_space();
            match self.ahead() {
                [b'/', b'/', ..] => self.at = self.line_end(self.at),
                ahead => match newline_len(ahead) {
                    0 => break,
                    length => self.at = self.at.saturating_add(length),
                },
            }
        }
    }

    /// Says whether the node ends here of itself: with its line, the block around it, or the file.
    pub fn is_at_node_end(&self) -> bool {
        match self.ahead() {
            [] | [b';' | b'}', ..] | [b'/', b'/', ..] => true,
            ahead => newline_len(ahead) > 0,
        }
    }

    /// Returns where the line of `from` ends, before its newline.
    pub fn line_end(&self, from: usize) -> usize {
        self.find(from, |_| false)
    }

    /// Returns where the next newline is, or the first byte that `is_wanted` before it.
    pub fn find(&self, from: usize, is_wanted: impl Fn(u8) -> bool) -> usize {
        let mut at = from;
        loop {
            let ahead = self.ahead_of(at).iter();
            at += ahead.take_while(|byte| !is_wanted(**byte) && !may_begin_newline(**byte)).count();
            match self.ahead_of(at) {
                [] => return at,
                [byte, ..] if is_wanted(*byte) => return at,
                ahead if newline_len(ahead) > 0 => return at,
                _ => at += 1,
            }
        }
    }

    /// Returns where the word that begins at `from` ends; there, if none does.
    pub fn word_end(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            at += self.ahead_of(at).iter().take_while(|byte| is_ascii_word(**byte)).count();
            match wide_word_len(self.ahead_of(at)) {
                0 => return at,
                length => at += length,
            }
        }
    }

    fn skip_comment(&mut self) {
        let opening = self.take(2);
        let mut depth = 1_usize;
        while depth > 0 {
            match self.ahead() {
                [] => {
                    self.cut_off = true;
                    self.problems.report_anyway(opening, "this comment is never closed", "end it with `*/`");
                    return;
                }
                [b'/', b'*', ..] => {
                    depth = depth.saturating_add(1);
                    self.take(2);
                }
                [b'*', b'/', ..] => {
                    depth = depth.saturating_sub(1);
                    self.take(2);
                }
                _ => self.at = self.at.saturating_add(1),
            }
        }
    }

    fn skip_continuation(&mut self) {
        let backslash = self.take(1);
        loop {
            match self.ahead() {
                [b'/', b'*', ..] => self.skip_comment(),
                [b'/', b'/', ..] => self.at = self.line_end(self.at),
                ahead => match space_len(ahead).max(forbidden_len(ahead)) {
                    0 => break,
                    length => self.at = self.at.saturating_add(length),
                },
            }
        }
        match newline_len(self.ahead()) {
            0 if !self.ahead().is_empty() => self.problems.report(
                backslash,
                "a `\\` outside quotes continues the line, but the line goes on after it",
                "end the line here, or put the word with the `\\` in quotes",
            ),
            length => self.at = self.at.saturating_add(length),
        }
    }
}

/// Reports every code point that KDL forbids to stand anywhere in a file, quotes and comments not excepted:
/// control characters, and those that make text look different from what it is.
pub(super) fn report_forbidden(text: &str, problems: &mut Problems) {
    let bytes = text.as_bytes();
    let after_mark = bytes.strip_prefix(b"\xEF\xBB\xBF").map_or(0, |_| 3);
    // Hardly any block has one, which is seen of the block as a whole.
    let blocks = bytes.chunks(BLOCK).zip((0..).step_by(BLOCK));
    let suspect = blocks.filter(|(block, _)| has_suspect(block));
    let suspect =
        suspect.flat_map(|(block, start)| (start..).zip(block).filter(|(_, byte)| is_suspect(**byte)));
    for (at, _) in suspect.filter(|(at, _)| *at >= after_mark) {
        let length = forbidden_len(bytes.get(at..).unwrap_or_default());
        let end = at.saturating_add(length);
        if length > 0 {
            problems.report_anyway(
                Range::new(at, end),
                format_args!("{} may not stand in a file", Shown(text.get(at..end).unwrap_or_default())),
                "remove it, or write it as `\\u{…}` in a string with quotes",
            );
        }
    }
}

/// Returns the length of the newline that `bytes` begin with, or 0.
pub(super) fn newline_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] | [0xC2, 0x85, ..] => 2,
        [b'\n' | 0x0B | 0x0C | b'\r', ..] => 1,
        [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
        _ => 0,
    }
}

/// Returns the length of the space that `bytes` begin with, or 0; a newline is none.
pub(super) fn space_len(bytes: &[u8]) -> usize {
    match bytes {
        [b' ' | b'\t', ..] => 1,
        [0xC2, 0xA0, ..] => 2,
        [0xE1, 0x9A, 0x80, ..] | [0xE2, 0x80, 0x80..=0x8A | 0xAF, ..] | [0xE2, 0x81, 0x9F, ..] => 3,
        [0xE3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

/// Returns the length of the forbidden code point that `bytes` begin with, or 0.
pub(super) fn forbidden_len(bytes: &[u8]) -> usize {
    match bytes {
        [0..=0x08 | 0x0E..=0x1F | 0x7F, ..] => 1,
        [0xE2, 0x80, 0x8E | 0x8F | 0xAA..=0xAE, ..] | [0xE2, 0x81, 0xA6..=0xA9, ..] => 3,
        [0xEF, 0xBB, 0xBF, ..] => 3,
        _ => 0,
    }
}

/// The bytes that are looked at together for forbidden code points.
const BLOCK: usize = 64;

/// Says whether any of some bytes may begin a forbidden code point, without stopping at the first.
fn has_suspect(block: &[u8]) -> bool {
    block.iter().fold(false, |any, byte| any | is_suspect(*byte))
}

/// Says whether a byte may begin a forbidden code point.
#[inline]
fn is_suspect(byte: u8) -> bool {
    matches!(byte, 0..=0x08 | 0x0E..=0x1F | 0x7F | 0xE2 | 0xEF)
}

fn may_begin_newline(byte: u8) -> bool {
    matches!(byte, 0x0A..=0x0D | 0xC2 | 0xE2)
}

fn is_ascii_word(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E)
        && !matches!(byte, b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'/' | b'\\' | b'"' | b'#' | b';' | b'=')
}

/// Returns the length of the character beyond ASCII that `bytes` begin with, or 0 where it cannot be in a word.
fn wide_word_len(bytes: &[u8]) -> usize {
    if bytes.first().is_none_or(u8::is_ascii)
        || space_len(bytes).max(newline_len(bytes)).max(forbidden_len(bytes)) > 0
    {
        return 0;
    }
    match bytes.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;

    #[test]
    fn every_space_of_unicode_separates_words() {
        for space in "\t \u{A0}\u{1680}\u{2000}\u{2005}\u{200A}\u{202F}\u{205F}\u{3000}".chars() {
            check(&format!("{space}a{space}b{space}"), "a b");
        }
    }

    #[test]
    fn every_newline_of_unicode_separates_nodes() {
        for newline in ["\n", "\r", "\r\n", "\u{85}", "\u{B}", "\u{C}", "\u{2028}", "\u{2029}"] {
            check(&format!("{newline}a{newline}b // c{newline}d"), "a; b; d");
        }
    }

    #[test]
    fn characters_much_like_white_space_are_in_words() {
        check("a\u{200B}b c\u{2030}\u{180E}d", "a\u{200B}b c\u{2030}\u{180E}d");
    }

    #[test]
    fn comments_are_white_space() {
        check("a/*b*/c // d", "a c");
        check("a /* b\n/* c */ d\n*/ e", "a e");
        check("/**/ a /***/ b //", "a b");
    }

    #[test]
    fn a_backslash_continues_the_line() {
        check("a \\\n b \\ // c\n d \\ /* e */ \r\n f\\\ng", "a b d f g");
        check("a \\", "a");
        check("a k \\\n = \\\n b", "a k=b");
        check("\\\na", "a");
    }

    #[test]
    fn a_line_that_goes_on_after_its_continuation_is_refused() {
        check(
            "a \\ b",
            "a b\n2 \"\\\\\" a `\\` outside quotes continues the line, but the line goes on after it",
        );
    }

    #[test]
    fn a_comment_that_is_not_closed_swallows_the_rest() {
        check("a { b /* /* c */ }", "a {b}\n6 \"/*\" this comment is never closed");
        check("/*", "\n0 \"/*\" this comment is never closed");
    }

    #[test]
    fn a_byte_order_mark_stands_only_at_the_start() {
        check("\u{FEFF}a", "a");
        check("\u{FEFF}", "");
        check("a \u{FEFF}b", "a b\n2 \"\\u{feff}\" U+FEFF may not stand in a file");
        check("\u{FEFF}\u{FEFF}a", "a\n3 \"\\u{feff}\" U+FEFF may not stand in a file");
    }

    #[test]
    fn control_characters_are_refused_wherever_they_stand() {
        check("a\0 b", "a b\n1 \"\\0\" U+0000 may not stand in a file");
        check("a \"\u{1B}\"", "a \"\\u{1b}\"\n3 \"\\u{1b}\" U+001B may not stand in a file");
        check("a // \u{7F}", "a\n5 \"\\u{7f}\" U+007F may not stand in a file");
    }

    #[test]
    fn characters_that_reorder_text_are_refused_wherever_they_stand() {
        check("a /* \u{202E} */ b", "a b\n5 \"\\u{202e}\" U+202E may not stand in a file");
        check("/- a #\"\u{2066}\"#", "\n7 \"\\u{2066}\" U+2066 may not stand in a file");
        check("a\u{200F}b", "a b\n1 \"\\u{200f}\" U+200F may not stand in a file");
        check("a \"\\u{202E}\"", "a \"\\u{202e}\"");
    }
}
