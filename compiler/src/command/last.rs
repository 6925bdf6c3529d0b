//! What the first process of a machine does last: it switches the machine off, where another program just ends.

use super::first::Mounts;
use rustix::mount::{MountFlags, mount_remount};
use rustix::system::RebootCommand;

/// Writes out what is not on disks yet and switches the machine off; returns only if the kernel refuses.
pub fn switch_off() {
    rustix::fs::sync();
    // A disk that cannot be written to any more is left as one that was unmounted; where that cannot be, it was written out.
    for place in Mounts::read().unwrap_or_default().places().rev() {
        let _ = mount_remount(place, MountFlags::RDONLY, c"");
    }
    if let Err(error) = rustix::system::reboot(RebootCommand::PowerOff) {
        super::complain!("capc: cannot switch the machine off: {error}");
    }
}
