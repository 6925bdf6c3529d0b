//! Scheme text as a tree: every list, word and prefix with its place, and no list too deep or too long.

use crate::diag::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// What one node of the tree is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `( … )`, or `[ … ]`.
    List,
    /// `#( … )` and its kin.
    Vector,
    /// `'`, `quote`d data.
    Quote,
    /// `` ` ``.
    Quasiquote,
    /// `,`.
    Unquote,
    /// `,@`.
    Splice,
    /// `#~`, `#$`, `#'` and others: code that is made elsewhere.
    Other,
    /// `#;`: the next datum is a comment.
    Comment,
    /// A word.
    Symbol,
    /// `#:word`.
    Keyword,
    /// A string, number, character or boolean.
    Constant,
}

/// One node.
#[derive(Copy, Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// From its first byte to its last.
    pub span: Span,
    /// What it stands in; none at the top.
    pub parent: Option<u32>,
    /// The first of what stands in it.
    pub first: Option<u32>,
    /// The next in the same list.
    pub next: Option<u32>,
}

/// The nodes, each before what stands in it.
#[derive(Default)]
pub struct Tree {
    /// All of them.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Returns a node.
    #[must_use]
    pub fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    /// Returns what stands in a node, comments left out.
    pub fn within(&self, id: u32) -> impl Iterator<Item = (u32, &Node)> {
        let first = self.node(id).and_then(|node| node.first);
        std::iter::successors(first, |id| self.node(*id)?.next)
            .filter_map(|id| Some((id, self.node(id)?)))
            .filter(|(_, node)| node.kind != Kind::Comment)
    }
}

/// Reads a text. What is wrong with it is reported, and reading goes on.
#[must_use]
pub fn read(text: &str, file: FileId) -> (Tree, Vec<Diagnostic>) {
    let mut reader = Reader {
        text,
        file,
        at: 0,
        tree: Tree::default(),
        open: Vec::new(),
        wrong: Vec::new(),
        has_stray: false,
    };
    reader.all();
    (reader.tree, reader.wrong)
}

/// A node that is not yet closed.
struct Open {
    id: u32,
    last: Option<u32>,
    /// What closes it; none for a prefix, which one datum closes.
    closing: Option<u8>,
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    at: usize,
    tree: Tree,
    open: Vec<Open>,
    wrong: Vec<Diagnostic>,
    /// A bracket closed nothing.
    has_stray: bool,
}

/// The most mistakes of one file that are told one by one.
const MOST_WRONG: usize = 100;

impl Reader<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn span(&self, start: usize) -> Span {
        Span { file: self.file, start: start as u32, end: self.at as u32 }
    }

    fn report(&mut self, start: usize, message: &str, label: &str, help: &str) {
        if self.wrong.len() < MOST_WRONG {
            let span = self.span(start);
            self.wrong.push(Diagnostic::new(Code::Syntax, message, span, label).help(help));
        }
    }

    fn all(&mut self) {
        while let Some(byte) = self.byte(0) {
            let start = self.at;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => self.at += 1,
                b';' => self.pass_over_line(),
                b'(' => self.begin(Kind::List, 1, Some(b')')),
                b'[' => self.begin(Kind::List, 1, Some(b']')),
                b')' | b']' => self.close(byte),
                b'\'' => self.begin(Kind::Quote, 1, None),
                b'`' => self.begin(Kind::Quasiquote, 1, None),
                b',' if self.byte(1) == Some(b'@') => self.begin(Kind::Splice, 2, None),
                b',' => self.begin(Kind::Unquote, 1, None),
                b'"' => self.string(start),
                b'#' => self.hash(start),
                _ => {
                    self.word();
                    self.leaf(Kind::Symbol, start);
                }
            }
        }
        self.end();
    }

    fn pass_over_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Passes over what ends with a space, a bracket, a quote or a comment.
    fn word(&mut self) {
        let ends =
            |letter: char| letter.is_whitespace() || matches!(letter, '(' | ')' | '[' | ']' | '"' | ';');
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let more = rest.get(first..).unwrap_or_default();
        self.at += first + more.find(ends).unwrap_or(more.len());
    }

    /// Adds a node below the innermost open one.
    fn add(&mut self, kind: Kind, span: Span) -> u32 {
        let id = self.tree.nodes.len() as u32;
        let parent = self.open.last().map(|open| open.id);
        self.tree.nodes.push(Node { kind, span, parent, first: None, next: None });
        if let Some(open) = self.open.last_mut() {
            let link = match open.last.replace(id) {
                Some(last) => self.tree.nodes.get_mut(last as usize).map(|node| &mut node.next),
                None => self.tree.nodes.get_mut(open.id as usize).map(|node| &mut node.first),
            };
            if let Some(link) = link {
                *link = Some(id);
            }
        }
        id
    }

    fn leaf(&mut self, kind: Kind, start: usize) {
        self.add(kind, self.span(start));
        self.complete();
    }

    fn begin(&mut self, kind: Kind, length: usize, closing: Option<u8>) {
        let start = self.at;
        self.at += length;
        let id = self.add(kind, self.span(start));
        self.open.push(Open { id, last: None, closing });
    }

    fn close(&mut self, byte: u8) {
        let start = self.at;
        self.at += 1;
        // A prefix before a closing bracket has nothing after it.
        while self.open.last().is_some_and(|open| open.closing.is_none()) {
            self.open.pop();
        }
        match self.open.last().map(|open| open.closing) {
            None => {
                // Those after it say nothing new.
                if std::mem::replace(&mut self.has_stray, true) {
                    return;
                }
                let message = format!("`{}` closes nothing", char::from(byte));
                self.report(start, &message, "nothing is open here", "remove it, or write what it closes");
            }
            Some(closing) => {
                if closing != Some(byte) {
                    let message = format!("`{}` closes what another bracket opened", char::from(byte));
                    self.report(start, &message, "closed here", "let each bracket be closed by its own kind");
                }
                self.finish();
            }
        }
    }

    /// Closes the innermost open node, and the prefixes that it completes.
    fn finish(&mut self) {
        if let Some(open) = self.open.pop()
            && let Some(node) = self.tree.nodes.get_mut(open.id as usize)
        {
            node.span.end = self.at as u32;
        }
        self.complete();
    }

    /// A datum is there: the prefixes before it are done.
    fn complete(&mut self) {
        while self.open.last().is_some_and(|open| open.closing.is_none()) {
            if let Some(open) = self.open.pop()
                && let Some(node) = self.tree.nodes.get_mut(open.id as usize)
            {
                node.span.end = self.at as u32;
            }
        }
    }

    fn string(&mut self, start: usize) {
        self.at += 1;
        loop {
            match self.byte(0) {
                Some(b'\\') => self.at += 2,
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = start + 1;
                    self.report(
                        start,
                        "a string without an end",
                        "it begins here",
                        "write `\"` where it ends",
                    );
                    self.at = self.text.len();
                    break;
                }
            }
        }
        self.at = self.at.min(self.text.len());
        self.leaf(Kind::Constant, start);
    }

    /// Reads what begins with `#`.
    fn hash(&mut self, start: usize) {
        match self.byte(1) {
            Some(b'|') => self.block(start, "#|", "|#"),
            Some(b'!') if !self.is_directive() => self.block(start, "#!", "!#"),
            Some(b';') => self.begin(Kind::Comment, 2, None),
            Some(b':') => {
                self.at += 2;
                self.word();
                self.leaf(Kind::Keyword, start);
            }
            Some(b'\\') => {
                self.at += 2;
                // The first letter counts, whichever it is.
                self.word();
                self.leaf(Kind::Constant, start);
            }
            Some(b'$' | b'+' | b',') if self.byte(2) == Some(b'@') => self.begin(Kind::Other, 3, None),
            Some(b'~' | b'$' | b'+' | b'\'' | b'`' | b',') => self.begin(Kind::Other, 2, None),
            Some(b'{') => {
                let end = self.rest().find("}#").map_or(self.rest().len(), |at| at + 2);
                self.at += end;
                self.leaf(Kind::Symbol, start);
            }
            _ => {
                let name = self.rest().bytes().skip(1).take_while(u8::is_ascii_alphanumeric).count();
                match self.byte(1 + name) {
                    Some(b'(') => self.begin(Kind::Vector, 2 + name, Some(b')')),
                    _ => {
                        self.word();
                        self.leaf(Kind::Constant, start);
                    }
                }
            }
        }
    }

    /// Whether `#!` begins a word such as `#!fold-case` and no comment.
    fn is_directive(&self) -> bool {
        let words =
            ["fold-case", "no-fold-case", "curly-infix", "r6rs", "r7rs", "default", "eof", "optional"];
        let rest = self.rest().get(2..).unwrap_or_default();
        let end = rest.find(|letter: char| letter.is_whitespace() || letter == ')').unwrap_or(rest.len());
        rest.get(..end).is_some_and(|word| words.contains(&word))
    }

    /// Passes over a comment; `#|` may stand within `#|`.
    fn block(&mut self, start: usize, opening: &str, closing: &str) {
        let mut depth = 0usize;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.at = start + 2;
                let help = format!("write `{closing}` where it ends");
                self.report(start, "a comment without an end", "it begins here", &help);
                self.at = self.text.len();
                return;
            }
            if rest.starts_with(closing.as_bytes()) {
                self.at += 2;
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            } else if rest.starts_with(opening.as_bytes()) && (depth == 0 || opening == "#|") {
                self.at += 2;
                depth += 1;
            } else {
                self.at += 1;
            }
        }
    }

    /// At the end all should be closed.
    fn end(&mut self) {
        let opened = |open: &&Open| open.closing.is_some();
        let (outer, inner) = (self.open.iter().find(opened), self.open.iter().rev().find(opened));
        let place = |open: &Open| {
            let span = self.tree.node(open.id)?.span;
            Some(Span { end: span.start + 1, ..span })
        };
        if let (Some(outer), Some(inner)) = (outer.and_then(place), inner.and_then(place)) {
            let message = "a bracket that is never closed";
            let mut wrong = Diagnostic::new(Code::Syntax, message, outer, "this one is open at the end");
            if inner != outer {
                wrong = wrong.label(inner, "so is this, the innermost");
            }
            self.wrong.push(wrong.help("write `)` where the list ends"));
        }
        while !self.open.is_empty() {
            self.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the tree in a plain form.
    fn shown(text: &str) -> String {
        let (tree, wrong) = read(text, FileId(0));
        let mut out = String::new();
        for node in &tree.nodes {
            let depth = std::iter::successors(node.parent, |id| tree.node(*id)?.parent).count();
            let words = &text[node.span.start as usize..node.span.end as usize];
            out += &format!("{}{:?} {words}\n", "  ".repeat(depth), node.kind);
        }
        for wrong in wrong {
            out += &format!("{} at {}\n", wrong.message, wrong.labels[0].span.start);
        }
        out
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let expected: Vec<&str> = expected.lines().map(str::trim_end).collect();
        assert_eq!(shown(text).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lists_words_and_prefixes_have_their_places() {
        check("(a 'b)", "List (a 'b)\n  Symbol a\n  Quote 'b\n    Symbol b");
        check(
            "`(,x ,@y)",
            "Quasiquote `(,x ,@y)\n  List (,x ,@y)\n    Unquote ,x\n      Symbol x\n    Splice ,@y\n      Symbol y",
        );
        check("#:k #\\( #t #(1)", "Keyword #:k\nConstant #\\(\nConstant #t\nVector #(1)\n  Symbol 1");
        check("#~(a #$b)", "Other #~(a #$b)\n  List (a #$b)\n    Symbol a\n    Other #$b\n      Symbol b");
    }

    #[test]
    fn comments_of_every_kind_are_passed_over() {
        check("#!/bin/guile\n!#a;b\n#|c #|d|# e|#f", "Symbol a\nSymbol f");
        check("#;(a b) c", "Comment #;(a b)\n  List (a b)\n    Symbol a\n    Symbol b\nSymbol c");
        check("\"(;\\\"\" x", "Constant \"(;\\\"\"\nSymbol x");
    }

    #[test]
    fn what_is_not_closed_or_never_opened_is_told() {
        check("(a", "List (a\n  Symbol a\na bracket that is never closed at 0");
        check("a)", "Symbol a\n`)` closes nothing at 1");
        check("(a]", "List (a]\n  Symbol a\n`]` closes what another bracket opened at 2");
        check("\"a", "Constant \"a\na string without an end at 0");
        check("#|a", "a comment without an end at 0");
        check("(')", "List (')\n  Quote '");
    }

    #[test]
    fn depth_needs_no_stack() {
        for open in ["(", "'", "#(", "#;", "`(,"] {
            let (tree, _) = read(&open.repeat(100_000), FileId(0));
            assert!(tree.nodes.len() >= 100_000);
        }
    }
}
