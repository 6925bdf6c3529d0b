//! Sockets, of every family, and ways out of a network that has none.

use super::call::{at, call, io, so, tried};
use crate::aim::Aim;
use crate::attempt::{Attack, Attempt, attack};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The first descriptor that is passed (`LISTEN_FDS`, sd_listen_fds(3)).
const PASSED: i32 = 3;

pub const ALL: &[Attack] = &[
    attack("connect over TCP", |aim| greeted(TcpStream::connect(host(aim)))),
    attack("connect over TCP to the whole world", |_| {
        let far: SocketAddr = ([192, 0, 2, 1], 80).into();
        match TcpStream::connect_timeout(&far, Duration::from_millis(500)) {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Ok(()),
            other => io(other),
        }
    }),
    attack("send over UDP", |aim| {
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(|error| error.raw_os_error().unwrap_or(0))?;
        io(socket.set_read_timeout(Some(Duration::from_millis(500))))?;
        io(socket.send_to(b"?", host(aim)))?;
        io(socket.recv(&mut [0; 8]))
    }),
    attack("bind a port", |_| io(TcpListener::bind("0.0.0.0:0"))),
    attack("bind a port over UDP", |_| io(UdpSocket::bind("0.0.0.0:0"))),
    attack("listen on a port that nobody bound", |_| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        tried(libc::SYS_listen, [socket.as_raw_fd().into(), 1, 0, 0, 0, 0])
    }),
    attack("connect over IPv6", |aim| {
        greeted(TcpStream::connect(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, aim.port))))
    }),
    attack("connect in the first packet", |aim| {
        let (socket, address) = (socket(libc::AF_INET, libc::SOCK_STREAM, 0)?, address(aim.port));
        let number = socket.as_raw_fd().into();
        let flags = i64::from(libc::MSG_FASTOPEN);
        tried(libc::SYS_sendto, [number, at(b"?"), 1, flags, at(&address), 16])?;
        greeted(Ok(TcpStream::from(socket)))
    }),
    attack("connect over several paths", |aim| over(libc::SOCK_STREAM, libc::IPPROTO_MPTCP, aim)),
    attack("connect over SCTP", |aim| over(libc::SOCK_STREAM, libc::IPPROTO_SCTP, aim)),
    attack("turn a passed socket round and connect", |aim| {
        let address = address(aim.port);
        call(libc::SYS_shutdown, [PASSED.into(), i64::from(libc::SHUT_RDWR), 0, 0, 0, 0])?;
        call(libc::SYS_connect, [PASSED.into(), at(&address), 16, 0, 0, 0])?;
        // SAFETY: nobody else in this child knows the descriptor.
        greeted(Ok(TcpStream::from(unsafe { OwnedFd::from_raw_fd(PASSED) })))
    }),
    attack("turn a passed socket round and listen elsewhere", |aim| {
        let address = address(aim.port.wrapping_add(1));
        call(libc::SYS_shutdown, [PASSED.into(), i64::from(libc::SHUT_RDWR), 0, 0, 0, 0])?;
        call(libc::SYS_bind, [PASSED.into(), at(&address), 16, 0, 0, 0])?;
        tried(libc::SYS_listen, [PASSED.into(), 1, 0, 0, 0, 0])
    }),
    attack("connect to an abstract socket", |aim| {
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&aim.name);
        io(address.and_then(|address| UnixStream::connect_addr(&address)))
    }),
    attack("bear another's name over a socket", |_| credentials()),
    attack("send raw packets", |_| made(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    attack("send pings", |_| made(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)),
    attack("read all packets", |_| made(libc::AF_PACKET, libc::SOCK_RAW, 0)),
    attack("talk to the kernel about routes", |_| netlink(libc::NETLINK_ROUTE)),
    attack("talk to the kernel about devices", |_| netlink(libc::NETLINK_KOBJECT_UEVENT)),
    attack("talk to the kernel about audits", |_| netlink(libc::NETLINK_AUDIT)),
    attack("talk to the kernel about filters", |_| netlink(libc::NETLINK_NETFILTER)),
    attack("talk to the kernel about processes", |_| netlink(libc::NETLINK_CONNECTOR)),
    attack("talk to the kernel about sockets", |_| netlink(libc::NETLINK_SOCK_DIAG)),
    attack("talk to the kernel about anything", |_| netlink(libc::NETLINK_GENERIC)),
    attack("talk to the host of this machine", |_| made(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    attack("have the kernel encrypt", |_| made(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    attack("manage the kernel's keys for networks", |_| made(libc::AF_KEY, libc::SOCK_RAW, 2)),
    attack("talk over Bluetooth", |_| made(libc::AF_BLUETOOTH, libc::SOCK_RAW, 1)),
    attack("talk over a CAN bus", |_| made(libc::AF_CAN, libc::SOCK_RAW, 1)),
    attack("talk over TIPC", |_| made(libc::AF_TIPC, libc::SOCK_STREAM, 0)),
    attack("talk over RDS", |_| made(libc::AF_RDS, libc::SOCK_SEQPACKET, 0)),
    attack("bypass the kernel's network", |_| made(libc::AF_XDP, libc::SOCK_RAW, 0)),
    // AF_QIPCRTR.
    attack("talk to radio processors", |_| made(42, libc::SOCK_DGRAM, 0)),
    attack("talk over a line", |_| made(libc::AF_PPPOX, libc::SOCK_STREAM, 0)),
    attack("filter its own sockets with programs", |_| {
        // One instruction, "accept all" (socket(7), SO_ATTACH_FILTER).
        let program = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: u32::MAX }];
        let filter = libc::sock_fprog { len: 1, filter: program.as_ptr().cast_mut() };
        option(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, at(&filter), 16)
    }),
    attack("mark its packets", |_| option(libc::SOL_SOCKET, libc::SO_MARK, at(&1u32), 4)),
    attack("use more buffers than are allowed", |_| {
        option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, at(&(1u32 << 30)), 4)
    }),
    attack("list the machine's addresses", |_| {
        let socket = inet_or_unix()?;
        let mut list = [0u8; 4096];
        let request = [4096i64, list.as_mut_ptr() as i64];
        tried(libc::SYS_ioctl, [socket.as_raw_fd().into(), libc::SIOCGIFCONF as i64, at(&request), 0, 0, 0])?;
        // Its own loopback takes one entry of 40 bytes.
        so(request[0] as i32 > 40)
    }),
];

fn host(aim: &Aim) -> SocketAddr {
    ([127, 0, 0, 1], aim.port).into()
}

/// Returns 127.0.0.1 with a port, as the kernel has it.
fn address(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

/// Who is outside greets; what only this world has does not.
fn greeted(stream: std::io::Result<TcpStream>) -> Attempt {
    let mut stream = stream.map_err(|error| error.raw_os_error().unwrap_or(0))?;
    io(stream.set_read_timeout(Some(Duration::from_millis(500))))?;
    io(stream.read_exact(&mut [0]))
}

fn socket(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, i32> {
    let number = call(libc::SYS_socket, [family.into(), kind.into(), protocol.into(), 0, 0, 0])?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number as i32) })
}

fn made(family: i32, kind: i32, protocol: i32) -> Attempt {
    socket(family, kind, protocol).map(drop)
}

fn inet_or_unix() -> Result<OwnedFd, i32> {
    socket(libc::AF_INET, libc::SOCK_DGRAM, 0).or_else(|_| socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0))
}

fn over(kind: i32, protocol: i32, aim: &Aim) -> Attempt {
    let (socket, address) = (socket(libc::AF_INET, kind, protocol)?, address(aim.port));
    call(libc::SYS_connect, [socket.as_raw_fd().into(), at(&address), 16, 0, 0, 0])?;
    greeted(Ok(TcpStream::from(socket)))
}

fn netlink(protocol: i32) -> Attempt {
    made(libc::AF_NETLINK, libc::SOCK_RAW, protocol)
}

fn option(level: i32, name: i32, value: i64, length: i64) -> Attempt {
    let socket = inet_or_unix()?;
    tried(libc::SYS_setsockopt, [socket.as_raw_fd().into(), level.into(), name.into(), value, length, 0])
}

/// Sends the first process's name in place of its own (unix(7), SCM_CREDENTIALS).
fn credentials() -> Attempt {
    let (near, _far) = UnixStream::pair().map_err(|error| error.raw_os_error().unwrap_or(0))?;
    let mut control = [0u64; 4];
    // A `cmsghdr` of 16 bytes and a `ucred` of 12.
    control[0] = 28;
    control[1] = u64::from(libc::SOL_SOCKET as u32) | (libc::SCM_CREDENTIALS as u64) << 32;
    control[2] = 1;
    let mut byte = *b"?";
    let data = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: nothing but numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = std::ptr::from_ref(&data).cast_mut();
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = 32;
    tried(libc::SYS_sendmsg, [near.as_raw_fd().into(), at(&message), 0, 0, 0, 0])
}
