//! The status socket: how the launcher learns why the service does not start, or that it does; and how the service
//! learns that its root is built.
//!
//! The service's end is closed by the kernel when the program is executed. A refusal is one byte, its status, and its
//! text; before the program, the service writes [`ABOUT_TO`], so that an end without a word is told from a start.

use crate::refusal::{Refusal, Sentence};
use crate::sys::{self, Fd, Wait};

/// Written when all is done but the program.
pub const ABOUT_TO: u8 = b'+';

/// The service's end.
pub struct Report(pub Fd);

impl Report {
    /// Says why the service does not start, and ends this process.
    // Not inlined, so that its buffer is not part of the stack of whoever might refuse.
    #[cold]
    #[inline(never)]
    pub fn refuse(&self, refusal: Refusal<'_>) -> ! {
        let mut message = Sentence::raw(&[refusal.status()]);
        let _ = core::fmt::Write::write_fmt(&mut message, format_args!("{refusal}\n"));
        let _ = sys::write_all(&self.0, message.bytes());
        sys::exit(refusal.status())
    }

    /// Returns what came out well; refuses otherwise.
    pub fn unless_refused<T>(&self, result: Result<T, Refusal<'_>>) -> T {
        result.unwrap_or_else(|refusal| self.refuse(refusal))
    }

    /// Waits until the launcher has built the root; returns false if it never will, which it tells by itself.
    #[must_use]
    pub fn is_built(&self) -> bool {
        sys::read(&self.0, &mut [0]) == Ok(1)
    }

    /// Says that only the program is left.
    pub fn about_to(&self) {
        let _ = sys::write_all(&self.0, &[ABOUT_TO]);
    }

    /// Returns whether the launcher still listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        let mut waits = [Wait { fd: self.0.number(), events: 0, revents: 0 }];
        sys::poll(&mut waits, 0) == Ok(0)
    }
}
