//! One unit file or drop-in as assignments, each word of which keeps its place (systemd.syntax(7)).

use crate::diag::{Code, Diagnostic, Severity};
use crate::source::{FileId, Span};

/// `Key=Value` in some section.
#[derive(Debug)]
pub struct Assignment<'t> {
    /// The section.
    pub section: &'t str,
    /// The key.
    pub key: &'t str,
    /// The value, its lines joined.
    pub value: Value<'t>,
}

/// A value that may go on over several lines.
#[derive(Debug)]
pub struct Value<'t> {
    text: std::borrow::Cow<'t, str>,
    /// Where in the text each line's part begins, and where in the file.
    parts: Vec<(u32, u32)>,
    file: FileId,
}

/// One word of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says, without quotes.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Value<'_> {
    /// Returns the value as a whole.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns its place; of an empty one, the place where it would be.
    #[must_use]
    pub fn span(&self) -> Span {
        self.place(0, self.text.len())
    }

    fn place(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| {
            let before = self.parts.partition_point(|(from, _)| *from as usize <= offset).saturating_sub(1);
            self.parts.get(before).map_or(0, |(from, to)| to + (offset as u32 - from))
        };
        // The end belongs to the line of the last letter.
        let last = end.max(start + 1) - 1;
        Span { file: self.file, start: at(start), end: if end > start { at(last) + 1 } else { at(start) } }
    }

    /// Returns what spaces separate; quotes are letters here, as in lists of units.
    #[must_use]
    pub fn plain_words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        let mut at = 0;
        for text in self.text.split(BLANKS) {
            if !text.is_empty() {
                words.push(Word { text: text.to_owned(), span: self.place(at, at + text.len()) });
            }
            at += text.len() + 1;
        }
        words
    }

    /// Returns the words: spaces separate, quotes hold together, backslashes stay. A quote that is never closed ends the list
    /// before its word, as in systemd.
    #[must_use]
    pub fn words(&self) -> (Vec<Word>, Option<Span>) {
        let mut words = Vec::new();
        let mut word: Option<(usize, String)> = None;
        let mut quote: Option<char> = None;
        for (at, letter) in self.text.char_indices() {
            match (quote, letter) {
                (Some(open), letter) if letter == open => quote = None,
                (None, '"' | '\'') => {
                    quote = Some(letter);
                    word.get_or_insert_with(|| (at, String::new()));
                }
                (None, letter) if BLANKS.contains(&letter) => {
                    if let Some((start, text)) = word.take() {
                        words.push(Word { text, span: self.place(start, at) });
                    }
                }
                (_, letter) => word.get_or_insert_with(|| (at, String::new())).1.push(letter),
            }
        }
        match word {
            Some((start, _)) if quote.is_some() => (words, Some(self.place(start, self.text.len()))),
            Some((start, text)) => {
                words.push(Word { text, span: self.place(start, self.text.len()) });
                (words, None)
            }
            None => (words, None),
        }
    }
}

/// What separates words.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];
/// The longest line that systemd reads, in bytes.
const LONGEST_LINE: usize = 1024 * 1024;

/// A file taken apart.
#[derive(Debug, Default)]
pub struct Parsed<'t> {
    /// Its assignments, in order.
    pub assignments: Vec<Assignment<'t>>,
    /// The headers of its sections.
    pub sections: Vec<(&'t str, Span)>,
    /// What systemd passes over, and what makes it refuse the file.
    pub wrong: Vec<Diagnostic>,
}

/// Takes a file apart.
#[must_use]
pub fn parse(text: &str, file: FileId) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    let mut section: Option<&str> = None;
    let mut lines = Lines { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    while let Some(line) = lines.logical() {
        let start = line.parts.first().map_or(0, |(_, at)| *at);
        let whole = |end: usize| Span { file, start, end: start + end as u32 };
        let shown = line.first.trim_end();
        if line.text.len() > LONGEST_LINE {
            let message = "a line of more than a mebibyte, for which systemd refuses the file";
            parsed.wrong.push(Diagnostic::new(Code::Syntax, message, whole(1), "it begins here"));
            break;
        }
        if line.text.starts_with('[') {
            match line.text.trim_end().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(_) => {
                    // A header never goes on over several lines, so it stands in the file as it is.
                    let name = shown.get(1..shown.len().saturating_sub(1)).unwrap_or_default();
                    section = Some(name);
                    parsed.sections.push((name, whole(shown.len())));
                }
                None => {
                    let message = "a section's header without `]`, for which systemd refuses the file";
                    let wrong = Diagnostic::new(Code::Syntax, message, whole(shown.len()), "this line");
                    parsed.wrong.push(wrong.help("write `[NAME]`"));
                    break;
                }
            }
            continue;
        }
        let Some(equals) = line.text.find('=') else {
            parsed.wrong.push(passed_over(
                "a line that assigns nothing",
                whole(shown.len()),
                "write `KEY=VALUE`",
            ));
            continue;
        };
        let Some(section) = section else {
            let help = "write it after a header such as `[Unit]`";
            parsed.wrong.push(passed_over("an assignment outside every section", whole(shown.len()), help));
            continue;
        };
        let key = line.first.get(..equals).unwrap_or_default().trim_end();
        if key.is_empty() {
            parsed.wrong.push(passed_over(
                "an assignment to nothing",
                whole(shown.len()),
                "write `KEY=VALUE`",
            ));
            continue;
        }
        parsed.assignments.push(Assignment { section, key, value: line.value_after(equals + 1, file) });
    }
    parsed
}

fn passed_over(what: &str, span: Span, help: &str) -> Diagnostic {
    let mut wrong =
        Diagnostic::new(Code::Syntax, format!("{what}, which systemd passes over"), span, "this line");
    wrong.severity = Severity::Warning;
    wrong.help(help)
}

struct Lines<'t> {
    text: &'t str,
    at: usize,
}

/// A line with those that continue it.
struct Logical<'t> {
    text: std::borrow::Cow<'t, str>,
    /// The first line alone, as it stands in the file.
    first: &'t str,
    parts: Vec<(u32, u32)>,
}

impl<'t> Logical<'t> {
    fn value_after(self, offset: usize, file: FileId) -> Value<'t> {
        let rest = self.text.get(offset..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        let (from, length) = (offset + blank, rest.trim().len());
        let before = self.parts.partition_point(|(start, _)| *start as usize <= from).saturating_sub(1);
        let shifted =
            self.parts.iter().skip(before).map(|(start, at)| match (*start as usize).checked_sub(from) {
                Some(start) => (start as u32, *at),
                None => (0, at + (from as u32 - start)),
            });
        let parts = shifted.collect();
        let text = match self.text {
            std::borrow::Cow::Borrowed(text) => text.get(from..from + length).unwrap_or_default().into(),
            std::borrow::Cow::Owned(text) => {
                text.get(from..from + length).unwrap_or_default().to_owned().into()
            }
        };
        Value { text, parts, file }
    }
}

impl<'t> Lines<'t> {
    /// Returns the next line with its place, without what ends it and without blanks before it.
    fn physical(&mut self) -> Option<(&'t str, usize)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.find(['\n', '\r', '\0']).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        let blank = line.len() - line.trim_start().len();
        let start = self.at + blank;
        let ending = rest.get(end..).unwrap_or_default();
        self.at += end + if ending.starts_with("\r\n") { 2 } else { 1 };
        Some((line.get(blank..).unwrap_or_default(), start))
    }

    /// Returns the next line that says something: comments are left out, also between a line and what continues it.
    fn logical(&mut self) -> Option<Logical<'t>> {
        let mut begun: Option<Logical<'t>> = None;
        while let Some((line, start)) = self.physical() {
            let is_comment = line.starts_with(['#', ';']);
            if is_comment || begun.is_none() && line.is_empty() {
                continue;
            }
            let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
            let goes_on = backslashes % 2 == 1;
            let said = if goes_on { line.get(..line.len() - 1).unwrap_or_default() } else { line };
            let mut logical = match begun.take() {
                Some(mut logical) => {
                    logical.parts.push((logical.text.len() as u32, start as u32));
                    logical.text.to_mut().push_str(said);
                    logical
                }
                None => Logical { text: said.into(), first: said, parts: vec![(0, start as u32)] },
            };
            if !goes_on {
                return Some(logical);
            }
            logical.text.to_mut().push(' ');
            begun = Some(logical);
        }
        begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what a file says, and checks that each word's place is where it says.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let parsed = parse(text, FileId(0));
        let mut found = Vec::new();
        for one in &parsed.assignments {
            let (words, broken) = one.value.words();
            for word in &words {
                let there = &text[word.span.start as usize..word.span.end as usize];
                assert_eq!(there.replace(['"', '\''], ""), word.text);
            }
            let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            let broken = if broken.is_some() { " broken" } else { "" };
            found.push(format!("{}.{}: {}{broken}", one.section, one.key, words.join("|")));
        }
        found.extend(parsed.wrong.iter().map(|wrong| {
            let at = wrong.labels[0].span.start;
            format!("{} at {at}", wrong.message.split(',').next().unwrap())
        }));
        assert_eq!(found, expected);
    }

    #[test]
    fn words_have_their_places_over_lines_comments_and_quotes() {
        check("[Unit]\nAfter = a b\n", &["Unit.After: a|b"]);
        check("[Unit]\r\nAfter=a \\\r\n  b\\\r\n", &["Unit.After: a|b"]);
        check(
            "[Unit]\nAfter=a \\\n# not this\n ; nor this\n b\nWants=c",
            &["Unit.After: a|b", "Unit.Wants: c"],
        );
        check("[Unit]\nAfter=\"a\" 'b' c\"d\"\n", &["Unit.After: a|b|cd"]);
        check("[Unit]\nAfter=a \"b c\n", &["Unit.After: a broken"]);
        check("[Unit]\nAfter=\\\n\\\n x\n", &["Unit.After: x"]);
        check("[Unit]\nAfter=\nAfter", &["Unit.After: ", "a line that assigns nothing at 14"]);
        check("\u{feff}[Unit]\nAfter=é.service", &["Unit.After: é.service"]);
        check("[Unit]\nAfter=a\\x2db.mount", &["Unit.After: a\\x2db.mount"]);
    }

    #[test]
    fn what_is_no_assignment_is_told_with_its_place() {
        check("After=a\n", &["an assignment outside every section at 0"]);
        check("[Unit\nAfter=a\n", &["a section's header without `]` at 0"]);
        check("[Unit]\n=a\nx\n", &["an assignment to nothing at 7", "a line that assigns nothing at 10"]);
    }
}
