//! Whether a generation as it lies there is what was sealed.

use super::{StoreError, io, read};
use crate::seal::{self, Signers};
use capc_schemas::public_key::PublicKey;
use capc_schemas::seal::Seal;
use std::fs;
use std::path::{Path, PathBuf};

/// Verifies a whole generation: the signatures, every listed file's digest, and that no other file is there. Returns who
/// signed it.
///
/// # Errors
/// Says what differs.
pub fn verify(generation: &Path, signers: &Signers) -> Result<Vec<PublicKey>, StoreError> {
    let seal_text = read(&generation.join("SEAL"))?;
    let signature = read(&generation.join("SEAL.sig"))?;
    let signed = seal::verify(&seal_text, &signature, signers)
        .map_err(|error| StoreError::Broken(format!("SEAL.sig: {error}")))?;
    let seal = Seal::parse(&seal_text).map_err(|error| StoreError::Broken(format!("SEAL: {error}")))?;
    match differences(generation, &seal)?.first() {
        None => Ok(signed),
        Some(difference) => Err(StoreError::Broken(difference.clone())),
    }
}

/// Returns what in a generation's directory is not as its SEAL says, in words.
///
/// # Errors
/// When a directory cannot be listed.
pub fn differences(generation: &Path, seal: &Seal<'_>) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut listed = vec!["SEAL".to_owned(), "SEAL.sig".to_owned()];
    for entry in seal.entries() {
        match read(&generation.join(entry.path.text())) {
            Ok(bytes) if seal::digest(&bytes) == entry.digest => {}
            Ok(_) => found.push(format!("`{}` is not what was sealed", entry.path)),
            Err(error) => found.push(error.to_string()),
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
                found.push(format!("`{}` is not in the SEAL", name.display()));
            }
        }
    }
    Ok(found)
}
