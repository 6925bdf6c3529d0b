//! Making the sockets that services are handed, and making them good again.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};

use crate::plan::Address;

/// How many connections may queue up while a service starts or restarts.
const BACKLOG: i32 = 4096;
/// More messages than any socket's buffer holds.
const DRAIN: usize = 65_536;

/// To whom a socket's file belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The supervisor itself.
    Own,
    /// The maker of a facet.
    Other(u32, u32),
}

/// Binds a socket and, where it is of a kind that does, listens.
pub(crate) fn listen(address: &Address) -> io::Result<OwnedFd> {
    match address {
        Address::Tcp(address) => {
            let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
            let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            if address.is_ipv6() {
                sockopt::set_ipv6_v6only(&socket, true)?;
            }
            rustix::net::bind(&socket, address)?;
            rustix::net::listen(&socket, BACKLOG)?;
            Ok(socket)
        }
        Address::Udp(address) => {
            // Without SO_REUSEADDR: for UDP it would let another process take the datagrams.
            let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
            let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
            if address.is_ipv6() {
                sockopt::set_ipv6_v6only(&socket, true)?;
            }
            rustix::net::bind(&socket, address)?;
            Ok(socket)
        }
        Address::Unix(path) => listen_unix(path, Owner::Own),
    }
}

/// Binds a stream socket that everybody who can see its file may connect to.
pub(crate) fn listen_unix(path: &Path, owner: Owner) -> io::Result<OwnedFd> {
    remove_left_over(path)?;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind_with_mode(&socket, path, 0o666)?;
    if let Owner::Other(uid, gid) = owner {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Binds the socket on which launchers and services report.
pub(crate) fn notify(path: &Path) -> io::Result<OwnedFd> {
    remove_left_over(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    // INVARIANT: before the socket has a name, so that no datagram comes without its sender's number.
    sockopt::set_socket_passcred(&socket, true)?;
    bind_with_mode(&socket, path, 0o666)?;
    Ok(socket)
}

/// Binds the socket by which its owner asks how things are.
pub(crate) fn control(path: &Path) -> io::Result<OwnedFd> {
    remove_left_over(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind_with_mode(&socket, path, 0o600)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Binds the socket on which ends of channels are asked for, by its owner alone.
pub(crate) fn requests(path: &Path) -> io::Result<OwnedFd> {
    // Only one keeper is running at a time; what an earlier one left is nobody's.
    if is_socket(path) {
        std::fs::remove_file(path)?;
    }
    let kind = SocketType::SEQPACKET;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    bind_with_mode(&socket, path, 0o600)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Connects to a stream socket.
pub(crate) fn connect(path: &Path) -> io::Result<OwnedFd> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    connect_to(&socket, path)?;
    Ok(socket)
}

/// Connects a socket to a path.
pub(crate) fn connect_to(socket: &OwnedFd, path: &Path) -> io::Result<()> {
    with_address(path, |address| Ok(rustix::net::connect(socket, address)?))
}

/// Binds a socket whose file has a mode. It is the socket's before it has a name (unix(7)), so that
/// no path is walked a second time for it.
fn bind_with_mode(socket: &OwnedFd, path: &Path, mode: u32) -> io::Result<()> {
    rustix::fs::fchmod(socket, Mode::from_raw_mode(mode))?;
    let mask = rustix::process::umask(Mode::empty());
    let bound = bind_unix(socket, path);
    rustix::process::umask(mask);
    bound
}

/// Makes both ends of a channel.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

/// Tells whether a socket that was bound is still as good as new: a service may have shut it down or unlinked it.
pub(crate) fn is_sound(socket: BorrowedFd<'_>, address: &Address) -> bool {
    let listens = || sockopt::socket_acceptconn(socket).unwrap_or(false);
    match address {
        Address::Tcp(_) => listens(),
        Address::Udp(_) => true,
        Address::Unix(path) => listens() && is_socket(path),
    }
}

/// Takes away what the last user of a socket may have set on it for good.
pub(crate) fn make_blocking(socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(socket)?;
    Ok(rustix::fs::fcntl_setfl(socket, flags - OFlags::NONBLOCK)?)
}

/// Discards what is queued in a socket.
///
/// No room is given for descriptors, so the kernel closes those in the queue without their ever being open here.
pub(crate) fn drain(socket: BorrowedFd<'_>) {
    for _ in 0..DRAIN {
        let mut nowhere = RecvAncillaryBuffer::default();
        match rustix::net::recvmsg(socket, &mut [], &mut nowhere, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            // An end of the stream reads as an empty message, and so does an empty message; none is queued after 64 Ki.
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Removes a socket that nobody listens on; anything else is left where it is, and binding will say so.
fn remove_left_over(path: &Path) -> io::Result<()> {
    if is_socket(path) && nobody_answers(path) { std::fs::remove_file(path) } else { Ok(()) }
}

pub(crate) fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

fn nobody_answers(path: &Path) -> bool {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let refused = |kind| {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
        with_address(path, |address| rustix::net::connect(&socket, address).map_err(io::Error::from))
    };
    [SocketType::STREAM, SocketType::DGRAM].into_iter().all(|kind| {
        refused(kind).is_err_and(|error| {
            // The other kind of socket answers with "wrong type", a dead one of either kind with "refused".
            error.kind() == io::ErrorKind::ConnectionRefused
                || error.raw_os_error() == Some(Errno::PROTOTYPE.raw_os_error())
        })
    })
}

fn bind_unix(socket: &OwnedFd, path: &Path) -> io::Result<()> {
    with_address(path, |address| Ok(rustix::net::bind(socket, address)?))
}

/// Calls `with` with the address of a path; one too long for an address is reached through its directory.
fn with_address(path: &Path, with: impl FnOnce(&SocketAddrUnix) -> io::Result<()>) -> io::Result<()> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return with(&address);
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let directory =
        rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_fd().as_raw_fd().to_string()).join(name);
    with(&SocketAddrUnix::new(short)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    use std::io::{IoSlice, Read};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    fn directory(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("capc-sockets-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_drained_channel_holds_no_message_and_no_descriptor() {
        let (one, other) = pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        for text in ["", "first", "", "second"] {
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut buffer = SendAncillaryBuffer::new(&mut space);
            let rights = [writer.as_fd()];
            assert!(buffer.push(SendAncillaryMessage::ScmRights(&rights)));
            rustix::net::sendmsg(&one, &[IoSlice::new(text.as_bytes())], &mut buffer, SendFlags::empty())
                .unwrap();
        }
        drop(writer);
        drain(other.as_fd());
        assert_eq!(rustix::net::recv(&other, &mut [0; 8], RecvFlags::DONTWAIT).unwrap_err(), Errno::AGAIN);
        // The pipe ends only if every copy of its writing end is closed.
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn draining_ends_though_the_stream_has_ended() {
        let (one, other) = pair().unwrap();
        drop(one);
        drain(other.as_fd());
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_living_one_or_a_file_is_not() {
        let place = directory("left-over");
        let path = place.join("s");
        drop(UnixListener::bind(&path).unwrap());
        let living = listen_unix(&path, Owner::Own).unwrap();
        assert_eq!(listen_unix(&path, Owner::Own).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(notify(&path).is_err());
        drop(living);
        let living = notify(&path).unwrap();
        assert!(listen_unix(&path, Owner::Own).is_err());
        drop(living);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "x").unwrap();
        assert!(listen_unix(&path, Owner::Own).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
        std::fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn a_path_may_be_longer_than_an_address() {
        let place = directory("long");
        let deep = place.join("d".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("notify");
        let _socket = notify(&path).unwrap();
        assert!(UnixDatagram::bind(&path).is_err() && is_socket(&path));
        std::fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn a_socket_that_was_shut_down_or_unlinked_is_not_sound() {
        let place = directory("sound");
        let path = place.join("s");
        let address = Address::Unix(path.clone());
        let socket = listen(&address).unwrap();
        assert!(is_sound(socket.as_fd(), &address));
        UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!is_sound(socket.as_fd(), &address));
        let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
        let socket = listen(&address).unwrap();
        assert!(is_sound(socket.as_fd(), &address));
        rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).unwrap();
        assert!(!is_sound(socket.as_fd(), &address));
        std::fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn both_families_share_a_port() {
        let any = listen(&Address::Tcp("[::]:0".parse().unwrap())).unwrap();
        let port = match std::net::TcpListener::from(any.try_clone().unwrap()).local_addr().unwrap() {
            std::net::SocketAddr::V6(address) => address.port(),
            std::net::SocketAddr::V4(address) => panic!("{address}"),
        };
        listen(&Address::Tcp(format!("0.0.0.0:{port}").parse().unwrap())).unwrap();
    }
}
