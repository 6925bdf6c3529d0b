//! Sources: what is brought into the world is opened once, follows no link, and is mounted from that descriptor.

use super::identities::Identities;
use crate::load::{NO_LINKS, READ};
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{
    self, At, Fd, FileType, O_DIRECTORY, O_PATH, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, Status,
};
use capc_schemas::manifest::{FileKind, Integrity};
use capc_schemas::token::Digest;
use capc_schemas::trust::Root;
use core::ffi::CStr;
use sha2::{Digest as _, Sha256};

/// What was opened.
pub struct Source {
    /// Its descriptor.
    pub fd: Fd,
    /// Whether it is a directory.
    pub kind: FileKind,
}

/// Opens anything.
///
/// # Errors
/// When it is not there or behind a link.
pub fn any(from: &CStr) -> Result<Source, Refusal<'_>> {
    looked_at(from).map(|(source, _)| source)
}

fn looked_at(from: &CStr) -> Result<(Source, FileType), Refusal<'_>> {
    let fd = sys::open(At::Here, from, O_PATH, 0, NO_LINKS).or_refuse_at(Layer::Place, "opening it", from)?;
    let file_type = sys::status(&fd).or_refuse_at(Layer::Place, "looking at it", from)?.file_type;
    let kind = if file_type == FileType::Directory { FileKind::Dir } else { FileKind::File };
    Ok((Source { fd, kind }, file_type))
}

/// Opens a granted path.
///
/// # Errors
/// When it is not what it must be.
pub fn granted(from: &CStr, kind: FileKind) -> Result<Source, Refusal<'_>> {
    let source = any(from)?;
    match (source.kind, kind) {
        (FileKind::Dir, FileKind::Dir) | (FileKind::File, FileKind::File) => Ok(source),
        (FileKind::File, FileKind::Dir) => Err(Refusal::at(Layer::Place, from, "it is no directory")),
        (FileKind::Dir, FileKind::File) => Err(Refusal::at(Layer::Place, from, "it is a directory")),
    }
}

/// Opens a device.
///
/// # Errors
/// When it is none.
pub fn device(from: &CStr) -> Result<Source, Refusal<'_>> {
    match looked_at(from)? {
        (source, FileType::Device) => Ok(source),
        _ => Err(Refusal::at(Layer::Place, from, "it is no device")),
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// When it is none.
pub fn regular(layer: Layer, from: &CStr) -> Result<(Fd, Status), Refusal<'_>> {
    let fd = sys::open(At::Here, from, READ, 0, NO_LINKS).or_refuse_at(layer, "opening it", from)?;
    let status = sys::status(&fd).or_refuse_at(layer, "looking at it", from)?;
    if status.file_type == FileType::Regular {
        Ok((fd, status))
    } else {
        Err(Refusal::at(layer, from, "it is no regular file"))
    }
}

/// Opens a file that nobody can change where it lies.
///
/// # Errors
/// When somebody could.
pub fn stored(from: &CStr) -> Result<Source, Refusal<'_>> {
    let (fd, status) = regular(Layer::Store, from)?;
    let is_read_only = sys::file_system(&fd).or_refuse_at(Layer::Store, "looking at it", from)?.is_read_only;
    if is_read_only || Integrity::is_store_item(from.to_bytes(), status.mode) {
        Ok(Source { fd, kind: FileKind::File })
    } else {
        Err(Refusal::at(Layer::Store, from, "it is not mounted read-only, so it could have been changed"))
    }
}

/// Opens a file and checks what it holds, unless it is known not to have changed since it was.
///
/// # Errors
/// When it holds something else than what was sealed.
#[inline(never)]
pub fn pinned<'m>(
    from: &'m CStr,
    digest: Digest,
    identities: &mut Identities<'_>,
    scratch: &mut [u8],
) -> Result<Source, Refusal<'m>> {
    let (fd, status) = regular(Layer::Pinned, from)?;
    let source = |fd| Source { fd, kind: FileKind::File };
    if identities.digest_of(&status.identity) == Some(digest) {
        return Ok(source(fd));
    }
    let watch = identities.watch(&fd);
    pass(Layer::Pinned, (&fd, from), digest, scratch, |_| Ok(()))?;
    if let Some(watch) = watch {
        identities.learn(&fd, &watch, digest);
    }
    Ok(source(fd))
}

/// Passes the content of a file on in pieces, and checks it.
///
/// # Errors
/// When it is something else than what was sealed, or a piece is not taken.
pub fn pass<'m>(
    layer: Layer,
    (fd, from): (&Fd, &'m CStr),
    digest: Digest,
    scratch: &mut [u8],
    mut take: impl FnMut(&[u8]) -> Result<(), Refusal<'m>>,
) -> Result<(), Refusal<'m>> {
    let mut hash = Sha256::new();
    // Pieces that stay in the processor's cache while they are hashed.
    let piece = scratch.get_mut(..128 << 10).unwrap_or(&mut []);
    loop {
        let count = sys::read(fd, piece).or_refuse_at(layer, "reading it", from)?;
        match piece.get(..count) {
            Some([]) | None => break,
            Some(bytes) => {
                hash.update(bytes);
                take(bytes)?;
            }
        }
    }
    if hash.finalize().as_slice() == digest.0 {
        return Ok(());
    }
    let words =
        "it drifted: its digest is not the sealed one; `capc reconfigure` shows the change and accepts it";
    Err(Refusal::at(layer, from, words))
}

/// Opens the directory of a facet.
///
/// # Errors
/// When the supervisor has not made it.
pub fn facet<'m>(trust: &Root<'_>, key: &'m CStr) -> Result<Source, Refusal<'m>> {
    let mut runtime = [0; 4096];
    trust.runtime.token().copy_to(&mut runtime);
    let runtime = CStr::from_bytes_until_nul(&runtime).unwrap_or(c"");
    let runtime = sys::open(At::Here, runtime, O_PATH | O_DIRECTORY, 0, NO_LINKS)
        .or_refuse(Layer::Facet, "opening the runtime directory")?;
    let mut path = Sentence::raw(b"facets/");
    path.add(key.to_bytes());
    let fd = sys::open(At::Dir(&runtime), path.c_str(), O_PATH | O_DIRECTORY, 0, NO_LINKS | RESOLVE_BENEATH)
        .or_refuse_at(Layer::Facet, "opening its directory", key)?;
    let of_memory =
        sys::file_system(&fd).or_refuse_at(Layer::Facet, "looking at it", key)?.magic == sys::IN_MEMORY;
    if of_memory {
        Ok(Source { fd, kind: FileKind::Dir })
    } else {
        Err(Refusal::at(Layer::Facet, key, "it is no tmpfs"))
    }
}

/// Opens the init's notification socket.
///
/// # Errors
/// When it is none, or has no path.
pub fn notification<'m>(path: Option<&'m CStr>) -> Result<Source, Refusal<'m>> {
    let layer = Layer::Notification;
    let path =
        path.ok_or(Refusal::of(layer, "the service tells when it is ready, and NOTIFY_SOCKET is not set"))?;
    if path.to_bytes().first() != Some(&b'/') {
        return Err(Refusal::at(layer, path, "it has no path to bind"));
    }
    let fd = sys::open(At::Here, path, O_PATH, 0, RESOLVE_NO_MAGICLINKS).or_refuse_at(
        layer,
        "opening it",
        path,
    )?;
    let status = sys::status(&fd).or_refuse_at(layer, "looking at it", path)?;
    if status.file_type != FileType::Socket {
        return Err(Refusal::at(layer, path, "it is no socket"));
    }
    Ok(Source { fd, kind: FileKind::File })
}
