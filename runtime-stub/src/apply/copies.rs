//! Copies of code: in a file system in memory that only one world sees, and that is sealed before the world exists.
//!
//! A memory file cannot be mounted, and a program executed from one has no path, so that neither `#!` nor `$ORIGIN` works.
//! So all copies of a world lie in one tmpfs: what was hashed is what was written there, nobody else had a name or a
//! descriptor for it meanwhile, and at the end the file system as a whole becomes read-only.

use super::sources::{self, Source};
use crate::load::NO_LINKS;
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{
    self, At, Fd, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, NewFileSystem, O_CREAT, O_EXCL, O_PATH, O_WRONLY,
    RESOLVE_BENEATH,
};
use capc_schemas::manifest::{Execution, FileKind};
use capc_schemas::token::Digest;
use core::ffi::CStr;

/// The copies of one world.
#[derive(Default)]
pub struct Copies {
    memory: Option<Fd>,
    count: u32,
}

/// Where they lie in the root until each is bound to its place.
const PLACE: &CStr = c".copies";

const LAYER: Layer = Layer::Memfd;

impl Copies {
    /// Copies a file, checks what the copy holds, and returns it.
    ///
    /// # Errors
    /// When the file holds something else than what was sealed, or there is no memory.
    #[inline(never)]
    pub fn copy<'m>(
        &mut self,
        root: &Fd,
        (from, digest): (&'m CStr, Digest),
        execution: Execution,
        scratch: &mut [u8],
    ) -> Result<Source, Refusal<'m>> {
        let (file, _) = sources::regular(LAYER, from)?;
        let memory = match &self.memory {
            Some(memory) => memory,
            None => self.memory.insert(memory(root)?),
        };
        self.count += 1;
        let name = Sentence::of(format_args!("{}", self.count));
        let open =
            |flags, mode| sys::open(At::Dir(memory), name.c_str(), flags, mode, NO_LINKS | RESOLVE_BENEATH);
        let copy = open(O_CREAT | O_EXCL | O_WRONLY, 0o400).or_refuse_at(LAYER, "making a copy", from)?;
        sources::pass(LAYER, (&file, from), digest, scratch, |piece| {
            sys::write_all(&copy, piece).or_refuse_at(LAYER, "copying it", from)
        })?;
        // The service is made of it, so it may read it, whoever could on the host.
        let mode = if execution == Execution::Exec { 0o555 } else { 0o444 };
        sys::permit(&copy, mode).or_refuse_at(LAYER, "setting its mode", from)?;
        drop(copy);
        let fd = open(O_PATH, 0).or_refuse_at(LAYER, "opening the copy", from)?;
        Ok(Source { fd, kind: FileKind::File })
    }

    /// Seals the copies and takes away all ways to them but those where each is bound.
    ///
    /// # Errors
    /// When the kernel does not let us.
    pub fn seal<'m>(self, root: &Fd) -> Result<(), Refusal<'m>> {
        let Some(memory) = self.memory else { return Ok(()) };
        sys::seal_file_system(&memory).or_refuse(LAYER, "making the copies read-only")?;
        sys::enter_dir(root).or_refuse(LAYER, "entering the root")?;
        sys::detach(PLACE).or_refuse(LAYER, "unmounting the copies")?;
        sys::remove_dir(At::Dir(root), PLACE).or_refuse(LAYER, "removing their place")
    }
}

/// Mounts memory for the copies; attached, since a kernel before 6.15 clones nothing that is not.
fn memory<'m>(root: &Fd) -> Result<Fd, Refusal<'m>> {
    let tmpfs = NewFileSystem::of(c"tmpfs").or_refuse(LAYER, "fsopen tmpfs")?;
    tmpfs.set(c"mode", c"0700").or_refuse(LAYER, "setting its mode")?;
    let memory = tmpfs.mount(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV).or_refuse(LAYER, "mounting a tmpfs")?;
    sys::make_dir(At::Dir(root), PLACE, 0o700).or_refuse(LAYER, "making a place for copies")?;
    let place = sys::open(At::Dir(root), PLACE, O_PATH, 0, NO_LINKS | RESOLVE_BENEATH)
        .or_refuse(LAYER, "opening the place for copies")?;
    sys::attach(&memory, &place).or_refuse(LAYER, "attaching the copies")?;
    Ok(memory)
}
