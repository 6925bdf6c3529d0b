//! Descriptors that come from an init, and what is told to it.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType,
};
use rustix::pipe::PipeFlags;
use rustix::process::{PidfdFlags, PidfdGetfdFlags};

use crate::error::Error;

/// Checks that a descriptor was passed, by its number.
pub(super) fn is_passed(number: i32) -> Result<(), Error> {
    let none = Error::when::<std::io::Error>(format!("take descriptor {number} from the init"));
    let path = format!("/proc/self/fd/{number}");
    std::fs::symlink_metadata(path).map_err(none).map(drop)
}

/// Returns a copy of a descriptor that was passed, by its number; it goes to no program that is executed.
pub(super) fn inherited(number: i32) -> Result<OwnedFd, Error> {
    let doing = || Error::when::<rustix::io::Errno>(format!("take descriptor {number} from the init"));
    let myself = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
    let myself = myself.map_err(doing())?;
    rustix::process::pidfd_getfd(&myself, number, PidfdGetfdFlags::empty()).map_err(doing())
}

/// Sends one datagram of the sd_notify(3) protocol.
pub(super) fn tell(path: &Path, text: &[u8], along: &[BorrowedFd<'_>]) -> Result<(), Error> {
    let doing = || Error::when::<rustix::io::Errno>(format!("tell the init at {}", path.display()));
    let bytes = path.as_os_str().as_encoded_bytes();
    // As sd_notify(3) has it, `@` stands for the NUL of a name that is no path.
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name),
        None => SocketAddrUnix::new(path),
    };
    let address = address.map_err(doing())?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None);
    let socket = socket.map_err(doing())?;
    rustix::net::connect(&socket, &address).map_err(doing())?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !along.is_empty() && !control.push(SendAncillaryMessage::ScmRights(along)) {
        return Err(doing()(rustix::io::Errno::TOOBIG));
    }
    rustix::net::sendmsg(&socket, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL)
        .map_err(doing())?;
    Ok(())
}

/// Waits until the init has read what it was told, at most for five seconds: it closes what comes with `BARRIER=1`
/// (sd_notify_barrier(3)).
pub(super) fn wait_until_read(path: &Path) -> Result<(), Error> {
    let doing =
        || Error::when::<rustix::io::Errno>("wait until the init has read what it was told".to_owned());
    let (closed, open) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(doing())?;
    tell(path, b"BARRIER=1", &[open.as_fd()])?;
    drop(open);
    let end = Timespec { tv_sec: 5, tv_nsec: 0 };
    let _ = rustix::event::poll(&mut [PollFd::new(&closed, PollFlags::IN)], Some(&end));
    Ok(())
}
