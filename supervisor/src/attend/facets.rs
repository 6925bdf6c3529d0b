//! The memory directories of socket facets, for an init that does not mount by itself.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::mount::UnmountFlags;

use crate::error::Error;
use crate::plan::{Facet, Mode, Plan};
use crate::world::{make_directory, mount_facet};

/// Mounts what a plan's facets need and is not there yet, and takes away what other plans needed.
///
/// What is mounted already stays as it is, with the sockets in it.
///
/// # Errors
/// When something cannot be mounted.
pub fn mount_facets(plan: &Plan, runtime: &Path) -> Result<(), Error> {
    make_runtime(runtime)?;
    let directory = runtime.join("facets");
    make_directory(&directory)?;
    let wanted: BTreeSet<&str> = plan.facets.iter().map(|facet| facet.key.as_str()).collect();
    let entries = fs::read_dir(&directory).map_err(Error::when(format!("list {}", directory.display())))?;
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
            let place = entry.path();
            while rustix::mount::unmount(&place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
            // Best effort: an empty directory that stays is in nobody's way.
            let _ = fs::remove_dir(&place);
        }
    }
    for facet in &plan.facets {
        if !is_mounted(&directory, facet, plan.mode) {
            mount_facet(&directory, facet, plan.mode)?;
        }
    }
    Ok(())
}

/// Makes the runtime directory, which is root's alone: launchers take nothing from another.
pub(super) fn make_runtime(runtime: &Path) -> Result<(), Error> {
    make_directory(runtime)
}

/// Returns whether a facet's directory is mounted, for its maker.
fn is_mounted(directory: &Path, facet: &Facet, mode: Mode) -> bool {
    let above = fs::symlink_metadata(directory);
    let here = fs::symlink_metadata(directory.join(&facet.key));
    let (Ok(above), Ok(here)) = (above, here) else { return false };
    let is_makers = mode == Mode::User || (here.uid(), here.gid()) == (facet.uid, facet.gid);
    here.is_dir() && here.dev() != above.dev() && is_makers
}
