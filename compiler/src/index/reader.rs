//! The numbers of an index as what they stand for, each compared with the table that it points into.

use super::codes::Coded;
use super::open::{Broken, Index};
use super::table::Table;
use super::words::Words;
use crate::authority::{Node, PlaceId};
use crate::model::{CapId, FacetId, ObjectId, Rights};
use crate::source::{FileId, Span};
use std::ops::Range;
use std::sync::Arc;

/// A number that is too large.
pub const OUTSIDE_TABLE: Broken = Broken("a number points outside of its table");
/// A number of something that came later.
pub const UNKNOWN_CODE: Broken = Broken("a number stands for nothing that capc knows");

/// Returns a number that is less than another.
pub fn below(number: u32, count: u32) -> Result<u32, Broken> {
    if number < count { Ok(number) } else { Err(OUTSIDE_TABLE) }
}

/// Returns what a code stands for.
pub fn coded<T: Coded>(code: u32) -> Result<T, Broken> {
    T::coded(code).ok_or(UNKNOWN_CODE)
}

/// Returns rights.
pub fn rights(number: u32) -> Result<Rights, Broken> {
    u8::try_from(number).map(Rights).map_err(|_| UNKNOWN_CODE)
}

/// Returns a number that is one more than another, or zero for none.
pub fn maybe<T>(number: u32, read: impl FnOnce(u32) -> Result<T, Broken>) -> Result<Option<T>, Broken> {
    number.checked_sub(1).map(read).transpose()
}

/// Returns which rows belong to something, which must come after those of what came before.
pub fn rows<const N: usize, const M: usize>(
    ends: &Table<'_, N>,
    column: usize,
    of: u32,
    table: &Table<'_, M>,
) -> Result<Range<u32>, Broken> {
    let range = Table::<N>::range(ends, column, of).ok_or(OUTSIDE_TABLE)?;
    if range.start <= range.end && range.end <= table.len() { Ok(range) } else { Err(OUTSIDE_TABLE) }
}

/// Reads an index.
pub struct Reader<'r, 'i> {
    /// Where everything lies.
    pub index: &'r Index<'i>,
    /// Every text once, as many names share one.
    texts: Vec<Arc<str>>,
    spans: Vec<Span>,
}

impl<'r, 'i> Reader<'r, 'i> {
    /// Numbers texts and spans.
    pub fn new(index: &'r Index<'i>) -> Result<Self, Broken> {
        let tables = &index.tables;
        let text = |number| index.text(number).map(Arc::from).ok_or(Broken("a text ends within a letter"));
        let texts = (0..tables.texts.len()).map(text).collect::<Result<_, _>>()?;
        let mut spans = Vec::with_capacity(tables.spans.len() as usize);
        for file in 0..tables.files.len() {
            for row in rows(&tables.files, 4, file, &tables.spans)? {
                let [start, length] = tables.spans.row(row).ok_or(OUTSIDE_TABLE)?;
                spans.push(Span { file: FileId(file), start, end: start.saturating_add(length) });
            }
        }
        if spans.len() != tables.spans.len() as usize {
            return Err(Broken("a place is in no file"));
        }
        Ok(Self { index, texts, spans })
    }

    /// Returns a text.
    pub fn text(&self, number: u32) -> Result<&Arc<str>, Broken> {
        self.texts.get(number as usize).ok_or(OUTSIDE_TABLE)
    }

    /// Returns a span.
    pub fn span(&self, number: u32) -> Result<Span, Broken> {
        self.spans.get(number as usize).copied().ok_or(OUTSIDE_TABLE)
    }

    /// Returns an object.
    pub fn object(&self, number: u32) -> Result<ObjectId, Broken> {
        below(number, self.index.tables.objects.len()).map(ObjectId)
    }

    /// Returns a facet.
    pub fn facet(&self, number: u32) -> Result<FacetId, Broken> {
        below(number, self.index.tables.facets.len()).map(FacetId)
    }

    /// Returns a capability.
    pub fn capability(&self, number: u32) -> Result<CapId, Broken> {
        below(number, self.index.tables.capabilities.len()).map(CapId)
    }

    /// Returns a place.
    pub fn place(&self, number: u32) -> Result<PlaceId, Broken> {
        below(number, self.index.tables.places.len()).map(PlaceId)
    }

    /// Returns a node.
    pub fn node(&self, number: u32) -> Result<Node, Broken> {
        below(number, self.index.tables.nodes.len()).map(Node)
    }

    /// Returns the words from a row on.
    pub fn words(&self, at: u32) -> Words<'_, 'i> {
        Words { reader: self, at }
    }
}
