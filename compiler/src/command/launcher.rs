//! The launcher as a sealed memory file: it runs wherever the store lies, and nobody can change it.

use super::Failure;
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// A launcher that can be executed for as long as this lives.
pub struct MemoryLauncher {
    file: File,
}

impl MemoryLauncher {
    /// Puts an image into a memory file and seals it.
    ///
    /// # Errors
    /// When the kernel has no sealed memory files.
    pub fn new(image: &[u8]) -> Result<Self, Failure> {
        let refused =
            |error: std::io::Error| Failure::refused(format!("cannot make a sealed memory file: {error}"));
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know MFD_EXEC, and let every memory file be executed.
        let memory = rustix::fs::memfd_create("capc-launcher", flags | MemfdFlags::EXEC)
            .or_else(|_| rustix::fs::memfd_create("capc-launcher", flags));
        let mut file = File::from(memory.map_err(|error| refused(error.into()))?);
        file.write_all(image).and_then(|()| file.rewind()).map_err(refused)?;
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals).map_err(|error| refused(error.into()))?;
        // Executing a file that is open for writing is refused (ETXTBSY), so it is opened again.
        let file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(refused)?;
        Ok(Self { file })
    }

    /// Returns the path by which this process and its children execute it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }
}
