//! The kernel's audit over netlink: its records without a daemon, and its switch (audit(7) in linux/audit.h).

use rustix::io::Errno;
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{bind, recv, send, socket_with, sockopt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const GET: u16 = 1000;
const SET: u16 = 1001;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `AUDIT_TRUSTED_APP`: what a program tells of itself.
const ANNOUNCED: u16 = 1121;
const ANNOUNCEMENT: &[u8] = b"op=capc-why-denied";
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
/// `AUDIT_NLGRP_READLOG`, as a bit.
const READ_LOG: u32 = 1;
/// `AUDIT_STATUS_ENABLED`.
const ENABLED: u32 = 1;
/// `nlmsghdr`.
const HEADER: usize = 16;
/// `audit_status` up to `backlog`, which every kernel takes.
const STATUS: usize = 32;
/// Records are shorter; longer ones would be cut by the kernel already.
const LONGEST: usize = 16 * 1024;
/// What may wait to be read: denials come in bursts.
const QUEUE: usize = 4 << 20;

/// The records that the kernel tells.
pub struct Records(OwnedFd);

/// What came of reading a record.
pub enum Read {
    /// A record: its kind and its text.
    Record(u16, Vec<u8>),
    /// None for now.
    Nothing,
    /// Some were lost, since they came faster than they were read.
    Lost,
}

impl Records {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the kernel has no audit, or the caller may not.
    pub fn join() -> io::Result<Self> {
        let socket = open(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        // A plain size does as well, only less of it.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, QUEUE);
        bind(&socket, &SocketAddrNetlink::new(0, READ_LOG))?;
        Ok(Self(socket))
    }

    /// Reads the next record.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn next(&self) -> io::Result<Read> {
        let mut buffer = vec![0; LONGEST];
        let length = match recv(&self.0, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Read::Nothing),
            Err(Errno::NOBUFS) => return Ok(Read::Lost),
            Err(error) => return Err(error.into()),
        };
        buffer.truncate(length);
        // Audit's lengths do not all count the header, so the datagram's own is taken.
        let kind = half(&buffer, 4).ok_or_else(odd)?;
        Ok(Read::Record(kind, buffer.split_off(HEADER.min(length))))
    }
}

impl AsFd for Records {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Returns whether audit is on.
///
/// # Errors
/// When the kernel has none, or the caller may not ask.
pub fn is_on() -> io::Result<bool> {
    let socket = open(SocketFlags::CLOEXEC)?;
    bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    ask(&socket, GET, &[])?;
    loop {
        let (kind, body) = answer(&socket)?;
        match kind {
            GET => return word(&body, 4).map(|enabled| enabled != 0).ok_or_else(odd),
            ERROR => acknowledged(&body)?,
            _ => {}
        }
    }
}

/// Has the kernel tell that somebody asks, which whoever listens hears.
///
/// # Errors
/// When the caller may not.
pub fn announce() -> io::Result<()> {
    let socket = open(SocketFlags::CLOEXEC)?;
    bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    ask(&socket, ANNOUNCED, &[ANNOUNCEMENT, b"\0"].concat())?;
    until_acknowledged(&socket)
}

/// Returns whether a record is such an announcement.
#[must_use]
pub fn is_announcement(kind: u16, text: &[u8]) -> bool {
    kind == ANNOUNCED && text.windows(ANNOUNCEMENT.len()).any(|part| part == ANNOUNCEMENT)
}

/// Switches audit on or off.
///
/// # Errors
/// When the caller may not, or audit is locked.
pub fn switch(on: Switch) -> io::Result<()> {
    let socket = open(SocketFlags::CLOEXEC)?;
    bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    let enabled = match on {
        Switch::Off => 0_u32,
        Switch::On => 1,
    };
    let mut status = [ENABLED.to_ne_bytes(), enabled.to_ne_bytes()].concat();
    status.resize(STATUS, 0);
    ask(&socket, SET, &status)?;
    until_acknowledged(&socket)
}

/// What audit is switched to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Records are made.
    On,
    /// None are.
    Off,
}

fn open(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(AUDIT))?)
}

fn ask(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(HEADER + body.len()).map_err(|_| odd())?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST | ACKNOWLEDGE).to_ne_bytes());
    // A number of the request, and no port of the sender's.
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    send(socket, &message, SendFlags::empty())?;
    Ok(())
}

fn until_acknowledged(socket: &OwnedFd) -> io::Result<()> {
    loop {
        let (kind, body) = answer(socket)?;
        if kind == ERROR {
            return acknowledged(&body);
        }
    }
}

fn answer(socket: &OwnedFd) -> io::Result<(u16, Vec<u8>)> {
    let mut buffer = vec![0; LONGEST];
    let (length, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
    buffer.truncate(length);
    let kind = half(&buffer, 4).ok_or_else(odd)?;
    Ok((kind, buffer.split_off(HEADER.min(length))))
}

/// Reads an acknowledgement: zero, or an error's number below zero.
fn acknowledged(body: &[u8]) -> io::Result<()> {
    match word(body, 0).ok_or_else(odd)?.cast_signed() {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.saturating_neg())),
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn odd() -> io::Error {
    io::Error::other("the kernel's answer cannot be read")
}
