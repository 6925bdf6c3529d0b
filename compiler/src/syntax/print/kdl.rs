//! Writes KDL: one statement a line, four spaces a level, and a block on the line of its statement where it was and fits.

use super::super::tree::{Children, Entry, NodeId, Range, Tree, Value};
use super::super::vocabulary::{self, FILE, Properties, Slot, Style, Word};
use super::quoted;
use super::remarks::{Remark, Remarks};

/// Where words come from.
#[derive(Copy, Clone)]
pub(super) enum Words<'t> {
    /// They are as somebody wrote them in KDL.
    AsWritten(&'t str),
    /// They are the meaning of something else, in the quotes that the language has for them.
    Translated,
}

/// How long a line with a block may be.
const WIDTH: usize = 100;

/// Returns a file in KDL.
pub(super) fn write(tree: &Tree, remarks: &Remarks, words: Words<'_>) -> String {
    let mut writer = Writer { tree, remarks, words, out: String::new() };
    let mut open = vec![Open { children: tree.roots(), body: FILE, node: None }];
    while let Some(innermost) = open.last_mut() {
        let body = innermost.body;
        match innermost.children.next() {
            Some(node) => {
                let depth = open.len() - 1;
                let word = vocabulary::find(body, tree.name(node));
                if writer.begin(node, word, depth) == Block::Open {
                    let body = word.map_or(&[][..], |word| word.body);
                    open.push(Open { children: tree.children(node), body, node: Some(node) });
                }
            }
            None => {
                if let Some(node) = innermost.node {
                    writer.end(node, open.len() - 2);
                }
                open.pop();
            }
        }
    }
    writer.remarks_before(&remarks.at_end, 0);
    let kept = writer.out.trim_end().len();
    writer.out.truncate(kept);
    if !writer.out.is_empty() {
        writer.out.push('\n');
    }
    writer.out
}

struct Open<'t> {
    children: Children<'t>,
    body: &'static [Word],
    node: Option<NodeId>,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Block {
    /// It is still to be written.
    Open,
    /// There is none, or it has been written.
    Done,
}

struct Writer<'t> {
    tree: &'t Tree,
    remarks: &'t Remarks,
    words: Words<'t>,
    out: String,
}

impl Writer<'_> {
    fn begin(&mut self, node: NodeId, word: Option<&'static Word>, depth: usize) -> Block {
        let around = self.remarks.around(node);
        let has_block = self.tree.has_children_block(node);
        // TOML puts empty lines where KDL has none: between keys and tables.
        if matches!(self.words, Words::Translated) && depth == 0 && (has_block || self.out.ends_with("}\n")) {
            self.remarks_before(&[Remark::Blank], depth);
        }
        self.remarks_before(&around.before, depth);
        self.indent(depth);
        let whole = self.tree.range(node);
        if let (true, Words::AsWritten(source)) = (around.is_verbatim, self.words) {
            self.out.push_str(source.get(whole.as_usize()).unwrap_or_default());
            let beside = around.beside.iter().chain(&around.behind);
            self.beside(beside.filter(|(at, ..)| *at >= whole.as_usize().end));
            return Block::Done;
        }
        self.statement(node, word);
        if !has_block {
            self.beside(around.beside.iter());
            return Block::Done;
        }
        if let Some(block) = self.block_on_the_line(node, whole) {
            self.out.push_str(&block);
            self.beside(around.behind.iter());
            return Block::Done;
        }
        self.out.push_str(" {");
        self.beside(around.beside.iter());
        Block::Open
    }

    fn end(&mut self, node: NodeId, depth: usize) {
        let around = self.remarks.around(node);
        self.remarks_before(&around.at_end, depth + 1);
        // An empty line before a brace separates nothing.
        if self.out.ends_with("\n\n") {
            self.out.pop();
        }
        self.indent(depth);
        self.out.push('}');
        self.beside(around.behind.iter());
    }

    /// Returns the block of a statement on one line, if that is where it was, if it fits, and if nothing is to be said of it.
    fn block_on_the_line(&self, node: NodeId, whole: Range) -> Option<String> {
        let Words::AsWritten(source) = self.words else { return None };
        let around = self.remarks.around(node);
        let line = self.out.len() - self.out.rfind('\n').map_or(0, |at| at + 1);
        if !around.beside.is_empty()
            || !around.at_end.is_empty()
            || whole.as_usize().len() > WIDTH
            || source.get(whole.as_usize())?.contains('\n')
        {
            return None;
        }
        let mut inner = Writer { out: String::new(), ..*self };
        for child in self.tree.children(node) {
            let around = self.remarks.around(child);
            let is_plain = around.before.is_empty() && around.beside.is_empty() && !around.is_verbatim;
            if !is_plain || self.tree.has_children_block(child) {
                return None;
            }
            inner.out.push(' ');
            inner.statement(child, None);
            inner.out.push(';');
        }
        let block = match inner.out.is_empty() {
            true => " {}".to_owned(),
            false => format!(" {{{} }}", inner.out),
        };
        (line + block.chars().count() <= WIDTH).then_some(block)
    }

    /// Writes the words of a statement.
    fn statement(&mut self, node: NodeId, word: Option<&'static Word>) {
        let tree = self.tree;
        if let Words::AsWritten(source) = self.words {
            let mut push = |range: Range| self.out.push_str(source.get(range.as_usize()).unwrap_or_default());
            push(tree.name_range(node));
            for entry in tree.entries(node) {
                self.out.push(' ');
                let mut push =
                    |range: Range| self.out.push_str(source.get(range.as_usize()).unwrap_or_default());
                if let Some(key) = entry.key {
                    push(key.range);
                    self.out.push('=');
                }
                self.out.push_str(source.get(entry.value_range.as_usize()).unwrap_or_default());
            }
            return;
        }
        self.out.push_str(&text(tree.name(node), Style::Bare));
        let styles = styles(tree, node, word);
        for (entry, style) in tree.entries(node).zip(styles) {
            self.out.push(' ');
            if let Some(key) = entry.key {
                self.out.push_str(&text(key.text, Style::Bare));
                self.out.push('=');
            }
            self.out.push_str(&value(entry.value, style));
        }
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(std::iter::repeat_n("    ", depth));
    }

    fn remarks_before(&mut self, remarks: &[Remark], depth: usize) {
        for remark in remarks {
            match remark {
                Remark::Blank
                    if self.out.is_empty() || self.out.ends_with("\n\n") || self.out.ends_with("{\n") => {}
                Remark::Blank => self.out.push('\n'),
                Remark::Line(_) | Remark::Raw(_) => {
                    self.indent(depth);
                    self.remark(remark);
                    self.out.push('\n');
                }
            }
        }
    }

    fn remark(&mut self, remark: &Remark) {
        match remark {
            Remark::Blank => {}
            Remark::Line(text) => {
                self.out.push_str("//");
                self.out.push_str(text);
            }
            Remark::Raw(text) => self.out.push_str(text),
        }
    }

    /// Ends a line, with what stands beside it.
    fn beside<'r>(&mut self, remarks: impl Iterator<Item = &'r (usize, usize, Remark)>) {
        for (_, spaces, remark) in remarks {
            self.out.extend(std::iter::repeat_n(' ', (*spaces).max(1)));
            self.remark(remark);
        }
        self.out.push('\n');
    }
}

/// Returns how each entry of a statement is written.
fn styles(tree: &Tree, node: NodeId, word: Option<&'static Word>) -> Vec<Style> {
    let mut slots: Vec<Slot> = word.map_or(&[][..], |word| word.slots).to_vec();
    slots.reverse();
    let mut is_name = word.is_some_and(|word| word.is_named);
    let mut after_verb = false;
    let style = |entry: Entry<'_>| {
        if let Some(key) = entry.key {
            return word.map_or(Style::Quoted, |word| match word.properties {
                Properties::Own(_) | Properties::Only(_) => word.properties.style(key.text),
            });
        }
        if std::mem::take(&mut is_name) || std::mem::take(&mut after_verb) {
            return Style::Bare;
        }
        if let [.., Slot::Verb(verbs), Slot::Rest(..)] = slots.as_slice()
            && matches!(entry.value, Value::String { text, .. } if verbs.contains(&text))
        {
            slots.pop();
        }
        match slots.last().copied() {
            Some(Slot::One(_, style)) => {
                slots.pop();
                style
            }
            Some(Slot::Rest(_, style)) => style,
            Some(Slot::Verb(_)) => {
                slots.pop();
                after_verb = true;
                Style::Bare
            }
            None => Style::Quoted,
        }
    };
    tree.entries(node).map(style).collect()
}

fn value(value: Value<'_>, style: Style) -> String {
    match value {
        Value::String { text: meant, .. } => text(meant, style),
        Value::Number(number) => match number.trim_start_matches(['+', '-']) {
            "inf" => format!("#{}", number.trim_start_matches('+')),
            "nan" => "#nan".to_owned(),
            _ => number.to_owned(),
        },
        Value::Bool(value) => format!("#{value}"),
        Value::Null => "#null".to_owned(),
    }
}

/// Returns a text as KDL writes it in quotes: on one line, whatever is in it.
#[must_use]
pub fn string(meant: &str) -> String {
    text(meant, Style::Quoted)
}

/// Returns a text as KDL writes it, in quotes only if it needs them.
#[must_use]
pub fn word(meant: &str) -> String {
    text(meant, Style::Bare)
}

/// Returns a word, in quotes if it needs them or is to have them.
fn text(text: &str, style: Style) -> String {
    let is_plain = text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !["true", "false", "null", "inf", "nan"].contains(&text);
    if is_plain && style == Style::Bare {
        return text.to_owned();
    }
    quoted(text, |character| format!("\\u{{{:x}}}", u32::from(character)))
}
