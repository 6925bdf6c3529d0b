//! System calls that failed, and what each of them tried: as a process calls things in the world that it lives in.

use super::memory::{self, Address};
use super::uses::Access;
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use syscalls::x86_64::Sysno;

/// `AT_FDCWD`.
const HERE: u64 = -100i64 as u64;
const CREATES: u64 = 0o100;
const UNIX: u64 = 1;

/// Something that a process tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The process.
    pub pid: u32,
    /// Its name (comm of proc(5)).
    pub by: String,
    /// What it tried.
    pub tried: Tried,
    /// How it was refused.
    pub why: Why,
}

/// What a process tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// To use a file, by this name.
    File(PathBuf, Access),
    /// To give a file to somebody else.
    Owner(PathBuf),
    /// To connect to a unix socket at a path.
    Socket(PathBuf),
    /// To connect to a unix socket that has no path.
    Abstract(String),
    /// To connect over TCP.
    Connect(SocketAddr),
    /// To bind an address.
    Bind(SocketAddr),
    /// To make a socket of this family and kind.
    Family(u32, u32),
    /// To send a signal.
    Signal,
    /// To make this system call.
    Call(u32),
}

/// How something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there.
    Missing,
    /// It may not be changed.
    ReadOnly,
    /// It is not allowed.
    Denied,
}

/// Returns what a call tried that failed with this error; none where it means nothing of the world it was made in.
pub fn refusal(pid: Pid, number: u64, arguments: [u64; 6], error: i64) -> Option<Refusal> {
    let call = Sysno::new(usize::try_from(number).ok()?)?;
    let why = match error {
        // ENOENT, ESRCH, ENOTDIR.
        2 | 3 | 20 => Why::Missing,
        // EROFS.
        30 => Why::ReadOnly,
        // EPERM, EACCES.
        1 | 13 => Why::Denied,
        // EINVAL and EOVERFLOW: of an owner that the world does not know.
        22 | 75 if changes_owner(call) => Why::Denied,
        // EAFNOSUPPORT, ENETUNREACH, ECONNREFUSED.
        97 | 101 | 111 if matches!(call, Sysno::socket | Sysno::connect | Sysno::socketpair) => Why::Denied,
        // ENOSYS.
        38 if call == Sysno::memfd_create => Why::Denied,
        _ => return None,
    };
    let tried = tried(pid, call, arguments, why, error)?;
    Some(Refusal { pid: u32::try_from(pid.as_raw()).ok()?, by: memory::name(pid), tried, why })
}

fn changes_owner(call: Sysno) -> bool {
    matches!(call, Sysno::chown | Sysno::lchown | Sysno::fchownat | Sysno::fchown)
}

fn tried(pid: Pid, call: Sysno, arguments: [u64; 6], why: Why, error: i64) -> Option<Tried> {
    let [a, b, c, d, ..] = arguments;
    let at = |directory: u64, path: u64| memory::asked(pid, directory, path);
    let file = |path: Option<PathBuf>, access| Some(Tried::File(path?, access));
    match call {
        Sysno::open => opened(pid, at(HERE, a)?, b),
        Sysno::openat => opened(pid, at(a, b)?, c),
        Sysno::creat => opened(pid, at(HERE, a)?, CREATES | 1),
        Sysno::execve => file(at(HERE, a), Access::Execute),
        Sysno::execveat => file(at(a, b), Access::Execute),
        // Who only looks learns no more than that it is not there.
        Sysno::stat | Sysno::lstat | Sysno::access if why == Why::Missing => file(at(HERE, a), Access::Read),
        Sysno::newfstatat | Sysno::statx | Sysno::faccessat | Sysno::faccessat2 if why == Why::Missing => {
            file(at(a, b), Access::Read)
        }
        Sysno::stat | Sysno::lstat | Sysno::access => None,
        Sysno::newfstatat | Sysno::statx | Sysno::faccessat | Sysno::faccessat2 => None,
        Sysno::chdir if why == Why::Missing => file(at(HERE, a), Access::Read),
        Sysno::mkdir => file(at(HERE, a), Access::Create),
        Sysno::mkdirat => file(at(a, b), Access::Create),
        Sysno::symlink => file(at(HERE, b), Access::Create),
        Sysno::symlinkat => file(at(b, c), Access::Create),
        Sysno::link => file(at(HERE, b), Access::Create),
        Sysno::linkat => file(at(c, d), Access::Create),
        Sysno::mknod => file(at(HERE, a), Access::Socket),
        Sysno::mknodat => file(at(a, b), Access::Socket),
        // What is to be removed and is not there is gone.
        Sysno::unlink | Sysno::rmdir | Sysno::unlinkat if why == Why::Missing => None,
        Sysno::unlink | Sysno::rmdir => file(at(HERE, a), Access::Remove),
        Sysno::unlinkat => file(at(a, b), Access::Remove),
        Sysno::rename => file(at(HERE, b), Access::Create),
        Sysno::renameat | Sysno::renameat2 => file(at(c, d), Access::Create),
        Sysno::chown | Sysno::lchown if why == Why::Denied => Some(Tried::Owner(at(HERE, a)?)),
        Sysno::fchownat if why == Why::Denied => Some(Tried::Owner(at(a, b)?)),
        Sysno::fchown => Some(Tried::Owner(memory::descriptor(pid, a)?)),
        Sysno::truncate | Sysno::chmod | Sysno::chown | Sysno::lchown | Sysno::utime | Sysno::utimes => {
            file(at(HERE, a), Access::Modify)
        }
        Sysno::fchmodat | Sysno::fchownat | Sysno::utimensat => file(at(a, b), Access::Modify),
        Sysno::connect => match memory::address(pid, b, c) {
            Some(Address::Path(path)) if error != 111 => Some(Tried::Socket(path)),
            Some(Address::Internet(address)) if error == 13 || error == 101 => Some(Tried::Connect(address)),
            Some(_) => None,
            None => memory::abstract_name(pid, b, c).map(Tried::Abstract),
        },
        Sysno::bind => match memory::address(pid, b, c) {
            Some(Address::Path(path)) => Some(Tried::File(path, Access::Socket)),
            Some(Address::Internet(address)) => Some(Tried::Bind(address)),
            None => None,
        },
        Sysno::socket => Some(Tried::Family(u32::try_from(a).ok()?, u32::try_from(b & 0xf).ok()?)),
        Sysno::socketpair if a == UNIX => None,
        Sysno::kill | Sysno::tkill | Sysno::tgkill | Sysno::pidfd_send_signal => Some(Tried::Signal),
        _ if why == Why::Denied => Some(Tried::Call(u32::try_from(call.id()).ok()?)),
        _ => None,
    }
}

fn opened(pid: Pid, path: PathBuf, flags: u64) -> Option<Tried> {
    let inside = path.strip_prefix("/").unwrap_or(&path);
    let is_there = Path::new(&format!("/proc/{pid}/root")).join(inside).symlink_metadata().is_ok();
    let access = match flags & 0o3 {
        _ if flags & CREATES != 0 && !is_there => Access::Create,
        0 => Access::Read,
        _ => Access::Modify,
    };
    Some(Tried::File(path, access))
}
