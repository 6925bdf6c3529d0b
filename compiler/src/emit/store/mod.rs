//! The door out: a store of sealed generations, switched atomically.
//!
//! A new generation is written under a name of its own, flushed, checked as it lies on the disk, and only then renamed
//! into place; `current` is swapped after that, and the floor raised last. Whatever happens in between, the old
//! generation stays whole.

mod lock;
mod publish;
mod verify;

pub use verify::verify;

use crate::seal;
use capc_schemas::seal::Seal;
use capc_schemas::token::Digest;
use rustix::fs::{CWD, Mode, OFlags};
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The largest file of a generation that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A store, locked for one writer.
pub struct Store {
    path: PathBuf,
    _lock: OwnedFd,
}

/// What goes wrong with a store.
#[derive(Debug)]
pub enum StoreError {
    /// Somebody else writes to it.
    Locked {
        /// Who, as they wrote it into the lock.
        holder: String,
    },
    /// The system said no.
    Io {
        /// What was tried, with the path.
        doing: String,
        /// What it said.
        error: io::Error,
    },
    /// What is there is not a whole, signed generation.
    Broken(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Locked { holder } => write!(f, "another reconfigure holds the store: {holder}"),
            Self::Io { doing, error } => write!(f, "cannot {doing}: {error}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StoreError {}

/// A generation as found in a store.
pub struct Found {
    /// Its number.
    pub number: u64,
    /// Its directory, by number.
    pub path: PathBuf,
    /// The digest of its SEAL.
    pub digest: Digest,
}

fn io<T>(doing: impl FnOnce() -> String, result: io::Result<T>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::Io { doing: doing(), error })
}

/// Returns the current generation of a store, if it has one.
///
/// # Errors
/// When there is one, but its SEAL cannot be read or is none.
pub fn current(store: &Path) -> Result<Option<Found>, StoreError> {
    let link = store.join("current");
    let target = match fs::read_link(&link) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::Io { doing: format!("read `{}`", link.display()), error }),
    };
    let path = store.join(&target);
    let seal_text = read(&path.join("SEAL"))?;
    let seal = Seal::parse(&seal_text)
        .map_err(|error| StoreError::Broken(format!("`{}`/SEAL: {error}", path.display())))?;
    let number = seal.header.number;
    if target != Path::new(&format!("generations/{number}")) {
        return Err(StoreError::Broken(format!("`{}` does not hold generation {number}", target.display())));
    }
    Ok(Some(Found { number, path, digest: seal::digest(&seal_text) }))
}

/// Reads a regular file, following no link in its last component.
///
/// # Errors
/// When it is none, or is over 1 GiB.
pub fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let doing = || format!("read `{}`", path.display());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty());
    let file: fs::File = io(doing, file.map_err(io::Error::from))?.into();
    let metadata = io(doing, file.metadata())?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(StoreError::Broken(format!("`{}` is no regular file of sensible size", path.display())));
    }
    let mut bytes = Vec::new();
    io(doing, file.take(MAX_FILE_BYTES).read_to_end(&mut bytes))?;
    Ok(bytes)
}
