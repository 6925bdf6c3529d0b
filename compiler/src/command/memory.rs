//! From the root that a kernel unpacks an initramfs into to one that everything can be done with.
//!
//! The first root has nothing below it, so pivot_root(2) cannot leave it, and its files cannot be id-mapped: no world can be
//! made there. Everything is moved to a file system in memory, as switch_root(8) does, and what was there is gone.

use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, chownat, fchmod, fchown, mkdirat, mknodat, openat,
    readlinkat, symlinkat,
};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What could not be moved, and why.
pub struct Unmoved {
    /// Its path.
    pub path: PathBuf,
    /// What the kernel says.
    pub error: std::io::Error,
}

/// Mounts a file system over the root, moves everything there, with what is mounted, and makes it the root.
///
/// # Errors
/// When something cannot be moved: then there is half of everything in either place.
pub fn move_to(new: &OwnedFd, is_mounted: impl Fn(&Path) -> bool) -> Result<(), Unmoved> {
    let root = Path::new("/");
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Unmoved { path, error }
    };
    move_mount(new, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|error| at(root)(error.into()))?;
    let mut directories = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = directories.get(next).cloned() {
        next += 1;
        for entry in fs::read_dir(&directory).map_err(at(&directory))? {
            let path = entry.map_err(at(&directory))?.path();
            let moved = match is_mounted(&path) {
                true => move_mounted(new, &path),
                false => move_one(new, &path),
            };
            if moved.map_err(at(&path))? == Moved::Directory {
                directories.push(path);
            }
        }
    }
    // The deepest first; what is not empty has nothing that the new root lacks.
    for directory in directories.iter().skip(1).rev() {
        let _ = fs::remove_dir(directory);
    }
    rustix::process::fchdir(new).map_err(|error| at(root)(error.into()))?;
    rustix::process::chroot(".").map_err(|error| at(root)(error.into()))
}

#[derive(PartialEq, Eq)]
enum Moved {
    /// It is there.
    Whole,
    /// It is there, and empty.
    Directory,
}

const NEW: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);

/// Moves what was mounted at a path of the old root to the same in the new one.
fn move_mounted(new: &OwnedFd, path: &Path) -> std::io::Result<Moved> {
    let to = path.strip_prefix("/").unwrap_or(path);
    if rustix::fs::stat(path)?.st_dev == rustix::fs::stat("/")?.st_dev {
        // Its files are on their way, or would be where no world can be made.
        return Err(std::io::Error::other("it is another part of the root, mounted there; copy it instead"));
    }
    match path.is_dir() {
        true => mkdirat(new, to, Mode::RWXU)?,
        false => drop(openat(new, to, NEW, Mode::RUSR)?),
    }
    move_mount(CWD, path, new, to, MoveMountFlags::empty())?;
    Ok(Moved::Whole)
}

/// Moves what lies at a path of the old root to the same in the new one.
fn move_one(new: &OwnedFd, path: &Path) -> std::io::Result<Moved> {
    let to = path.strip_prefix("/").unwrap_or(path);
    let stat = rustix::fs::lstat(path)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            mkdirat(new, to, Mode::RWXU)?;
            let made = openat(new, to, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            keep(&made, &stat)?;
            return Ok(Moved::Directory);
        }
        FileType::RegularFile => {
            let (mut old, mut made) = (File::open(path)?, File::from(openat(new, to, NEW, Mode::RUSR)?));
            std::io::copy(&mut old, &mut made)?;
            keep(&made, &stat)?;
            made.set_modified(old.metadata()?.modified()?)?;
        }
        FileType::Symlink => {
            symlinkat(readlinkat(CWD, path, Vec::new())?, new, to)?;
            chownat(new, to, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        other => {
            mknodat(new, to, other, mode, stat.st_rdev)?;
            chownat(new, to, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    rustix::fs::unlink(path)?;
    Ok(Moved::Whole)
}

/// Gives what is new the owner and the mode of the old one, in this order: another owner takes bits of the mode.
fn keep(new: impl rustix::fd::AsFd, old: &Stat) -> Result<(), Errno> {
    fchown(&new, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid)))?;
    fchmod(&new, Mode::from_raw_mode(old.st_mode & 0o7777))
}
