//! Where the words of lines stand in a picture: on their line, and on nothing else that can be read if there is such a place.

use std::collections::BTreeMap;

/// About how wide a letter of a label is, and how high it is.
const LETTER: f64 = 5.9;
const HEIGHT: f64 = 12.0;
/// How large a cell of the table is that says what is where.
const CELL: f64 = 40.0;
/// Places along a line, the best first: a third along, those that begin or end together are still apart.
const PLACES: [f64; 17] =
    [0.4, 0.36, 0.44, 0.32, 0.48, 0.28, 0.52, 0.56, 0.24, 0.6, 0.64, 0.2, 0.68, 0.72, 0.16, 0.76, 0.8];

/// A part of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Its left side.
    pub left: f64,
    /// Its upper side.
    pub top: f64,
    /// Its right side.
    pub right: f64,
    /// Its lower side.
    pub bottom: f64,
}

impl Part {
    fn shared(&self, other: &Self) -> f64 {
        let across = self.right.min(other.right) - self.left.max(other.left);
        let down = self.bottom.min(other.bottom) - self.top.max(other.top);
        across.max(0.0) * down.max(0.0)
    }

    fn cells(&self) -> impl Iterator<Item = (i64, i64)> {
        let cell = |place: f64| (place / CELL).floor() as i64;
        let (columns, rows) = (cell(self.left)..=cell(self.right), cell(self.top)..=cell(self.bottom));
        columns.flat_map(move |column| rows.clone().map(move |row| (column, row)))
    }
}

/// What of the picture is taken.
#[derive(Debug, Default)]
pub struct Taken {
    cells: BTreeMap<(i64, i64), Vec<Part>>,
}

impl Taken {
    /// Takes a part.
    pub fn take(&mut self, part: Part) {
        for cell in part.cells() {
            self.cells.entry(cell).or_default().push(part);
        }
    }

    /// Finds a place for the words of a line, which is a curve with these four points, and takes it; returns the middle of their
    /// lower side.
    pub fn place(&mut self, label: &str, curve: [(f64, f64); 4]) -> (f64, f64) {
        let half = (label.chars().count() as f64 * LETTER) / 2.0;
        let part_at =
            |x: f64, y: f64| Part { left: x - half, top: y - HEIGHT + 3.0, right: x + half, bottom: y + 3.0 };
        let mut best: Option<(f64, (f64, f64))> = None;
        for along in PLACES {
            let (x, y) = point(curve, along);
            let spot = (x, y - 3.0);
            let shared = self.shared(&part_at(spot.0, spot.1));
            if best.is_none_or(|(least, _)| shared < least) {
                best = Some((shared, spot));
            }
            if shared == 0.0 {
                break;
            }
        }
        let (x, y) = best.map_or(point(curve, 0.4), |(_, spot)| spot);
        self.take(part_at(x, y));
        (x, y)
    }

    fn shared(&self, part: &Part) -> f64 {
        let others = part.cells().filter_map(|cell| self.cells.get(&cell)).flatten();
        others.map(|other| part.shared(other)).sum()
    }
}

/// Returns the point of a curve (Bézier's, of third degree) at a part of its way.
fn point(curve: [(f64, f64); 4], along: f64) -> (f64, f64) {
    let left = 1.0 - along;
    let weights = [left.powi(3), 3.0 * left.powi(2) * along, 3.0 * left * along.powi(2), along.powi(3)];
    let sum =
        |of: fn((f64, f64)) -> f64| curve.iter().zip(weights).map(|(at, weight)| of(*at) * weight).sum();
    (sum(|(x, _)| x), sum(|(_, y)| y))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: [(f64, f64); 4] = [(0.0, 50.0), (100.0, 50.0), (200.0, 50.0), (300.0, 50.0)];

    #[test]
    fn words_that_would_stand_on_others_move_along_their_line() {
        let mut taken = Taken::default();
        let first = taken.place("read write", LINE);
        let second = taken.place("read write", LINE);
        assert!((first.0 - second.0).abs() >= 10.0 * LETTER, "{first:?} {second:?}");
    }

    #[test]
    fn words_do_not_stand_on_a_box_but_where_there_is_nothing_else() {
        let mut taken = Taken::default();
        taken.take(Part { left: 90.0, top: 30.0, right: 150.0, bottom: 70.0 });
        let (x, _) = taken.place("read", LINE);
        assert!(!(78.0..162.0).contains(&x), "{x}");
        taken.take(Part { left: 0.0, top: 0.0, right: 300.0, bottom: 100.0 });
        taken.place("read", LINE);
    }
}
