//! A store opened for one writer: its directories, its lock, and what an earlier run left behind.

use super::{Store, StoreError, current, io};
use rustix::fs::FlockOperation;
use std::fs;
use std::io::{Read, Write};
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
}
