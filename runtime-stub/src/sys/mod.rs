//! The kernel's door: the only unsafe code of the launcher, each call wrapped in a safe function.
//!
//! There is no C library; calls go straight to the kernel, so nothing runs before `_start` or behind our back.

mod confine;
mod files;
pub mod memory;
mod identity;
mod leases;
mod mounts;
mod process;
mod record;
mod signals;
mod sockets;
pub mod start;

pub use confine::*;
pub use files::*;
pub use identity::*;
pub use leases::*;
pub use mounts::*;
pub use process::*;
pub use record::copy_trust_record;
pub use signals::*;
pub use sockets::*;

use core::fmt;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("the launcher is for x86_64 Linux only");

/// The kernel's answer when it does not do what it is asked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Errno(pub u32);

macro_rules! errnos {
    ($($name:ident $text:literal),* $(,)?) => {
        impl Errno {
            $(#[doc = $text] pub const $name: Self = Self(linux_raw_sys::errno::$name);)*
        }

        impl fmt::Display for Errno {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$name => f.write_str(concat!($text, " (", stringify!($name), ")")),)*
                    Self(number) => write!(f, "error {number}"),
                }
            }
        }
    };
}

errnos! {
    EPERM "operation not permitted",
    ENOENT "no such file or directory",
    ESRCH "no such process",
    EINTR "interrupted",
    EIO "input/output error",
    E2BIG "argument list too long",
    ENOEXEC "no executable format",
    EBADF "not an open descriptor",
    EAGAIN "resource temporarily unavailable",
    ENOMEM "out of memory",
    EACCES "permission denied",
    EBUSY "busy",
    EEXIST "already there",
    EXDEV "leads outside",
    ENOTDIR "not a directory",
    EISDIR "is a directory",
    EINVAL "invalid argument",
    ENFILE "too many open files in the system",
    EMFILE "too many open files",
    ETXTBSY "program is being written",
    EFBIG "too large",
    ENOSPC "no space left",
    EROFS "read-only file system",
    EPIPE "nobody reads it any more",
    ENOSYS "function not implemented",
    ELOOP "a symbolic link on the way",
    ENAMETOOLONG "name too long",
    EOVERFLOW "value too large",
    EUSERS "too many users",
    EOPNOTSUPP "not supported",
    ECONNREFUSED "connection refused",
    ECONNRESET "connection reset",
    EDQUOT "quota exceeded",
}

/// What the kernel answers.
pub type Answer<T> = Result<T, Errno>;

/// Asks the kernel.
///
/// # Safety
/// As far as the numbered call reads or writes memory, the arguments must describe memory that is good for it.
unsafe fn call<const N: usize>(number: u32, arguments: [usize; N]) -> Answer<usize> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let answer: isize;
    // SAFETY: the registers are those of the kernel's calling convention, and the caller answers for the arguments.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") argument(0), in("rsi") argument(1), in("rdx") argument(2),
            in("r10") argument(3), in("r8") argument(4), in("r9") argument(5),
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    self::answer(answer)
}

/// Reads the kernel's answer.
fn answer(answer: isize) -> Answer<usize> {
    if (-4095..0).contains(&answer) { Err(Errno(answer.unsigned_abs() as u32)) } else { Ok(answer as usize) }
}

/// Makes a signed number an argument.
const fn signed(number: i32) -> usize {
    number as isize as usize
}

/// An open descriptor of ours, closed at its end.
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Takes over a descriptor that an answer named.
    const fn of(answer: usize) -> Self {
        Self(answer as i32)
    }

    /// Takes over a descriptor that this process was started with.
    #[must_use]
    pub const fn inherited(number: i32) -> Self {
        Self(number)
    }

    /// Returns its number.
    #[must_use]
    pub const fn number(&self) -> i32 {
        self.0
    }

    /// Lets it stay open, for whoever comes after.
    pub const fn leave_open(self) {
        core::mem::forget(self);
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: no memory is involved.
        let _ = unsafe { call(linux_raw_sys::general::__NR_close, [signed(self.0)]) };
    }
}
