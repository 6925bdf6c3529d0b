//! Tables become the nodes that a KDL file of the same meaning has.
//!
//! What has no place in the table of words still comes into the tree, as a node or a property, so that the one who knows
//! the language reports it; and what is no word at all where one belongs, as `#null`, which nothing accepts.

use std::collections::HashMap;

use super::super::tree::{Range, Scalar, Spelled, Spelling, Tree};
use super::super::vocabulary::{self, FILE, HEADERS, Properties, Slot, Word};
use super::document::{Block, Document, Item, ItemId, ROOT, Value, shown};
use super::problems::Problems;
use crate::diag::{Code, nearest};

/// Puts the nodes of a document into a tree, and returns the texts that are not in the source.
pub(super) fn plant<'t>(mut document: Document<'t>, tree: &mut Tree, problems: &mut Problems<'t>) -> String {
    let decoded = std::mem::take(&mut document.decoded);
    let mut planter = Planter { document, decoded, words: HashMap::new(), tree, problems };
    planter.file();
    planter.decoded
}

struct Planter<'t, 'p> {
    document: Document<'t>,
    decoded: String,
    /// Where in `decoded` a word of the language is.
    words: HashMap<&'static str, Range>,
    tree: &'p mut Tree,
    problems: &'p mut Problems<'t>,
}

impl<'t> Planter<'t, '_> {
    fn file(&mut self) {
        let Some(Value::Table(root)) = self.document.item(ROOT).map(|item| item.value) else { return };
        // TOML lets keys of the file stand in any order, and KDL has the header first.
        for is_header in [true, false] {
            let mut next = self.document.first(root);
            while let Some((id, item)) = next {
                let key = self.text(item.key);
                if HEADERS.contains(&key) == is_header {
                    let word = vocabulary::find(FILE, key);
                    self.statement(word, id, item);
                }
                next = self.document.after(item);
            }
        }
    }

    fn text(&self, spelled: Spelled) -> &str {
        match spelled.spelling {
            Spelling::Source { margin } => self.document.text_in_source(spelled.range, margin),
            Spelling::Decoded(place) => self.decoded.get(place.as_usize()).unwrap_or_default(),
        }
    }

    /// Plants all that stands under one key of a file or a body.
    fn statement(&mut self, word: Option<&'static Word>, id: ItemId, item: Item) {
        match (word, item.value) {
            (None, _) => {
                let node = self.tree.begin_node(item.key);
                self.tree.end_node(node);
            }
            (Some(word), Value::Table(table)) if word.is_named => self.named(word, item, table),
            (Some(word), Value::Scalar(_) | Value::Array(_)) if word.is_named => {
                let message = format!("`{}` has no name", word.name);
                let help = format!("write a table with the name in its header: `[{}.NAME]`", word.name);
                self.problems.report(Code::MissingWord, item.key.range, message, help);
            }
            (Some(word), value) => self.one_or_several(word, item.key, None, id, value),
        }
    }

    fn named(&mut self, word: &'static Word, kind: Item, table: Block) {
        let mut next = self.document.first(table);
        while let Some((id, item)) = next {
            let range = item.before.unwrap_or(kind.key.range);
            let name = match item.before {
                None => kind.key,
                Some(_) => self.placed(word.name, range),
            };
            self.one_or_several(word, name, Some(item.key), id, item.value);
            next = self.document.after(item);
        }
    }

    /// Plants a statement, or each element of an array of them.
    fn one_or_several(
        &mut self,
        word: &'static Word,
        at: Spelled,
        name: Option<Spelled>,
        id: ItemId,
        value: Value,
    ) {
        let Value::Array(array) = value else { return self.node(word, at, name, id, value) };
        let is_list = matches!(word.slots.first(), Some(Slot::Rest(..)));
        let mut next = self.document.first(array);
        let has_parts = {
            let mut parts = self.document.children(array);
            parts.any(|(_, item)| !matches!(item.value, Value::Scalar(_)))
        };
        if (is_list || name.is_some()) && !has_parts {
            return self.node(word, at, name, id, value);
        }
        while let Some((id, item)) = next {
            // A header has the word itself; another element is where it is.
            let place = match (item.before, item.value) {
                (Some(before), Value::Table(_)) if name.is_some() => self.placed(word.name, before),
                _ => self.placed(word.name, item.key.range),
            };
            let name = name.map(|name| if item.before.is_some() { item.key } else { name });
            self.node(word, place, name, id, item.value);
            next = self.document.after(item);
        }
    }

    fn node(&mut self, word: &'static Word, at: Spelled, name: Option<Spelled>, id: ItemId, value: Value) {
        if word.is_flag() && matches!(value, Value::Scalar(Scalar::Bool(_, false))) {
            return;
        }
        let node = self.tree.begin_node(at);
        if let Some(name) = name {
            self.tree.push_value(Scalar::String(name));
        }
        match value {
            Value::Scalar(Scalar::Bool(_, true)) if word.is_flag() => {}
            Value::Scalar(scalar) => self.tree.push_value(scalar),
            Value::Array(array) => match word.slots.first() {
                Some(Slot::Rest(..)) => self.list(array),
                _ => self.tree.push_value(Scalar::Null(array.range)),
            },
            Value::Table(table) => self.table(word, at, id, table),
        }
        self.tree.end_node(node);
    }

    /// Plants the words, the properties and the body of a statement that is a table.
    fn table(&mut self, word: &'static Word, at: Spelled, id: ItemId, table: Block) {
        let meant = self.misspelt(word, id, table);
        self.positional(word, at, id, &meant);
        let mut inner: Vec<(Option<&'static Word>, ItemId, Item)> = Vec::new();
        let mut next = self.document.first(table);
        while let Some((child, item)) = next {
            next = self.document.after(item);
            let key = self.text(item.key);
            let is_positional = word.slots.iter().any(|slot| slot.keys().contains(&key));
            if is_positional || meant.iter().any(|(_, meant)| *meant == child) {
                continue;
            }
            match vocabulary::find(word.body, key) {
                Some(statement) => inner.push((Some(statement), child, item)),
                None if self.is_property(word, key) => {
                    self.tree.push_key(item.key);
                    self.scalar(item.value);
                }
                None => inner.push((None, child, item)),
            }
        }
        let has_body = !inner.is_empty();
        for (word, child, item) in inner {
            self.statement(word, child, item);
        }
        if has_body {
            self.tree.close_block(Range { start: table.range.end, ..table.range });
        }
    }

    /// Says whether a key without a place of its own is a property: it is one, is meant to be one, or can be nothing else.
    fn is_property(&self, word: &'static Word, key: &str) -> bool {
        match word.properties {
            Properties::Own(_) => true,
            Properties::Only(only) => {
                let mut names = only.iter().map(|(name, _)| *name);
                word.body.is_empty()
                    || names.any(|name| name == key)
                    || nearest(key, word.body.iter().map(|word| word.name).chain(word.properties.names()))
                        .is_some_and(|meant| only.iter().any(|(name, _)| *name == meant))
            }
        }
    }

    /// Finds the keys that are most likely meant for places that have no word, and reports them.
    fn misspelt(&mut self, word: &'static Word, id: ItemId, table: Block) -> Vec<(&'static str, ItemId)> {
        if matches!(word.properties, Properties::Own(_)) {
            return Vec::new();
        }
        let is_there = |slot: &&Slot| slot.keys().iter().any(|key| self.document.get(id, key).is_some());
        let empty: Vec<&Slot> = word.slots.iter().filter(|slot| !is_there(slot)).collect();
        let mut meant: Vec<(&'static str, ItemId)> = Vec::new();
        if empty.is_empty() {
            return meant;
        }
        let known: Vec<&'static str> = word
            .slots
            .iter()
            .flat_map(|slot| slot.keys().iter().copied())
            .chain(word.properties.names())
            .chain(word.body.iter().map(|word| word.name))
            .collect();
        let mut found = Vec::new();
        for (child, item) in self.document.children(table) {
            let key = self.text(item.key);
            if known.contains(&key) {
                continue;
            }
            let Some(likely) = nearest(key, known.iter().copied()) else { continue };
            let is_free = empty.iter().any(|slot| slot.keys().contains(&likely));
            if is_free && !meant.iter().any(|(taken, _)| *taken == likely) {
                meant.push((likely, child));
                found.push((item.key.range, shown(key), likely));
            }
        }
        for (range, key, likely) in found {
            let message = format!("`{}` has no word `{key}`", word.name);
            let help = format!("did you mean `{likely}`?");
            self.problems.report(Code::UnknownWord, range, message, help);
        }
        meant
    }

    /// Plants the words of a statement that have a place in KDL, in the order of their places.
    fn positional(&mut self, word: &'static Word, at: Spelled, id: ItemId, meant: &[(&'static str, ItemId)]) {
        let find = |this: &Self, key: &'static str| {
            let misspelt = meant.iter().find(|(likely, _)| *likely == key).map(|(_, id)| *id);
            let misspelt = misspelt.and_then(|id| this.document.item(id).map(|item| (id, *item)));
            this.document.get(id, key).or(misspelt).map(|(_, item)| item)
        };
        let last =
            word.slots.iter().rposition(|slot| slot.keys().iter().any(|key| find(self, key).is_some()));
        for (number, slot) in word.slots.iter().enumerate() {
            let found: Vec<(&'static str, Item)> =
                slot.keys().iter().filter_map(|key| Some((*key, find(self, key)?))).collect();
            match (slot, found.as_slice()) {
                (Slot::Rest(..), []) => {}
                (_, []) => {
                    if last.is_some_and(|last| number < last) {
                        // What comes after would be taken for it.
                        self.tree.push_value(Scalar::Null(at.range));
                    }
                }
                (Slot::Verb(keys), [(first, item), rest @ ..]) => {
                    if let Some((_, second)) = rest.first() {
                        let message = format!("`{}` says only one of `{}`", word.name, keys.join("`, `"));
                        let help = "make two statements of it".to_owned();
                        self.problems.report(Code::BadValue, second.key.range, message, help);
                    }
                    let verb = self.placed(first, item.key.range);
                    self.tree.push_value(Scalar::String(verb));
                    self.scalar(item.value);
                }
                (Slot::One(..), [(_, item), ..]) => self.scalar(item.value),
                (Slot::Rest(..), [(_, item), ..]) => match item.value {
                    Value::Array(array) => self.list(array),
                    value => self.scalar(value),
                },
            }
        }
    }

    fn list(&mut self, array: Block) {
        let mut next = self.document.first(array);
        while let Some((_, item)) = next {
            self.scalar(item.value);
            next = self.document.after(item);
        }
    }

    /// Plants a value where one word belongs.
    fn scalar(&mut self, value: Value) {
        self.tree.push_value(match value {
            Value::Scalar(scalar) => scalar,
            Value::Array(block) | Value::Table(block) => Scalar::Null(block.range),
        });
    }

    /// Returns a word of the language as one that was found at a place.
    fn placed(&mut self, word: &'static str, range: Range) -> Spelled {
        if self.document.text_in_source(range, 0) == word {
            return Spelled { range, spelling: Spelling::Source { margin: 0 } };
        }
        let place = *self.words.entry(word).or_insert_with(|| {
            let start = self.decoded.len();
            self.decoded.push_str(word);
            Range::new(start, self.decoded.len())
        });
        Spelled { range, spelling: Spelling::Decoded(place) }
    }
}
