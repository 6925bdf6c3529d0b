//! Audit is on while anybody asks why something was denied, and then as it was before.
//!
//! The file is also what launchers look for: while it is there, refused system calls are told.

use super::netlink::{Switch, is_on, switch};
use crate::command::Failure;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open, stat};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Root's alone.
const RUNTIME: &str = "/run/capc";
/// Locked by everybody who asks; says `off` when audit was off before the first.
const PLACE: &str = "/run/capc/why-denied";
const WAS_OFF: &str = "off\n";

/// Audit switched on, until dropped.
pub struct SwitchedOn(File);

impl SwitchedOn {
    /// Switches audit on, unless it is.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn now() -> Result<Self, Failure> {
        Self::try_now()
            .map_err(|error| Failure::refused(format!("the kernel's audit cannot be switched on: {error}")))
    }

    fn try_now() -> io::Result<Self> {
        if !Path::new(RUNTIME).exists() {
            DirBuilder::new().mode(0o700).recursive(true).create(RUNTIME)?;
        }
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mut file = File::from(open(PLACE, flags, Mode::RUSR | Mode::WUSR)?);
            // The first notes how audit was; who comes later finds the file locked.
            let is_first = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if is_first && is_in_place(&file) && !is_on()? {
                file.write_all(WAS_OFF.as_bytes())?;
                if let Err(error) = switch(Switch::On) {
                    let _ = fs::remove_file(PLACE);
                    return Err(error);
                }
            }
            flock(&file, FlockOperation::LockShared)?;
            // Before the lock was ours, another who asked may have ended and removed it.
            if !is_in_place(&file) {
                continue;
            }
            if !is_on()? {
                switch(Switch::On)?;
            }
            return Ok(Self(file));
        }
    }

    /// Leaves audit as it was, if nobody else asks.
    fn leave(&mut self) -> io::Result<()> {
        if flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(());
        }
        let mut was = String::new();
        self.0.rewind()?;
        self.0.read_to_string(&mut was)?;
        fs::remove_file(PLACE)?;
        if was.starts_with(WAS_OFF) { switch(Switch::Off) } else { Ok(()) }
    }
}

impl Drop for SwitchedOn {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            crate::command::complain!(
                "capc: the kernel's audit stays on: {error}; `auditctl -e 0` switches it off"
            );
        }
    }
}

/// Returns whether a file is still the one that others would open.
fn is_in_place(file: &File) -> bool {
    let (Ok(ours), Ok(there)) = (fstat(file), stat(PLACE)) else { return false };
    (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
}
