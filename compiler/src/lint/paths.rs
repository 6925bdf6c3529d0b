//! The paths that one subject may do something with, each with what it may do at or above it.

use crate::holdings::Holdings;
use crate::model::{CapId, Kind, Model, ObjectId, Rights, Target, path_contains};
use crate::source::Span;
use std::cmp::Ordering;

/// A right to a path.
#[derive(Copy, Clone, Debug)]
pub struct PathRight<'m> {
    /// The path.
    pub path: &'m str,
    /// What may be done there and below.
    pub rights: Rights,
    /// The capability; none for its own program and image.
    pub capability: Option<CapId>,
    /// The statement behind it.
    pub span: Span,
}

/// Returns what a subject was given of paths, and its own code; each directory before what lies in it.
///
/// What it mounts itself is left out: nobody gave it that.
pub fn paths_of<'m>(model: &'m Model, holdings: &Holdings, subject: ObjectId) -> Vec<PathRight<'m>> {
    let mut paths: Vec<PathRight<'m>> = Vec::new();
    for holding in holdings.of(subject) {
        let known = model.capability(holding.capability);
        let made = matches!(known.target, Target::Facet(facet) if model.facet(facet).owner == subject);
        let has_content = matches!(known.kind, Kind::Dir | Kind::File | Kind::State | Kind::Mount);
        if let (Some(path), true, false) = (&known.path, has_content, made) {
            let step = holdings.last_step(model, holding);
            paths.push(PathRight {
                path,
                rights: holding.rights,
                capability: Some(holding.capability),
                span: step.map_or(model.object(subject).span, |step| step.span),
            });
        }
    }
    if let Some(service) = model.object(subject).process() {
        let prepare = service.prepare.iter().map(|(path, _)| path);
        for code in service.program.iter().chain(prepare).chain(&service.image) {
            let rights = Kind::FS_READ.or(Kind::FS_EXEC);
            paths.push(PathRight { path: &code.path, rights, capability: None, span: code.span });
        }
    }
    paths.sort_by(|a, b| by_path(a, b).then(a.span.cmp(&b.span)).then(a.capability.cmp(&b.capability)));
    paths
}

/// Components are compared, not bytes: `/a-b` must not come between `/a` and `/a/b`.
fn by_path(a: &PathRight<'_>, b: &PathRight<'_>) -> Ordering {
    a.path.split('/').cmp(b.path.split('/'))
}

/// Calls `look` with the rights to each path, and with those that count there: its own and those of the paths above it.
pub fn each_with_those_above<'m>(
    paths: &[PathRight<'m>],
    mut look: impl FnMut(&[PathRight<'m>], &[PathRight<'m>]),
) {
    let mut above: Vec<PathRight<'m>> = Vec::new();
    for here in paths.chunk_by(|a, b| a.path == b.path) {
        let Some(first) = here.first() else { continue };
        while above.last().is_some_and(|outer| !path_contains(outer.path, first.path)) {
            above.pop();
        }
        above.extend(here);
        look(here, &above);
    }
}
