//! The signals that the supervisor acts on, as sockets that become readable.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// What ends a container or switches a machine off: SIGPWR, and SIGRTMIN+3 and +4 as systemd and podman count them.
const SWITCH_OFF: [i32; 3] = [30, 37, 38];

/// Handlers for the end of children and for requests to stop, until dropped.
pub(crate) struct Signals {
    children: UnixStream,
    stop: UnixStream,
    handlers: Vec<SigId>,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn new() -> io::Result<Signals> {
        let (children, child_writer) = UnixStream::pair()?;
        let (stop, stop_writer) = UnixStream::pair()?;
        children.set_nonblocking(true)?;
        stop.set_nonblocking(true)?;
        let mut signals = Signals { children, stop, handlers: Vec::new() };
        signals.handlers.push(pipe::register(SIGCHLD, child_writer)?);
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().chain(SWITCH_OFF) {
            // Whoever started us under nohup wants the system to outlive the terminal.
            if signal != SIGHUP || !is_ignored(SIGHUP) {
                signals.handlers.push(pipe::register(signal, stop_writer.try_clone()?)?);
            }
        }
        Ok(signals)
    }

    /// Returns what becomes readable when a child ends.
    pub(crate) fn children(&self) -> BorrowedFd<'_> {
        self.children.as_fd()
    }

    /// Returns what becomes readable when somebody asks for the end.
    pub(crate) fn stop(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// Tells whether a child has ended since the last call.
    pub(crate) fn take_children(&mut self) -> bool {
        take(&mut self.children)
    }

    /// Tells whether somebody has asked for the end since the last call.
    pub(crate) fn take_stop(&mut self) -> bool {
        take(&mut self.stop)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
    }
}

fn take(socket: &mut UnixStream) -> bool {
    let mut any = false;
    while socket.read(&mut [0; 64]).is_ok_and(|length| length > 0) {
        any = true;
    }
    any
}

fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
