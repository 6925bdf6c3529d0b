//! The signals that are handed on to a service.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::{pipe, unregister};

/// What an init, or a person, sends to a service.
const HANDED_ON: [Signal; 8] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::WINCH,
];

/// Handlers for them and for the end of children, until dropped.
pub(super) struct Signals {
    children: UnixStream,
    others: Vec<(Signal, UnixStream)>,
    handlers: Vec<SigId>,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let mut handlers = Vec::new();
        let children = listen(SIGCHLD, &mut handlers)?;
        let mut others = Vec::new();
        for signal in HANDED_ON {
            others.push((signal, listen(signal.as_raw(), &mut handlers)?));
        }
        Ok(Self { children, others, handlers })
    }

    /// Returns what becomes readable when one has come.
    pub(super) fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.others.iter().map(|(_, end)| end.as_fd()).chain([self.children.as_fd()])
    }

    /// Returns those that have come since the last call and are to be handed on.
    pub(super) fn take(&mut self) -> Vec<Signal> {
        drain(&mut self.children);
        self.others.iter_mut().filter_map(|(signal, end)| drain(end).then_some(*signal)).collect()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
    }
}

fn listen(signal: i32, handlers: &mut Vec<SigId>) -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    handlers.push(pipe::register(signal, writer)?);
    Ok(reader)
}

fn drain(socket: &mut UnixStream) -> bool {
    let mut any = false;
    while socket.read(&mut [0; 64]).is_ok_and(|length| length > 0) {
        any = true;
    }
    any
}
