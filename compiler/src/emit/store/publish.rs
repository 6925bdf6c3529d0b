//! Writing: a generation beside the others, the switch to it, the launcher and the floor.

use super::{Store, StoreError, io, verify};
use crate::seal::{self, Content};
use capc_schemas::token::PublicKey;
use rustix::fs::{CWD, RenameFlags};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

impl Store {
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
