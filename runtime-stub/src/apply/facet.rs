//! Facets: sockets that an earlier run left over are removed, and nothing else.

use super::places::relative;
use crate::load::NO_LINKS;
use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{self, At, Errno, Fd, FileType, O_DIRECTORY, O_PATH, RESOLVE_BENEATH};
use core::ffi::CStr;

/// Removes left-over sockets.
///
/// # Errors
/// When something other than a socket is in the way.
pub fn unlink<'m>(plan: &Plan<'m>, root: &Fd) -> Result<(), Refusal<'m>> {
    plan.unlinks.iter().try_for_each(|at| unlink_one(root, at))
}

fn unlink_one<'m>(root: &Fd, at: &'m CStr) -> Result<(), Refusal<'m>> {
    let layer = Layer::Facet;
    let path = relative(at).to_bytes_with_nul();
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let dir = Sentence::raw(path.get(..slash).unwrap_or(&[]));
    let name = path.get(slash + 1..).and_then(|name| CStr::from_bytes_with_nul(name).ok()).unwrap_or(c"");
    let dir = sys::open(At::Dir(root), dir.c_str(), O_PATH | O_DIRECTORY, 0, NO_LINKS | RESOLVE_BENEATH)
        .or_refuse_at(layer, "opening its directory", at)?;
    match sys::status_of(At::Dir(&dir), name) {
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno).or_refuse_at(layer, "looking at it", at),
        Ok(status) if status.file_type == FileType::Socket => {
            sys::unlink(At::Dir(&dir), name).or_refuse_at(layer, "removing a left-over socket", at)
        }
        Ok(_) => Err(Refusal::at(layer, at, "what is there is no socket")),
    }
}
