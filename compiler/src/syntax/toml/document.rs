//! A TOML file as tables, arrays and scalars.
//!
//! It is one flat table of items that are linked by their numbers, so that a path of a hundred thousand keys is walked
//! and dropped without recursion.

mod build;

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::tree::{Range, Scalar, Spelled, Spelling};

pub(super) use build::Builder;

/// An item of one [`Document`], and of no other.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ItemId(u32);

/// The whole file, a table.
pub(super) const ROOT: ItemId = ItemId(0);

/// What stands in a table under a key, or in an array.
#[derive(Copy, Clone, Debug)]
pub(super) struct Item {
    /// The key; of an element the place.
    pub key: Spelled,
    /// The key before this one where both stand in one header or dotted key.
    pub before: Option<Range>,
    /// The value.
    pub value: Value,
    next: Option<ItemId>,
}

#[derive(Copy, Clone, Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    Array(Block),
    Table(Block),
}

/// The items of a table or an array.
#[derive(Copy, Clone, Debug)]
pub(super) struct Block {
    /// Its brackets; of a table with a header the header.
    pub range: Range,
    first: Option<ItemId>,
    last: Option<ItemId>,
    origin: Origin,
}

/// What made a table or an array, which decides what may add to it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// Brackets or braces: it is complete.
    Inline,
    /// A header of its own.
    Header,
    /// The header of a table inside it.
    Implied,
    /// A dotted key.
    Dotted,
}

/// A file that was read.
pub(super) struct Document<'t> {
    source: &'t str,
    items: Vec<Item>,
    keys: HashMap<(ItemId, Cow<'t, str>), ItemId>,
    /// The texts that are not in the source as they are meant, one after another.
    pub decoded: String,
}

impl<'t> Document<'t> {
    fn new(source: &'t str) -> Self {
        let range = Range::new(0, source.len());
        let root = Block { range, first: None, last: None, origin: Origin::Header };
        let key = Spelled { range: Range::EMPTY, spelling: Spelling::Source { margin: 0 } };
        let root = Item { key, before: None, value: Value::Table(root), next: None };
        Self { source, items: vec![root], keys: HashMap::new(), decoded: String::new() }
    }

    /// Returns an item.
    pub fn item(&self, id: ItemId) -> Option<&Item> {
        self.items.get(id.0 as usize)
    }

    /// Returns the items of a block in source order.
    pub fn children(&self, block: Block) -> impl Iterator<Item = (ItemId, Item)> {
        std::iter::successors(self.first(block), |(_, item)| self.after(*item))
    }

    /// Returns the first item of a block.
    pub fn first(&self, block: Block) -> Option<(ItemId, Item)> {
        self.linked(block.first)
    }

    /// Returns the item after another one of its block.
    pub fn after(&self, item: Item) -> Option<(ItemId, Item)> {
        self.linked(item.next)
    }

    /// Returns the item under a key of a table.
    pub fn get(&self, table: ItemId, key: &'t str) -> Option<(ItemId, Item)> {
        self.linked(self.keys.get(&(table, Cow::Borrowed(key))).copied())
    }

    /// Returns the text of a key or a string that stands in the source as it is meant.
    pub fn text_in_source(&self, range: Range, margin: u8) -> &'t str {
        let range = range.as_usize();
        let inner = range.start + usize::from(margin)..range.end.saturating_sub(usize::from(margin));
        self.source.get(inner).unwrap_or_default()
    }

    fn linked(&self, id: Option<ItemId>) -> Option<(ItemId, Item)> {
        let id = id?;
        Some((id, *self.item(id)?))
    }

    fn block(&mut self, id: ItemId) -> Option<&mut Block> {
        match &mut self.items.get_mut(id.0 as usize)?.value {
            Value::Table(block) | Value::Array(block) => Some(block),
            Value::Scalar(_) => None,
        }
    }

    /// Adds an item that nothing leads to.
    fn detached(&mut self, key: Spelled, before: Option<Range>, value: Value) -> ItemId {
        let id = ItemId(u32::try_from(self.items.len()).unwrap_or(u32::MAX));
        self.items.push(Item { key, before, value, next: None });
        id
    }

    /// Adds an item at the end of a table or an array.
    fn append(&mut self, parent: ItemId, key: Spelled, before: Option<Range>, value: Value) -> ItemId {
        let id = self.detached(key, before, value);
        let last = self.block(parent).and_then(|block| block.last);
        if let Some(last) = last.and_then(|last| self.items.get_mut(last.0 as usize)) {
            last.next = Some(id);
        }
        if let Some(block) = self.block(parent) {
            block.first = block.first.or(Some(id));
            block.last = Some(id);
        }
        id
    }
}

/// Returns as much of a text as a message can show.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
