//! The machine's clock: what it shows, and a timer that wakes at a time of it, or when somebody sets it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jiff::Timestamp;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// A timer on the machine's clock.
pub(crate) struct Clock {
    timer: OwnedFd,
    due: Option<Timestamp>,
}

impl Clock {
    /// Makes a timer that wakes nobody yet.
    pub(crate) fn new() -> rustix::io::Result<Clock> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Clock { timer: rustix::time::timerfd_create(TimerfdClockId::Realtime, flags)?, due: None })
    }

    /// Returns what it shows.
    pub(crate) fn now() -> Timestamp {
        Timestamp::now()
    }

    /// Sets when the timer wakes. With a time set it wakes too when somebody sets the clock.
    pub(crate) fn wake_at(&mut self, due: Option<Timestamp>) -> rustix::io::Result<()> {
        if self.due != due {
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let value = due.map_or(none, |due| Timespec {
                // A time before 1970 has passed; none at all would mean never.
                tv_sec: due.as_second().max(1),
                tv_nsec: due.subsec_nanosecond().max(0).into(),
            });
            let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
            let spec = Itimerspec { it_interval: none, it_value: value };
            rustix::time::timerfd_settime(&self.timer, flags, &spec)?;
            self.due = due;
        }
        Ok(())
    }

    /// Tells whether it has woken since the last call.
    pub(crate) fn take(&mut self) -> bool {
        // An error other than "nothing yet" is that somebody has set the clock.
        let woken = rustix::io::read(&self.timer, &mut [0; 8]) != Err(rustix::io::Errno::AGAIN);
        if woken {
            self.due = None;
        }
        woken
    }
}

impl AsFd for Clock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
