//! System calls that are granted with some arguments and not with others.
//!
//! A filter sees registers alone. The kernel takes flags and modes from the low half of theirs, so that is what is
//! compared.

use super::table::number;
use super::{Beyond, Sockets};
use syscalls::x86_64::Sysno::*;

/// A question about one argument, or the end of asking.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The call goes through.
    Allow,
    /// It fails with this errno.
    Fail(u16),
    /// Whether the argument, with only the bits of the mask kept, is one of the values.
    IsOneOf { argument: u8, mask: u32, values: Vec<u32>, then: Box<Check>, otherwise: Box<Check> },
    /// Whether the argument has any of the bits.
    HasAnyOf { argument: u8, bits: u32, then: Box<Check>, otherwise: Box<Check> },
}

pub const EPERM: u16 = 1;
pub const ENOSYS: u16 = 38;
pub const EAFNOSUPPORT: u16 = 97;

const ALL: u32 = u32::MAX;

// linux/socket.h
const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const AF_NETLINK: u32 = 16;
const AF_PACKET: u32 = 17;
const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const SOCK_RAW: u32 = 3;
const SOCK_SEQPACKET: u32 = 5;
/// All but `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
const SOCK_TYPE: u32 = !0o2004000;
const NETLINK_ROUTE: u32 = 0;
const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
const MSG_FASTOPEN: u32 = 0x2000_0000;

/// Children for the init.
const CLONE_PARENT: u32 = 0x8000;
/// `CLONE_NEW*`, and no children for the init.
const CLONE_BEYOND: u32 = 0x7e02_0000 | CLONE_PARENT;
const SET_ID: u32 = 0o6000;
/// A file in memory that stays without the right to be executed (memfd_create(2)).
const MFD_NOEXEC_SEAL: u32 = 8;
/// A listener decides calls in place of the kernel.
const SECCOMP_FILTER_FLAG_NEW_LISTENER: u32 = 8;
/// `O_CREAT` or `__O_TMPFILE`: only then is there a mode.
const O_MAKES: u32 = 0o100 | 0o20_000_000;

/// Terminal injection: `TIOCSTI`, `TIOCLINUX`.
const IOCTL_REFUSED: [u32; 2] = [0x5412, 0x541c];

/// What a process may say about itself (linux/prctl.h).
#[rustfmt::skip]
const PRCTL: [u32; 26] = [
    1, 2,               // PR_SET_PDEATHSIG, PR_GET_PDEATHSIG
    3, 4,               // PR_GET_DUMPABLE, PR_SET_DUMPABLE
    7, 8,               // PR_GET_KEEPCAPS, PR_SET_KEEPCAPS
    15, 16,             // PR_SET_NAME, PR_GET_NAME
    21, 22,             // PR_GET_SECCOMP, PR_SET_SECCOMP
    23, 24,             // PR_CAPBSET_READ, PR_CAPBSET_DROP
    27,                 // PR_GET_SECUREBITS
    29, 30,             // PR_SET_TIMERSLACK, PR_GET_TIMERSLACK
    36, 37,             // PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER
    38, 39,             // PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS
    40,                 // PR_GET_TID_ADDRESS
    41, 42,             // PR_SET_THP_DISABLE, PR_GET_THP_DISABLE
    47,                 // PR_CAP_AMBIENT
    65, 66,             // PR_SET_MDWE, PR_GET_MDWE
    0x5356_4d41,        // PR_SET_VMA: names of anonymous memory
];

/// Socket options that put other protocols or programs of the kernel's on a socket: (level, option).
const SOCKET_OPTIONS_REFUSED: [(u32, &[u32]); 2] = [
    // SOL_SOCKET: SO_BINDTODEVICE, SO_ATTACH_FILTER, SO_MARK, SO_LOCK_FILTER, SO_ATTACH_BPF, _REUSEPORT_CBPF,
    // _REUSEPORT_EBPF, SO_BINDTOIFINDEX: on a passed socket they would outlive the service.
    (1, &[25, 26, 36, 44, 50, 51, 52, 62]),
    (IPPROTO_TCP, &[30, 31]), // TCP_FASTOPEN_CONNECT, TCP_ULP
];

fn one_of(argument: u8, mask: u32, values: &[u32], then: Check, otherwise: Check) -> Check {
    Check::IsOneOf { argument, mask, values: values.to_vec(), then: then.into(), otherwise: otherwise.into() }
}

fn refuse_bits(argument: u8, bits: u32) -> Check {
    Check::HasAnyOf { argument, bits, then: Check::Fail(EPERM).into(), otherwise: Check::Allow.into() }
}

/// Without one of the bits it is as if the kernel had no such call: programs fall back.
fn needs_bits(argument: u8, bits: u32) -> Check {
    Check::HasAnyOf { argument, bits, then: Check::Allow.into(), otherwise: Check::Fail(ENOSYS).into() }
}

fn only(argument: u8, values: &[u32]) -> Check {
    one_of(argument, ALL, values, Check::Allow, Check::Fail(EPERM))
}

/// Returns the checked calls.
pub fn all(sockets: Sockets, beyond: &Beyond) -> Vec<(u32, Check)> {
    let made_by = |flags: u8, mode: u8| Check::HasAnyOf {
        argument: flags,
        bits: O_MAKES,
        then: refuse_bits(mode, SET_ID).into(),
        otherwise: Check::Allow.into(),
    };
    let checks = [
        (socket, socket_check(sockets, beyond)),
        (socketpair, one_of(0, ALL, &[AF_UNIX], unix_kinds(), Check::Fail(EAFNOSUPPORT))),
        (setsockopt, socket_options(beyond)),
        (sendto, refuse_bits(3, MSG_FASTOPEN)),
        (sendmsg, refuse_bits(2, MSG_FASTOPEN)),
        (sendmmsg, refuse_bits(3, MSG_FASTOPEN)),
        (clone, refuse_bits(0, if beyond.makes_namespaces() { CLONE_PARENT } else { CLONE_BEYOND })),
        (ioctl, one_of(1, ALL, &IOCTL_REFUSED, Check::Fail(EPERM), Check::Allow)),
        // F_SETLEASE, F_NOTIFY: a reader could hold up whoever writes.
        (fcntl, one_of(1, ALL, &[1024, 1026], Check::Fail(EPERM), Check::Allow)),
        (prctl, only(0, &PRCTL)),
        // Otherwise what a service writes into memory is a program, past every mount without `exec` and past Landlock.
        (memfd_create, needs_bits(1, MFD_NOEXEC_SEAL)),
        (seccomp, refuse_bits(1, SECCOMP_FILTER_FLAG_NEW_LISTENER)),
        // What it is, and PER_LINUX.
        (personality, only(0, &[0, u32::MAX])),
        (open, made_by(1, 2)),
        (openat, made_by(2, 3)),
        (creat, refuse_bits(1, SET_ID)),
        (chmod, refuse_bits(1, SET_ID)),
        (fchmod, refuse_bits(1, SET_ID)),
        (fchmodat, refuse_bits(2, SET_ID)),
        (fchmodat2, refuse_bits(2, SET_ID)),
        (mkdir, refuse_bits(1, SET_ID)),
        (mkdirat, refuse_bits(2, SET_ID)),
        (mknod, refuse_bits(1, SET_ID)),
        (mknodat, refuse_bits(2, SET_ID)),
    ];
    checks.map(|(call, check)| (number(call), check)).into()
}

fn unix_kinds() -> Check {
    one_of(1, SOCK_TYPE, &[SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET], Check::Allow, Check::Fail(EPERM))
}

/// Any family that is not granted is one that this kernel does not have; so are MPTCP and raw sockets of a granted one.
fn socket_check(sockets: Sockets, beyond: &Beyond) -> Check {
    let mut families = vec![(vec![AF_UNIX], unix_kinds())];
    let internet = internet_kinds(sockets, beyond.sees_packets());
    if internet != Check::Fail(EPERM) {
        families.push((vec![AF_INET, AF_INET6], internet));
    }
    if beyond.talks_to_the_kernel() {
        families.push((vec![AF_NETLINK], Check::Allow));
    } else if sockets.routes {
        families.push((vec![AF_NETLINK], only(2, &[NETLINK_ROUTE])));
    }
    if beyond.sees_packets() {
        families.push((vec![AF_PACKET], Check::Allow));
    }
    families.into_iter().rev().fold(Check::Fail(EAFNOSUPPORT), |otherwise, (family, kinds)| {
        one_of(0, ALL, &family, kinds, otherwise)
    })
}

fn internet_kinds(Sockets { tcp, udp, .. }: Sockets, raw: bool) -> Check {
    let mut kinds = Vec::new();
    if tcp {
        kinds.push((SOCK_STREAM, only(2, &[0, IPPROTO_TCP])));
    }
    if udp {
        kinds.push((SOCK_DGRAM, only(2, &[0, IPPROTO_UDP])));
    }
    if raw {
        kinds.push((SOCK_RAW, Check::Allow));
    }
    kinds.into_iter().rev().fold(Check::Fail(EPERM), |otherwise, (kind, protocols)| {
        one_of(1, SOCK_TYPE, &[kind], protocols, otherwise)
    })
}

fn socket_options(beyond: &Beyond) -> Check {
    if beyond.sees_packets() || beyond.talks_to_the_kernel() {
        return Check::Allow;
    }
    SOCKET_OPTIONS_REFUSED.iter().fold(Check::Allow, |otherwise, (level, options)| {
        let at_level = one_of(2, ALL, options, Check::Fail(EPERM), Check::Allow);
        one_of(1, ALL, &[*level], at_level, otherwise)
    })
}
