//! What is made and not bound: private memory and secrets.

use super::places::INERT;
use super::sources;
use crate::plan::Identity;
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{self, Answer, Fd, NewFileSystem};
use core::ffi::CStr;

/// Makes a tmpfs of a size, owned by the service, attached nowhere.
///
/// # Errors
/// When the kernel does not let us.
pub fn memory(bytes: u64, mode: u16, owner: Identity) -> Answer<Fd> {
    let tmpfs = NewFileSystem::of(c"tmpfs")?;
    let set = |key: &CStr, value: core::fmt::Arguments<'_>| tmpfs.set(key, Sentence::of(value).c_str());
    set(c"size", format_args!("{bytes}"))?;
    // Names take memory too, which the size does not count.
    set(c"nr_inodes", format_args!("{}", 64 + bytes / 4096))?;
    set(c"mode", format_args!("{mode:o}"))?;
    set(c"uid", format_args!("{}", owner.uid))?;
    set(c"gid", format_args!("{}", owner.gid))?;
    tmpfs.mount(INERT)
}

/// Reads a secret, at most one byte less than the scratch has.
///
/// # Errors
/// When it is no regular file, or too long.
pub fn secret<'s, 'm>(from: &'m CStr, scratch: &'s mut [u8]) -> Result<&'s mut [u8], Refusal<'m>> {
    let most = scratch.len() - 1;
    let (fd, _) = sources::regular(Layer::Place, from)?;
    let content = sys::read_all(&fd, scratch).or_refuse_at(Layer::Place, "reading it", from)?;
    if content.len() > most { Err(Refusal::at(Layer::Place, from, "it is over 1 MiB")) } else { Ok(content) }
}
