//! The paths that one subject may do something with, each with what it may do at or above it.

use crate::holdings::Holdings;
use crate::model::{CapId, Kind, Model, ObjectId, Rights, Target, by_components, path_contains};
use crate::source::Span;

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
pub fn paths_of<'m>(model: &'m Model, holdings: &'m Holdings, subject: ObjectId) -> Vec<PathRight<'m>> {
    let mut paths: Vec<PathRight<'m>> = each_of(model, holdings, subject).collect();
    paths.sort_by(|a, b| {
        by_components(a.path, b.path).then(a.span.cmp(&b.span)).then(a.capability.cmp(&b.capability))
    });
    paths
}

/// Returns the same in no order.
///
/// What it mounts itself is left out: nobody gave it that.
pub fn each_of<'m>(
    model: &'m Model,
    holdings: &'m Holdings,
    subject: ObjectId,
) -> impl Iterator<Item = PathRight<'m>> {
    let object = model.object(subject);
    let given = holdings.of(subject).iter().filter_map(move |holding| {
        let known = model.capability(holding.capability);
        let made = matches!(known.target, Target::Facet(facet) if model.facet(facet).owner == subject);
        let has_content = matches!(known.kind, Kind::Dir | Kind::File | Kind::State | Kind::Mount);
        let path = known.path.as_deref().filter(|_| has_content && !made)?;
        let span = holdings.last_step(model, holding).map_or(object.span, |step| step.span);
        Some(PathRight { path, rights: holding.rights, capability: Some(holding.capability), span })
    });
    let code = object.process().into_iter().flat_map(|service| {
        service.program.iter().chain(service.prepare.iter().map(|(path, _)| path)).chain(&service.image)
    });
    let rights = Kind::FS_READ.or(Kind::FS_EXEC);
    given.chain(code.map(move |code| PathRight {
        path: &code.path,
        rights,
        capability: None,
        span: code.span,
    }))
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
