//! What the strings mean that do not read as they are written: escapes, and the indentation of lines.

use super::super::tree::Range;
use super::lex::{Lexer, newline_len, space_len};
use super::problems::Shown;
use super::string::Kind;

impl Lexer<'_> {
    /// Decodes the lines of a string, each without the indentation of the last, which is that of the closing quotes.
    ///
    /// KDL takes escaped white space away first, then the indentation, and resolves the other escapes last.
    pub fn dedent(&mut self, body: usize, last_line: usize, close: usize, kind: Kind) {
        let mut indentation = String::new();
        let mut at = last_line;
        while at < close {
            let after_escape = self.escaped_white_end(at, kind);
            at = after_escape.saturating_add(space_len(self.ahead_of(after_escape)));
            indentation.push_str(self.slice(after_escape, at));
        }
        let mut reported = false;
        let mut line = body;
        while line < last_line {
            if line > body {
                self.decoded.push('\n');
            }
            let first = self.skip_blank(line, kind);
            let mut end = first;
            if newline_len(self.ahead_of(first)) == 0 {
                let (text, is_indented) = self.skip_indentation(line, &indentation, kind);
                end = self.logical_line_end(first, kind);
                if !is_indented && !reported {
                    reported = true;
                    self.problems.report(
                        Range::new(first, end),
                        "this line is not indented as the closing quotes are",
                        "begin it with the very spaces and tabs that stand before the quotes",
                    );
                }
                self.unescape(text, end, kind);
            }
            line = end.saturating_add(newline_len(self.ahead_of(end)));
        }
    }

    /// Returns where the text of a line begins after `indentation`, and whether all of that is there.
    fn skip_indentation(&self, line: usize, indentation: &str, kind: Kind) -> (usize, bool) {
        let mut at = line;
        for space in indentation.chars() {
            at = self.escaped_white_end(at, kind);
            let mut buffer = [0; 4];
            let space = space.encode_utf8(&mut buffer);
            if !self.ahead_of(at).starts_with(space.as_bytes()) {
                return (at, false);
            }
            at = at.saturating_add(space.len());
        }
        (at, true)
    }

    fn logical_line_end(&self, from: usize, kind: Kind) -> usize {
        let mut at = from;
        loop {
            at = self.find(at, |byte| byte == b'\\');
            match (self.ahead_of(at), kind) {
                ([b'\\', ..], Kind::Escaped) => at = self.escape_end(at),
                ([b'\\', ..], Kind::Raw { .. }) => at = at.saturating_add(1),
                _ => return at,
            }
        }
    }

    /// Decodes what stands between two offsets.
    pub fn unescape(&mut self, start: usize, end: usize, kind: Kind) {
        let mut rest = start;
        while let Kind::Escaped = kind
            && let Some(distance) = self.slice(rest, end).find('\\')
        {
            let backslash = rest.saturating_add(distance);
            self.decoded.push_str(self.slice(rest, backslash));
            rest = self.escape(backslash);
        }
        self.decoded.push_str(self.slice(rest, end));
    }

    /// Decodes the escape at `at` and returns where it ends.
    fn escape(&mut self, at: usize) -> usize {
        let after = at.saturating_add(1);
        let meant = match self.ahead_of(after).first() {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b's') => ' ',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'u') => return self.unicode_escape(at),
            _ => {
                let white_end = self.white_end(after);
                return if white_end > after { white_end } else { self.unknown_escape(at) };
            }
        };
        self.decoded.push(meant);
        after.saturating_add(1)
    }

    fn unicode_escape(&mut self, at: usize) -> usize {
        let digits_at = at.saturating_add(3);
        let has_brace = self.ahead_of(at).starts_with(b"\\u{");
        let digits_len =
            self.ahead_of(digits_at).iter().take_while(|byte| has_brace && byte.is_ascii_hexdigit()).count();
        let digits_end = digits_at.saturating_add(digits_len);
        let is_closed = self.ahead_of(digits_end).first() == Some(&b'}');
        let end = match (has_brace, is_closed) {
            (false, _) => at.saturating_add(2),
            (true, false) => digits_end,
            (true, true) => digits_end.saturating_add(1),
        };
        let digits = self.slice(digits_at, digits_end);
        let code_point = u32::from_str_radix(digits, 16).ok().filter(|_| is_closed && digits_len <= 6);
        match code_point.and_then(char::from_u32) {
            Some(meant) => self.decoded.push(meant),
            None => {
                let range = Range::new(at, end);
                self.problems.report(
                    range,
                    format_args!("`{}` does not name a character", self.shown(range)),
                    "write `\\u{…}` with one to six hexadecimal digits of a Unicode character; surrogates are none",
                );
            }
        }
        end
    }

    fn unknown_escape(&mut self, at: usize) -> usize {
        let after = at.saturating_add(1);
        let escaped = self.slice(after, after.saturating_add(self.ahead_of(after).len())).chars().next();
        let end = after.saturating_add(escaped.map_or(0, char::len_utf8));
        let range = Range::new(at, end);
        self.decoded.push_str(self.slice(after, end));
        self.problems.report(
            range,
            format_args!("`{}` is not an escape", Shown(self.slice(at, end))),
            "write `\\\\` for a backslash; the escapes are `\\n` `\\r` `\\t` `\\s` `\\b` `\\f` `\\\"` `\\u{…}`",
        );
        end
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;

    #[test]
    fn escapes_stand_for_characters() {
        check(
            r#"a "\n\r\t\s\b\f\"\\\u{e9}\u{10FFFF}\u{0}é""#,
            "a \"\\n\\r\\t \\u{8}\\u{c}\\\"\\\\é\\u{10ffff}\\0é\"",
        );
    }

    #[test]
    fn escaped_white_space_is_nothing() {
        check("a \"b\\   c\\\n  d\\\u{2028}\u{3000}e\\ \"", "a \"bcde\"");
    }

    #[test]
    fn an_unknown_escape_is_refused() {
        check("a \"x\\qy\" b", "a \"xqy\" b\n4 \"\\\\q\" `\\q` is not an escape");
        check(
            "a \"\\/\\é\"",
            "a \"/é\"\n3 \"\\\\/\" `\\/` is not an escape\n5 \"\\\\é\" `\\é` is not an escape",
        );
    }

    #[test]
    fn an_escape_of_no_character_is_refused() {
        check(r#"a "\u{}""#, "a \"\"\n3 \"\\\\u{}\" `\\u{}` does not name a character");
        check(r#"a "\u{D800}""#, "a \"\"\n3 \"\\\\u{D800}\" `\\u{D800}` does not name a character");
        check(r#"a "\u{110000}""#, "a \"\"\n3 \"\\\\u{110000}\" `\\u{110000}` does not name a character");
        check(r#"a "\u{0000041}""#, "a \"\"\n3 \"\\\\u{0000041}\" `\\u{0000041}` does not name a character");
        check(r#"a "\u{41""#, "a \"\"\n3 \"\\\\u{41\" `\\u{41` does not name a character");
        check(r#"a "\u41""#, "a \"41\"\n3 \"\\\\u\" `\\u` does not name a character");
    }

    #[test]
    fn newlines_of_every_kind_become_line_feeds() {
        check(
            "a \"\"\"\r\n b\r c\u{85} d\u{b} e\u{c} f\u{2028} g\u{2029} \"\"\"",
            "a \"b\\nc\\nd\\ne\\nf\\ng\"",
        );
    }

    #[test]
    fn blank_lines_need_no_indentation() {
        check("a \"\"\"\n    b\n\n  \t\n    c\n    \"\"\"", "a \"b\\n\\n\\nc\"");
    }

    #[test]
    fn escaped_white_space_goes_before_the_indentation_does() {
        check("a \"\"\"\n  foo \\\nbar\n  baz\n  \\   \"\"\"", "a \"foo bar\\nbaz\"");
        check(
            "a \"\"\"\n \\   b\n  \"\"\"",
            "a \"b\"\n11 \"b\" this line is not indented as the closing quotes are",
        );
    }

    #[test]
    fn other_escapes_are_resolved_after_the_indentation_is_gone() {
        check("a \"\"\"\n  \\s\\sb\\nc\n  \"\"\"", "a \"  b\\nc\"");
    }

    // KDL: "all in-between lines … must start with at least the exact same whitespace as the final line".
    #[test]
    fn a_line_indented_otherwise_than_the_closing_quotes_is_refused() {
        check(
            "a \"\"\"\n  b\n c\nd\n  \"\"\"",
            "a \"b\\nc\\nd\"\n11 \"c\" this line is not indented as the closing quotes are",
        );
        check(
            "a \"\"\"\n\tb\n  \"\"\"",
            "a \"\\tb\"\n7 \"b\" this line is not indented as the closing quotes are",
        );
        check(
            "a \"\"\"\n\\s b\n \"\"\"",
            "a \"  b\"\n6 \"\\\\s b\" this line is not indented as the closing quotes are",
        );
    }
}
