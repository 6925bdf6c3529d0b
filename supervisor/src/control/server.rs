//! The supervisor's end: takes callers, reads what they ask, and answers when the time has come.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::{Answer, Request};
use crate::sockets;

/// More callers at a time are turned away.
const CALLERS: usize = 32;
/// A longer question is none.
const LONGEST: usize = 4096;

/// The socket, and who is connected to it.
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
    callers: Vec<Caller>,
    count: u64,
    /// Let go of for one who comes when there is no descriptor left, so that he can be turned away.
    spare: Option<File>,
}

/// One who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallerId(u64);

struct Caller {
    id: CallerId,
    socket: UnixStream,
    heard: Vec<u8>,
    has_asked: bool,
    answer: Option<Vec<u8>>,
}

impl Control {
    /// Binds the socket in the runtime directory.
    pub(crate) fn new(runtime: &Path) -> io::Result<Control> {
        let path = runtime.join("control");
        let listener = UnixListener::from(sockets::control(&path)?);
        Ok(Control { listener, path, callers: Vec::new(), count: 0, spare: spare() })
    }

    /// Returns what to wait for.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let callers = self.callers.iter().map(|caller| {
            let wish = if caller.answer.is_some() { PollFlags::OUT } else { PollFlags::IN };
            (caller.socket.as_fd(), wish)
        });
        std::iter::once((self.listener.as_fd(), PollFlags::IN)).chain(callers)
    }

    /// Returns what has been asked since.
    pub(crate) fn hear(&mut self) -> Vec<(CallerId, Request)> {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.enter(socket),
                // He would stand at the door for ever, and the door be looked at again and again.
                Err(error) if is_want_of_descriptors(&error) && self.spare.take().is_some() => {
                    // The kernel wants a descriptor even where nobody is there to be let in.
                    let is_nobody = self.listener.accept().is_err();
                    self.spare = spare();
                    if is_nobody {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        let mut asked = Vec::new();
        for caller in &mut self.callers {
            if let Some(question) = caller.read() {
                match serde_json::from_slice(&question) {
                    Ok(request) => asked.push((caller.id, request)),
                    Err(error) => {
                        caller.say(&Answer::Refused { why: format!("this is no question: {error}") });
                    }
                }
            }
        }
        self.flush();
        asked
    }

    /// Answers a caller, who may be gone.
    pub(crate) fn answer(&mut self, id: CallerId, answer: &Answer) {
        if let Some(caller) = self.callers.iter_mut().find(|caller| caller.id == id) {
            caller.say(answer);
        }
        self.flush();
    }

    fn enter(&mut self, socket: UnixStream) {
        // The directory lets nobody else in; this holds even if somebody opens it.
        let is_owner = rustix::net::sockopt::socket_peercred(&socket)
            .is_ok_and(|peer| peer.uid == rustix::process::geteuid());
        if is_owner && self.callers.len() < CALLERS && socket.set_nonblocking(true).is_ok() {
            self.count += 1;
            let id = CallerId(self.count);
            self.callers.push(Caller { id, socket, heard: Vec::new(), has_asked: false, answer: None });
        }
    }

    /// Sends what can be sent, and lets go of those who have their answer or are gone.
    fn flush(&mut self) {
        self.callers.retain_mut(|caller| caller.send() == Line::Open);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_want_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    Closed,
}

impl Caller {
    /// Returns its question once that is whole.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; LONGEST];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.answer = Some(Vec::new()),
            Ok(length) if self.heard.len() + length <= LONGEST => {
                self.heard.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
            Ok(_) => self.answer = Some(Vec::new()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.answer = Some(Vec::new()),
        }
        let end = self.heard.iter().position(|byte| *byte == b'\n').filter(|_| !self.has_asked)?;
        self.has_asked = true;
        self.heard.get(..end).map(<[u8]>::to_vec)
    }

    fn say(&mut self, answer: &Answer) {
        let mut line = serde_json::to_vec(answer).unwrap_or_default();
        line.push(b'\n');
        self.answer = Some(line);
    }

    fn send(&mut self) -> Line {
        let Some(rest) = &mut self.answer else { return Line::Open };
        while !rest.is_empty() {
            match self.socket.write(rest) {
                Ok(length) => drop(rest.drain(..length.min(rest.len()))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Line::Open,
                Err(_) => return Line::Closed,
            }
        }
        Line::Closed
    }
}
