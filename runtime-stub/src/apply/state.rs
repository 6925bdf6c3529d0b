//! State: directories of the service's own on the host, made when they are not there.

use crate::load::NO_LINKS;
use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{self, At, Errno, O_DIRECTORY, O_PATH, O_RDONLY, RESOLVE_BENEATH};
use core::ffi::CStr;

/// Makes the state directories that are not there, and checks whose the others are.
///
/// # Errors
/// When a parent is missing, or a directory with something in it belongs to another.
pub fn make<'m>(plan: &Plan<'m>) -> Result<(), Refusal<'m>> {
    plan.states.iter().try_for_each(|path| make_one(plan, path))
}

fn make_one<'m>(plan: &Plan<'m>, path: &'m CStr) -> Result<(), Refusal<'m>> {
    let layer = Layer::State;
    let (parent, name) = split(path);
    let parent = sys::open(At::Here, parent.c_str(), O_PATH | O_DIRECTORY, 0, NO_LINKS).or_refuse_at(
        layer,
        "opening the directory above",
        path,
    )?;
    match sys::make_dir(At::Dir(&parent), name, 0o700) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno).or_refuse_at(layer, "making it", path),
    }
    let flags = O_RDONLY | O_DIRECTORY;
    let dir = sys::open(At::Dir(&parent), name, flags, 0, NO_LINKS | RESOLVE_BENEATH).or_refuse_at(
        layer,
        "opening it",
        path,
    )?;
    let status = sys::status(&dir).or_refuse_at(layer, "looking at it", path)?;
    let owner = plan.outside;
    if status.uid == owner.uid {
        return Ok(());
    }
    if !sys::is_empty_dir(&dir).or_refuse_at(layer, "reading it", path)? {
        return Err(Refusal::at(layer, path, "it belongs to another and is not empty"));
    }
    sys::give(&dir, owner.uid, owner.gid).or_refuse_at(layer, "giving it to the service", path)?;
    sys::permit(&dir, 0o700).or_refuse_at(layer, "making it private", path)
}

/// Returns the directory above and the last component.
fn split(path: &CStr) -> (Sentence, &CStr) {
    let bytes = path.to_bytes_with_nul();
    let slash = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let name = bytes.get(slash + 1..).and_then(|name| CStr::from_bytes_with_nul(name).ok()).unwrap_or(c"");
    let parent = bytes.get(..slash).filter(|parent| !parent.is_empty()).unwrap_or(b"/");
    (Sentence::raw(parent), name)
}
