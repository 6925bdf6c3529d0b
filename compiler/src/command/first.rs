//! What the first process of a machine does first: it makes what services need and the kernel does not make by itself.
//!
//! A kernel starts its first process in an initramfs with nothing mounted, on a root where no world can be made.
//! In a container all of this is for the engine, and nothing here is done.

use super::{Failure, memory};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen, move_mount,
};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::system::RebootCommand;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// The machine's own PID namespace, by the number that the kernel gives it (`PROC_PID_INIT_INO`).
const OF_MACHINE: &[u8] = b"pid:[4026531836]";

/// A file system that the kernel makes out of nothing, and where everybody looks for it.
struct Kept {
    at: &'static str,
    kind: &'static str,
    mode: Option<&'static str>,
    attributes: MountAttrFlags,
}

const NO_PROGRAMS: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);
const INERT: MountAttrFlags = NO_PROGRAMS.union(MountAttrFlags::MOUNT_ATTR_NODEV);

const ROOT: Kept = Kept { at: "/", kind: "tmpfs", mode: Some("0755"), attributes: MountAttrFlags::empty() };
const PROC: Kept = Kept { at: "/proc", kind: "proc", mode: None, attributes: INERT };
/// Where services can be held to limits together; a kernel may have been built without.
const GROUPS: Kept = Kept { at: "/sys/fs/cgroup", kind: "cgroup2", mode: None, attributes: INERT };
const KEPT: [Kept; 4] = [
    PROC,
    Kept { at: "/sys", kind: "sysfs", mode: None, attributes: INERT },
    Kept { at: "/dev", kind: "devtmpfs", mode: None, attributes: NO_PROGRAMS },
    Kept { at: "/run", kind: "tmpfs", mode: Some("0755"), attributes: INERT },
];

/// Returns whether this is the first process of a machine, and not only of a container.
pub fn is_first_of_machine() -> bool {
    if !rustix::process::getpid().is_init() {
        return false;
    }
    // With no /proc, one that is attached nowhere says it; in a container it is the container's own.
    let name = rustix::fs::readlink("/proc/self/ns/pid", Vec::new())
        .or_else(|_| rustix::fs::readlinkat(PROC.make()?, "self/ns/pid", Vec::new()));
    name.is_ok_and(|name| name.as_bytes() == OF_MACHINE)
}

/// Leaves the root of an initramfs, by starting again with the same arguments; mounts what is not mounted yet; starts the
/// loopback interface; and takes Ctrl-Alt-Del.
///
/// # Errors
/// When the kernel refuses any of it.
pub fn make_ready(arguments: &[OsString]) -> Result<(), Failure> {
    let refused = |what: String| move |error: Errno| Failure::refused(format!("cannot {what}: {error}"));
    let mounts = Mounts::read().map_err(refused("see what is mounted".to_owned()))?;
    if mounts.root_is_the_first() {
        return Err(start_in_memory(&mounts, arguments));
    }
    for kept in KEPT.iter().filter(|kept| !mounts.has(kept.at)) {
        match rustix::fs::mkdir(kept.at, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => {
                let what = format!("make the directory `{}`; make it in the machine's image", kept.at);
                return Err(refused(what)(error));
            }
        }
        let what = format!("mount {} at `{}`", kept.kind, kept.at);
        kept.mount().map_err(refused(what))?;
    }
    if !mounts.has(GROUPS.at) {
        // `up` says what holds services to their limits, and why nothing does.
        let _ = GROUPS.mount();
    }
    start_loopback().map_err(refused("start the loopback interface".to_owned()))?;
    // As SIGINT to the first process, which stops everything in order, and not as an end at once (reboot(2)).
    rustix::system::reboot(RebootCommand::CadOff).map_err(refused("take Ctrl-Alt-Del".to_owned()))
}

impl Kept {
    /// Returns it mounted, attached nowhere.
    fn make(&self) -> Result<OwnedFd, Errno> {
        let context = fsopen(self.kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        if let Some(mode) = self.mode {
            fsconfig_set_string(context.as_fd(), "mode", mode)?;
        }
        fsconfig_create(context.as_fd())?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, self.attributes)
    }

    /// Mounts it where everybody looks for it.
    fn mount(&self) -> Result<(), Errno> {
        move_mount(self.make()?, "", CWD, self.at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    }
}

/// What is mounted: a line each, as in proc(5).
#[derive(Default)]
pub struct Mounts(String);

impl Mounts {
    /// Reads it, also where no /proc is mounted.
    ///
    /// # Errors
    /// When the kernel makes no /proc.
    pub fn read() -> Result<Self, Errno> {
        let file = rustix::fs::openat(
            PROC.make()?,
            "self/mountinfo",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut text = String::new();
        let read = std::fs::File::from(file).read_to_string(&mut text);
        read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(Self(text))
    }

    /// What is mounted last covers the others.
    fn root_is_the_first(&self) -> bool {
        let root = self.0.lines().rfind(|line| line.split(' ').nth(4) == Some("/"));
        let kind = root.and_then(|line| line.split_once(" - "));
        kind.is_some_and(|(_, kind)| kind.starts_with("rootfs "))
    }

    /// Returns where something is mounted, what is below others first.
    pub fn places(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.lines().filter_map(|line| line.split(' ').nth(4))
    }

    fn has(&self, at: &str) -> bool {
        self.places().any(|place| place == at)
    }
}

/// Moves everything to a root in memory and starts again there, so that nothing of the first one is in use; returns only if
/// that fails.
fn start_in_memory(mounts: &Mounts, arguments: &[OsString]) -> Failure {
    let begin = || -> Result<(PathBuf, OwnedFd), Errno> {
        let program = rustix::fs::readlinkat(PROC.make()?, "self/exe", Vec::new())?;
        Ok((OsString::from_vec(program.into_bytes()).into(), ROOT.make()?))
    };
    let (program, root) = match begin() {
        Ok(begun) => begun,
        Err(error) => return Failure::refused(format!("cannot mount a root in memory: {error}")),
    };
    // What is mounted below what is mounted goes with it.
    let is_mounted = |path: &Path| path.to_str().is_some_and(|path| mounts.has(&escaped(path)));
    if let Err(memory::Unmoved { path, error }) = memory::move_to(&root, is_mounted) {
        return Failure::refused(format!("cannot move `{}` to a root in memory: {error}", path.display()));
    }
    let error = std::process::Command::new(&program).args(arguments.iter().skip(1)).exec();
    Failure::refused(format!("cannot start `{}` again: {error}", program.display()))
}

/// Returns a path as proc(5) writes it.
fn escaped(path: &str) -> String {
    path.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

/// Sets the first interface up, which is the loopback of every machine (rtnetlink(7)): before that, nothing on the machine
/// reaches 127.0.0.1.
fn start_loopback() -> Result<(), Errno> {
    const LENGTH: u32 = 32;
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const FIRST: u32 = 1;
    const UP: u32 = 1;
    let mut asked = Vec::new();
    asked.extend(LENGTH.to_ne_bytes());
    asked.extend(NEW_LINK.to_ne_bytes());
    asked.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    // The number of the message, and the sender: the kernel fills it in.
    asked.extend([0; 8]);
    // Any family, any type.
    asked.extend([0; 4]);
    asked.extend(FIRST.to_ne_bytes());
    // The flags, and which of them change.
    asked.extend(UP.to_ne_bytes());
    asked.extend(UP.to_ne_bytes());
    // No protocol is NETLINK_ROUTE.
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    rustix::net::send(&socket, &asked, SendFlags::empty())?;
    let mut answer = [0; 64];
    let (length, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty())?;
    // Behind the header stands an error's number, negative; zero is the acknowledgement.
    let number =
        answer.get(..length).and_then(|answer| answer.get(16..20)).and_then(|word| word.try_into().ok());
    match number.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw_os_error(-error)),
        None => Err(Errno::BADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, root_is_the_first: bool, has_proc: bool) {
        let mounts = Mounts(text.to_owned());
        assert_eq!((mounts.root_is_the_first(), mounts.has("/proc")), (root_is_the_first, has_proc));
    }

    // As a kernel shows them to its first process, and after another root was mounted over the first.
    #[test]
    fn the_root_of_an_initramfs_is_known() {
        check("1 1 0:2 / / rw - rootfs none rw\n", true, false);
        check("1 1 0:2 / / rw shared:1 - rootfs none rw\n21 1 0:20 / /proc rw - proc proc rw\n", true, true);
        check("20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 0:20 / /proc/x rw - proc proc rw\n", false, false);
        check("1 1 0:2 / / rw - rootfs none rw\n20 1 0:9 / / rw - tmpfs none rw\n", false, false);
    }
}
