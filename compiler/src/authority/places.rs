//! Places: every path that anybody speaks of, as a tree, so that "the same path, or one inside the other" costs a step
//! up or down and never a comparison of all with all.

use crate::model::{by_components, path_contains};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// A path: an index into [`Places`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub u32);

impl PlaceId {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// All paths, each directory directly before what lies in it.
#[derive(Debug, Default)]
pub struct Places {
    paths: Vec<Arc<str>>,
    parents: Vec<Option<PlaceId>>,
    /// For each path one past the last that lies in it.
    ends: Vec<u32>,
    ids: HashMap<Arc<str>, PlaceId, RandomState>,
}

impl Places {
    /// Returns the tree of some absolute, normal paths.
    #[must_use]
    pub fn new<'p>(all: impl Iterator<Item = &'p Arc<str>>) -> Self {
        let mut ids: HashMap<Arc<str>, PlaceId, RandomState> = HashMap::default();
        for path in all {
            if !ids.contains_key(path) {
                ids.insert(path.clone(), PlaceId(0));
            }
        }
        let mut paths: Vec<Arc<str>> = ids.keys().cloned().collect();
        paths.sort_unstable_by(|a, b| by_components(a, b));
        for (at, path) in paths.iter().enumerate() {
            if let Some(id) = ids.get_mut(path) {
                *id = PlaceId(at as u32);
            }
        }
        let mut parents = Vec::with_capacity(paths.len());
        let mut ends = vec![paths.len() as u32; paths.len()];
        let mut open: Vec<(PlaceId, &str)> = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            while let Some((above, outer)) = open.last() {
                if path_contains(outer, path) {
                    break;
                }
                if let Some(end) = ends.get_mut(above.index()) {
                    *end = at as u32;
                }
                open.pop();
            }
            parents.push(open.last().map(|(above, _)| *above));
            open.push((PlaceId(at as u32), path));
        }
        Self { paths, parents, ends, ids }
    }

    /// Returns a tree that was made before: each path with the one above and one past the last that lies in it, in order.
    #[must_use]
    pub fn restored(all: Vec<(Arc<str>, Option<PlaceId>, u32)>) -> Self {
        let ids = all.iter().zip(0..).map(|((path, ..), at)| (path.clone(), PlaceId(at))).collect();
        let mut places = Self { ids, ..Self::default() };
        for (path, parent, end) in all {
            places.paths.push(path);
            places.parents.push(parent);
            places.ends.push(end);
        }
        places
    }

    /// Returns how many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.paths.len()
    }

    /// Returns a path's place.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<PlaceId> {
        self.ids.get(path).copied()
    }

    /// Returns a place's path.
    #[must_use]
    pub fn path(&self, place: PlaceId) -> &str {
        self.paths.get(place.index()).map_or("", |path| path)
    }

    /// Returns a place's path, to be kept.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by `new` as indices into this very table")]
    pub fn shared_path(&self, place: PlaceId) -> &Arc<str> {
        &self.paths[place.index()]
    }

    /// Returns for each place how many paths come before its own, letter by letter.
    #[must_use]
    pub fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<(&str, u32)> = self.paths.iter().map(|path| &**path).zip(0..).collect();
        // Nearly in order already: only `-` and the like come before `/`.
        order.sort();
        let mut ranks = vec![0; order.len()];
        for ((_, place), rank) in order.into_iter().zip(0..) {
            if let Some(entry) = ranks.get_mut(place as usize) {
                *entry = rank;
            }
        }
        ranks
    }

    /// Returns the nearest place above.
    #[must_use]
    pub fn parent(&self, place: PlaceId) -> Option<PlaceId> {
        self.parents.get(place.index()).copied().flatten()
    }

    /// Returns whether `inner` is `outer` or lies in it.
    #[must_use]
    pub fn contains(&self, outer: PlaceId, inner: PlaceId) -> bool {
        outer <= inner && self.ends.get(outer.index()).is_some_and(|end| inner.0 < *end)
    }

    /// Returns one past the last place that lies in a place.
    #[must_use]
    pub fn end(&self, place: PlaceId) -> u32 {
        self.ends.get(place.index()).copied().unwrap_or(place.0)
    }

    /// Returns a place and all that lies in it.
    pub fn within(&self, place: PlaceId) -> impl Iterator<Item = PlaceId> + use<> {
        let end = self.ends.get(place.index()).copied().unwrap_or(place.0);
        (place.0..end).map(PlaceId)
    }

    /// Returns the places above a path, the nearest first, and those at it and inside it; the path need not be among them.
    pub fn around<'a>(
        &'a self,
        path: &'a str,
    ) -> (impl Iterator<Item = PlaceId> + use<'a>, impl Iterator<Item = PlaceId> + use<'a>) {
        let first = self.paths.partition_point(|place| by_components(place, path).is_lt());
        let inside = self.paths.iter().skip(first).take_while(|place| path_contains(path, place)).count();
        // All that lies above a path lies above what is directly before it, or is that.
        let before = first.checked_sub(1).map(|before| PlaceId(before as u32));
        let above = std::iter::successors(before, |place| self.parent(*place));
        let above = above.skip_while(|place| !path_contains(self.path(*place), path));
        (above, (first as u32..(first + inside) as u32).map(PlaceId))
    }

    /// Returns every place, a directory before what lies in it.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = PlaceId> + use<> {
        (0..self.paths.len() as u32).map(PlaceId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[&str], expected: &[(&str, Option<&str>)]) {
        let paths: Vec<Arc<str>> = paths.iter().map(|path| (*path).into()).collect();
        let places = Places::new(paths.iter());
        let parents = places
            .all()
            .map(|place| (places.path(place), places.parent(place).map(|above| places.path(above))));
        assert_eq!(parents.collect::<Vec<_>>(), expected);
        for outer in places.all() {
            for inner in places.all() {
                let by_text = crate::model::path_contains(places.path(outer), places.path(inner));
                assert_eq!(places.contains(outer, inner), by_text);
                assert_eq!(places.within(outer).any(|place| place == inner), by_text);
            }
        }
    }

    #[test]
    fn a_place_lies_in_the_nearest_one_above() {
        check(
            &["/a/b", "/a", "/a-b", "/a/b/c/d", "/a", "/", "/a!/x"],
            &[
                ("/", None),
                ("/a", Some("/")),
                ("/a/b", Some("/a")),
                ("/a/b/c/d", Some("/a/b")),
                ("/a!/x", Some("/")),
                ("/a-b", Some("/")),
            ],
        );
        check(&["/a-b", "/a/b", "/a"], &[("/a", None), ("/a/b", Some("/a")), ("/a-b", None)]);
    }
}
