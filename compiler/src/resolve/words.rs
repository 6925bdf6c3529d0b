//! Reading one node by the words that the language has for it: what is unknown, missing or given twice is reported here.

use crate::diag::{Code, Diagnostic, nearest};
use crate::source::{FileId, Span};
use crate::syntax::tree::{Entry, NodeId, Range, Tree, Value};
use foldhash::fast::{FixedState, RandomState};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

/// A piece of text with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text, without quotes and escapes.
    pub text: Arc<str>,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// Reads the nodes of one file and collects what is wrong with them.
pub struct Reader<'t> {
    /// The file's tree.
    pub tree: &'t Tree,
    /// The file.
    pub file: FileId,
    /// What has been found wrong so far.
    pub diagnostics: Vec<Diagnostic>,
    recent: Recent,
    /// The names of capabilities, of which each has one text however many hold it.
    capabilities: HashSet<Arc<str>, RandomState>,
}

/// The words of one node, checked against what may stand there.
pub struct Words<'t> {
    /// The node's own name.
    pub node: Span,
    /// The node as a whole.
    pub whole: Span,
    positional: SmallVec<[(Value<'t>, Span); 4]>,
    /// How many of them have been taken.
    taken: usize,
    properties: SmallVec<[Property<'t>; 2]>,
}

/// A property with the places of its key and of its value.
pub struct Property<'t> {
    /// The key.
    pub key: Word,
    /// The value.
    pub value: Value<'t>,
    /// Where the value stands.
    pub span: Span,
}

/// Whether a statement may have a body in braces.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Body {
    /// It has none.
    None,
    /// It may have one.
    Allowed,
}

/// Which properties a statement may have.
#[derive(Copy, Clone)]
pub enum Properties<'a> {
    /// These.
    Only(&'a [&'a str]),
    /// Any: their names are the person's own.
    Any,
}

/// Words that were written lately: most words of a configuration are written again and again, and share their text.
///
/// Each word has one place where it can be; what was there before makes room.
struct Recent {
    hasher: FixedState,
    words: Vec<Option<Arc<str>>>,
}

impl Recent {
    const PLACES: usize = 1024;

    fn text(&mut self, text: &str) -> Arc<str> {
        let place = self.hasher.hash_one(text) as usize % Self::PLACES;
        match self.words.get_mut(place) {
            Some(Some(known)) if **known == *text => known.clone(),
            Some(place) => place.insert(text.into()).clone(),
            None => text.into(),
        }
    }
}

impl<'t> Reader<'t> {
    /// Returns a reader of a file's tree.
    #[must_use]
    pub fn new(tree: &'t Tree, file: FileId) -> Self {
        let recent = Recent { hasher: FixedState::default(), words: vec![None; Recent::PLACES] };
        Self { tree, file, diagnostics: Vec::new(), recent, capabilities: HashSet::default() }
    }

    /// Returns the place of a range of this file.
    #[must_use]
    pub fn span(&self, range: Range) -> Span {
        Span { file: self.file, start: range.start, end: range.end }
    }

    /// Returns the place of a node's name.
    #[must_use]
    pub fn name_span(&self, node: NodeId) -> Span {
        self.span(self.tree.name_range(node))
    }

    /// Adds a diagnostic.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn no_annotation(&mut self, range: Range) {
        let message = "the language has no type annotations";
        let annotation = Diagnostic::new(Code::UnknownWord, message, self.span(range), "not known here");
        self.report(annotation.help("leave out the part in parentheses"));
    }

    /// Takes a node apart and reports properties and bodies that do not belong there.
    pub fn words(&mut self, node: NodeId, allowed: Properties<'_>, body: Body) -> Words<'t> {
        let tree = self.tree;
        let what = tree.name(node);
        if let Some((_, range)) = tree.type_annotation(node) {
            self.no_annotation(range);
        }
        let mut words = Words {
            node: self.name_span(node),
            whole: self.span(tree.range(node)),
            positional: SmallVec::new(),
            taken: 0,
            properties: SmallVec::new(),
        };
        // What a statement knows is few; what a person may name can be many.
        let mut own: HashMap<&str, Span, RandomState> = HashMap::default();
        for Entry { key, value, type_annotation, range: _, value_range } in tree.entries(node) {
            if let Some(annotation) = type_annotation {
                self.no_annotation(annotation.range);
            }
            let Some(key) = key else {
                words.positional.push((value, self.span(value_range)));
                continue;
            };
            let span = self.span(key.range);
            let first = match allowed {
                Properties::Only(_) => words.key_span(key.text),
                Properties::Any => own.get(key.text).copied(),
            };
            if let Some(first) = first {
                self.report(
                    Diagnostic::new(
                        Code::DuplicateName,
                        format!("`{}` is given twice", key.text),
                        span,
                        "given again here",
                    )
                    .label(first, "first given here")
                    .help("keep one of the two"),
                );
                continue;
            }
            if let Properties::Only(known) = allowed
                && !known.contains(&key.text)
            {
                let message = format!("`{what}` has no property `{}`", key.text);
                let unknown = Diagnostic::new(Code::UnknownWord, message, span, "not known here");
                self.report(with_suggestion(unknown, key.text, known.iter().copied()));
                continue;
            }
            if let Properties::Any = allowed {
                own.insert(key.text, span);
            }
            words.properties.push(Property {
                key: Word { text: self.recent.text(key.text), span },
                value,
                span: self.span(value_range),
            });
        }
        if body == Body::None
            && let Some(child) = tree.children(node).next()
        {
            let span = self.name_span(child);
            self.report(
                Diagnostic::new(Code::UnknownWord, format!("`{what}` has no body"), span, "not known here")
                    .help("close the statement before the brace, or move this out of the braces"),
            );
        }
        words
    }

    /// Returns a value's text, or reports that it is none. A number is taken as it is written.
    pub fn text(&mut self, value: Value<'t>, span: Span, expected: &str) -> Option<Word> {
        match value {
            Value::String { text, .. } => Some(Word { text: self.recent.text(text), span }),
            Value::Number(_) | Value::Bool(_) | Value::Null => {
                let message = format!("expected {expected}");
                let label = format!("this is not {expected}");
                self.report(
                    Diagnostic::new(Code::BadValue, message, span, label)
                        .help(format!("write {expected} here, in quotes")),
                );
                None
            }
        }
    }

    /// Takes the next positional word, or reports that it is missing.
    pub fn required(&mut self, words: &mut Words<'t>, what: &str, example: &str) -> Option<Word> {
        let Some((value, span)) = words.next() else {
            self.missing(words.node, what, example);
            return None;
        };
        self.text(value, span, what)
    }

    /// Takes the name of a capability, or reports that it is missing.
    pub fn capability(&mut self, words: &mut Words<'t>, example: &str) -> Option<Word> {
        let what = "a capability";
        let Some((Value::String { text, .. }, span)) = words.peek_next() else {
            return self.required(words, what, example);
        };
        words.next();
        if let Some(known) = self.capabilities.get(text) {
            return Some(Word { text: known.clone(), span });
        }
        let text: Arc<str> = text.into();
        self.capabilities.insert(text.clone());
        Some(Word { text, span })
    }

    /// Takes all positional words that are left.
    pub fn rest(&mut self, words: &mut Words<'t>, expected: &str) -> Vec<Word> {
        // Most have none, and of the others the memory is as long as they are.
        let mut rest = Vec::with_capacity(words.positional.len() - words.taken);
        while let Some((value, span)) = words.next() {
            rest.extend(self.text(value, span, expected));
        }
        rest
    }

    /// Reports that something required is not there.
    pub fn missing(&mut self, span: Span, what: &str, example: &str) {
        self.report(
            Diagnostic::new(
                Code::MissingWord,
                format!("{what} is missing"),
                span,
                format!("{what} belongs to this"),
            )
            .help(format!("write for example `{example}`")),
        );
    }

    /// Takes a text property.
    pub fn property(&mut self, words: &mut Words<'t>, key: &str, expected: &str) -> Option<Word> {
        let (value, span) = words.take(key)?;
        self.text(value, span, expected)
    }

    /// Takes a property that is `#true` or `#false`; false when it is not there.
    pub fn flag(&mut self, words: &mut Words<'t>, key: &str) -> bool {
        match words.take(key) {
            None => false,
            Some((Value::Bool(value), _)) => value,
            Some((_, span)) => {
                self.report(
                    Diagnostic::new(
                        Code::BadValue,
                        format!("`{key}` is either on or off"),
                        span,
                        "neither `#true` nor `#false`",
                    )
                    .help(format!("write `{key}=#true`")),
                );
                false
            }
        }
    }

    /// Reports positional words that are one too many.
    pub fn end(&mut self, mut words: Words<'t>) {
        while let Some((_, span)) = words.next() {
            self.report(
                Diagnostic::new(Code::UnknownWord, "a word too many", span, "nothing is expected here")
                    .help("leave it out"),
            );
        }
    }
}

impl<'t> Words<'t> {
    /// Takes a property with its place.
    pub fn take(&mut self, key: &str) -> Option<(Value<'t>, Span)> {
        let at = self.properties.iter().position(|known| &*known.key.text == key)?;
        let property = self.properties.remove(at);
        Some((property.value, property.span))
    }

    /// Returns a property without taking it.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<(Value<'t>, Span)> {
        self.properties.iter().find(|known| &*known.key.text == key).map(|known| (known.value, known.span))
    }

    /// Returns where a property's key stands.
    fn key_span(&self, key: &str) -> Option<Span> {
        self.properties.iter().find(|known| &*known.key.text == key).map(|known| known.key.span)
    }

    /// Takes every property that is left, in source order.
    pub fn take_all(&mut self) -> impl Iterator<Item = Property<'t>> + use<'t> {
        std::mem::take(&mut self.properties).into_iter()
    }

    fn peek_next(&self) -> Option<(Value<'t>, Span)> {
        self.positional.get(self.taken).copied()
    }

    fn next(&mut self) -> Option<(Value<'t>, Span)> {
        let next = self.peek_next();
        self.taken += usize::from(next.is_some());
        next
    }

    /// Returns whether a positional word is left.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.taken < self.positional.len()
    }
}

/// Adds what was most likely meant.
#[must_use]
pub fn with_suggestion<'a>(
    diagnostic: Diagnostic,
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None if known.is_empty() => diagnostic.help("leave it out"),
        None if known.len() <= 32 => diagnostic.help(format!("known here: {}", list(&known))),
        None => diagnostic,
    }
}

/// Returns words in backticks, with commas.
#[must_use]
pub fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
