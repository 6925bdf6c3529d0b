//! Places: every path that anybody speaks of, as a tree, so that "the same path, or one inside the other" costs a step
//! up or down and never a comparison of all with all.

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
    ids: HashMap<Arc<str>, PlaceId>,
}

impl Places {
    /// Returns the tree of some absolute, normal paths.
    #[must_use]
    pub fn new(mut paths: Vec<Arc<str>>) -> Self {
        // `/a-b` must not come between `/a` and `/a/b`, so components are compared, not bytes.
        // A separator counts as before every letter, which compares components without taking the paths apart.
        let letters =
            |path: &'_ str| path.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect::<Vec<u8>>();
        paths.sort_by_cached_key(|path| letters(path));
        paths.dedup();
        let mut parents = Vec::with_capacity(paths.len());
        let mut ends = vec![paths.len() as u32; paths.len()];
        let mut open: Vec<(PlaceId, &str)> = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            while let Some((above, outer)) = open.last() {
                if crate::model::path_contains(outer, path) {
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
        let ids = paths.iter().enumerate().map(|(at, path)| (path.clone(), PlaceId(at as u32))).collect();
        Self { paths, parents, ends, ids }
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
        let places = Places::new(paths.iter().map(|path| (*path).into()).collect());
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
