//! The process file system of the world, and the new root for good.

use super::places::INERT;
use crate::load::NO_LINKS;
use crate::refusal::{Layer, OrRefuse, Refusal};
use crate::sys::{self, At, Fd, NewFileSystem, O_DIRECTORY, O_PATH, RESOLVE_BENEATH};

/// Makes `/proc` of this process's PID namespace, attached nowhere yet.
///
/// Must come before the host's own is out of sight: the kernel gives a user namespace no better view than it had.
///
/// # Errors
/// When the kernel does not let us.
pub fn make<'m>() -> Result<Fd, Refusal<'m>> {
    let layer = Layer::Proc;
    let proc = NewFileSystem::of(c"proc").or_refuse(layer, "fsopen")?;
    proc.set(c"subset", c"pid").or_refuse(layer, "subset=pid")?;
    let masked = "mounting it (a /proc that is masked, as in some containers, forbids new ones)";
    proc.mount(INERT).or_refuse(layer, masked)
}

/// Puts it to its place in a root.
///
/// # Errors
/// When the root has none.
pub fn attach<'m>(proc: &Fd, root: &Fd) -> Result<(), Refusal<'m>> {
    let layer = Layer::Proc;
    let resolve = NO_LINKS | RESOLVE_BENEATH;
    let place = sys::open(At::Dir(root), c"proc", O_PATH | O_DIRECTORY, 0, resolve)
        .or_refuse(layer, "opening its place")?;
    sys::attach(proc, &place).or_refuse(layer, "attaching it")
}

/// Makes the built root the only one.
///
/// # Errors
/// When the kernel does not let us.
pub fn pivot<'m>(root: &Fd) -> Result<(), Refusal<'m>> {
    sys::enter_dir(root).or_refuse(Layer::Root, "entering it")?;
    sys::pivot_here().or_refuse(Layer::Root, "pivot_root")?;
    sys::change_dir(c"/").or_refuse(Layer::Root, "entering it")
}
