//! The directories of facets: whether they are there, whose they are, and who has one that is there no more.

use super::{Failure, Switch};
use crate::command::generation::Sealed;
use crate::emit::init::systemd::FACETS;
use crate::emit::store::Found;
use capc_schemas::manifest::{Line, Manifest};
use capc_supervisor::Facet;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Returns whether a facet's directory is mounted and belongs to another than it should.
pub fn is_anothers(facet: &Facet) -> bool {
    let found = fs::symlink_metadata(format!("{FACETS}/{}", facet.key));
    found.is_ok_and(|found| (found.uid(), found.gid()) != (facet.uid, facet.gid))
}

/// Returns the services that make or hold a facet whose directory is not mounted: what they were given, nobody else is given any more.
///
/// # Errors
/// When a manifest is not what was sealed.
pub fn stranded(switch: &Switch<'_>) -> Result<BTreeSet<String>, Failure> {
    let lost: BTreeSet<&str> =
        switch.plan.facets.iter().map(|facet| facet.key.as_str()).filter(|key| !is_mounted(key)).collect();
    let mut stranded = BTreeSet::new();
    if lost.is_empty() {
        return Ok(stranded);
    }
    let sealed =
        Sealed::of(Found::at(switch.generation).map_err(|error| Failure::refused(error.to_string()))?);
    for (name, text) in sealed.manifests()? {
        let manifest = Manifest::parse(&text).map_err(|error| sealed.broken(format!("`{name}`: {error}")))?;
        let mut lines = manifest.lines();
        if lines
            .any(|line| matches!(line, Line::Facet { key, .. } if lost.contains(key.to_string().as_str())))
        {
            stranded.insert(name);
        }
    }
    Ok(stranded)
}

/// Returns whether something is mounted in the place of a facet's directory.
fn is_mounted(key: &str) -> bool {
    let device = |path: &str| fs::symlink_metadata(path).ok().map(|found| found.dev());
    let place = device(&format!("{FACETS}/{key}"));
    place.is_some() && place != device(FACETS)
}
