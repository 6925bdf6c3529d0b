//! What a store needs no more.

use super::trust::judge_path;
use super::{Store, StoreError, io, numbers};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What would be removed, and what stays.
pub struct Garbage {
    /// Generations by number, ascending.
    pub generations: Vec<u64>,
    /// Launchers that judge none of what stays.
    pub launchers: Vec<PathBuf>,
    /// The generations that stay.
    pub kept: Vec<u64>,
}

/// Returns what may go when the last `keep` generations up to the current one and those `pinned` stay.
///
/// # Errors
/// When the store cannot be listed.
pub fn garbage(store: &Path, current: u64, keep: usize, pinned: &[u64]) -> Result<Garbage, StoreError> {
    let all = numbers(store)?;
    let mut past: Vec<u64> = all.iter().copied().filter(|number| *number < current).collect();
    let last = past.split_off(past.len().saturating_sub(keep.saturating_sub(1)));
    let stays = |number: &u64| *number >= current || last.contains(number) || pinned.contains(number);
    let (kept, generations): (Vec<u64>, Vec<u64>) = all.into_iter().partition(stays);
    let judges: BTreeSet<PathBuf> = kept
        .iter()
        .filter_map(|number| fs::read_link(judge_path(store, *number)).ok())
        .map(|target| store.join("trust").join(target))
        .collect();
    let trust = store.join("trust");
    let mut launchers = Vec::new();
    for entry in io(|| format!("list `{}`", trust.display()), fs::read_dir(&trust))? {
        let entry = io(|| format!("list `{}`", trust.display()), entry)?;
        let is_launcher = entry.file_name().to_string_lossy().starts_with("launcher-");
        if is_launcher && !judges.contains(&entry.path()) {
            launchers.push(entry.path());
        }
    }
    launchers.sort();
    Ok(Garbage { generations, launchers, kept })
}

impl Store {
    /// Removes garbage, the oldest first, so that what is left is a chain at every moment.
    ///
    /// # Errors
    /// When something cannot be removed; what was removed before is gone.
    pub fn remove(&self, garbage: &Garbage) -> Result<(), StoreError> {
        let Garbage { generations, launchers, kept: _ } = garbage;
        for number in generations {
            self.forget(*number)?;
        }
        for path in launchers {
            io(|| format!("remove `{}`", path.display()), fs::remove_file(path))?;
        }
        Ok(())
    }

    /// Removes one generation and the name of its judge. It is renamed first, so that half of it is never a generation.
    pub(super) fn forget(&self, number: u64) -> Result<(), StoreError> {
        let generations = self.path.join("generations");
        let (place, gone) =
            (generations.join(number.to_string()), generations.join(format!(".old-{number}")));
        io(|| format!("remove generation {number}"), fs::rename(&place, &gone))?;
        io(|| format!("remove `{}`", gone.display()), fs::remove_dir_all(&gone))?;
        match fs::remove_file(judge_path(&self.path, number)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Io { doing: format!("remove `trust/{number}`"), error })
            }
            _ => Ok(()),
        }
    }
}
