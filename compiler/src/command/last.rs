//! What the first process of a machine does last: it switches the machine off, where another program just ends.

use rustix::system::RebootCommand;

/// Writes out what is not on disks yet and switches the machine off; returns only if the kernel refuses.
pub fn switch_off() {
    rustix::fs::sync();
    if let Err(error) = rustix::system::reboot(RebootCommand::PowerOff) {
        super::complain!("capc: cannot switch the machine off: {error}");
    }
}
