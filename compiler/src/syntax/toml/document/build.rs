//! Events of the parser become a document, as TOML's rules about headers, dotted keys and doubles have it.
//!
//! What is refused goes into an item that nothing leads to.

use std::borrow::Cow;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::parser::EventReceiver;
use toml_parser::{ErrorSink, Raw, Span};

use super::super::super::SyntaxError;
use super::super::super::tree::{Range, Scalar, Spelled, Spelling};
use super::super::problems::MOST;
use super::{Block, Document, ItemId, Origin, ROOT, Value, shown};
use crate::diag::Code;

/// How deep arrays and inline tables may stand in each other; the language needs five.
const DEEPEST: usize = 64;

/// A key as it was found.
#[derive(Clone)]
struct Key<'t> {
    spelled: Spelled,
    text: Cow<'t, str>,
}

impl Key<'_> {
    /// Says whether the parser put it where one is missing, and has said so.
    fn is_missing(&self) -> bool {
        self.spelled.range.start == self.spelled.range.end
    }
}

/// Which kind of header is being read.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Header {
    Table,
    Element,
}

/// Receives events, and makes a document of them.
pub(in crate::syntax::toml) struct Builder<'t> {
    document: Document<'t>,
    problems: Vec<SyntaxError>,
    /// The table of the last header.
    section: ItemId,
    /// The arrays and inline tables that are open, the innermost last.
    open: Vec<ItemId>,
    header: Option<(Header, usize)>,
    /// The keys of the header or the dotted key that is being read.
    path: Vec<Key<'t>>,
    /// Where the next value goes: its table, and its key with the one before it.
    awaiting: Option<(ItemId, Key<'t>, Option<Range>)>,
}

impl<'t> Builder<'t> {
    pub fn new(source: &'t str) -> Self {
        Self {
            document: Document::new(source),
            problems: Vec::new(),
            section: ROOT,
            open: Vec::new(),
            header: None,
            path: Vec::new(),
            awaiting: None,
        }
    }

    /// Returns the document when there are no more events, and what is wrong with it.
    pub fn finish(mut self) -> (Document<'t>, Vec<SyntaxError>) {
        self.end_header(self.document.source.len());
        (self.document, self.problems)
    }

    /// Forgets what a bracket that is never closed has left open.
    pub fn begin_part(&mut self) {
        self.open.clear();
        self.path.clear();
        self.awaiting = None;
    }

    fn raw(&self, span: Span, encoding: Option<Encoding>) -> Raw<'t> {
        let text = self.document.source.get(span.start()..span.end()).unwrap_or_default();
        Raw::new_unchecked(text, encoding, span)
    }

    /// Notes where a decoded text is: in the source if it stands there as it is meant.
    fn spelled(&mut self, span: Span, margin: u8, text: Cow<'t, str>) -> Spelled {
        let range = Range::new(span.start(), span.end());
        let spelling = match text {
            Cow::Borrowed(text) if text.len() + 2 * usize::from(margin) == span.len() => {
                Spelling::Source { margin }
            }
            text => {
                let start = self.document.decoded.len();
                self.document.decoded.push_str(&text);
                Spelling::Decoded(Range::new(start, self.document.decoded.len()))
            }
        };
        Spelled { range, spelling }
    }

    fn twice(&mut self, key: &Key<'t>) {
        self.report(
            key,
            format!("`{}` is there twice", shown(&key.text)),
            "keep one of the two, or join them",
        );
    }

    fn closed(&mut self, key: &Key<'t>) {
        let message = format!("`{}` is already complete where it was first written", shown(&key.text));
        self.report(key, message, "write all of it in one place");
    }

    fn report(&mut self, key: &Key<'t>, message: String, help: &str) {
        if self.problems.len() < MOST {
            let (range, help) = (key.spelled.range, Some(help.to_owned()));
            self.problems.push(SyntaxError { code: Code::Syntax, range, message, help });
        }
    }

    /// Begins the section of a header whose keys have been read.
    fn end_header(&mut self, end: usize) {
        let Some((header, start)) = self.header.take() else { return };
        let range = Range::new(start, end);
        let path = std::mem::take(&mut self.path);
        let table = Block { range, first: None, last: None, origin: Origin::Header };
        self.section = match self.header_table(header, &path, table) {
            Some(section) => section,
            None => {
                let key = Spelled { range, spelling: Spelling::Source { margin: 0 } };
                self.document.detached(key, None, Value::Table(table))
            }
        };
    }

    fn header_table(&mut self, header: Header, path: &[Key<'t>], table: Block) -> Option<ItemId> {
        let (last, prefix) = path.split_last().filter(|_| !path.iter().any(Key::is_missing))?;
        let (parent, before) = self.descend(ROOT, prefix, Origin::Implied)?;
        let found = self.document.keys.get(&(parent, last.text.clone())).copied();
        let value = found.and_then(|id| self.document.item(id)).map(|item| item.value);
        match (header, found, value) {
            (Header::Table, Some(id), Some(Value::Table(block))) if block.origin == Origin::Implied => {
                let item = self.document.items.get_mut(id.0 as usize)?;
                item.key = last.spelled;
                item.before = before;
                item.value = Value::Table(Block { first: block.first, last: block.last, ..table });
                Some(id)
            }
            (Header::Element, Some(id), Some(Value::Array(block))) if block.origin == Origin::Header => {
                Some(self.document.append(id, last.spelled, before, Value::Table(table)))
            }
            (_, Some(_), _) => {
                self.twice(last);
                None
            }
            (Header::Table, None, _) => Some(self.put(parent, last, before, Value::Table(table))),
            (Header::Element, None, _) => {
                let array = self.put(parent, last, before, Value::Array(table));
                Some(self.document.append(array, last.spelled, before, Value::Table(table)))
            }
        }
    }

    fn put(&mut self, parent: ItemId, key: &Key<'t>, before: Option<Range>, value: Value) -> ItemId {
        let id = self.document.append(parent, key.spelled, before, value);
        self.document.keys.insert((parent, key.text.clone()), id);
        id
    }

    /// Goes down along keys, making the tables that are not there yet; returns the last table and the last key.
    fn descend(&mut self, from: ItemId, keys: &[Key<'t>], origin: Origin) -> Option<(ItemId, Option<Range>)> {
        let (mut at, mut before) = (from, None);
        for key in keys {
            let found = self.document.keys.get(&(at, key.text.clone())).copied();
            let value = found.and_then(|id| self.document.item(id)).map(|item| item.value);
            at = match (found, value) {
                (Some(id), Some(Value::Table(block))) => {
                    let may_add = match origin {
                        Origin::Implied => block.origin != Origin::Inline,
                        _ => block.origin == Origin::Dotted,
                    };
                    if !may_add {
                        self.closed(key);
                        return None;
                    }
                    id
                }
                (Some(_), Some(Value::Array(block)))
                    if origin == Origin::Implied && block.origin == Origin::Header =>
                {
                    block.last?
                }
                (Some(_), _) => {
                    self.closed(key);
                    return None;
                }
                (None, _) => {
                    let range = key.spelled.range;
                    let table = Block { range, first: None, last: None, origin };
                    self.put(at, key, before, Value::Table(table))
                }
            };
            before = Some(key.spelled.range);
        }
        Some((at, before))
    }

    /// Finds out where the value after a key goes.
    fn end_key(&mut self) {
        let path = std::mem::take(&mut self.path);
        let table = self.open.last().copied().unwrap_or(self.section);
        let Some((last, prefix)) = path.split_last().filter(|_| !path.iter().any(Key::is_missing)) else {
            return;
        };
        self.awaiting = self
            .descend(table, prefix, Origin::Dotted)
            .map(|(parent, before)| (parent, last.clone(), before));
    }

    /// Puts a value where it belongs.
    fn value(&mut self, range: Range, value: Value) -> ItemId {
        if let Some((parent, key, before)) = self.awaiting.take() {
            if self.document.keys.contains_key(&(parent, key.text.clone())) {
                self.twice(&key);
                return self.document.detached(key.spelled, before, value);
            }
            return self.put(parent, &key, before, value);
        }
        let element = Spelled { range, spelling: Spelling::Source { margin: 0 } };
        let array = self.open.last().copied();
        match array.and_then(|id| Some((id, self.document.item(id)?.value))) {
            Some((id, Value::Array(_))) => self.document.append(id, element, None, value),
            _ => self.document.detached(element, None, value),
        }
    }

    fn open(&mut self, span: Span, make: fn(Block) -> Value, error: &mut dyn ErrorSink) -> bool {
        if self.open.len() >= DEEPEST {
            let deep =
                toml_parser::ParseError::new("nothing is nested as deep as this").with_unexpected(span);
            error.report_error(deep);
            self.awaiting = None;
            // Its end is announced too.
            self.open.push(self.section);
            return false;
        }
        let range = Range::new(span.start(), span.end());
        let block = Block { range, first: None, last: None, origin: Origin::Inline };
        let id = self.value(range, make(block));
        self.open.push(id);
        true
    }

    fn close(&mut self, span: Span) {
        self.awaiting = None;
        self.path.clear();
        let id = self.open.pop();
        if let Some(block) = id.and_then(|id| self.document.block(id))
            && block.origin == Origin::Inline
        {
            block.range = Range { end: Range::new(span.end(), span.end()).end, ..block.range };
            let range = block.range;
            let element = id.and_then(|id| self.document.items.get_mut(id.0 as usize));
            // An element has its own place for a key.
            if let Some(element) = element.filter(|element| element.key.range.start == range.start) {
                element.key.range = range;
            }
        }
    }

    /// Ends what a mistake may have left unfinished.
    fn end_line(&mut self, at: usize) {
        self.end_header(at);
        if self.open.is_empty() {
            self.path.clear();
            self.awaiting = None;
        }
    }
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.path.clear();
        self.open.clear();
        self.header = Some((Header::Table, span.start()));
    }

    fn std_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_header(span.end());
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.path.clear();
        self.open.clear();
        self.header = Some((Header::Element, span.start()));
    }

    fn array_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_header(span.end());
    }

    fn inline_table_open(&mut self, span: Span, error: &mut dyn ErrorSink) -> bool {
        self.open(span, Value::Table, error)
    }

    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn array_open(&mut self, span: Span, error: &mut dyn ErrorSink) -> bool {
        self.open(span, Value::Array, error)
    }

    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        self.raw(span, encoding).decode_key(&mut text, error);
        let spelled = self.spelled(span, margin(encoding), text.clone());
        self.path.push(Key { spelled, text });
    }

    fn key_val_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_key();
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        let kind = self.raw(span, encoding).decode_scalar(&mut text, error);
        let range = Range::new(span.start(), span.end());
        let scalar = match kind {
            ScalarKind::Boolean(value) => Scalar::Bool(range, value),
            ScalarKind::Integer(_) | ScalarKind::Float => Scalar::Number(range),
            // A date means what it says; the language writes one as a text.
            ScalarKind::DateTime => {
                Scalar::String(Spelled { range, spelling: Spelling::Source { margin: 0 } })
            }
            ScalarKind::String => Scalar::String(self.spelled(span, margin(encoding), text)),
        };
        if !self.path.is_empty() {
            self.end_key();
        }
        self.value(range, Value::Scalar(scalar));
    }

    fn value_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.path.clear();
        self.awaiting = None;
    }

    fn comment(&mut self, span: Span, error: &mut dyn ErrorSink) {
        self.raw(span, None).decode_comment(error);
        self.end_line(span.start());
    }

    fn newline(&mut self, span: Span, error: &mut dyn ErrorSink) {
        self.raw(span, None).decode_newline(error);
        self.end_line(span.start());
    }
}

/// Returns how many bytes of quotes stand on each side.
fn margin(encoding: Option<Encoding>) -> u8 {
    match encoding {
        None => 0,
        Some(Encoding::BasicString | Encoding::LiteralString) => 1,
        Some(Encoding::MlBasicString | Encoding::MlLiteralString) => 3,
    }
}
