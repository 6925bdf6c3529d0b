//! `alias FROM TO`: paths are rewritten so that the graph speaks of places and not of spellings.

use super::{PathUse, path_contains};
use std::borrow::Cow;
use std::sync::Arc;

/// Where every merged Linux system has links.
const BUILT_IN: [(&str, &str); 6] = [
    ("/bin", "/usr/bin"),
    ("/sbin", "/usr/sbin"),
    ("/lib", "/usr/lib"),
    ("/lib64", "/usr/lib64"),
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
];

/// The aliases of a system file.
#[derive(Clone, Debug)]
pub struct Aliases {
    pairs: Vec<(Arc<str>, Arc<str>)>,
}

impl Default for Aliases {
    fn default() -> Self {
        Self { pairs: BUILT_IN.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect() }
    }
}

impl Aliases {
    /// Adds one of the file's own; it goes before the built-in ones.
    pub fn add(&mut self, from: Arc<str>, to: Arc<str>) {
        self.pairs.insert(0, (from, to));
    }

    /// Rewrites a path until no alias applies. Returns `None` when the aliases lead round in a circle.
    #[must_use]
    pub fn rewrite(&self, path: &Arc<str>) -> Option<Arc<str>> {
        let mut path = path.clone();
        for _ in 0..=self.pairs.len() {
            let found = self
                .pairs
                .iter()
                .filter(|(from, _)| path_contains(from, &path))
                .max_by_key(|(from, _)| from.len());
            let Some((from, to)) = found else { return Some(path) };
            let rest = path.strip_prefix(&**from).unwrap_or("");
            path = format!("{}{rest}", if &**to == "/" && !rest.is_empty() { "" } else { to }).into();
        }
        None
    }

    /// Returns the file's own aliases, from and to.
    pub fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.pairs.len() - BUILT_IN.len();
        self.pairs.iter().take(own).map(|(from, to)| (&**from, &**to))
    }

    /// Rewrites a path that is known beforehand and speaks of a place already, but for the file's own aliases.
    #[must_use]
    pub fn known<'p>(&self, path: &'p str) -> Cow<'p, str> {
        if self.pairs.len() == BUILT_IN.len() {
            return Cow::Borrowed(path);
        }
        self.rewrite(&path.into()).map_or(Cow::Borrowed(path), |place| Cow::Owned(place.to_string()))
    }

    /// Rewrites a path that somebody wrote; one that leads round in a circle stays as it is (the alias was reported).
    #[must_use]
    pub fn place(&self, path: &PathUse) -> PathUse {
        PathUse { path: self.rewrite(&path.path).unwrap_or_else(|| path.path.clone()), span: path.span }
    }
}
