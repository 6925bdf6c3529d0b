//! Files: opening without following links, reading, writing, asking what they are.

use super::{Answer, Errno, Fd, call, signed};
use core::ffi::CStr;
use linux_raw_sys::general as k;
pub use linux_raw_sys::general::{
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE,
    O_WRONLY, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};

/// Where relative paths begin.
#[derive(Copy, Clone)]
pub enum At<'a> {
    /// The working directory; absolute paths need no other.
    Here,
    /// An open directory.
    Dir(&'a Fd),
}

impl At<'_> {
    pub(super) const fn argument(self) -> usize {
        match self {
            Self::Here => signed(k::AT_FDCWD),
            Self::Dir(fd) => signed(fd.number()),
        }
    }
}

/// What a file is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A character or block device.
    Device,
    /// A socket.
    Socket,
    /// A symbolic link or a named pipe.
    Other,
}

/// What the kernel knows about a file.
#[derive(Copy, Clone)]
pub struct Status {
    /// What it is.
    pub file_type: FileType,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// How long it is.
    pub size: u64,
    /// Which device it is, if it is one.
    pub device: u64,
    /// By what it is told from every other file, and from itself before it was changed.
    pub identity: FileIdentity,
}

/// A moment as a file system has it: seconds, and nanoseconds after them.
pub type Moment = (u64, u64);

/// By what a file is told from every other, and from itself before it was changed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct FileIdentity {
    /// The device of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// How long it is.
    pub size: u64,
    /// When it was last changed in any way; nobody can set this.
    pub changed: Moment,
    /// When its content was last changed, as its owner says.
    pub modified: Moment,
}

pub(super) fn text(path: &CStr) -> usize {
    path.as_ptr() as usize
}

/// Opens a path; `resolve` says which ways there are not taken.
pub fn open(at: At<'_>, path: &CStr, flags: u32, mode: u32, resolve: u32) -> Answer<Fd> {
    let flags = u64::from(flags | k::O_CLOEXEC);
    let how = k::open_how { flags, mode: u64::from(mode), resolve: u64::from(resolve) };
    let arguments = [at.argument(), text(path), &raw const how as usize, size_of_val(&how)];
    // SAFETY: the path ends with a NUL and `how` has the size that is told; both outlive the call.
    unsafe { call(k::__NR_openat2, arguments) }.map(Fd::of)
}

/// Returns what an open file is.
pub fn status(fd: &Fd) -> Answer<Status> {
    status_at(At::Dir(fd), c"", k::AT_EMPTY_PATH)
}

/// Returns what is at a path, itself and not what a link names.
pub fn status_of(at: At<'_>, path: &CStr) -> Answer<Status> {
    status_at(at, path, k::AT_SYMLINK_NOFOLLOW)
}

fn status_at(at: At<'_>, path: &CStr, flags: u32) -> Answer<Status> {
    // SAFETY: the structure is of plain numbers, for which zeros are good.
    let mut stat: k::stat = unsafe { core::mem::zeroed() };
    let arguments = [at.argument(), text(path), &raw mut stat as usize, flags as usize];
    // SAFETY: the path ends with a NUL and the kernel fills in one `stat`.
    unsafe { call(k::__NR_newfstatat, arguments) }?;
    let file_type = match stat.st_mode & k::S_IFMT {
        k::S_IFREG => FileType::Regular,
        k::S_IFDIR => FileType::Directory,
        k::S_IFCHR | k::S_IFBLK => FileType::Device,
        k::S_IFSOCK => FileType::Socket,
        _ => FileType::Other,
    };
    let size = u64::try_from(stat.st_size).map_err(|_| Errno::EOVERFLOW)?;
    let mode = stat.st_mode & 0o7777;
    let identity = FileIdentity {
        device: stat.st_dev,
        inode: stat.st_ino,
        size,
        changed: (stat.st_ctime, stat.st_ctime_nsec),
        modified: (stat.st_mtime, stat.st_mtime_nsec),
    };
    Ok(Status { file_type, mode, uid: stat.st_uid, gid: stat.st_gid, size, device: stat.st_rdev, identity })
}

/// What an open file is on.
#[derive(Copy, Clone)]
pub struct FileSystem {
    /// The number of its type.
    pub magic: u32,
    /// Whether nothing can be written through this mount.
    pub is_read_only: bool,
}

/// Returns the file system that an open file is on.
pub fn file_system(fd: &Fd) -> Answer<FileSystem> {
    const ST_RDONLY: i64 = 1;
    // SAFETY: the structure is of plain numbers, for which zeros are good.
    let mut statfs: k::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel fills in one `statfs`.
    unsafe { call(k::__NR_fstatfs, [signed(fd.number()), &raw mut statfs as usize]) }?;
    Ok(FileSystem { magic: statfs.f_type as u32, is_read_only: statfs.f_flags & ST_RDONLY != 0 })
}

/// Reads once, at most what the buffer holds.
pub fn read(fd: &Fd, buffer: &mut [u8]) -> Answer<usize> {
    loop {
        // SAFETY: the kernel writes at most the buffer's length into it.
        let answer =
            unsafe { call(k::__NR_read, [signed(fd.number()), buffer.as_mut_ptr() as usize, buffer.len()]) };
        match answer {
            Err(Errno::EINTR) => {}
            // The other end of a socket ended with something unread: an end like others.
            Err(Errno::ECONNRESET) => return Ok(0),
            answer => return answer,
        }
    }
}

/// Reads until the end or until the buffer is full; returns what was read.
pub fn read_all<'a>(fd: &Fd, buffer: &'a mut [u8]) -> Answer<&'a mut [u8]> {
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
        match read(fd, room)? {
            0 => break,
            count => length += count,
        }
    }
    buffer.get_mut(..length).ok_or(Errno::EIO)
}

/// Writes everything.
pub fn write_all(fd: &Fd, bytes: &[u8]) -> Answer<()> {
    write_to(fd.number(), bytes)
}

/// Writes everything to standard error.
pub fn complain(bytes: &[u8]) {
    let _ = write_to(2, bytes);
}

/// Writes everything to standard output.
pub fn tell(bytes: &[u8]) {
    let _ = write_to(1, bytes);
}

fn write_to(number: i32, mut bytes: &[u8]) -> Answer<()> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most the slice's length from it.
        match unsafe { call(k::__NR_write, [signed(number), bytes.as_ptr() as usize, bytes.len()]) } {
            Ok(count) => bytes = bytes.get(count..).ok_or(Errno::EIO)?,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Makes a directory.
pub fn make_dir(at: At<'_>, path: &CStr, mode: u32) -> Answer<()> {
    // SAFETY: the path ends with a NUL.
    unsafe { call(k::__NR_mkdirat, [at.argument(), text(path), mode as usize]) }.map(drop)
}

/// Makes a symbolic link.
pub fn make_link(target: &CStr, at: At<'_>, path: &CStr) -> Answer<()> {
    // SAFETY: both strings end with a NUL.
    unsafe { call(k::__NR_symlinkat, [text(target), at.argument(), text(path)]) }.map(drop)
}

/// Removes a name that is no directory.
pub fn unlink(at: At<'_>, path: &CStr) -> Answer<()> {
    // SAFETY: the path ends with a NUL.
    unsafe { call(k::__NR_unlinkat, [at.argument(), text(path), 0]) }.map(drop)
}

/// Removes an empty directory.
pub fn remove_dir(at: At<'_>, path: &CStr) -> Answer<()> {
    // SAFETY: the path ends with a NUL.
    unsafe { call(k::__NR_unlinkat, [at.argument(), text(path), k::AT_REMOVEDIR as usize]) }.map(drop)
}

/// Gives a file another name in the same directory, in place of what is there.
pub fn rename(at: At<'_>, from: &CStr, to: &CStr) -> Answer<()> {
    // SAFETY: both paths end with a NUL.
    unsafe { call(k::__NR_renameat, [at.argument(), text(from), at.argument(), text(to)]) }.map(drop)
}

/// Gives an open file to an owner.
pub fn give(fd: &Fd, uid: u32, gid: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fchown, [signed(fd.number()), uid as usize, gid as usize]) }.map(drop)
}

/// Sets the permissions of an open file.
pub fn permit(fd: &Fd, mode: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fchmod, [signed(fd.number()), mode as usize]) }.map(drop)
}

/// Returns whether an open directory has nothing in it.
pub fn is_empty_dir(fd: &Fd) -> Answer<bool> {
    // `.` and `..` take 24 bytes each; an entry more, and the answer is longer.
    let mut entries = [0_u8; 1024];
    let arguments = [signed(fd.number()), entries.as_mut_ptr() as usize, entries.len()];
    // SAFETY: the kernel writes at most the buffer's length into it.
    unsafe { call(k::__NR_getdents64, arguments) }.map(|length| length <= 48)
}

/// Makes an open directory the working directory.
pub fn enter_dir(fd: &Fd) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fchdir, [signed(fd.number())]) }.map(drop)
}

/// Makes a path the working directory.
pub fn change_dir(path: &CStr) -> Answer<()> {
    // SAFETY: the path ends with a NUL.
    unsafe { call(k::__NR_chdir, [text(path)]) }.map(drop)
}

/// Sets which permissions new files are not given.
pub fn set_umask(mask: u32) {
    // SAFETY: no memory is involved.
    let _ = unsafe { call(k::__NR_umask, [mask as usize]) };
}

/// Returns whether a number is an open descriptor.
#[must_use]
pub fn is_open(number: i32) -> bool {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fcntl, [signed(number), k::F_GETFD as usize]) }.is_ok()
}

/// Makes a second descriptor with a number of at least `least`, closed when a program is executed.
pub fn duplicate_above(fd: &Fd, least: i32) -> Answer<Fd> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fcntl, [signed(fd.number()), k::F_DUPFD_CLOEXEC as usize, signed(least)]) }
        .map(Fd::of)
}

/// Makes `to` the descriptor that `from` is, and keeps it open when a program is executed.
pub fn duplicate_to(from: i32, to: i32) -> Answer<()> {
    if from == to {
        // SAFETY: no memory is involved.
        return unsafe { call(k::__NR_fcntl, [signed(to), k::F_SETFD as usize, 0]) }.map(drop);
    }
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_dup3, [signed(from), signed(to), 0]) }.map(drop)
}

/// Closes every descriptor from `first` to `last`, both included.
pub fn close_range(first: u32, last: u32) -> Answer<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: no memory is involved; who holds an `Fd` in the range no longer uses it.
    unsafe { call(k::__NR_close_range, [first as usize, last as usize, 0]) }.map(drop)
}

/// Makes a pipe; returns its reading and its writing end.
pub fn pipe() -> Answer<(Fd, Fd)> {
    let mut ends = [0_i32; 2];
    // SAFETY: the kernel fills in two numbers.
    unsafe { call(k::__NR_pipe2, [ends.as_mut_ptr() as usize, k::O_CLOEXEC as usize]) }?;
    let [read, write] = ends;
    Ok((Fd(read), Fd(write)))
}

/// What is waited for.
pub use linux_raw_sys::general::pollfd as Wait;

/// Returns a wait for something to read, or the other end's closing; a number under 0 is never ready.
#[must_use]
pub const fn wait_for(number: i32) -> Wait {
    Wait { fd: number, events: k::POLLIN as i16, revents: 0 }
}

/// Waits until one is ready, at most so many milliseconds if that is not negative.
pub fn poll(waits: &mut [Wait], milliseconds: i32) -> Answer<usize> {
    // SAFETY: the kernel reads and writes as many structures as the slice has.
    unsafe { call(k::__NR_poll, [waits.as_mut_ptr() as usize, waits.len(), signed(milliseconds)]) }
}

/// The number of a file system in memory.
pub const IN_MEMORY: u32 = k::TMPFS_MAGIC;

/// The numbers of file systems on disks, which note the time of every change.
pub const ON_DISK: [u32; 3] = [k::EXT4_SUPER_MAGIC, k::XFS_SUPER_MAGIC, k::BTRFS_SUPER_MAGIC];

/// The numbers of file systems that are never written to.
pub const WRITTEN_ONCE: [u32; 2] = [k::SQUASHFS_MAGIC, k::EROFS_SUPER_MAGIC_V1];
