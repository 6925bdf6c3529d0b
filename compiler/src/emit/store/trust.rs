//! What judges generations and lies outside of them: the launchers with their trust records, and the floor.

use super::{Found, Store, StoreError, io, read};
use crate::seal::{self, Record};
use capc_schemas::public_key::PublicKey;
use std::fs;
use std::path::{Path, PathBuf};

impl Store {
    /// Returns the path of the floor.
    #[must_use]
    pub fn floor(&self) -> PathBuf {
        floor_path(&self.path)
    }

    /// Writes the launcher under its digest, if it is not there; returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_launcher(&self, image: &[u8]) -> Result<PathBuf, StoreError> {
        let path = launcher_path(&self.path, image);
        if fs::read(&path).is_ok_and(|known| known == image) {
            return Ok(path);
        }
        self.replace(&path, image, 0o755)?;
        Ok(path)
    }
}

/// Returns where a launcher lies.
#[must_use]
pub fn launcher_path(store: &Path, image: &[u8]) -> PathBuf {
    store.join("trust").join(format!("launcher-{}", seal::digest(image)))
}

/// Returns which launcher judges a generation: `trust/NUMBER`.
pub(super) fn judge_path(store: &Path, number: u64) -> PathBuf {
    store.join("trust").join(number.to_string())
}

fn floor_path(store: &Path) -> PathBuf {
    store.join("trust/floor")
}

/// Returns the least number that may start; none if there is no floor.
///
/// # Errors
/// When there is one that cannot be read, or holds no number.
pub fn floor(store: &Path) -> Result<Option<u64>, StoreError> {
    let path = floor_path(store);
    let text = match read(&path) {
        Err(StoreError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let number = text.strip_suffix(b"\n").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let broken = || StoreError::Broken(format!("`{}` holds no number", path.display()));
    number.map(Some).ok_or_else(broken)
}

/// Returns the launcher that judges a generation, and whom it trusts.
///
/// # Errors
/// When it is not there, or is not the one that its name says.
pub fn launcher_of(store: &Path, number: u64) -> Result<(PathBuf, Record), StoreError> {
    let judge = judge_path(store, number);
    let target = io(|| format!("read `{}`", judge.display()), fs::read_link(&judge))?;
    let path = store.join("trust").join(&target);
    let image = read(&path)?;
    let broken = |what: &str| StoreError::Broken(format!("`{}` {what}", path.display()));
    if target.components().count() != 1 || path != launcher_path(store, &image) {
        return Err(broken("is not the launcher that its name says"));
    }
    let record = Record::of(&image).ok_or_else(|| broken("has no trust record"))?;
    Ok((path, record))
}

/// Verifies the signatures of a generation by whom its launcher trusts; returns who signed it.
///
/// # Errors
/// Says what differs.
pub fn signed(store: &Path, found: &Found) -> Result<Vec<PublicKey>, StoreError> {
    let (_, record) = launcher_of(store, found.number)?;
    let seal = found.seal()?;
    if seal.header.host != record.host || seal.header.scope.name.to_string() != record.scope {
        let what = "it is for another machine or scope than its launcher";
        return Err(StoreError::Broken(what.to_owned()));
    }
    let armours = read(&found.path.join("SEAL.sig"))?;
    seal::verify(&found.text, &armours, &record.signers)
        .map_err(|error| StoreError::Broken(format!("SEAL.sig: {error}")))
}
