//! Signals: as a new program expects them, or held back and waited for.

use super::{Answer, Errno, call};
use linux_raw_sys::general as k;

/// Lets every signal do what it does by default, and none be held back.
pub fn reset_signals() -> Answer<()> {
    for signal in 1..=64 {
        // SIGKILL and SIGSTOP have no other action.
        if signal != k::SIGKILL && signal != 19 {
            set_action(signal, 0)?;
        }
    }
    set_mask(0)
}

/// Lets children that end vanish.
pub fn reap_by_itself() -> Answer<()> {
    set_action(k::SIGCHLD, 1)
}

fn set_action(signal: u32, action: usize) -> Answer<()> {
    // The kernel's structure: handler, flags, restorer, mask.
    let structure = [action, 0, 0, 0_usize];
    // SAFETY: the kernel reads one structure; the action is the default or to ignore, so no code of ours is named.
    unsafe { call(k::__NR_rt_sigaction, [signal as usize, structure.as_ptr() as usize, 0, 8]) }.map(drop)
}

/// Holds every signal back.
pub fn hold_signals() -> Answer<()> {
    set_mask(u64::MAX)
}

fn set_mask(mask: u64) -> Answer<()> {
    let how = k::SIG_SETMASK as usize;
    // SAFETY: the kernel reads one 64-bit mask.
    unsafe { call(k::__NR_rt_sigprocmask, [how, &raw const mask as usize, 0, 8]) }.map(drop)
}

/// Waits for a signal that is held back and returns its number.
pub fn next_signal() -> Answer<u32> {
    let mask = u64::MAX;
    loop {
        // SAFETY: the kernel reads one 64-bit mask; information and time limit are none.
        match unsafe { call(k::__NR_rt_sigtimedwait, [&raw const mask as usize, 0, 0, 8]) } {
            Ok(signal) => return Ok(signal as u32),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The number of the signal that nobody outlives.
pub const KILL: u32 = k::SIGKILL;

/// The number of the signal that tells of a child's end.
pub const CHILD_ENDED: u32 = k::SIGCHLD;
