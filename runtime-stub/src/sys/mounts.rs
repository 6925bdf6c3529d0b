//! Mounts: trees that are cloned, changed and moved by descriptor.

use super::files::text;
use super::{Answer, At, Fd, call, signed};
use core::ffi::CStr;
use linux_raw_sys::general as k;
pub use linux_raw_sys::general::{
    MOUNT_ATTR_IDMAP, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY,
};

/// Whether what is mounted below comes along.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Depth {
    /// This mount alone.
    One,
    /// All that is mounted below it too.
    All,
}

impl Depth {
    const fn flag(self) -> u32 {
        match self {
            Self::One => 0,
            Self::All => k::AT_RECURSIVE,
        }
    }
}

/// Clones the tree at an open file, attached nowhere.
pub fn clone_tree(from: &Fd, depth: Depth) -> Answer<Fd> {
    let flags = k::OPEN_TREE_CLONE | k::OPEN_TREE_CLOEXEC | k::AT_EMPTY_PATH | depth.flag();
    // SAFETY: the empty path ends with a NUL.
    unsafe { call(k::__NR_open_tree, [signed(from.number()), text(c""), flags as usize]) }.map(Fd::of)
}

/// Sets attributes of a mount; with a user namespace, maps its owners through it.
pub fn set_attributes(mount: &Fd, attributes: u32, depth: Depth, owners: Option<&Fd>) -> Answer<()> {
    let attr_set = u64::from(attributes | owners.map_or(0, |_| k::MOUNT_ATTR_IDMAP));
    let userns_fd = owners.map_or(0, |fd| u64::from(fd.number().unsigned_abs()));
    set(mount, k::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd }, depth)
}

/// Whether a mount may be cloned, itself or with what it is mounted on.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Cloning {
    /// It may.
    Allowed,
    /// It is left out.
    LeftOut,
}

/// Says whether a mount may be cloned.
pub fn set_cloning(mount: &Fd, cloning: Cloning) -> Answer<()> {
    let propagation = u64::from(if cloning == Cloning::Allowed { k::MS_PRIVATE } else { k::MS_UNBINDABLE });
    set(mount, k::mount_attr { attr_set: 0, attr_clr: 0, propagation, userns_fd: 0 }, Depth::One)
}

fn set(mount: &Fd, attributes: k::mount_attr, depth: Depth) -> Answer<()> {
    let flags = k::AT_EMPTY_PATH | depth.flag();
    let (structure, size) = (&raw const attributes as usize, size_of_val(&attributes));
    let arguments = [signed(mount.number()), text(c""), flags as usize, structure, size];
    // SAFETY: the empty path ends with a NUL and the structure has the size that is told.
    unsafe { call(k::__NR_mount_setattr, arguments) }.map(drop)
}

/// Attaches a detached tree at a place.
pub fn attach(tree: &Fd, place: &Fd) -> Answer<()> {
    move_mount(tree, At::Dir(place), c"", k::MOVE_MOUNT_F_EMPTY_PATH | k::MOVE_MOUNT_T_EMPTY_PATH)
}

/// Attaches a detached tree over the root, which stays the root of this process.
pub fn attach_over_root(tree: &Fd) -> Answer<()> {
    move_mount(tree, At::Here, c"/", k::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Attaches a detached tree over a directory.
pub fn attach_at(tree: &Fd, directory: &CStr) -> Answer<()> {
    move_mount(tree, At::Here, directory, k::MOVE_MOUNT_F_EMPTY_PATH)
}

fn move_mount(tree: &Fd, at: At<'_>, path: &CStr, flags: u32) -> Answer<()> {
    let arguments = [signed(tree.number()), text(c""), at.argument(), text(path), flags as usize];
    // SAFETY: both paths end with a NUL.
    unsafe { call(k::__NR_move_mount, arguments) }.map(drop)
}

/// A file system that is being set up.
pub struct NewFileSystem(Fd);

impl NewFileSystem {
    /// Begins a file system of this type.
    pub fn of(type_name: &CStr) -> Answer<Self> {
        // SAFETY: the name ends with a NUL.
        unsafe { call(k::__NR_fsopen, [text(type_name), k::FSOPEN_CLOEXEC as usize]) }
            .map(|answer| Self(Fd::of(answer)))
    }

    /// Sets a parameter.
    pub fn set(&self, key: &CStr, value: &CStr) -> Answer<()> {
        let command = k::fsconfig_command::FSCONFIG_SET_STRING as usize;
        // SAFETY: both strings end with a NUL.
        unsafe { call(k::__NR_fsconfig, [signed(self.0.number()), command, text(key), text(value), 0]) }
            .map(drop)
    }

    /// Makes it and returns its mount, attached nowhere.
    pub fn mount(self, attributes: u32) -> Answer<Fd> {
        let command = k::fsconfig_command::FSCONFIG_CMD_CREATE as usize;
        // SAFETY: no memory is involved.
        unsafe { call(k::__NR_fsconfig, [signed(self.0.number()), command, 0, 0, 0]) }?;
        let arguments = [signed(self.0.number()), k::FSMOUNT_CLOEXEC as usize, attributes as usize];
        // SAFETY: no memory is involved.
        unsafe { call(k::__NR_fsmount, arguments) }.map(Fd::of)
    }
}

/// Makes the whole file system of a mount read-only, by whatever mount it is reached.
pub fn seal_file_system(mount: &Fd) -> Answer<()> {
    let flags = (k::FSPICK_CLOEXEC | k::FSPICK_EMPTY_PATH) as usize;
    // SAFETY: the empty path ends with a NUL.
    let context = unsafe { call(k::__NR_fspick, [signed(mount.number()), text(c""), flags]) }.map(Fd::of)?;
    let (set, done) = (k::fsconfig_command::FSCONFIG_SET_FLAG, k::fsconfig_command::FSCONFIG_CMD_RECONFIGURE);
    // SAFETY: the key ends with a NUL, and a flag has no value.
    unsafe { call(k::__NR_fsconfig, [signed(context.number()), set as usize, text(c"ro"), 0, 0]) }?;
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fsconfig, [signed(context.number()), done as usize, 0, 0, 0]) }.map(drop)
}

/// Takes away what is mounted on a name in the working directory.
pub fn detach(name: &CStr) -> Answer<()> {
    let flags = (k::MNT_DETACH | k::UMOUNT_NOFOLLOW) as usize;
    // SAFETY: the name ends with a NUL.
    unsafe { call(k::__NR_umount2, [text(name), flags]) }.map(drop)
}

/// Cuts every mount of this namespace off from all others.
pub fn make_mounts_private() -> Answer<()> {
    // SAFETY: the paths end with a NUL.
    unsafe { call(k::__NR_mount, [text(c"none"), text(c"/"), 0, (k::MS_REC | k::MS_PRIVATE) as usize, 0]) }
        .map(drop)
}

/// Makes the working directory the root and lets the old root go.
pub fn pivot_here() -> Answer<()> {
    // SAFETY: the paths end with a NUL.
    unsafe { call(k::__NR_pivot_root, [text(c"."), text(c".")]) }?;
    // SAFETY: the path ends with a NUL.
    unsafe { call(k::__NR_umount2, [text(c"."), k::MNT_DETACH as usize]) }.map(drop)
}
