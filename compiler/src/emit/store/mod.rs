//! The door out: a store of sealed generations, switched atomically.
//!
//! A new generation is written under a name of its own, flushed, checked as it lies on the disk, and only then renamed
//! into place; `current` is swapped after that, and the floor raised last. Whatever happens in between, the old
//! generation stays whole.

mod chain;
mod lock;
mod publish;
mod sweep;
mod trust;
mod verify;

pub use chain::{Link, chain};
pub use publish::Draft;
pub use sweep::{Garbage, garbage};
pub use trust::{floor, launcher_of, launcher_path, signed};
pub use verify::{differences, verify};

use crate::seal::{self, Signers};
use capc_schemas::seal::Seal;
use capc_schemas::token::Digest;
use rustix::fs::{CWD, Mode, OFlags};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The largest file of a generation that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A store, locked for one writer.
pub struct Store {
    path: PathBuf,
    lock: OwnedFd,
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
    /// Its SEAL, which parses.
    pub text: Vec<u8>,
    /// What its SEAL says of each file: the digest, by the name.
    pub files: BTreeMap<String, Digest>,
}

impl Found {
    /// Reads a generation's SEAL.
    ///
    /// # Errors
    /// When there is none, or its number is another than that of the directory.
    pub fn at(path: &Path) -> Result<Self, StoreError> {
        let text = read(&path.join("SEAL"))?;
        let broken =
            |what: &dyn std::fmt::Display| StoreError::Broken(format!("`{}`: {what}", path.display()));
        let seal = Seal::parse(&text).map_err(|error| broken(&format!("SEAL: {error}")))?;
        let number = seal.header.number;
        let files = seal.entries().map(|entry| (entry.path.text().to_owned(), entry.digest)).collect();
        Ok(Self { number, path: path.to_owned(), digest: seal::digest(&text), text, files })
    }

    /// Returns its SEAL, read.
    ///
    /// # Errors
    /// Never for what [`Found::at`] returned.
    pub fn seal(&self) -> Result<Seal<'_>, StoreError> {
        Seal::parse(&self.text).map_err(|error| StoreError::Broken(format!("SEAL: {error}")))
    }

    /// Returns who may sign what follows it.
    ///
    /// # Errors
    /// Never for what [`Found::at`] returned.
    pub fn next_signers(&self) -> Result<Signers, StoreError> {
        Signers::after(&self.seal()?).ok_or_else(|| StoreError::Broken("SEAL: nobody may sign".to_owned()))
    }
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
    let found = Found::at(&store.join(&target))?;
    if target != Path::new(&format!("generations/{}", found.number)) {
        let what = format!("`{}` does not hold generation {}", target.display(), found.number);
        return Err(StoreError::Broken(what));
    }
    Ok(Some(found))
}

/// Returns the current generation of a store after a look at the floor.
///
/// # Errors
/// When the floor says that another was switched to later: then an old generation was put back.
pub fn standing(store: &Path) -> Result<Option<Found>, StoreError> {
    let found = current(store)?;
    let number = found.as_ref().map_or(0, |found| found.number);
    match floor(store)?.filter(|floor| *floor > number) {
        None => Ok(found),
        Some(floor) => Err(StoreError::Broken(format!(
            "`{0}/current` is generation {number}, but {floor} was switched to before: an old generation was put back, or \
the last one was lost; if {floor} is still there, `ln -sfn generations/{floor} {0}/current` puts it right, if not, only a \
backup of the store does",
            store.display()
        ))),
    }
}

/// Returns a generation of a store by its number.
///
/// # Errors
/// When there is none.
pub fn find(store: &Path, number: u64) -> Result<Found, StoreError> {
    let path = store.join("generations").join(number.to_string());
    if !path.is_dir() {
        let known: Vec<String> = numbers(store)?.iter().map(u64::to_string).collect();
        let known =
            if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        let what = format!("the store `{}` has no generation {number}: {known}", store.display());
        return Err(StoreError::Broken(what));
    }
    let found = Found::at(&path)?;
    match found.number == number {
        true => Ok(found),
        false => Err(StoreError::Broken(format!("`{}` holds generation {}", path.display(), found.number))),
    }
}

/// Reads the name of a generation's directory.
fn number_of(name: &str) -> Option<u64> {
    name.parse().ok().filter(|number: &u64| number.to_string() == name)
}

/// Returns the numbers of a store's generations, ascending.
///
/// # Errors
/// When they cannot be listed; a store that is not there has none.
pub fn numbers(store: &Path) -> Result<Vec<u64>, StoreError> {
    let generations = store.join("generations");
    let entries = match fs::read_dir(&generations) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => io(|| format!("list `{}`", generations.display()), entries)?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = io(|| format!("list `{}`", generations.display()), entry)?.file_name();
        numbers.extend(name.to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
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
