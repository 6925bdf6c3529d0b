//! Leases: a promise of the kernel that nobody has a file open for writing, or mapped to be written.

use super::{Answer, Fd, call, signed};
use linux_raw_sys::general as k;

/// Takes a lease on an open file; refused while anybody could write to it.
///
/// Who opens it for writing later waits until the lease is given back or this process ends.
pub fn take_lease(fd: &Fd) -> Answer<()> {
    // Somebody who waits is told of by a signal; one that does nothing by default, since it need not be heard.
    control(fd, k::F_SETSIG, k::SIGURG)?;
    control(fd, k::F_SETLEASE, k::F_RDLCK).map(drop)
}

/// Returns whether the lease is still whole: nobody has waited for it.
pub fn has_lease(fd: &Fd) -> bool {
    control(fd, k::F_GETLEASE, 0) == Ok(k::F_RDLCK as usize)
}

/// Gives the lease back.
pub fn leave_lease(fd: &Fd) -> Answer<()> {
    control(fd, k::F_SETLEASE, k::F_UNLCK).map(drop)
}

fn control(fd: &Fd, command: u32, argument: u32) -> Answer<usize> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_fcntl, [signed(fd.number()), command as usize, argument as usize]) }
}
