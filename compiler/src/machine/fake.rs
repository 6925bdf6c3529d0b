//! A machine made of words, for tests.

use super::{FileType, Machine, Metadata, Wish, parent};
use capc_schemas::token::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io;

/// What lies at one path.
#[derive(Clone, Debug)]
pub struct Entry {
    metadata: Metadata,
    content: Vec<u8>,
}

/// A machine that has what a test says, owned by root and readable by all.
#[derive(Clone, Debug)]
pub struct FakeMachine {
    entries: BTreeMap<String, Entry>,
    /// Paths that the caller may do nothing with.
    pub forbidden: Vec<String>,
    /// The magic number of every file system.
    pub file_system: u64,
    /// What is mounted read-only.
    pub read_only: Vec<String>,
    /// Who asks.
    pub caller: u32,
}

impl Default for FakeMachine {
    fn default() -> Self {
        let mut machine = Self {
            entries: BTreeMap::new(),
            forbidden: Vec::new(),
            read_only: Vec::new(),
            file_system: 0xef53,
            caller: 0,
        };
        machine.add("/", FileType::Directory, Vec::new());
        machine
    }
}

impl FakeMachine {
    fn add(&mut self, path: &str, file_type: FileType, content: Vec<u8>) -> &mut Self {
        if path != "/" && !self.entries.contains_key(parent(path)) {
            self.add(parent(path), FileType::Directory, Vec::new());
        }
        let mode = if file_type == FileType::Directory { 0o755 } else { 0o644 };
        let metadata = Metadata { file_type, mode, uid: 0, gid: 0, size: content.len() as u64 };
        self.entries.insert(path.into(), Entry { metadata, content });
        self
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, content: impl AsRef<[u8]>) -> &mut Self {
        self.add(path, FileType::Regular, content.as_ref().to_vec())
    }

    /// Adds a directory.
    pub fn dir(&mut self, path: &str) -> &mut Self {
        self.add(path, FileType::Directory, Vec::new())
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.add(path, FileType::Link, target.into())
    }

    /// Adds a socket.
    pub fn socket(&mut self, path: &str) -> &mut Self {
        self.add(path, FileType::Socket, Vec::new())
    }

    /// Adds a device.
    pub fn device(&mut self, path: &str) -> &mut Self {
        self.add(path, FileType::Device, Vec::new())
    }

    /// Gives what lies at a path to somebody.
    pub fn owned(&mut self, path: &str, uid: u32, gid: u32, mode: u32) -> &mut Self {
        let metadata = &mut self.entries.get_mut(path).unwrap().metadata;
        (metadata.uid, metadata.gid, metadata.mode) = (uid, gid, mode);
        self
    }

    fn entry(&self, path: &str) -> io::Result<&Entry> {
        self.entries.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn typed(&self, path: &str, file_type: FileType) -> io::Result<&Entry> {
        if self.forbidden.iter().any(|forbidden| forbidden == path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let entry = self.entry(path)?;
        if entry.metadata.file_type == file_type {
            Ok(entry)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

impl Machine for FakeMachine {
    fn metadata(&self, path: &str) -> io::Result<Metadata> {
        Ok(self.entry(path)?.metadata)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        Ok(self.typed(path, FileType::Regular)?.content.clone())
    }

    fn read_start(&self, path: &str, length: usize) -> io::Result<Vec<u8>> {
        Ok(self.read(path)?.into_iter().take(length).collect())
    }

    fn digest(&self, path: &str) -> io::Result<Digest> {
        Ok(Digest(Sha256::digest(self.read(path)?).into()))
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        Ok(String::from_utf8(self.typed(path, FileType::Link)?.content.clone()).unwrap())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.typed(path, FileType::Directory)?;
        let below = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let names = self.entries.keys().filter_map(|other| other.strip_prefix(&below));
        Ok(names.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned).collect())
    }

    fn file_system(&self, path: &str) -> io::Result<u64> {
        self.entry(path).map(|_| self.file_system)
    }

    fn is_read_only(&self, path: &str) -> io::Result<bool> {
        self.entry(path).map(|_| self.read_only.iter().any(|root| crate::model::path_contains(root, path)))
    }

    fn may(&self, path: &str, _: Wish) -> bool {
        !self.forbidden.iter().any(|forbidden| forbidden == path)
    }

    fn caller(&self) -> u32 {
        self.caller
    }
}
