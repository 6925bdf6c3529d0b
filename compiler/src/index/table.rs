//! Tables of numbers, column by column, each column in as few bytes a number as its greatest one needs.
//!
//! A number is found by its row in constant time and read where it lies: nothing is decoded that nobody asks for.

/// A table that is being made.
pub struct Builder<const N: usize> {
    columns: [Vec<u32>; N],
}

impl<const N: usize> Default for Builder<N> {
    fn default() -> Self {
        Self { columns: [const { Vec::new() }; N] }
    }
}

impl<const N: usize> Builder<N> {
    /// Adds a row.
    pub fn push(&mut self, row: [u32; N]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> u32 {
        self.columns.first().map_or(0, Vec::len) as u32
    }

    /// Writes the number of rows, the width of each column, and the columns.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.len().to_le_bytes());
        let mut widths = self.columns.each_ref().map(|column| {
            let greatest = column.iter().max().copied().unwrap_or(0);
            greatest.checked_ilog(256).map_or(0, |power| power as usize + 1)
        });
        // A row takes a byte at least, so that there are never more rows than bytes.
        if widths.iter().all(|width| *width == 0)
            && let Some(first) = widths.first_mut()
        {
            *first = 1;
        }
        out.extend(widths.map(|width| width as u8));
        for (column, width) in self.columns.iter().zip(widths) {
            for value in column {
                out.extend(value.to_le_bytes().iter().take(width));
            }
        }
    }
}

/// A table as it lies in the index.
#[derive(Copy, Clone)]
pub struct Table<'i, const N: usize> {
    rows: u32,
    columns: [Column<'i>; N],
}

#[derive(Copy, Clone)]
struct Column<'i> {
    bytes: &'i [u8],
    width: u8,
}

impl Column<'_> {
    fn get(&self, row: usize) -> Option<u32> {
        let bytes = self.bytes;
        Some(match self.width {
            0 => 0,
            1 => u32::from(*bytes.get(row)?),
            2 => match bytes.get(row * 2..row * 2 + 2)? {
                [a, b] => u32::from_le_bytes([*a, *b, 0, 0]),
                _ => return None,
            },
            3 => match bytes.get(row * 3..row * 3 + 3)? {
                [a, b, c] => u32::from_le_bytes([*a, *b, *c, 0]),
                _ => return None,
            },
            _ => match bytes.get(row * 4..row * 4 + 4)? {
                [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
                _ => return None,
            },
        })
    }
}

/// Takes some bytes from the beginning of what is left.
pub fn take<'i>(rest: &mut &'i [u8], count: usize) -> Option<&'i [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

/// Takes a number of four bytes.
pub fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, left) = rest.split_first_chunk::<4>()?;
    *rest = left;
    Some(u32::from_le_bytes(*bytes))
}

impl<'i, const N: usize> Table<'i, N> {
    /// Takes a table from the beginning of what is left; none when it is cut off, has columns wider
    /// than a number, or rows of nothing.
    pub fn take(rest: &mut &'i [u8]) -> Option<Self> {
        let rows = take_number(rest)?;
        let widths = take(rest, N)?;
        if rows > 0 && widths.iter().all(|width| *width == 0) {
            return None;
        }
        let mut columns = [Column { bytes: &[], width: 0 }; N];
        for (column, width) in columns.iter_mut().zip(widths) {
            if *width > 4 {
                return None;
            }
            *column = Column {
                bytes: take(rest, (rows as usize).checked_mul(usize::from(*width))?)?,
                width: *width,
            };
        }
        Some(Self { rows, columns })
    }

    /// Returns how many rows there are.
    pub const fn len(&self) -> u32 {
        self.rows
    }

    /// Returns one number of a row.
    pub fn get(&self, row: u32, column: usize) -> Option<u32> {
        if row >= self.rows {
            return None;
        }
        self.columns.get(column)?.get(row as usize)
    }

    /// Returns a row.
    pub fn row(&self, row: u32) -> Option<[u32; N]> {
        if row >= self.rows {
            return None;
        }
        let mut found = [0; N];
        for (value, column) in found.iter_mut().zip(&self.columns) {
            *value = column.get(row as usize)?;
        }
        Some(found)
    }

    /// Returns every row.
    pub fn all(&self) -> impl Iterator<Item = [u32; N]> + '_ {
        (0..self.rows).filter_map(|row| self.row(row))
    }

    /// Returns the rows that belong to something, where a column of another table says at which row those of each end.
    pub fn range<const M: usize>(
        ends: &Table<'_, M>,
        column: usize,
        of: u32,
    ) -> Option<std::ops::Range<u32>> {
        let begin = of.checked_sub(1).map_or(Some(0), |before| ends.get(before, column))?;
        Some(begin..ends.get(of, column)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[[u32; 3]]) {
        let mut builder = Builder::default();
        rows.iter().for_each(|row| builder.push(*row));
        let mut bytes = Vec::new();
        builder.write(&mut bytes);
        let mut rest = &bytes[..];
        let table: Table<'_, 3> = Table::take(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(table.all().collect::<Vec<_>>(), rows);
        assert_eq!((table.row(table.len()), table.get(0, 3)), (None, None));
        for length in 0..bytes.len() {
            assert!(Table::<'_, 3>::take(&mut &bytes[..length]).is_none(), "{length} bytes are too few");
        }
    }

    #[test]
    fn a_table_reads_as_it_was_written() {
        check(&[]);
        check(&[[0, 0, 0]]);
        check(&[[0, 255, 256], [0, 1, 65_535], [0, 2, 0]]);
        check(&[[1, 65_536, 16_777_216], [u32::MAX, 16_777_215, 3]]);
    }
}
