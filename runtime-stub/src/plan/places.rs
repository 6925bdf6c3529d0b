//! The places of a world and the order in which they can be made.

use super::{Identity, List, NO_ROOM, path, string};
use crate::refusal::{Layer, Refusal};
use crate::sys::memory::Arena;
use capc_schemas::manifest::{
    Access, Execution, FacetRole, FileKind, Integrity, Kind, Line, Owner, SealedFile,
};
use capc_schemas::token::Digest;
use core::cmp::Ordering;
use core::ffi::CStr;

/// Whether the place that something is put on is there before.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// It lies in the root or in private memory, and is made.
    Ours,
    /// It lies in something granted, and must be there.
    Given,
}

/// What is put on a place.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum What<'m> {
    /// Private memory.
    Tmpfs {
        /// How much.
        bytes: u64,
        /// Its permissions.
        mode: u16,
    },
    /// A symbolic link.
    Link {
        /// What it says.
        target: &'m CStr,
    },
    /// A generated file.
    Text {
        /// Its permissions.
        mode: u16,
        /// What it holds.
        content: &'m [u8],
    },
    /// A device node.
    Device {
        /// The host's.
        from: &'m CStr,
    },
    /// A file whose digest is sealed.
    Sealed {
        /// The host's.
        from: &'m CStr,
        /// Its digest.
        digest: Digest,
        /// Whether it may be executed.
        execution: Execution,
        /// What keeps it from being another.
        integrity: Integrity,
    },
    /// A directory or file with all that is mounted in it.
    Image {
        /// The host's.
        from: &'m CStr,
    },
    /// A granted path.
    Grant {
        /// The host's.
        from: &'m CStr,
        /// What it must be.
        kind: FileKind,
        /// Whether it may be written to.
        access: Access,
        /// Whether programs in it may be executed.
        execution: Execution,
        /// Whose it is on disk.
        owner: Owner,
    },
    /// A secret.
    Secret {
        /// The host's file.
        from: &'m CStr,
    },
    /// A facet's directory.
    Facet {
        /// Its name beneath the runtime directory.
        key: &'m CStr,
        /// Whether the service makes or uses it.
        role: FacetRole,
        /// Its maker.
        maker: Identity,
    },
    /// The process file system.
    Proc,
    /// The init's notification socket.
    Notify,
}

/// Something at a place.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Place<'m> {
    /// Where.
    pub at: &'m CStr,
    /// What it stands on.
    pub ground: Ground,
    /// The innermost place that it lies in, by its number in the order.
    pub within: Option<usize>,
    /// What is there.
    pub what: What<'m>,
}

/// The kinds of lines that put something on a place.
pub(super) const KINDS: [Kind; 13] = [
    Kind::Tmpfs,
    Kind::Link,
    Kind::Text,
    Kind::Device,
    Kind::Store,
    Kind::Pinned,
    Kind::Memfd,
    Kind::Image,
    Kind::Grant,
    Kind::Secret,
    Kind::Facet,
    Kind::Proc,
    Kind::Notify,
];

const NOTHING: Refusal<'static> = Refusal::of(Layer::Manifest, "a line that puts nothing anywhere");

/// Returns what a line puts where.
pub(super) fn what<'m>(arena: &mut Arena<'m>, line: Line<'m>) -> Result<(&'m CStr, What<'m>), Refusal<'m>> {
    let (at, what) = match line {
        Line::Tmpfs { at, bytes, mode } => (at, What::Tmpfs { bytes, mode: mode.bits() }),
        Line::Link { at, target } => (at, What::Link { target: string(arena, target)? }),
        Line::Text { at, mode, content } => {
            let bytes = arena.bytes(content.byte_count()).ok_or(NO_ROOM)?;
            let content = content.copy_to(bytes).ok_or(NO_ROOM)?.len();
            (at, What::Text { mode: mode.bits(), content: bytes.get(..content).unwrap_or(&[]) })
        }
        Line::Device { at, from } => (at, What::Device { from: path(arena, from)? }),
        Line::Store { .. } | Line::Pinned { .. } | Line::Memfd { .. } => {
            let file = line.sealed_file().ok_or(NOTHING)?;
            let SealedFile { at, from, digest, execution, integrity } = file;
            (at, What::Sealed { from: path(arena, from)?, digest, execution, integrity })
        }
        Line::Image { at, from } => (at, What::Image { from: path(arena, from)? }),
        Line::Grant { at, from, kind, access, execution, owner } => {
            (at, What::Grant { from: path(arena, from)?, kind, access, execution, owner })
        }
        Line::Secret { at, from } => (at, What::Secret { from: path(arena, from)? }),
        Line::Facet { at, key, role, uid, gid } => {
            let key = arena.string(key.text().bytes()).ok_or(NO_ROOM)?;
            (at, What::Facet { key, role, maker: Identity { uid, gid } })
        }
        Line::Notify { at } => (at, What::Notify),
        Line::Proc => return Ok((c"/proc", What::Proc)),
        _ => return Err(NOTHING),
    };
    let at = path(arena, at)?;
    if at == c"/" {
        return Err(Refusal::at(Layer::Place, at, "the root itself is nobody's to fill"));
    }
    Ok((at, what))
}

/// Orders places so that each comes after those that it lies in, and finds out what each stands on.
pub(super) fn ordered<'m>(places: List<'m, Place<'m>>) -> Result<&'m [Place<'m>], Refusal<'m>> {
    let List { slots, used } = places;
    let places = slots.get_mut(..used).ok_or(NO_ROOM)?;
    sort(places);
    for index in 1..places.len() {
        let (before, rest) = places.split_at_mut(index);
        let Some(place) = rest.first_mut() else { break };
        if before.last().is_some_and(|last| last.at == place.at) {
            return Err(Refusal::at(Layer::Place, place.at, "two things claim it"));
        }
        // In this order a place lies in the one before, or in something that that lies in, or in nothing.
        let mut outer = Some(index - 1);
        while let Some(number) = outer {
            match before.get(number) {
                Some(candidate) if !is_in(place.at, candidate.at) => outer = candidate.within,
                _ => break,
            }
        }
        place.within = outer;
        place.ground = match outer.and_then(|outer| before.get(outer)) {
            None | Some(Place { what: What::Tmpfs { .. }, .. }) => Ground::Ours,
            Some(Place { what: What::Image { .. } | What::Grant { kind: FileKind::Dir, .. }, .. }) => {
                Ground::Given
            }
            Some(_) => {
                return Err(Refusal::at(Layer::Place, place.at, "it lies in something that holds no places"));
            }
        };
        if place.ground == Ground::Given && matches!(place.what, What::Link { .. } | What::Proc) {
            return Err(Refusal::at(Layer::Place, place.at, "it cannot stand in something granted"));
        }
    }
    Ok(places)
}

/// Returns whether a place lies in a directory that the service makes facets in.
pub(super) fn is_in_made_facet(places: &[Place<'_>], at: &CStr) -> bool {
    places
        .iter()
        .any(|place| matches!(place.what, What::Facet { role: FacetRole::Make, .. }) && is_in(at, place.at))
}

fn is_in(inner: &CStr, outer: &CStr) -> bool {
    inner.to_bytes().strip_prefix(outer.to_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Sorts by a heap. The library's sort is quicker for tens of thousands of places, and takes ten times the code.
fn sort(places: &mut [Place<'_>]) {
    let count = places.len();
    // First every place is sunk into the heap, the last first; then the greatest is taken off it, time and again.
    for step in (0..count + count / 2).rev() {
        let (root, end) = if step < count { (0, step) } else { (step - count, count) };
        if step < count {
            places.swap(0, step);
        }
        sink(places.get_mut(..end).unwrap_or(&mut []), root);
    }
}

/// Moves a place down a heap until neither of the two beneath it is greater.
fn sink(heap: &mut [Place<'_>], mut root: usize) {
    let is_less = |heap: &[Place<'_>], one: usize, other: usize| match (heap.get(one), heap.get(other)) {
        (Some(one), Some(other)) => compare(one.at, other.at) == Ordering::Less,
        _ => false,
    };
    loop {
        let left = 2 * root + 1;
        let greater = if is_less(heap, left, left + 1) { left + 1 } else { left };
        if !is_less(heap, root, greater) {
            break;
        }
        heap.swap(root, greater);
        root = greater;
    }
}

/// Compares by components, so that a directory is followed by all that lies in it.
fn compare(one: &CStr, other: &CStr) -> Ordering {
    let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    one.to_bytes().iter().map(key).cmp(other.to_bytes().iter().map(key))
}
