//! How a front end makes a [`Tree`]: it calls what is here in source order, and a node's children come between its
//! entries and its `close_block`.

use std::sync::Arc;

use super::{DECODED, Item, Kind, NodeId, Range, Tree, to_u32, to_usize};

impl Tree {
    /// Returns the empty tree of `source`.
    pub(in crate::syntax) fn new(source: Arc<str>) -> Tree {
        Tree { source, items: Vec::new(), decoded: String::new(), decoded_items: Vec::new() }
    }

    /// Hands over the buffer into which the front end decoded strings.
    pub(in crate::syntax) fn finish(mut self, decoded: String) -> Tree {
        self.decoded = decoded;
        self
    }

    /// Begins a node; an annotation pushed just before is the node's.
    pub(in crate::syntax) fn begin_node(&mut self, name: Spelled) -> NodeId {
        let node = NodeId(to_u32(self.items.len()));
        self.push_text(Kind::Node, name, 0);
        node
    }

    /// Notes that the block of the node begun last ends with `brace`.
    pub(in crate::syntax) fn close_block(&mut self, brace: Range) {
        self.push(Kind::Close, brace);
    }

    /// Ends a node: what comes next is its sibling, or belongs to the node above.
    pub(in crate::syntax) fn end_node(&mut self, node: NodeId) {
        let end = to_u32(self.items.len());
        if let Some(item) = self.items.get_mut(to_usize(node.0)) {
            item.link = end;
        }
    }

    /// Pushes the annotation of the node or value that comes next, whose parenthesis opens at `parenthesis`.
    pub(in crate::syntax) fn push_type(&mut self, annotation: Spelled, parenthesis: u32) {
        self.push_text(Kind::Type, annotation, parenthesis);
    }

    /// Pushes the name of a property, before its value.
    pub(in crate::syntax) fn push_key(&mut self, key: Spelled) {
        self.push_text(Kind::Key, key, 0);
    }

    /// Pushes a value.
    pub(in crate::syntax) fn push_value(&mut self, scalar: Scalar) {
        match scalar {
            Scalar::String(spelled) => self.push_text(Kind::String, spelled, 0),
            Scalar::Number(range) => self.push(Kind::Number, range),
            Scalar::Bool(range, true) => self.push(Kind::True, range),
            Scalar::Bool(range, false) => self.push(Kind::False, range),
            Scalar::Null(range) => self.push(Kind::Null, range),
        }
    }

    /// Returns the place to which [`Tree::forget`] can go back.
    pub(in crate::syntax) fn mark(&self) -> Mark {
        Mark(to_u32(self.items.len()))
    }

    /// Forgets all that was pushed since `mark`.
    pub(in crate::syntax) fn forget(&mut self, mark: Mark) {
        self.items.truncate(to_usize(mark.0));
        while self.decoded_items.last().is_some_and(|&(item, _)| item >= mark.0) {
            self.decoded_items.pop();
        }
    }

    fn push_text(&mut self, kind: Kind, spelled: Spelled, link: u32) {
        let margin = match spelled.spelling {
            Spelling::Source { margin } => margin,
            Spelling::Decoded(place) => {
                self.decoded_items.push((to_u32(self.items.len()), place));
                DECODED
            }
        };
        self.items.push(Item { range: spelled.range, link, kind, margin });
    }

    fn push(&mut self, kind: Kind, range: Range) {
        self.items.push(Item { range, link: 0, kind, margin: 0 });
    }
}

/// A word or a string as a front end found it.
#[derive(Copy, Clone, Debug)]
pub(in crate::syntax) struct Spelled {
    pub range: Range,
    pub spelling: Spelling,
}

/// Where the text of a word or a string is.
#[derive(Copy, Clone, Debug)]
pub(in crate::syntax) enum Spelling {
    /// In the source, within as many bytes of quotes on each side; at most [`Spelling::WIDEST_MARGIN`].
    Source { margin: u8 },
    /// In the front end's buffer.
    Decoded(Range),
}

/// A value as a front end found it.
#[derive(Copy, Clone, Debug)]
pub(in crate::syntax) enum Scalar {
    String(Spelled),
    Number(Range),
    Bool(Range, bool),
    Null(Range),
}

/// A moment in the making of a tree.
#[derive(Copy, Clone, Debug)]
pub(in crate::syntax) struct Mark(u32);

impl Spelling {
    /// What has more quotes around it than this must be decoded.
    pub(in crate::syntax) const WIDEST_MARGIN: u8 = DECODED - 1;
}

impl Scalar {
    /// Returns the place of the value, with its quotes.
    pub(in crate::syntax) fn range(self) -> Range {
        match self {
            Scalar::String(Spelled { range, .. })
            | Scalar::Number(range)
            | Scalar::Bool(range, _)
            | Scalar::Null(range) => range,
        }
    }
}
