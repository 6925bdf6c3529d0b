//! A store opened for one writer: its directories, its lock, and what an earlier run left behind.

use super::{Store, StoreError, io};
use rustix::fs::FlockOperation;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

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
        let note = file.set_len(0).and_then(|()| file.write_all(who().as_bytes()));
        io(|| format!("write `{}`", lock_path.display()), note)?;
        Ok(Self { path: path.to_owned(), lock: file.into() })
    }

    /// Returns the lock, to be handed on to a process that writes for this one.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn lock(&self) -> Result<OwnedFd, StoreError> {
        io(|| "copy a descriptor".to_owned(), self.lock.try_clone())
    }

    /// Returns a store for the process that its lock was handed on to.
    ///
    /// # Errors
    /// When it is another file than the store's lock, or somebody else holds that.
    pub fn handed_on(path: &Path, lock: OwnedFd) -> Result<Self, StoreError> {
        let lock = fs::File::from(lock);
        let lock_path = path.join("lock");
        let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let read = |metadata| io(|| format!("read `{}`", lock_path.display()), metadata).map(place);
        let is_it = read(lock.metadata())? == read(fs::symlink_metadata(&lock_path))?;
        // Who has it open as it was opened to be locked has the lock.
        if !is_it || rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(StoreError::Broken(format!("`{}` was not handed on", lock_path.display())));
        }
        Ok(Self { path: path.to_owned(), lock: lock.into() })
    }

    /// Removes what an earlier run left behind: what it had not finished, and what it had not switched to any more.
    ///
    /// # Errors
    /// When something cannot be removed, or the floor says that `current` is not the last that was switched to: then an
    /// old generation was put back, and nothing is removed.
    pub fn clear(&self) -> Result<(), StoreError> {
        let current = super::standing(&self.path)?.map_or(0, |found| found.number);
        let generations = self.path.join("generations");
        for entry in io(|| format!("list `{}`", generations.display()), fs::read_dir(&generations))? {
            let entry = io(|| format!("list `{}`", generations.display()), entry)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(number) = super::number_of(&name).filter(|number| *number > current) {
                self.forget(number)?;
            } else if name.starts_with('.') {
                io(|| format!("remove `{}`", entry.path().display()), fs::remove_dir_all(entry.path()))?;
            }
        }
        Ok(())
    }
}

/// Says who holds the lock: this process and its command.
fn who() -> String {
    let command: Vec<String> =
        std::env::args_os().take(3).map(|word| word.to_string_lossy().into_owned()).collect();
    let command =
        command.join(" ").chars().filter(|letter| !letter.is_control()).take(150).collect::<String>();
    format!("process {} ({command})\n", std::process::id())
}
