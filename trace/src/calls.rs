//! System calls, and what of the machine each of them used once it has succeeded.

use super::memory::{self, Address};
use super::uses::{Access, Use, Uses};
use nix::unistd::Pid;
use std::path::PathBuf;
use syscalls::x86_64::Sysno;

/// `AT_FDCWD`.
const HERE: u64 = -100i64 as u64;
const WRITES: u64 = 0o3;
const CREATES: u64 = 0o100;
const TRUNCATES: u64 = 0o1000;
/// `O_PATH`: names something, and opens nothing of it.
const NAMES: u64 = 0o10_000_000;
const PROT_EXEC: u64 = 4;
const MAP_ANONYMOUS: u64 = 0x20;
const SOCKET_OR_FIFO: [u64; 2] = [0o140000, 0o010000];

/// A call that has begun.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number.
    number: u32,
    arguments: [u64; 6],
    /// Paths that mean something only before it is done.
    paths: Vec<PathBuf>,
    /// Whether what it opens was there before.
    was_there: bool,
    /// By which name it opens or executes something, links and all.
    asked: Option<PathBuf>,
}

impl Call {
    /// Takes down a call as it begins.
    pub fn begins(pid: Pid, number: u64, arguments: [u64; 6]) -> Self {
        let number = number as u32;
        let [a, b, c, d, ..] = arguments;
        let at = |directory: u64, path: u64| memory::path(pid, directory, path);
        let paths: Vec<Option<PathBuf>> = match Sysno::new(number as usize) {
            Some(Sysno::open | Sysno::creat | Sysno::execve) => vec![at(HERE, a)],
            Some(Sysno::openat | Sysno::openat2 | Sysno::execveat) => vec![at(a, b)],
            Some(Sysno::mkdir | Sysno::unlink | Sysno::rmdir | Sysno::mknod | Sysno::truncate) => {
                vec![at(HERE, a)]
            }
            Some(Sysno::chmod | Sysno::chown | Sysno::lchown | Sysno::utimes | Sysno::utime) => {
                vec![at(HERE, a)]
            }
            Some(Sysno::mkdirat | Sysno::unlinkat | Sysno::mknodat | Sysno::fchmodat | Sysno::fchownat) => {
                vec![at(a, b)]
            }
            Some(Sysno::utimensat) if b != 0 => vec![at(a, b)],
            Some(Sysno::rename | Sysno::link) => vec![at(HERE, a), at(HERE, b)],
            Some(Sysno::symlink) => vec![at(HERE, b)],
            Some(Sysno::symlinkat) => vec![at(b, c)],
            Some(Sysno::renameat | Sysno::renameat2 | Sysno::linkat) => vec![at(a, b), at(c, d)],
            _ => Vec::new(),
        };
        let paths: Vec<PathBuf> = paths.into_iter().flatten().collect();
        let was_there = paths.first().is_none_or(|path| path.exists());
        let asked = match Sysno::new(number as usize) {
            Some(Sysno::open | Sysno::creat | Sysno::execve) => memory::asked(pid, HERE, a),
            Some(Sysno::openat | Sysno::openat2 | Sysno::execveat) => memory::asked(pid, a, b),
            _ => None,
        };
        Self { number, arguments, paths, was_there, asked }
    }

    /// Adds what a call executed that has become another program, of which this is the file without links.
    pub fn became(self, pid: Pid, program: PathBuf, uses: &mut Uses) {
        let script = self.paths.first().and_then(|path| path.canonicalize().ok());
        let mut executed = |path: PathBuf| {
            uses.add(Use::File(path, Access::Execute), "execve", || memory::name(pid));
        };
        // Of a script the program is its interpreter, by a name that stands in it.
        if let Some(script) = script.as_ref().filter(|script| **script != program) {
            executed(script.clone());
        }
        executed(program.clone());
        if let Some(asked) = self.asked {
            uses.ask(script.as_ref().unwrap_or(&program), asked);
        }
    }

    /// Adds what a call used that has ended well with this result.
    pub fn ended(self, pid: Pid, result: u64, uses: &mut Uses) {
        let Some(call) = Sysno::new(self.number as usize) else { return };
        let [a, b, c, d, e, f] = self.arguments;
        if let (Some(asked), Some(path)) = (self.asked, memory::descriptor(pid, result)) {
            uses.ask(&path, asked);
        }
        let mut add = |used: Use| uses.add(used, call.name(), || memory::name(pid));
        let mut files = |paths: &[PathBuf], access: Access| {
            paths.iter().for_each(|path| add(Use::File(path.clone(), access)));
        };
        match call {
            Sysno::open | Sysno::openat | Sysno::creat | Sysno::openat2 => {
                let flags = match call {
                    Sysno::open => b,
                    Sysno::openat => c,
                    // Where an `open_how` lies in memory, and `creat` by its nature.
                    _ => CREATES | TRUNCATES | 1,
                };
                let Some(path) = memory::descriptor(pid, result) else { return };
                // Whoever walks along a path by its directories uses where it leads.
                if flags & NAMES != 0 && path.is_dir() {
                    return;
                }
                let mode = flags & WRITES;
                if mode != 1 {
                    files(std::slice::from_ref(&path), Access::Read);
                }
                if call != Sysno::openat2 && (mode != 0 || flags & TRUNCATES != 0) {
                    let made = flags & CREATES != 0 && !self.was_there;
                    files(&[path], if made { Access::Create } else { Access::Modify });
                }
            }
            Sysno::mkdir | Sysno::mkdirat | Sysno::symlink | Sysno::symlinkat => {
                files(&self.paths, Access::Create);
            }
            Sysno::mknod | Sysno::mknodat => {
                let mode = if call == Sysno::mknod { b } else { c } & 0o170000;
                let is_socket = SOCKET_OR_FIFO.contains(&mode);
                files(&self.paths, if is_socket { Access::Socket } else { Access::Create });
            }
            Sysno::unlink | Sysno::unlinkat | Sysno::rmdir => files(&self.paths, Access::Remove),
            Sysno::rename | Sysno::renameat | Sysno::renameat2 => {
                files(self.paths.get(..1).unwrap_or(&[]), Access::Remove);
                files(self.paths.get(1..).unwrap_or(&[]), Access::Create);
            }
            Sysno::link | Sysno::linkat => files(self.paths.get(1..).unwrap_or(&[]), Access::Create),
            Sysno::truncate
            | Sysno::chmod
            | Sysno::chown
            | Sysno::lchown
            | Sysno::utimes
            | Sysno::utime
            | Sysno::fchmodat
            | Sysno::fchownat
            | Sysno::utimensat => files(&self.paths, Access::Modify),
            Sysno::mmap if c & PROT_EXEC != 0 && d & MAP_ANONYMOUS == 0 => {
                files(memory::descriptor(pid, e).as_slice(), Access::Execute);
            }
            Sysno::connect => match memory::address(pid, b, c) {
                Some(Address::Path(path)) => add(Use::Socket(path)),
                Some(Address::Internet(to)) if memory::is_datagram(pid, a) => {
                    memory::socket(pid, a).into_iter().for_each(|socket| uses.name(socket, to));
                }
                Some(Address::Internet(to)) => add(Use::Connect(to)),
                None => {}
            },
            Sysno::bind => match memory::address(pid, b, c) {
                Some(Address::Path(path)) => add(Use::File(path, Access::Socket)),
                Some(Address::Internet(at)) if memory::is_datagram(pid, a) => add(Use::Udp(at)),
                Some(Address::Internet(at)) => add(Use::Bind(at)),
                None => {}
            },
            Sysno::sendto if e != 0 => {
                if let Some(Address::Internet(to)) = memory::address(pid, e, f) {
                    add(Use::Udp(to));
                }
            }
            Sysno::sendto | Sysno::sendmsg | Sysno::sendmmsg => {
                let named = memory::socket(pid, a).and_then(|socket| uses.named(&socket));
                named.into_iter().for_each(|to| uses.add(Use::Udp(to), call.name(), || memory::name(pid)));
            }
            _ => add(Use::Call(self.number)),
        }
    }

    /// Returns whether it replaces the program.
    pub fn is_exec(&self) -> bool {
        matches!(Sysno::new(self.number as usize), Some(Sysno::execve | Sysno::execveat))
    }

    /// Returns whether a result may still count as a success: a connection may be under way, and who makes a directory
    /// that is there has what it wants.
    pub fn went_well(&self, result: i64) -> bool {
        const EEXIST: i64 = 17;
        const EINPROGRESS: i64 = 115;
        let enough = match Sysno::new(self.number as usize) {
            Some(Sysno::connect) => EINPROGRESS,
            Some(Sysno::mkdir | Sysno::mkdirat) => EEXIST,
            _ => return result >= 0,
        };
        result >= 0 || result == -enough
    }
}
