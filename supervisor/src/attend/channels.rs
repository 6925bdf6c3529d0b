//! Socket pairs for an init that has none: kept in its store of descriptors, handed out over a socket that is root's alone.
//!
//! The store is that of sd_pid_notify_with_fds(3). A pair lives as long as it is granted: one that the plan has no more is
//! taken out, one that it has is the same after a restart of its keeper.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sockopt,
};
use sha2::{Digest, Sha256};

use super::{FIRST, channels_path, facets, passing};
use crate::error::Error;
use crate::plan::{Channel, Plan};
use crate::sockets;

/// The longest request: two names and a NUL.
const REQUEST: usize = 8192;

/// An end of a channel: its service, and the name that it knows the end by.
type EndName = (String, String);

/// One end of a pair.
struct End {
    socket: OwnedFd,
    /// Whether somebody has had it: what is queued in it then is his. Before that it is for who comes first, and waits for him.
    was_given: bool,
}

/// Keeps the channels of a plan and hands out their ends, until it is killed.
///
/// `stored` are the names of the descriptors that the init passed from 3 on.
///
/// # Errors
/// When the socket cannot be bound or the init does not listen.
pub fn keep_channels(plan: &Plan, runtime: &Path, stored: &[String], notify: &Path) -> Result<(), Error> {
    facets::make_runtime(runtime)?;
    let mut kept = BTreeMap::new();
    for (name, number) in stored.iter().zip(FIRST..) {
        kept.insert(name.clone(), passing::inherited(number)?);
    }
    let mut ends: BTreeMap<EndName, End> = BTreeMap::new();
    for channel in &plan.channels {
        let [maker_key, holder_key] = keys(channel);
        let (maker, holder, was_given) = match (kept.remove(&maker_key), kept.remove(&holder_key)) {
            // Who had them from an earlier keeper is not known.
            (Some(maker), Some(holder)) => (maker, holder, true),
            // One end without the other is no channel.
            _ => {
                let (maker, holder) = sockets::pair().map_err(Error::when("make a channel"))?;
                store(notify, &maker_key, maker.as_fd())?;
                store(notify, &holder_key, holder.as_fd())?;
                (maker, holder, false)
            }
        };
        let both =
            [(&channel.maker, &channel.maker_name, maker), (&channel.holder, &channel.holder_name, holder)];
        ends.extend(
            both.map(|(service, name, socket)| ((service.clone(), name.clone()), End { socket, was_given })),
        );
    }
    for name in kept.into_keys() {
        passing::tell(notify, format!("FDSTOREREMOVE=1\nFDNAME={name}").as_bytes(), &[])?;
    }
    let path = channels_path(runtime);
    let socket = sockets::requests(&path).map_err(Error::when(format!("bind {}", path.display())))?;
    passing::tell(notify, b"READY=1", &[])?;
    loop {
        // Whoever asks wrongly, or goes away, is nobody's harm but his own.
        if let Ok(asking) = rustix::net::accept_with(&socket, SocketFlags::CLOEXEC) {
            let _ = answer(asking.as_fd(), &mut ends);
        }
    }
}

/// Puts a descriptor into the init's store, in place of another of that name.
fn store(notify: &Path, name: &str, descriptor: BorrowedFd<'_>) -> Result<(), Error> {
    passing::tell(notify, format!("FDSTOREREMOVE=1\nFDNAME={name}").as_bytes(), &[])?;
    passing::tell(notify, format!("FDSTORE=1\nFDNAME={name}").as_bytes(), &[descriptor])
}

/// Returns the names of both ends in the init's store, which takes no names of arbitrary letters and lengths.
fn keys(channel: &Channel) -> [String; 2] {
    let mut hash = Sha256::new();
    for part in [&channel.maker, &channel.maker_name, &channel.holder, &channel.holder_name] {
        hash.update(part);
        hash.update([0]);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    [format!("maker-{digest}"), format!("holder-{digest}")]
}

/// Answers one request: the end, without what was queued in it for whoever had it before.
fn answer(asking: BorrowedFd<'_>, ends: &mut BTreeMap<EndName, End>) -> rustix::io::Result<()> {
    let peer = sockopt::socket_peercred(asking)?;
    if peer.uid != rustix::process::geteuid() {
        return Ok(());
    }
    sockopt::set_socket_timeout(asking, sockopt::Timeout::Recv, Some(std::time::Duration::from_secs(1)))?;
    let mut request = [0; REQUEST];
    let (_, length) = rustix::net::recv(asking, &mut request, RecvFlags::empty())?;
    let request = request.get(..length).and_then(|request| std::str::from_utf8(request).ok());
    let end = request
        .and_then(|request| request.split_once('\0'))
        .and_then(|(service, name)| ends.get_mut(&(service.to_owned(), name.to_owned())));
    let Some(End { socket, was_given }) = end else { return Ok(()) };
    if std::mem::replace(was_given, true) {
        sockets::drain(socket.as_fd());
    }
    sockets::make_blocking(socket.as_fd()).map_err(|_| rustix::io::Errno::IO)?;
    let along = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if control.push(SendAncillaryMessage::ScmRights(&along)) {
        rustix::net::sendmsg(asking, &[std::io::IoSlice::new(b"1")], &mut control, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Asks for an end.
pub(super) fn fetch(runtime: &Path, service: &str, name: &str) -> Result<OwnedFd, Error> {
    let path: PathBuf = channels_path(runtime);
    let doing = || {
        Error::when::<std::io::Error>(format!(
            "get the channel `{name}` of `{service}` from {}",
            path.display()
        ))
    };
    let kind = SocketType::SEQPACKET;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    let socket = socket.map_err(|error| doing()(error.into()))?;
    sockets::connect_to(&socket, &path).map_err(doing())?;
    let request = format!("{service}\0{name}");
    rustix::net::send(&socket, request.as_bytes(), SendFlags::NOSIGNAL)
        .map_err(|error| doing()(error.into()))?;
    let end = receive(socket.as_fd()).map_err(|error| doing()(error.into()))?;
    let unknown =
        || doing()(std::io::Error::new(std::io::ErrorKind::NotFound, "its keeper knows no such end"));
    end.ok_or_else(unknown)
}

/// Takes the end that is the answer, if there is one.
fn receive(socket: BorrowedFd<'_>) -> rustix::io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let parts = &mut [IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(socket, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    Ok(control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_somebody_came_first_waits_for_him_and_for_nobody_after() {
        let (maker, holder) = sockets::pair().unwrap();
        let name = ("holder".to_owned(), "maker.talk".to_owned());
        let mut ends = BTreeMap::from([(name, End { socket: holder, was_given: false })]);
        let mut come = || {
            let (asking, answering) = sockets::pair().unwrap();
            rustix::net::send(&asking, b"holder\0maker.talk", SendFlags::empty()).unwrap();
            answer(answering.as_fd(), &mut ends).unwrap();
            let end = receive(asking.as_fd()).unwrap().unwrap();
            let mut heard = [0; 9];
            let length = rustix::net::recv(&end, &mut heard, RecvFlags::DONTWAIT).map(|(_, length)| length);
            length.map(|length| String::from_utf8_lossy(&heard[..length]).into_owned())
        };
        let say = |words: &[u8]| rustix::net::send(&maker, words, SendFlags::empty()).unwrap();
        say(b"early");
        assert_eq!(come(), Ok("early".to_owned()));
        say(b"late");
        assert_eq!(come(), Err(rustix::io::Errno::AGAIN));
    }

    #[test]
    fn who_asks_nonsense_gets_nothing_and_takes_nothing_from_who_comes_first() {
        let (maker, holder) = sockets::pair().unwrap();
        let name = ("holder".to_owned(), "maker.talk".to_owned());
        let mut ends = BTreeMap::from([(name.clone(), End { socket: holder, was_given: false })]);
        rustix::net::send(&maker, b"early", SendFlags::empty()).unwrap();
        let long = [b'x'; REQUEST + 1];
        for nonsense in
            [&b""[..], b"holder", b"\xff\0maker.talk", b"holder\0maker.talk\0", b"other\0maker.talk", &long]
        {
            let (asking, answering) = sockets::pair().unwrap();
            rustix::net::send(&asking, nonsense, SendFlags::empty()).unwrap();
            answer(answering.as_fd(), &mut ends).unwrap();
            drop(answering);
            assert!(receive(asking.as_fd()).unwrap().is_none(), "{nonsense:?}");
        }
        assert!(!ends[&name].was_given);
        let mut heard = [0; 9];
        rustix::net::recv(&ends[&name].socket, &mut heard, RecvFlags::DONTWAIT).unwrap();
        assert_eq!(&heard[..5], b"early");
    }
}
