//! The tree of a file: nodes with arguments, properties and children, each word with its place in the source.
//!
//! It is one flat table in source order, and not nodes that own nodes: a file nested a hundred thousand deep is
//! walked, compared and dropped without recursion, and an item costs 16 bytes. A string that reads as it is written
//! is kept as its place in the source; only what escapes or indentation change is kept decoded, at the side.

mod build;

use std::sync::Arc;

pub(super) use build::{Mark, Scalar, Spelled, Spelling};

/// A stretch of the source: byte offsets, the end exclusive.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The offset of the first byte.
    pub start: u32,
    /// The offset after the last byte.
    pub end: u32,
}

/// A node of one [`Tree`], and of no other.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Tree {
    source: Arc<str>,
    // INVARIANT: the table is `node*`, where
    //     node  = Type? Node entry* (node* Close)?
    //     entry = Key? Type? (String | Number | True | False | Null)
    // and the `link` of a Node is the index after its last item.
    items: Vec<Item>,
    /// The texts that are not in the source as they are meant, one after another.
    decoded: String,
    /// Which items have their text there, in the order of the items.
    decoded_items: Vec<(u32, Range)>,
}

/// An argument or a property of a node.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// The property's name; an argument has none.
    pub key: Option<Text<'t>>,
    /// The value.
    pub value: Value<'t>,
    /// What stands in parentheses before the value.
    pub type_annotation: Option<Text<'t>>,
    /// The whole entry, from its first byte to its last.
    pub range: Range,
    /// The value alone, with its quotes.
    pub value_range: Range,
}

/// A word or a string, and where it was written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Text<'t> {
    /// What it means, without quotes and escapes.
    pub text: &'t str,
    /// Where it stands, with its quotes.
    pub range: Range,
}

/// The value of an argument or a property.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Value<'t> {
    /// A word, or a string in quotes of any kind.
    String {
        /// What it means, without quotes and escapes.
        text: &'t str,
        /// Whether it stood in quotes.
        quoted: bool,
    },
    /// A number as it was written, `#inf`, `#-inf` and `#nan` among them.
    Number(&'t str),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

/// A word of a tree, or the end of a block.
#[derive(Copy, Clone, Debug)]
pub(super) enum Step {
    /// The name of a node, with the node in whose block it stands.
    Node(NodeId, Option<NodeId>, Range),
    /// A property's name or a value of a node.
    Word(NodeId, Range),
    /// The brace that closes the block of a node.
    Close(NodeId, Range),
}

/// The steps through a tree.
#[derive(Clone, Debug)]
pub(super) struct Steps<'t> {
    tree: &'t Tree,
    next: u32,
    open: Vec<NodeId>,
}

/// The nodes of one block, in source order.
#[derive(Clone, Debug)]
pub struct Children<'t> {
    tree: &'t Tree,
    next: u32,
    end: u32,
}

/// The arguments and properties of one node, in source order.
#[derive(Clone, Debug)]
pub struct Entries<'t> {
    tree: &'t Tree,
    next: u32,
    end: u32,
}

impl Tree {
    /// Returns the nodes that stand in no block.
    pub fn roots(&self) -> Children<'_> {
        Children { tree: self, next: 0, end: to_u32(self.items.len()) }
    }

    /// Returns the nodes in the block of `node`.
    pub fn children(&self, node: NodeId) -> Children<'_> {
        Children { tree: self, next: node.0.saturating_add(1), end: self.end_of(node) }
    }

    /// Says whether `node` has a block, if only an empty one.
    pub fn has_children_block(&self, node: NodeId) -> bool {
        self.last_item(node).is_some_and(|item| item.kind == Kind::Close)
    }

    /// Returns the name of `node`.
    pub fn name(&self, node: NodeId) -> &str {
        self.text(node.0)
    }

    /// Returns the place of the name of `node`.
    pub fn name_range(&self, node: NodeId) -> Range {
        self.item(node.0).map_or(Range::EMPTY, |item| item.range)
    }

    /// Returns the place of `node`, from its name to the end of its last entry or its closing brace.
    pub fn range(&self, node: NodeId) -> Range {
        let name = self.name_range(node);
        // TOML has words in another order, so that the last item need not end last.
        let end = self.last_item(node).map_or(name.end, |item| item.range.end.max(name.end));
        Range { start: name.start, end }
    }

    /// Returns what stands in parentheses before the name of `node`.
    pub fn type_annotation(&self, node: NodeId) -> Option<(&str, Range)> {
        let index = node.0.checked_sub(1)?;
        let item = self.item(index)?;
        (item.kind == Kind::Type).then(|| (self.text(index), item.range))
    }

    /// Returns the arguments and properties of `node` in source order, every one of a property that is given twice.
    pub fn entries(&self, node: NodeId) -> Entries<'_> {
        Entries { tree: self, next: node.0.saturating_add(1), end: self.end_of(node) }
    }

    /// Returns all words of the tree and the braces that close its blocks, in the order of the table.
    pub(super) fn steps(&self) -> Steps<'_> {
        Steps { tree: self, next: 0, open: Vec::new() }
    }

    fn item(&self, index: u32) -> Option<&Item> {
        self.items.get(to_usize(index))
    }

    fn end_of(&self, node: NodeId) -> u32 {
        self.item(node.0).map_or(0, |item| item.link)
    }

    fn last_item(&self, node: NodeId) -> Option<&Item> {
        self.item(self.end_of(node).checked_sub(1)?)
    }

    fn text(&self, index: u32) -> &str {
        let Some(item) = self.item(index) else { return "" };
        if item.margin != DECODED {
            let margin = u32::from(item.margin);
            let inner = item.range.start.saturating_add(margin)..item.range.end.saturating_sub(margin);
            return self.source.get(to_usize(inner.start)..to_usize(inner.end)).unwrap_or_default();
        }
        let found = self.decoded_items.binary_search_by_key(&index, |&(item, _)| item);
        let place = found.ok().and_then(|at| self.decoded_items.get(at));
        place.and_then(|(_, range)| self.decoded.get(range.as_usize())).unwrap_or_default()
    }
}

impl Iterator for Children<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        while self.next < self.end {
            let index = self.next;
            let item = self.tree.item(index)?;
            match item.kind {
                Kind::Node => {
                    self.next = item.link;
                    return Some(NodeId(index));
                }
                Kind::Close => break,
                // The entries of the node above, and the annotation of the next one.
                Kind::Type
                | Kind::Key
                | Kind::String
                | Kind::Number
                | Kind::True
                | Kind::False
                | Kind::Null => {
                    self.next = index.saturating_add(1);
                }
            }
        }
        None
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let index = self.next;
            let item = self.tree.item(index)?;
            self.next = index.saturating_add(1);
            while self.open.last().is_some_and(|node| self.tree.end_of(*node) <= index) {
                self.open.pop();
            }
            let above = self.open.last().copied();
            match (item.kind, above) {
                (Kind::Node, above) => {
                    let node = NodeId(index);
                    self.open.push(node);
                    return Some(Step::Node(node, above, item.range));
                }
                (Kind::Close, Some(node)) => return Some(Step::Close(node, item.range)),
                (Kind::Type, _) | (_, None) => {}
                (_, Some(node)) => return Some(Step::Word(node, item.range)),
            }
        }
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = Entry<'t>;

    fn next(&mut self) -> Option<Entry<'t>> {
        let (mut key, mut type_annotation, mut start) = (None, None, None);
        while self.next < self.end {
            let index = self.next;
            let Item { kind, range, link, margin } = *self.tree.item(index)?;
            let text = || Text { text: self.tree.text(index), range };
            let value = match kind {
                Kind::Node | Kind::Close => break,
                Kind::Key => {
                    key = Some(text());
                    start = start.or(Some(range.start));
                    None
                }
                Kind::Type => {
                    type_annotation = Some(text());
                    start = start.or(Some(link));
                    None
                }
                Kind::String => Some(Value::String { text: text().text, quoted: margin != 0 }),
                Kind::Number => Some(Value::Number(text().text)),
                Kind::True => Some(Value::Bool(true)),
                Kind::False => Some(Value::Bool(false)),
                Kind::Null => Some(Value::Null),
            };
            self.next = index.saturating_add(1);
            if let Some(value) = value {
                let whole = Range { start: start.unwrap_or(range.start), end: range.end };
                return Some(Entry { key, value, type_annotation, range: whole, value_range: range });
            }
        }
        self.next = self.end;
        None
    }
}

impl Range {
    /// The range of nothing, at the start of the file.
    pub const EMPTY: Range = Range { start: 0, end: 0 };

    /// Returns the range between two offsets.
    pub fn new(start: usize, end: usize) -> Range {
        Range { start: to_u32(start), end: to_u32(end) }
    }

    /// Returns the range in the form that slicing wants.
    pub fn as_usize(self) -> std::ops::Range<usize> {
        to_usize(self.start)..to_usize(self.end)
    }
}

#[derive(Copy, Clone, Debug)]
struct Item {
    range: Range,
    /// Of a Node, the index after its last item; of a Type, the offset of its parenthesis.
    link: u32,
    kind: Kind,
    /// The bytes of quotes on each side of the text, or [`DECODED`].
    margin: u8,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    Node,
    Type,
    Key,
    String,
    Number,
    True,
    False,
    Null,
    Close,
}

/// The margin of an item whose text is not in the source.
const DECODED: u8 = u8::MAX;

// Front ends refuse a text of 4 GiB and more, so that offsets, and items, which are fewer, fit 32 bits.
fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn to_usize(offset: u32) -> usize {
    offset as usize
}
