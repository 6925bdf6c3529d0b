//! The words of the `sd_notify` protocol that the supervisor listens to.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::process::Pid;

use crate::harmless::harmless;
use crate::state::Word;

/// What one datagram says. Words that are not ours to act on are passed over, as the protocol wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notification {
    /// `MAINPID=`: the service's main process.
    pub(crate) main: Option<Pid>,
    /// `X_CAPC_KEEPER=`: the process on which the service's world stands.
    pub(crate) keeper: Option<Pid>,
    /// `X_CAPC_BUILT=1`: the world is built, and waits for its start.
    pub(crate) built: bool,
    /// What a main process says of itself, in the order in which it was said.
    pub(crate) words: Vec<Word>,
}

/// More datagrams than a socket's queue holds.
const DATAGRAMS: usize = 4096;

/// Returns the datagrams that have come, with their senders.
pub(crate) fn hear(socket: BorrowedFd<'_>) -> Vec<(Pid, Notification)> {
    let mut heard = Vec::new();
    let mut bytes = [0; 4096];
    for _ in 0..DATAGRAMS {
        // Room for the sender's number alone: descriptors sent along are closed by the kernel.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        let length = match rustix::net::recvmsg(socket, parts, &mut control, flags) {
            Ok(message) => message.bytes,
            Err(Errno::INTR) => continue,
            Err(_) => break,
        };
        let sender = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.pid),
            _ => None,
        });
        if let (Some(sender), Some(datagram)) = (sender, bytes.get(..length)) {
            heard.push((sender, Notification::read(datagram)));
        }
    }
    heard
}

impl Notification {
    /// Reads a datagram.
    pub(crate) fn read(datagram: &[u8]) -> Notification {
        let mut notification = Notification::default();
        for line in datagram.split(|byte| *byte == b'\n') {
            let Some(at) = line.iter().position(|byte| *byte == b'=') else { continue };
            let (word, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
            match word {
                b"MAINPID" => notification.main = pid(value),
                b"X_CAPC_KEEPER" => notification.keeper = pid(value),
                b"X_CAPC_BUILT" => notification.built = value == b"1",
                _ => notification.words.extend(said(word, value)),
            }
        }
        notification
    }
}

fn said(word: &[u8], value: &[u8]) -> Option<Word> {
    match (word, value) {
        (b"READY", b"1") => Some(Word::Ready),
        (b"STATUS", _) => Some(Word::Status(harmless(value))),
        (b"STOPPING", b"1") => Some(Word::Stopping),
        (b"RELOADING", b"1") => Some(Word::Reloading),
        (b"WATCHDOG", b"1") => Some(Word::Alive),
        (b"WATCHDOG", b"trigger") => Some(Word::Failed),
        (b"WATCHDOG_USEC", _) => micros(value).map(Word::AliveEvery),
        (b"EXTEND_TIMEOUT_USEC", _) => micros(value).map(Word::Extend),
        _ => None,
    }
}

/// Reads a time in millionths of seconds.
fn micros(text: &[u8]) -> Option<Duration> {
    let is_number = text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| is_number)?;
    number.parse().ok().map(Duration::from_micros)
}

/// Reads the number of a process; 1 and below are nobody's child.
fn pid(text: &[u8]) -> Option<Pid> {
    let number: i32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if number > 1 { Pid::from_raw(number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(datagram: &str, main: i32, keeper: i32, words: &[Word]) {
        let expected = Notification {
            main: Pid::from_raw(main),
            keeper: Pid::from_raw(keeper),
            built: false,
            words: words.to_vec(),
        };
        assert_eq!(Notification::read(datagram.as_bytes()), expected);
    }

    #[test]
    fn words_are_read_in_their_order_and_others_passed_over() {
        check("MAINPID=12\nX_CAPC_KEEPER=11\nREADY=1", 12, 11, &[Word::Ready]);
        check(
            "STATUS=up = \u{1b}yes\nERRNO=2\nWATCHDOG=1\nREADY=1\n",
            0,
            0,
            &[Word::Status("up = \\x1byes".into()), Word::Alive, Word::Ready],
        );
        check(
            "STOPPING=1\nRELOADING=1\nWATCHDOG=trigger",
            0,
            0,
            &[Word::Stopping, Word::Reloading, Word::Failed],
        );
        let (two, day) = (Duration::from_secs(2), Duration::from_secs(86_400));
        check(
            "WATCHDOG_USEC=2000000\nEXTEND_TIMEOUT_USEC=86400000000",
            0,
            0,
            &[Word::AliveEvery(two), Word::Extend(day)],
        );
        check("", 0, 0, &[]);
    }

    #[test]
    fn what_is_no_number_and_no_process_says_nothing() {
        for text in ["0", "1", "-5", "+", "", "99999999999", "x", " 7"] {
            check(&format!("MAINPID={text}"), 0, 0, &[]);
        }
        for text in ["", "-1", "+1", "1.5", "99999999999999999999", "x"] {
            check(&format!("WATCHDOG_USEC={text}\nEXTEND_TIMEOUT_USEC={text}"), 0, 0, &[]);
        }
        check("READY=0\nREADY\nSTOPPING=0\nWATCHDOG=2", 0, 0, &[]);
    }
}
