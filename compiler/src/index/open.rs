//! An index as bytes: its texts, places and tables, found and not yet believed.

use super::layout::{FORMAT, Tables};
use super::table::{Table, take, take_number};
use std::fmt;

/// Why an index is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the index is damaged: {}", self.0)
    }
}

impl std::error::Error for Broken {}

/// An index, read where it lies.
#[derive(Copy, Clone)]
pub struct Index<'i> {
    letters: &'i str,
    /// The tables.
    pub(super) tables: Tables<'i>,
}

impl<'i> Index<'i> {
    /// Returns whether bytes are an index of the format that this capc reads.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(FORMAT)
    }

    /// Finds the tables of an index.
    ///
    /// # Errors
    /// When it is of another format, is cut off, or goes on after its end.
    pub fn open(bytes: &'i [u8]) -> Result<Self, Broken> {
        let Some(mut rest) = bytes.strip_prefix(FORMAT) else {
            return Err(Broken("it does not begin with `capc/index/1`"));
        };
        let cut = Broken("it is cut off");
        let count = take_number(&mut rest).ok_or_else(|| cut.clone())?;
        let letters = take(&mut rest, count as usize).ok_or_else(|| cut.clone())?;
        let letters = std::str::from_utf8(letters).map_err(|_| Broken("its texts are not UTF-8"))?;
        let tables = Tables::take(&mut rest).ok_or(cut)?;
        match rest.is_empty() {
            true => Ok(Self { letters, tables }),
            false => Err(Broken("something stands after its end")),
        }
    }

    /// Returns a text by its number.
    pub(super) fn text(&self, number: u32) -> Option<&'i str> {
        let range = self.tables.texts.ends_of(number)?;
        self.letters.get(range.start as usize..range.end as usize)
    }
}

impl<const N: usize> Table<'_, N> {
    /// Returns the range that ends where the first column says and begins where the row before ends.
    pub fn ends_of(&self, row: u32) -> Option<std::ops::Range<u32>> {
        Table::<N>::range(self, 0, row)
    }
}
