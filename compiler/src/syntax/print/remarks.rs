//! Comments and empty lines, and the statements that they stand at.

use std::collections::HashMap;

use super::super::toml;
use super::super::tree::{NodeId, Range, Step, Tree};

/// A comment, or an empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// An empty line.
    Blank,
    /// What stands behind the mark of a comment, to the end of its line.
    Line(String),
    /// What is taken as it is: a KDL comment that ends where it says, or something commented out.
    Raw(String),
}

/// What stands around a statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// On lines of its own before it.
    pub before: Vec<Remark>,
    /// On the line of its words, with where it begins and how many spaces are before it.
    pub beside: Vec<(usize, usize, Remark)>,
    /// In its block, after the last statement.
    pub at_end: Vec<Remark>,
    /// On the line of its closing brace.
    pub behind: Vec<(usize, usize, Remark)>,
    /// There is something between its words that only itself can stand for.
    pub is_verbatim: bool,
}

/// All remarks of a file.
#[derive(Default)]
pub(super) struct Remarks {
    around: HashMap<NodeId, Around>,
    /// After the last statement.
    pub at_end: Vec<Remark>,
    /// Of a statement without any.
    nothing: Around,
}

/// The statement whose line is being read.
#[derive(Copy, Clone)]
enum Line {
    None,
    Words(NodeId),
    Brace(NodeId),
}

impl Remarks {
    /// Returns what stands around a statement.
    pub fn around(&self, node: NodeId) -> &Around {
        self.around.get(&node).unwrap_or(&self.nothing)
    }

    /// Finds the remarks of a KDL file between the words of its tree.
    pub fn of_kdl(tree: &Tree, source: &str) -> Remarks {
        let mut remarks = Remarks::default();
        let (mut end, mut line) = (0, Line::None);
        for step in tree.steps() {
            match step {
                Step::Word(node, range) => {
                    let gap = slice(source, end, range);
                    if !gap.chars().all(|character| matches!(character, ' ' | '\t' | '=')) {
                        remarks.around.entry(node).or_default().is_verbatim = true;
                    }
                    end = range.as_usize().end;
                }
                Step::Node(node, above, range) => {
                    let gap = slice(source, end, range);
                    if let (Line::Words(last), Some(above)) = (line, above)
                        && last == above
                    {
                        remarks.block_begins(above, gap);
                    }
                    let (beside, before) = scan(gap, end);
                    remarks.put_beside(line, beside);
                    if !before.is_empty() {
                        remarks.around.entry(node).or_default().before = before;
                    }
                    (end, line) = (range.as_usize().end, Line::Words(node));
                }
                Step::Close(node, range) => {
                    let gap = slice(source, end, range);
                    if tree.children(node).next().is_none() {
                        remarks.block_begins(node, gap);
                    }
                    let (beside, before) = scan(gap, end);
                    remarks.put_beside(line, beside);
                    if before.iter().any(|remark| *remark != Remark::Blank) {
                        remarks.around.entry(node).or_default().at_end = before;
                    }
                    (end, line) = (range.as_usize().end, Line::Brace(node));
                }
            }
        }
        let (beside, at_end) = scan(source.get(end..).unwrap_or_default(), end);
        remarks.put_beside(line, beside);
        remarks.at_end = at_end;
        remarks
    }

    /// Finds the remarks of a TOML file, and the statements after and before them.
    pub fn of_toml(tree: &Tree, source: &str) -> Remarks {
        let mut remarks = Remarks::default();
        let mut starts: Vec<(usize, usize, NodeId)> = tree
            .steps()
            .filter_map(|step| match step {
                Step::Node(node, _, range) => {
                    Some((range.as_usize().start, tree.range(node).as_usize().end, node))
                }
                Step::Word(..) | Step::Close(..) => None,
            })
            .collect();
        starts.sort_by_key(|(start, ..)| *start);
        let mut last_line = 0;
        for comment in toml::comments(source) {
            let comment = comment.as_usize();
            let next = starts.partition_point(|(start, ..)| *start < comment.start);
            let line_start =
                source.get(..comment.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
            let before = source.get(line_start..comment.start).unwrap_or_default();
            let text = source.get(comment.start + 1..comment.end).unwrap_or_default();
            let remark = Remark::Line(text.trim_end().to_owned());
            let previous = next.checked_sub(1).and_then(|at| starts.get(at)).copied();
            if !before.trim().is_empty()
                && let Some((_, _, node)) = previous
            {
                remarks.around.entry(node).or_default().beside.push((comment.start, 2, remark));
                continue;
            }
            let inside = previous
                .filter(|(_, end, node)| comment.end <= *end && tree.children(*node).next().is_none());
            let is_apart = source.get(last_line..line_start).is_some_and(|between| between.ends_with("\n\n"));
            last_line = comment.end;
            match inside.or(starts.get(next).copied()) {
                Some((_, _, node)) => {
                    let before = &mut remarks.around.entry(node).or_default().before;
                    if is_apart {
                        before.push(Remark::Blank);
                    }
                    before.push(remark);
                }
                None => remarks.at_end.push(remark),
            }
        }
        remarks
    }

    fn put_beside(&mut self, line: Line, mut found: Vec<(usize, usize, Remark)>) {
        if found.is_empty() {
            return;
        }
        match line {
            Line::None => {}
            Line::Words(node) => self.around.entry(node).or_default().beside.append(&mut found),
            Line::Brace(node) => self.around.entry(node).or_default().behind.append(&mut found),
        }
    }

    /// Notes if there is something between a statement's words and its block.
    fn block_begins(&mut self, node: NodeId, gap: &str) {
        if !gap.trim_start_matches([' ', '\t']).starts_with('{') {
            self.around.entry(node).or_default().is_verbatim = true;
        }
    }
}

fn slice(source: &str, end: usize, next: Range) -> &str {
    source.get(end..next.as_usize().start).unwrap_or_default()
}

/// Returns the remarks in what stands between two statements: those on the line of the first, and the others.
fn scan(gap: &str, offset: usize) -> (Vec<(usize, usize, Remark)>, Vec<Remark>) {
    let (mut beside, mut before) = (Vec::new(), Vec::new());
    // At the beginning of a file there is no line to stand on, and an empty line separates nothing.
    let (mut is_beside, mut newlines, mut spaces) = (offset > 0, 0, 0);
    let mut rest = gap;
    while let Some(first) = rest.chars().next() {
        let (length, remark) = match first {
            '\r' if rest.starts_with("\r\n") => (1, None),
            _ if NEWLINES.contains(&first) => {
                (is_beside, newlines, spaces) = (false, newlines + 1, 0);
                (first.len_utf8(), None)
            }
            // A line that is continued by nothing but an empty one needs no `\`.
            '{' | ';' | '\\' | '\u{feff}' => {
                spaces = 0;
                (first.len_utf8(), None)
            }
            '/' if rest.starts_with("//") => {
                let end = rest.find(NEWLINES).unwrap_or(rest.len());
                let text = rest.get(2..end).unwrap_or_default();
                (end, Some(Remark::Line(text.trim_end().to_owned())))
            }
            '/' if rest.starts_with("/*") => {
                let end = comment_end(rest);
                (end, Some(Remark::Raw(rest.get(..end).unwrap_or_default().to_owned())))
            }
            space if space.is_whitespace() => {
                spaces += 1;
                (space.len_utf8(), None)
            }
            // Commented out by `/-`, with all that belongs to it.
            _ => {
                let end = slashdash_end(rest);
                let text = rest.get(..end).unwrap_or_default().trim_end();
                (end, Some(Remark::Raw(text.to_owned())))
            }
        };
        if let Some(remark) = remark {
            match is_beside {
                true => beside.push((offset + (gap.len() - rest.len()), spaces, remark)),
                false => {
                    push_blank(&mut before, newlines, offset);
                    before.push(remark);
                }
            }
            (newlines, spaces) = (0, 0);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    push_blank(&mut before, newlines, offset);
    (beside, before)
}

/// Returns where ends what is commented out at the beginning of a text: with its line, or with the `;` after it.
fn slashdash_end(text: &str) -> usize {
    let (mut depth, mut at, mut has_words) = (0_usize, "/-".len(), false);
    while let Some((rest, first)) = text.get(at..).and_then(|rest| Some((rest, rest.chars().next()?))) {
        let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
        let after = |close: &str, from: usize| {
            let found = rest.get(from..).and_then(|inner| inner.find(close));
            found.map_or(rest.len(), |found| from + found + close.len())
        };
        let length = match first {
            _ if NEWLINES.contains(&first) && depth == 0 && has_words => return at,
            ';' if depth == 0 => return at,
            '/' if rest.starts_with("//") => rest.find(NEWLINES).unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment_end(rest),
            '#' if rest.get(hashes..).is_some_and(|rest| rest.starts_with('"')) => {
                after(&format!("\"{}", "#".repeat(hashes)), hashes + 1)
            }
            '"' => string_end(rest),
            '{' => {
                depth += 1;
                1
            }
            '}' => {
                depth = depth.saturating_sub(1);
                1
            }
            other => other.len_utf8(),
        };
        has_words |= !first.is_whitespace();
        at += length;
    }
    text.len()
}

/// Returns where the string ends that a text begins with.
fn string_end(text: &str) -> usize {
    let quotes = if text.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
    let mut at = quotes.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quotes) {
            return at + quotes.len();
        }
        let is_escape = rest.starts_with('\\');
        at += rest.chars().take(if is_escape { 2 } else { 1 }).map(char::len_utf8).sum::<usize>();
    }
    text.len()
}

/// Characters that end a line in KDL.
const NEWLINES: [char; 7] = ['\n', '\r', '\u{85}', '\u{b}', '\u{c}', '\u{2028}', '\u{2029}'];

fn push_blank(before: &mut Vec<Remark>, newlines: usize, offset: usize) {
    let is_first = offset == 0 && before.is_empty();
    if newlines > 1 && !is_first {
        before.push(Remark::Blank);
    }
}

/// Returns where the comment ends that a text begins with; comments of this kind stand in each other.
fn comment_end(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest {
            rest if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            rest if rest.starts_with("*/") => {
                depth = depth.saturating_sub(1);
                2
            }
            rest => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += length;
        if depth == 0 {
            break;
        }
    }
    at
}
