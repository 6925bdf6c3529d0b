//! Writing: a generation beside the others, the switch to it, and the floor.

use super::trust::judge_path;
use super::{Found, Store, StoreError, io};
use crate::seal::{Content, Digests};
use rustix::fs::{CWD, RenameFlags};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A generation that is to be written.
pub struct Draft<'a> {
    /// Its number.
    pub number: u64,
    /// Its files but SEAL and the signature.
    pub content: &'a Content,
    /// Their digests.
    pub digests: &'a Digests,
    /// Its SEAL.
    pub seal: &'a str,
    /// The launcher in the store that will judge it; none if that runs from memory.
    pub launcher: Option<&'a Path>,
    /// The generation before, whose unchanged files it shares.
    pub previous: Option<&'a Found>,
}

impl Store {
    /// Writes a generation, has it signed and judged as it lies there, and switches to it; returns its directory.
    ///
    /// `sign` gets the SEAL and returns its signatures; `judge` gets the directory.
    ///
    /// # Errors
    /// When anything fails; then `current` is what it was.
    pub fn publish(
        &self,
        draft: &Draft<'_>,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
        judge: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Result<PathBuf, StoreError> {
        let number = draft.number;
        let generations = self.path.join("generations");
        let new = generations.join(format!(".new-{number}"));
        let place = generations.join(number.to_string());
        io(|| format!("make `{}`", new.display()), fs::DirBuilder::new().mode(0o755).create(&new))?;
        let written = self.fill(&new, draft, sign, judge);
        if let Err(error) = written {
            let _ = fs::remove_dir_all(&new);
            return Err(error);
        }
        if let Some(launcher) = draft.launcher {
            self.name_judge(number, launcher)?;
        }
        let rename = rustix::fs::renameat_with(CWD, &new, CWD, &place, RenameFlags::NOREPLACE);
        io(|| format!("rename generation {number} into place"), rename.map_err(std::io::Error::from))?;
        flush(&generations)?;
        let standing = (fs::read_link(self.path.join("current")).ok(), super::floor(&self.path)?);
        // Whatever needs room on the disk is done before the switch, so that a full one does not come between.
        let floor = self.floor();
        let raised = prepare(&floor, format!("{number}\n").as_bytes(), 0o644)?;
        match self.switch(number).and_then(|()| put(&raised, &floor)) {
            Ok(()) => Ok(place),
            Err(error) => {
                self.switch_back(standing);
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        new: &Path,
        draft: &Draft<'_>,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
        judge: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Result<(), StoreError> {
        let mut made = vec![new.to_owned()];
        let mut written = Written::default();
        for (name, bytes) in draft.content {
            let path = new.join(name);
            if let Some(parent) = path.parent() {
                make_below(new, parent, &mut made)?;
            }
            // What stays the same is the same file under another name, so that a change costs what it changes.
            let same = draft.previous.filter(|found| found.files.get(name) == draft.digests.get(name));
            if same.is_none_or(|found| fs::hard_link(found.path.join(name), &path).is_err()) {
                written.add(write_new(&path, bytes)?, path);
            }
        }
        let mut write = |name: &str, bytes: &[u8]| {
            let path = new.join(name);
            written.add(write_new(&path, bytes)?, path);
            Ok(())
        };
        write("SEAL", draft.seal.as_bytes())?;
        let signature = sign(draft.seal.as_bytes()).map_err(StoreError::Broken)?;
        write("SEAL.sig", &signature)?;
        written.flush(new, &made)?;
        judge(new).map_err(StoreError::Broken)
    }

    /// Says which launcher judges a generation.
    fn name_judge(&self, number: u64, launcher: &Path) -> Result<(), StoreError> {
        let name = launcher.file_name().unwrap_or_default();
        self.replace_link(&judge_path(&self.path, number), Path::new(name))
    }

    /// Points `current` at a generation.
    fn switch(&self, number: u64) -> Result<(), StoreError> {
        self.replace_link(&self.path.join("current"), Path::new(&format!("generations/{number}")))
    }

    /// Goes back to what was current before a switch that was not finished; the floor first, which is never over `current`.
    ///
    /// Where this fails too, the new generation stays current: it is whole, and only its durability is in doubt.
    fn switch_back(&self, (current, floor): (Option<PathBuf>, Option<u64>)) {
        let path = self.floor();
        let lowered = match floor {
            _ if super::floor(&self.path).is_ok_and(|found| found == floor) => true,
            Some(number) => self.raise_floor(number).is_ok(),
            None => fs::remove_file(&path).is_ok(),
        };
        let path = self.path.join("current");
        let _ = match current {
            _ if !lowered => Ok(()),
            Some(target) => self.replace_link(&path, &target),
            None => io(|| "remove `current`".to_owned(), fs::remove_file(&path)),
        };
    }

    /// Raises the floor, so that nothing older starts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn raise_floor(&self, number: u64) -> Result<(), StoreError> {
        self.replace(&self.floor(), format!("{number}\n").as_bytes(), 0o644)
    }

    /// Replaces a symbolic link as a whole.
    fn replace_link(&self, path: &Path, target: &Path) -> Result<(), StoreError> {
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        io(|| format!("make `{}`", new.display()), std::os::unix::fs::symlink(target, &new))?;
        put(&new, path)
    }

    /// Replaces a file as a whole.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
        put(&prepare(path, bytes, mode)?, path)
    }

    /// Removes generations other than the current one; what `up` keeps is only what runs.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn keep_only(&self, number: u64) -> Result<(), StoreError> {
        for other in super::numbers(&self.path)?.into_iter().filter(|other| *other != number) {
            self.forget(other)?;
        }
        Ok(())
    }
}

/// Writes what a file is to be, flushed, beside it; returns where.
fn prepare(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, StoreError> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let file = write_new(&new, bytes)?;
    let permissions = fs::set_permissions(&new, fs::Permissions::from_mode(mode));
    io(|| format!("write `{}`", new.display()), permissions)?;
    io(|| format!("flush `{}`", new.display()), file.sync_all())?;
    Ok(new)
}

/// Puts something in the place of another.
fn put(new: &Path, path: &Path) -> Result<(), StoreError> {
    io(|| format!("rename `{}`", new.display()), fs::rename(new, path))?;
    path.parent().map_or(Ok(()), flush)
}

/// Writes a file that must not be there.
fn write_new(path: &Path, bytes: &[u8]) -> Result<fs::File, StoreError> {
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let written = open.and_then(|mut file| file.write_all(bytes).map(|()| file));
    io(|| format!("write `{}`", path.display()), written)
}

/// Makes a directory and those above it, down from one that is there, unless they are `made` already.
fn make_below(top: &Path, directory: &Path, made: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|part| *part != top && !made.iter().any(|one| one == part))
        .collect();
    for part in missing.into_iter().rev() {
        io(|| format!("make `{}`", part.display()), fs::DirBuilder::new().mode(0o755).create(part))?;
        made.push(part.to_owned());
    }
    Ok(())
}

/// New files of a generation, kept open until they are flushed while they are few.
#[derive(Default)]
struct Written {
    files: Vec<(fs::File, PathBuf)>,
    are_many: bool,
}

impl Written {
    /// One flush of everything costs a tenth of one for each of 200 files; but it waits for whatever else the machine is
    /// writing there, so a few files are flushed by themselves.
    const FEW: usize = 16;

    fn add(&mut self, file: fs::File, path: PathBuf) {
        self.are_many |= self.files.len() == Self::FEW;
        match self.are_many {
            // There may be more of them than a process may have open.
            true => self.files.clear(),
            false => self.files.push((file, path)),
        }
    }

    /// Flushes them and the directories that they are in.
    fn flush(&self, new: &Path, made: &[PathBuf]) -> Result<(), StoreError> {
        if self.are_many {
            let directory = io(|| format!("open `{}`", new.display()), fs::File::open(new))?;
            let flushed = rustix::fs::syncfs(&directory).map_err(std::io::Error::from);
            return io(|| "flush the store".to_owned(), flushed);
        }
        for (file, path) in &self.files {
            io(|| format!("flush `{}`", path.display()), file.sync_all())?;
        }
        // What is inside a directory before the directory's own name.
        made.iter().rev().try_for_each(|directory| flush(directory))
    }
}

fn flush(directory: &Path) -> Result<(), StoreError> {
    let flushed = fs::File::open(directory).and_then(|directory| directory.sync_all());
    io(|| format!("flush `{}`", directory.display()), flushed)
}
