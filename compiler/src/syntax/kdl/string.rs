//! Strings in quotes: `"…"`, `"""` over several lines, and both raw, between `#`.
//!
//! A string is read twice: here to find its end, and in `decode` if it does not read as it is written.

use super::super::Range;
use super::super::tree::{Spelled, Spelling};
use super::lex::{Lexer, newline_len, space_len};

/// Whether a `\` means something in a string, and what closes the string.
#[derive(Copy, Clone)]
pub(super) enum Kind {
    Escaped,
    /// KDL 1 wrote `r"…"`, which is raw without any `#`.
    Raw {
        hashes: usize,
    },
}

impl Lexer<'_> {
    /// Reads the string that begins at `start`, of which all before its first quote has been read.
    ///
    /// One that is never closed is reported, and is what stands between its quote and the next brace or line:
    /// there the reader finds its feet again.
    pub fn string(&mut self, start: usize, kind: Kind) -> Spelled {
        if start < self.lost_to {
            self.take(1);
            return self.unclosed(start, self.at);
        }
        if self.ahead().starts_with(b"\"\"\"") {
            self.take(3);
            return self.multi_line(start, kind);
        }
        self.take(1);
        let inside = self.at;
        let (close, changes) = self.scan_line(inside, kind);
        if self.closing_len(close, kind, 1) == 0 {
            self.lost_to = close;
            self.problems.report(
                Range::new(start, inside),
                "this string is not closed on its line",
                "close it with the same quotes, or write it on lines of its own between `\"\"\"`",
            );
            self.problems.be_quiet_to(Range::new(start, close).end);
            return self.unclosed(start, inside);
        }
        self.at = close.saturating_add(self.closing_len(close, kind, 1));
        let margin = inside.saturating_sub(start);
        // The `r` before a string of KDL 1 has nothing to match it after the string.
        let is_symmetric = self.at.saturating_sub(close) == margin;
        let margin = u8::try_from(margin).ok().filter(|&margin| margin <= Spelling::WIDEST_MARGIN);
        if let Some(margin) = margin
            && is_symmetric
            && !changes
        {
            return Spelled { range: self.range_from(start), spelling: Spelling::Source { margin } };
        }
        let decoded = self.decoded.len();
        self.unescape(inside, close, kind);
        self.spelled(start, decoded)
    }

    fn unclosed(&mut self, start: usize, inside: usize) -> Spelled {
        self.at = self.find(inside, |byte| matches!(byte, b'{' | b'}'));
        self.verbatim(start, inside, self.at)
    }

    fn multi_line(&mut self, start: usize, kind: Kind) -> Spelled {
        let opening = self.range_from(start);
        let newline = newline_len(self.ahead());
        let body = self.at.saturating_add(newline);
        let (last_line, close) = self.scan_lines(body, kind);
        let closing_len = self.closing_len(close, kind, 3);
        let closing = Range::new(close, close.saturating_add(closing_len));
        self.at = closing.as_usize().end;
        if closing_len == 0 {
            self.cut_off = true;
            self.problems.report(
                opening,
                "this string is never closed",
                "end it with the same quotes on a line of their own",
            );
        } else if newline == 0 {
            self.problems.report(
                opening,
                "the text of a string over several lines begins on the line after its quotes",
                "begin a new line here, or use one quote at each end",
            );
        } else if self.skip_blank(last_line, kind) < close {
            self.problems.report(
                closing,
                "the quotes that close a string over several lines stand on a line of their own",
                "put them on the next line, indented as far as the text is",
            );
        } else {
            let decoded = self.decoded.len();
            self.dedent(body, last_line, close, kind);
            return self.spelled(start, decoded);
        }
        self.verbatim(start, body, close)
    }

    fn verbatim(&mut self, start: usize, inside: usize, end: usize) -> Spelled {
        let decoded = self.decoded.len();
        self.decoded.push_str(self.slice(inside, end));
        self.spelled(start, decoded)
    }

    fn spelled(&self, start: usize, decoded: usize) -> Spelled {
        let place = Range::new(decoded, self.decoded.len());
        Spelled { range: self.range_from(start), spelling: Spelling::Decoded(place) }
    }

    /// Returns where the string on one line closes, or its line ends, and whether it means other than what it says.
    fn scan_line(&self, inside: usize, kind: Kind) -> (usize, bool) {
        let (mut at, mut changes) = (inside, false);
        loop {
            at = self.find(at, |byte| matches!(byte, b'"' | b'\\'));
            match (self.ahead_of(at), kind) {
                ([b'\\', ..], Kind::Escaped) => {
                    changes = true;
                    at = self.escape_end(at);
                }
                ([b'\\', ..], Kind::Raw { .. }) => at = at.saturating_add(1),
                ([b'"', ..], _) if self.closing_len(at, kind, 1) == 0 => at = at.saturating_add(1),
                _ => return (at, changes),
            }
        }
    }

    /// Returns where the last line of a string over several lines begins, and where the string closes or the file ends.
    fn scan_lines(&self, body: usize, kind: Kind) -> (usize, usize) {
        let (mut at, mut last_line) = (body, body);
        loop {
            at = self.find(at, |byte| matches!(byte, b'"' | b'\\'));
            match (self.ahead_of(at), kind) {
                ([b'\\', ..], Kind::Escaped) => at = self.escape_end(at),
                ([b'\\', ..], Kind::Raw { .. }) => at = at.saturating_add(1),
                ([b'"', ..], _) if self.closing_len(at, kind, 3) == 0 => at = at.saturating_add(1),
                ([] | [b'"', ..], _) => return (last_line, at),
                (ahead, _) => {
                    at = at.saturating_add(newline_len(ahead));
                    last_line = at;
                }
            }
        }
    }

    /// Returns the length of what closes a string of `quotes` quotes, if it stands at `at`, or 0.
    fn closing_len(&self, at: usize, kind: Kind, quotes: usize) -> usize {
        let hashes = match kind {
            Kind::Escaped => 0,
            Kind::Raw { hashes } => hashes,
        };
        let length = quotes.saturating_add(hashes);
        let closing = self.ahead_of(at).iter().take(length).enumerate();
        let matching = closing.take_while(|&(index, &byte)| byte == if index < quotes { b'"' } else { b'#' });
        if matching.count() == length { length } else { 0 }
    }

    /// Returns where the escape at `at` ends, roughly: never beyond what closes the string.
    pub fn escape_end(&self, at: usize) -> usize {
        let after = at.saturating_add(1);
        self.white_end(after).max(after.saturating_add(1)).min(self.text.len())
    }

    /// Returns where the white space at `at` ends, newlines included.
    pub fn white_end(&self, at: usize) -> usize {
        let mut end = at;
        loop {
            let ahead = self.ahead_of(end);
            match space_len(ahead).max(newline_len(ahead)) {
                0 => return end,
                length => end = end.saturating_add(length),
            }
        }
    }

    /// Returns where the escaped white space at `at` ends; there, if there is none.
    pub fn escaped_white_end(&self, at: usize, kind: Kind) -> usize {
        match (kind, self.ahead_of(at)) {
            (Kind::Escaped, [b'\\', ..]) => match self.white_end(at.saturating_add(1)) {
                end if end > at.saturating_add(1) => end,
                _ => at,
            },
            _ => at,
        }
    }

    /// Returns where the spaces and the escaped white space at `at` end.
    pub fn skip_blank(&self, at: usize, kind: Kind) -> usize {
        let mut end = at;
        loop {
            let next = self.escaped_white_end(end, kind).saturating_add(space_len(self.ahead_of(end)));
            if next == end {
                return end;
            }
            end = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;

    #[test]
    fn strings_in_quotes_are_names_keys_values_and_types() {
        check("\"a b\" \"c\" \"k k\"=\"v\" (\"t t\")\"\"", "\"a b\" \"c\" \"k k\"=\"v\" (\"t t\")\"\"");
    }

    #[test]
    fn a_raw_string_means_what_it_says() {
        check(r###"a #"\n "x" "# ##""#"## #""#"###, r##"a "\\n \"x\" " "\"#" """##);
    }

    #[test]
    fn a_raw_string_may_have_any_number_of_hashes() {
        for count in [1, 253, 254, 255, 256, 1000] {
            let hashes = "#".repeat(count);
            check(&format!("a {hashes}\"x\"{hashes} b"), "a \"x\" b");
        }
    }

    #[test]
    fn lines_lose_the_indentation_of_the_closing_quotes() {
        check("a \"\"\"\n    b\n      c\n    \"\"\"", "a \"b\\n  c\"");
        check("a \"\"\"\nb\n\"\"\" c", "a \"b\" c");
        check("a #\"\"\"\n\tb\\n\"\"\"\n\t\"\"\"#", "a \"b\\\\n\\\"\\\"\\\"\"");
    }

    #[test]
    fn an_empty_string_over_lines_is_empty() {
        check("a \"\"\"\n\"\"\"", "a \"\"");
        check("a \"\"\"\n  \n  \"\"\"", "a \"\"");
        check("a \"\"\"\n\n\n\"\"\"", "a \"\\n\"");
    }

    #[test]
    fn quotes_inside_a_string_over_lines_do_not_close_it() {
        check("a \"\"\"\n  \"b\" \"\" \\\"\"\" c\n  \"\"\"", "a \"\\\"b\\\" \\\"\\\" \\\"\\\"\\\" c\"");
    }

    #[test]
    fn a_string_that_is_not_closed_ends_with_its_line() {
        check("a \"b\nc", "a \"b\"; c\n2 \"\\\"\" this string is not closed on its line");
        check("a \"", "a \"\"\n2 \"\\\"\" this string is not closed on its line");
        check("a \"b\\", "a \"b\\\\\"\n2 \"\\\"\" this string is not closed on its line");
        check("a ##\"b\"#\nc", "a \"b\\\"#\"; c\n2 \"##\\\"\" this string is not closed on its line");
        check("a k=\"b\u{2028}c", "a k=\"b\"; c\n4 \"\\\"\" this string is not closed on its line");
    }

    #[test]
    fn a_string_that_is_not_closed_swallows_no_brace() {
        check("a { b \"c }\nd", "a {b \"c \"}; d\n6 \"\\\"\" this string is not closed on its line");
        check("a \"b {\nc\n}\nd", "a \"b \" {c}; d\n2 \"\\\"\" this string is not closed on its line");
    }

    #[test]
    fn what_follows_an_unclosed_string_on_its_line_is_not_reported() {
        check(
            "a \"b { c 1k ) } d\ne 1k",
            "a \"b \" {c 1k}; d; e 1k\n2 \"\\\"\" this string is not closed on its line\n20 \"1k\" `1k` begins like a number and is none",
        );
    }

    #[test]
    fn a_string_over_lines_that_is_not_closed_swallows_the_rest() {
        check("a {\n  b \"\"\"\n  c }", "a {b \"  c }\"}\n8 \"\\\"\\\"\\\"\" this string is never closed");
        check(
            "a ##\"\"\"\nb\n\"\"\"#",
            "a \"b\\n\\\"\\\"\\\"#\"\n2 \"##\\\"\\\"\\\"\" this string is never closed",
        );
    }

    #[test]
    fn the_quotes_of_a_string_over_lines_stand_apart_from_its_text() {
        check(
            "a \"\"\"b\"\"\" c",
            "a \"b\" c\n2 \"\\\"\\\"\\\"\" the text of a string over several lines begins on the line after its quotes",
        );
        check(
            "a \"\"\"\nb\"\"\" c",
            "a \"b\" c\n7 \"\\\"\\\"\\\"\" the quotes that close a string over several lines stand on a line of their own",
        );
        check(
            "a #\"\"\"\nb\"\"\"#",
            "a \"b\"\n8 \"\\\"\\\"\\\"#\" the quotes that close a string over several lines stand on a line of their own",
        );
    }
}
