//! Sockets: the notification socket, the keeper's pair, and the loopback device.

use super::files::text;
use super::{Answer, Errno, Fd, call, signed};
use core::ffi::CStr;
use linux_raw_sys::{general as k, ioctl, net};

const CLOSE_ON_EXEC: u32 = k::O_CLOEXEC;

/// Returns a datagram socket connected to a path, or to an abstract name after `@`.
pub fn connect_datagrams(path: &CStr) -> Answer<Fd> {
    // SAFETY: the structure is of plain numbers, for which zeros are good.
    let mut address: net::sockaddr_un = unsafe { core::mem::zeroed() };
    address.sun_family = net::AF_UNIX as u16;
    let bytes = path.to_bytes();
    let room = address.sun_path.get_mut(..bytes.len()).ok_or(Errno::ENAMETOOLONG)?;
    for (place, byte) in room.iter_mut().zip(bytes) {
        *place = *byte as core::ffi::c_char;
    }
    if let (Some(first), Some(b'@')) = (address.sun_path.first_mut(), bytes.first()) {
        *first = 0;
    }
    let fd = socket(net::AF_UNIX, net::SOCK_DGRAM)?;
    let length = size_of_val(&address.sun_family) + bytes.len();
    // SAFETY: the structure holds at least the length that is told.
    unsafe { call(k::__NR_connect, [signed(fd.number()), &raw const address as usize, length]) }?;
    Ok(fd)
}

fn socket(family: u32, kind: u32) -> Answer<Fd> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_socket, [family as usize, (kind | CLOSE_ON_EXEC) as usize, 0]) }.map(Fd::of)
}

/// Sends one datagram without waiting for room for ever.
pub fn send_datagram(socket: &Fd, bytes: &[u8]) -> Answer<()> {
    let (number, flags) = (signed(socket.number()), net::MSG_NOSIGNAL as usize);
    loop {
        // SAFETY: the kernel reads at most the slice's length from it.
        match unsafe { call(k::__NR_sendto, [number, bytes.as_ptr() as usize, bytes.len(), flags, 0, 0]) } {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Sends one datagram with a copy of a descriptor.
pub fn send_along(socket: &Fd, bytes: &[u8], along: &Fd) -> Answer<()> {
    // `struct cmsghdr`, and one number behind it (cmsg(3)).
    #[repr(C)]
    struct Control {
        length: usize,
        level: u32,
        kind: u32,
        number: i32,
        padding: u32,
    }
    let mut control = Control {
        length: core::mem::offset_of!(Control, padding),
        level: net::SOL_SOCKET,
        kind: net::SCM_RIGHTS,
        number: along.number(),
        padding: 0,
    };
    let mut part = k::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() as u64 };
    let message = net::msghdr {
        msg_name: core::ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: (&raw mut part).cast(),
        msg_iovlen: 1,
        msg_control: (&raw mut control).cast(),
        msg_controllen: size_of::<Control>(),
        msg_flags: 0,
    };
    let arguments = [signed(socket.number()), &raw const message as usize, net::MSG_NOSIGNAL as usize];
    loop {
        // SAFETY: the kernel reads the message, whose parts are the slice and the structure with their true lengths.
        match unsafe { call(k::__NR_sendmsg, arguments) } {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Returns two connected ends that keep what is sent apart.
pub fn socket_pair() -> Answer<(Fd, Fd)> {
    pair(net::SOCK_SEQPACKET)
}

/// Returns two connected ends, like a pipe in both directions.
pub fn stream_pair() -> Answer<(Fd, Fd)> {
    pair(net::SOCK_STREAM)
}

fn pair(kind: u32) -> Answer<(Fd, Fd)> {
    let mut ends = [0_i32; 2];
    let arguments = [net::AF_UNIX as usize, (kind | CLOSE_ON_EXEC) as usize, 0, ends.as_mut_ptr() as usize];
    // SAFETY: the kernel fills in two numbers.
    unsafe { call(k::__NR_socketpair, arguments) }?;
    let [one, other] = ends;
    Ok((Fd(one), Fd(other)))
}

/// Brings the loopback device of this network namespace up.
pub fn raise_loopback() -> Answer<()> {
    // `struct ifreq`: a name of 16 bytes, then a union of 24 that begins with the flags.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }
    let mut request = Request { name: [0; 16], flags: 0, rest: [0; 22] };
    let text = text(c"lo") as *const u8;
    // SAFETY: `c"lo"` is three bytes long with its NUL, and the name has 16.
    unsafe { core::ptr::copy_nonoverlapping(text, request.name.as_mut_ptr(), 3) };
    let fd = socket(net::AF_INET, net::SOCK_DGRAM)?;
    let ask = |command: u32, request: &mut Request| {
        let arguments = [signed(fd.number()), command as usize, &raw mut *request as usize];
        // SAFETY: the kernel reads and writes one `ifreq`, whose 40 bytes the structure has.
        unsafe { call(k::__NR_ioctl, arguments) }.map(drop)
    };
    ask(ioctl::SIOCGIFFLAGS, &mut request)?;
    request.flags |= net::net_device_flags::IFF_UP as u16;
    ask(ioctl::SIOCSIFFLAGS, &mut request)
}
