//! The machine itself, or the one whose root lies in a directory of this one.

use super::{FileType, Machine, Metadata, Wish};
use capc_schemas::token::Digest;
use rustix::fs::{Access, AtFlags, CWD};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

/// A machine as its file system shows it.
#[derive(Clone, Debug, Default)]
pub struct RealMachine {
    root: Option<PathBuf>,
}

impl RealMachine {
    /// Returns this machine.
    #[must_use]
    pub const fn here() -> Self {
        Self { root: None }
    }

    /// Returns the machine whose root is a directory of this one.
    #[must_use]
    pub const fn below(root: PathBuf) -> Self {
        Self { root: Some(root) }
    }

    fn path(&self, path: &str) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => PathBuf::from(path),
        }
    }
}

fn text(name: std::ffi::OsString) -> io::Result<String> {
    String::from_utf8(name.into_vec())
        .map_err(|name| io::Error::new(io::ErrorKind::InvalidData, format!("a name is not UTF-8: {name:?}")))
}

impl Machine for RealMachine {
    fn metadata(&self, path: &str) -> io::Result<Metadata> {
        let found = fs::symlink_metadata(self.path(path))?;
        let kind = found.file_type();
        let file_type = if kind.is_file() {
            FileType::Regular
        } else if kind.is_dir() {
            FileType::Directory
        } else if kind.is_symlink() {
            FileType::Link
        } else if kind.is_socket() {
            FileType::Socket
        } else if kind.is_char_device() || kind.is_block_device() {
            FileType::Device
        } else {
            FileType::Other
        };
        let mode = found.mode() & 0o7777;
        Ok(Metadata { file_type, mode, uid: found.uid(), gid: found.gid(), size: found.size() })
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(path))
    }

    fn read_start(&self, path: &str, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(self.path(path))?.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn digest(&self, path: &str) -> io::Result<Digest> {
        let mut hasher = Sha256::new();
        io::copy(&mut fs::File::open(self.path(path))?, &mut hasher)?;
        Ok(Digest(hasher.finalize().into()))
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        text(fs::read_link(self.path(path))?.into_os_string())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.path(path))?.map(|entry| text(entry?.file_name()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn file_system(&self, path: &str) -> io::Result<u64> {
        // The kernel's type for the number is signed on some machines; the bits are what counts.
        Ok(rustix::fs::statfs(self.path(path))?.f_type as u64 & 0xffff_ffff)
    }

    fn is_read_only(&self, path: &str) -> io::Result<bool> {
        let flags = rustix::fs::statvfs(self.path(path))?.f_flag;
        Ok(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    fn may(&self, path: &str, wish: Wish) -> bool {
        let access = match wish {
            Wish::Read => Access::READ_OK,
            Wish::Write => Access::WRITE_OK,
            Wish::Execute => Access::EXEC_OK,
        };
        rustix::fs::accessat(CWD, self.path(path), access, AtFlags::EACCESS).is_ok()
    }

    fn caller(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }
}
