//! The root: an empty directory in memory, in which only what the manifest names is put.

use super::contents;
use super::copies::Copies;
use super::identities::Identities;
use super::idmap::Maps;
use super::mounts;
use super::sources::{self, Source};
use crate::load::NO_LINKS;
use crate::plan::{Ground, Place, Plan, What};
use crate::refusal::{Layer, OrRefuse, Refusal, Sentence};
use crate::sys::{
    self, At, Cloning, Depth, Errno, Fd, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY, NewFileSystem, O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_WRONLY, RESOLVE_BENEATH,
};
use capc_schemas::manifest::{FileKind, Integrity};
use capc_schemas::trust::Root;
use core::ffi::CStr;

/// What the places are made from.
pub struct World<'w, 'm> {
    /// What is to be made.
    pub plan: &'w Plan<'m>,
    /// Where facets are.
    pub trust: &'w Root<'m>,
    /// The init's notification socket.
    pub notify_socket: Option<&'m CStr>,
    /// Room for files on their way.
    pub scratch: &'w mut [u8],
    /// Files that were hashed before.
    pub identities: Identities<'w>,
}

/// The attributes of a mount that holds nothing to execute and no devices.
pub const INERT: u32 = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// Makes an empty root and puts it over the anchor: any directory of the machine, in a mount namespace that nobody else sees.
///
/// # Errors
/// When the kernel does not let us.
pub fn begin<'m>(anchor: &CStr) -> Result<Fd, Refusal<'m>> {
    let root = NewFileSystem::of(c"tmpfs").or_refuse(Layer::Root, "fsopen tmpfs")?;
    root.set(c"mode", c"0755").or_refuse(Layer::Root, "setting its mode")?;
    let root = root.mount(INERT).or_refuse(Layer::Root, "mounting a tmpfs")?;
    // Over `/` it would make a chroot of us, and the kernel makes no user namespace in one (clone(2), EPERM).
    sys::attach_at(&root, anchor).or_refuse(Layer::Root, "attaching it")?;
    // Who is granted a directory above the anchor sees what is there, and not the root.
    sys::set_cloning(&root, Cloning::LeftOut).or_refuse(Layer::Root, "making it unbindable")?;
    Ok(root)
}

/// Puts everything in the root but what only a process inside can make, and returns it read-only.
///
/// # Errors
/// When something cannot be put where it belongs.
pub fn build<'m>(mut world: World<'_, 'm>, root: Fd) -> Result<Fd, Refusal<'m>> {
    let (mut maps, mut copies, mut tree) = (Maps::default(), Copies::default(), Tree { root, above: b"" });
    world
        .plan
        .places
        .iter()
        .try_for_each(|place| put(&mut world, &mut tree, place, &mut maps, &mut copies))?;
    let root = tree.root;
    copies.seal(&root)?;
    world.identities.keep();
    sys::set_attributes(&root, INERT | MOUNT_ATTR_RDONLY, Depth::One, None)
        .or_refuse(Layer::Root, "making it read-only")?;
    Ok(root)
}

/// The root while things are put in it.
struct Tree<'m> {
    root: Fd,
    /// The directory above a place of ours that was there last: the next place often lies in it too.
    above: &'m [u8],
}

// Not inlined, nor are the two largest of what it calls: the program is smaller so.
#[inline(never)]
fn put<'m>(
    world: &mut World<'_, 'm>,
    tree: &mut Tree<'m>,
    place: &Place<'m>,
    maps: &mut Maps,
    copies: &mut Copies,
) -> Result<(), Refusal<'m>> {
    let own = world.plan.outside;
    match place.what {
        What::Tmpfs { bytes, mode } => {
            let memory = contents::memory(bytes, mode, own).or_refuse_at(
                Layer::Place,
                "mounting a tmpfs",
                place.at,
            )?;
            attach(tree, place, FileKind::Dir, &memory)
        }
        What::Link { target } => {
            above(tree, place)?;
            sys::make_link(target, At::Dir(&tree.root), relative(place.at)).or_refuse_at(
                Layer::Place,
                "making a link",
                place.at,
            )
        }
        What::Text { mode, content } => {
            let file = file(tree, place, u32::from(mode))?;
            sys::write_all(&file, content).or_refuse_at(Layer::Place, "writing it", place.at)?;
            settle(tree, place, &file)
        }
        What::Secret { from } => {
            let content = contents::secret(from, world.scratch)?;
            let file = file(tree, place, 0o400)?;
            sys::write_all(&file, content).or_refuse_at(Layer::Place, "writing it", place.at)?;
            content.fill(0);
            sys::give(&file, own.uid, own.gid).or_refuse_at(
                Layer::Place,
                "giving it to the service",
                place.at,
            )?;
            settle(tree, place, &file)
        }
        What::Device { from } => bind(tree, place, &sources::device(from)?, maps, world.plan),
        What::Sealed { from, digest, execution, integrity } => {
            let source = match integrity {
                Integrity::Store => sources::stored(from)?,
                Integrity::Pinned => sources::pinned(from, digest, &mut world.identities, world.scratch)?,
                Integrity::Memfd => copies.copy(&tree.root, (from, digest), execution, world.scratch)?,
            };
            bind(tree, place, &source, maps, world.plan)
        }
        What::Image { from } => bind(tree, place, &sources::any(from)?, maps, world.plan),
        What::Grant { from, kind, .. } => bind(tree, place, &sources::granted(from, kind)?, maps, world.plan),
        What::Facet { key, .. } => bind(tree, place, &sources::facet(world.trust, key)?, maps, world.plan),
        What::Notify => bind(tree, place, &sources::notification(world.notify_socket)?, maps, world.plan),
        // The file system itself is made by the service, inside its PID namespace.
        What::Proc => ground(tree, place, FileKind::Dir).map(drop),
    }
}

fn bind<'m>(
    tree: &mut Tree<'m>,
    place: &Place<'m>,
    source: &Source,
    maps: &mut Maps,
    plan: &Plan<'_>,
) -> Result<(), Refusal<'m>> {
    let mount = mounts::tree(place, source, maps, plan)?;
    attach(tree, place, source.kind, &mount)
}

fn attach<'m>(tree: &mut Tree<'m>, place: &Place<'m>, kind: FileKind, mount: &Fd) -> Result<(), Refusal<'m>> {
    let ground = ground(tree, place, kind)?;
    sys::attach(mount, &ground).or_refuse_at(Layer::Place, "mounting it", place.at)
}

/// Returns what a place is mounted on, made if it is ours.
fn ground<'m>(tree: &mut Tree<'m>, place: &Place<'m>, kind: FileKind) -> Result<Fd, Refusal<'m>> {
    let (layer, path) = (Layer::Place, relative(place.at));
    let is_ours = place.ground == Ground::Ours;
    if is_ours {
        above(tree, place)?;
    }
    let (flags, asked) = match (kind, is_ours) {
        (FileKind::Dir, true) => {
            sys::make_dir(At::Dir(&tree.root), path, 0o755).or_refuse_at(layer, "making it", place.at)?;
            (O_PATH | O_DIRECTORY, "opening it")
        }
        (FileKind::File, true) => (O_CREAT | O_EXCL, "making it"),
        (FileKind::Dir, false) => (O_PATH | O_DIRECTORY, "what is granted has no such place"),
        (FileKind::File, false) => (O_PATH, "what is granted has no such place"),
    };
    let mode = if flags & O_CREAT == 0 { 0 } else { 0o444 };
    open(&tree.root, path, flags, mode).or_refuse_at(layer, asked, place.at)
}

/// Makes the directories above a place of ours.
fn above<'m>(tree: &mut Tree<'m>, place: &Place<'m>) -> Result<(), Refusal<'m>> {
    let path = relative(place.at).to_bytes();
    let parent = |slash: usize| Sentence::raw(path.get(..slash).unwrap_or(&[]));
    let Some(last) = path.iter().rposition(|byte| *byte == b'/') else { return Ok(()) };
    let (root, whole) = (&tree.root, path.get(..last).unwrap_or(&[]));
    if tree.above == whole {
        return Ok(());
    }
    tree.above = b"";
    match open(root, parent(last).c_str(), O_PATH | O_DIRECTORY, 0) {
        Ok(_) => {
            tree.above = whole;
            return Ok(());
        }
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno).or_refuse_at(Layer::Place, "opening the directory above", place.at),
    }
    for (slash, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let parent = parent(slash);
        // Opened before the next one is made in it, so that no link on the way is followed.
        let made = match open(root, parent.c_str(), O_PATH | O_DIRECTORY, 0) {
            Err(Errno::ENOENT) => sys::make_dir(At::Dir(root), parent.c_str(), 0o755),
            other => other.map(drop),
        };
        made.or_refuse_at(Layer::Place, "making the directory above", place.at)?;
    }
    tree.above = whole;
    Ok(())
}

/// What a file is called in the root until it is bound to its place in something granted.
const UNSETTLED: &CStr = c".unsettled";

/// Returns a new file: at its place if that is ours, else where it can be bound from.
fn file<'m>(tree: &mut Tree<'m>, place: &Place<'m>, mode: u32) -> Result<Fd, Refusal<'m>> {
    let file = match place.ground {
        Ground::Ours => {
            above(tree, place)?;
            open(&tree.root, relative(place.at), O_CREAT | O_EXCL | O_WRONLY, mode)
        }
        Ground::Given => open(&tree.root, UNSETTLED, O_CREAT | O_EXCL | O_WRONLY, mode),
    };
    let file = file.or_refuse_at(Layer::Place, "making it", place.at)?;
    sys::permit(&file, mode).or_refuse_at(Layer::Place, "setting its mode", place.at)?;
    Ok(file)
}

/// Binds a file to its place if it is not there yet.
fn settle<'m>(tree: &mut Tree<'m>, place: &Place<'m>, file: &Fd) -> Result<(), Refusal<'m>> {
    if place.ground == Ground::Ours {
        return Ok(());
    }
    let clone = || {
        sys::set_cloning(&tree.root, Cloning::Allowed)?;
        let mount = sys::clone_tree(file, Depth::One)?;
        sys::set_cloning(&tree.root, Cloning::LeftOut)?;
        Ok(mount)
    };
    let mount = clone().or_refuse_at(Layer::Place, "binding it", place.at)?;
    sys::set_attributes(&mount, INERT | MOUNT_ATTR_RDONLY, Depth::One, None).or_refuse_at(
        Layer::Place,
        "making it read-only",
        place.at,
    )?;
    attach(tree, place, FileKind::File, &mount)?;
    sys::unlink(At::Dir(&tree.root), UNSETTLED).or_refuse_at(Layer::Place, "taking its first name", place.at)
}

fn open(root: &Fd, path: &CStr, flags: u32, mode: u32) -> sys::Answer<Fd> {
    sys::open(At::Dir(root), path, flags, mode, NO_LINKS | RESOLVE_BENEATH)
}

/// Returns a place's path from the root's descriptor.
#[must_use]
pub fn relative(at: &CStr) -> &CStr {
    let rest =
        at.to_bytes_with_nul().strip_prefix(b"/").and_then(|rest| CStr::from_bytes_with_nul(rest).ok());
    rest.filter(|rest| !rest.is_empty()).unwrap_or(c".")
}
