//! `alias FROM TO`: paths are rewritten so that the graph speaks of places and not of spellings.

use crate::model::{PathUse, path_contains};
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

    /// Rewrites a path that somebody wrote; one that leads round in a circle stays as it is (the alias was reported).
    #[must_use]
    pub fn place(&self, path: &PathUse) -> PathUse {
        PathUse { path: self.rewrite(&path.path).unwrap_or_else(|| path.path.clone()), span: path.span }
    }
}
