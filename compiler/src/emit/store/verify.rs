//! Whether a generation as it lies there is what was sealed.

use super::{StoreError, io, read};
use crate::seal;
use capc_schemas::seal::Seal;
use capc_schemas::token::PublicKey;
use std::fs;
use std::path::{Path, PathBuf};

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
