//! The door out: a store of sealed generations, switched atomically.
//!
//! A new generation is written under a name of its own, flushed, checked as it lies on the disk, and only then renamed
//! into place; `current` is swapped after that, and the floor raised last. Whatever happens in between, the old
//! generation stays whole.

use crate::seal::{self, Content};
use capc_schemas::seal::Seal;
use capc_schemas::token::{Digest, PublicKey};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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

impl Store {
    /// Opens a store for writing, making it if it is not there, and takes its lock.
    ///
    /// # Errors
    /// When it cannot be made, or somebody holds the lock.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let make = |path: &Path, mode| fs::DirBuilder::new().recursive(true).mode(mode).create(path);
        io(|| format!("make the store `{}`", path.display()), make(path, 0o700))?;
        let metadata = io(|| format!("read `{}`", path.display()), fs::metadata(path))?;
        let mine = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
        if !mine {
            let what = "is not a directory of yours that nobody else can write to";
            return Err(StoreError::Broken(format!("the store `{}` {what}", path.display())));
        }
        for below in ["generations", "trust"] {
            io(|| format!("make `{below}` in the store"), make(&path.join(below), 0o755))?;
        }
        let lock_path = path.join("lock");
        let open = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path);
        let mut file = io(|| format!("open `{}`", lock_path.display()), open)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let _ = file.take(200).read_to_string(&mut holder);
            return Err(StoreError::Locked { holder: holder.trim().to_owned() });
        }
        let pid = std::process::id();
        let note = file.set_len(0).and_then(|()| file.write_all(format!("process {pid}\n").as_bytes()));
        io(|| format!("write `{}`", lock_path.display()), note)?;
        let store = Self { path: path.to_owned(), _lock: file.into() };
        store.sweep()?;
        Ok(store)
    }

    /// Removes what an earlier run left behind: what it had not finished, and what it had not switched to any more.
    fn sweep(&self) -> Result<(), StoreError> {
        let current = current(&self.path)?.map_or(0, |found| found.number);
        let generations = self.path.join("generations");
        for entry in io(|| format!("list `{}`", generations.display()), fs::read_dir(&generations))? {
            let entry = io(|| format!("list `{}`", generations.display()), entry)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(".new-") || name.parse::<u64>().is_ok_and(|number| number > current) {
                io(|| format!("remove `{}`", entry.path().display()), fs::remove_dir_all(entry.path()))?;
            }
        }
        Ok(())
    }

    /// Writes the launcher under its digest, if it is not there; returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_launcher(&self, image: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.path.join("trust").join(format!("launcher-{}", seal::digest(image)));
        if fs::read(&path).is_ok_and(|known| known == image) {
            return Ok(path);
        }
        self.replace(&path, image, 0o755)?;
        Ok(path)
    }

    /// Returns the path of the floor.
    #[must_use]
    pub fn floor(&self) -> PathBuf {
        self.path.join("trust/floor")
    }

    /// Writes a generation, has it sealed and checked, and switches to it; returns its directory.
    ///
    /// `sign` gets the SEAL and returns its signature; `keys` must contain the signer's.
    ///
    /// # Errors
    /// When anything fails; then `current` is what it was.
    pub fn publish(
        &self,
        number: u64,
        content: &Content,
        seal_text: &str,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
        keys: &[PublicKey],
    ) -> Result<PathBuf, StoreError> {
        let generations = self.path.join("generations");
        let new = generations.join(format!(".new-{number}"));
        let place = generations.join(number.to_string());
        io(|| format!("make `{}`", new.display()), fs::DirBuilder::new().mode(0o755).create(&new))?;
        let written = self.fill(&new, content, seal_text, sign, keys);
        if let Err(error) = written {
            let _ = fs::remove_dir_all(&new);
            return Err(error);
        }
        let rename = rustix::fs::renameat_with(CWD, &new, CWD, &place, RenameFlags::NOREPLACE);
        io(|| format!("rename generation {number} into place"), rename.map_err(io::Error::from))?;
        flush(&generations)?;
        self.switch(number)?;
        self.replace(&self.floor(), format!("{number}\n").as_bytes(), 0o644)?;
        Ok(place)
    }

    fn fill(
        &self,
        new: &Path,
        content: &Content,
        seal_text: &str,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
        keys: &[PublicKey],
    ) -> Result<(), StoreError> {
        for (path, bytes) in content {
            let path = new.join(path);
            if let Some(parent) = path.parent() {
                let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(parent);
                io(|| format!("make `{}`", parent.display()), made)?;
            }
            write_new(&path, bytes)?;
        }
        write_new(&new.join("SEAL"), seal_text.as_bytes())?;
        let signature = sign(seal_text.as_bytes()).map_err(StoreError::Broken)?;
        write_new(&new.join("SEAL.sig"), &signature)?;
        let directory = io(|| format!("open `{}`", new.display()), fs::File::open(new))?;
        io(|| "flush the store".to_owned(), rustix::fs::syncfs(&directory).map_err(io::Error::from))?;
        verify(new, keys).map(|_| ())
    }

    /// Points `current` at a generation.
    fn switch(&self, number: u64) -> Result<(), StoreError> {
        let link = self.path.join(".current");
        let _ = fs::remove_file(&link);
        let target = format!("generations/{number}");
        io(|| "point `current` at the generation".to_owned(), std::os::unix::fs::symlink(&target, &link))?;
        io(|| "switch `current`".to_owned(), fs::rename(&link, self.path.join("current")))?;
        flush(&self.path)
    }

    /// Replaces a file as a whole.
    fn replace(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        write_new(&new, bytes)?;
        let permissions = fs::set_permissions(&new, fs::Permissions::from_mode(mode));
        io(|| format!("write `{}`", new.display()), permissions)?;
        io(|| format!("rename `{}`", new.display()), fs::rename(&new, path))?;
        path.parent().map_or(Ok(()), flush)
    }

    /// Removes generations other than the current one; what `up` keeps is only what runs.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn keep_only(&self, number: u64) -> Result<(), StoreError> {
        let generations = self.path.join("generations");
        for entry in io(|| format!("list `{}`", generations.display()), fs::read_dir(&generations))? {
            let entry = io(|| format!("list `{}`", generations.display()), entry)?;
            if entry.file_name() != std::ffi::OsStr::new(&number.to_string()) {
                io(|| format!("remove `{}`", entry.path().display()), fs::remove_dir_all(entry.path()))?;
            }
        }
        Ok(())
    }
}

/// Writes a file that must not be there, and flushes it.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let written = open.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()
    });
    io(|| format!("write `{}`", path.display()), written)
}

fn flush(directory: &Path) -> Result<(), StoreError> {
    let flushed = fs::File::open(directory).and_then(|directory| directory.sync_all());
    io(|| format!("flush `{}`", directory.display()), flushed)
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

/// Verifies a whole generation: the signature by one of `keys`, every listed file's digest, and that no other file is
/// there. Returns its SEAL's bytes.
///
/// # Errors
/// Says what differs.
pub fn verify(generation: &Path, keys: &[PublicKey]) -> Result<Vec<u8>, StoreError> {
    let seal_text = read(&generation.join("SEAL"))?;
    let signature = read(&generation.join("SEAL.sig"))?;
    seal::verify(&seal_text, &signature, keys)
        .map_err(|error| StoreError::Broken(format!("SEAL.sig: {error}")))?;
    let seal = Seal::parse(&seal_text).map_err(|error| StoreError::Broken(format!("SEAL: {error}")))?;
    let mut listed = vec!["SEAL".to_owned(), "SEAL.sig".to_owned()];
    for entry in seal.entries() {
        let bytes = read(&generation.join(entry.path.text()))?;
        if seal::digest(&bytes) != entry.digest {
            return Err(StoreError::Broken(format!("`{}` is not what was sealed", entry.path)));
        }
        listed.push(entry.path.text().to_owned());
    }
    listed.sort_unstable();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let path = generation.join(&directory);
        for entry in io(|| format!("list `{}`", path.display()), fs::read_dir(&path))? {
            let entry = io(|| format!("list `{}`", path.display()), entry)?;
            let name = directory.join(entry.file_name());
            let kind = io(|| format!("read `{}`", name.display()), entry.file_type())?;
            if kind.is_dir() {
                directories.push(name);
            } else if listed.binary_search(&name.to_string_lossy().into_owned()).is_err() {
                return Err(StoreError::Broken(format!("`{}` is not in the SEAL", name.display())));
            }
        }
    }
    Ok(seal_text)
}
