//! Other namespaces, and other mounts in this one.

use super::call::{at, c, call, text, tried};
use crate::attempt::{Attack, Attempt, attack};
use std::fs::File;
use std::os::fd::AsRawFd;

const HERE: i64 = libc::AT_FDCWD as i64;

pub const ALL: &[Attack] = &[
    attack("make a user namespace", |_| unshare(libc::CLONE_NEWUSER)),
    attack("make a mount namespace", |_| unshare(libc::CLONE_NEWNS)),
    attack("make a PID namespace", |_| unshare(libc::CLONE_NEWPID)),
    attack("make a network namespace", |_| unshare(libc::CLONE_NEWNET)),
    attack("make an IPC namespace", |_| unshare(libc::CLONE_NEWIPC)),
    attack("make a UTS namespace", |_| unshare(libc::CLONE_NEWUTS)),
    attack("make a control group namespace", |_| unshare(libc::CLONE_NEWCGROUP)),
    // CLONE_NEWTIME of clone(2).
    attack("make a time namespace", |_| unshare(0x80)),
    attack("make a user namespace for a child", |_| {
        let flags = i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
        child(call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]))
    }),
    attack("make a user namespace by clone3", |_| {
        let mut arguments = [0u64; 11];
        arguments[0] = libc::CLONE_NEWUSER as u64;
        arguments[4] = libc::SIGCHLD as u64;
        child(call(libc::SYS_clone3, [at(&arguments), 88, 0, 0, 0, 0]))
    }),
    attack("enter a process's namespace", |aim| {
        let handle = call(libc::SYS_pidfd_open, [aim.pid.into(), 0, 0, 0, 0, 0])?;
        tried(libc::SYS_setns, [handle, i64::from(libc::CLONE_NEWUTS), 0, 0, 0, 0])
    }),
    attack("enter the first process's namespace", |_| {
        let handle = call(libc::SYS_pidfd_open, [1, 0, 0, 0, 0, 0])?;
        tried(libc::SYS_setns, [handle, i64::from(libc::CLONE_NEWUTS), 0, 0, 0, 0])
    }),
    attack("mount a file system", |aim| {
        let (target, kind) = (c(&aim.state), c("tmpfs"));
        tried(libc::SYS_mount, [text(&kind), text(&target), text(&kind), 0, 0, 0])?;
        unmount(&target)
    }),
    attack("mount a directory over another", |aim| {
        let (source, target) = (c("/"), c(&aim.state));
        tried(libc::SYS_mount, [text(&source), text(&target), 0, libc::MS_BIND as i64, 0, 0])?;
        unmount(&target)
    }),
    attack("mount what was given to read for writing", |aim| {
        let target = c(&aim.given);
        let flags = (libc::MS_BIND | libc::MS_REMOUNT) as i64;
        tried(libc::SYS_mount, [0, text(&target), 0, flags, 0, 0])
    }),
    attack("unmount what was given", |aim| unmount(&c(&aim.given))),
    attack("unmount /proc", |_| {
        let target = c("/proc");
        // Where it succeeds it must not harm who tries it: a child's namespace of its own is asked for first.
        unshare(libc::CLONE_NEWNS)?;
        tried(libc::SYS_umount2, [text(&target), i64::from(libc::MNT_DETACH), 0, 0, 0, 0])
    }),
    attack("change the mount's flags", |aim| {
        let (target, change) = (c(&aim.given), [0u64, libc::MOUNT_ATTR_RDONLY, 0, 0]);
        tried(libc::SYS_mount_setattr, [HERE, text(&target), 0, at(&change), 32, 0])
    }),
    attack("change its root", |_| {
        let root = c("/");
        tried(libc::SYS_chroot, [text(&root), 0, 0, 0, 0, 0])
    }),
    attack("exchange its root", |_| {
        unshare(libc::CLONE_NEWNS)?;
        let root = c(".");
        tried(libc::SYS_pivot_root, [text(&root), text(&root), 0, 0, 0, 0])
    }),
    attack("copy a tree of mounts", |_| {
        let (root, flags) = (c("/"), i64::from(libc::OPEN_TREE_CLONE));
        tried(libc::SYS_open_tree, [HERE, text(&root), flags, 0, 0, 0])
    }),
    attack("move a mount", |aim| {
        let (from, to) = (c(&aim.given), c("/tmp"));
        tried(libc::SYS_move_mount, [HERE, text(&from), HERE, text(&to), 0, 0])
    }),
    attack("prepare a file system", |_| {
        let kind = c("tmpfs");
        tried(libc::SYS_fsopen, [text(&kind), 0, 0, 0, 0, 0])
    }),
    attack("reconfigure a file system", |_| {
        let root = c("/");
        tried(libc::SYS_fspick, [HERE, text(&root), 0, 0, 0, 0])
    }),
    attack("list mounts by number", |_| {
        // `listmount` of the root of the namespace (mount.h: LSMT_ROOT).
        let (request, ids) = ([24u64, u64::MAX, 0], [0u64; 64]);
        tried(458, [at(&request), at(&ids), 64, 0, 0, 0])
    }),
    attack("have the clock of another", |_| {
        let namespace = File::open("/proc/1/ns/time").map_err(|error| error.raw_os_error().unwrap_or(0))?;
        tried(libc::SYS_setns, [namespace.as_raw_fd().into(), 0, 0, 0, 0, 0])
    }),
];

fn unshare(flags: i32) -> Attempt {
    tried(libc::SYS_unshare, [flags.into(), 0, 0, 0, 0, 0])
}

fn unmount(target: &std::ffi::CString) -> Attempt {
    tried(libc::SYS_umount2, [text(target), i64::from(libc::MNT_DETACH), 0, 0, 0, 0])
}

/// The child of a clone ends at once.
fn child(made: Result<i64, i32>) -> Attempt {
    match made? {
        // SAFETY: ends the child without running what the parent has registered.
        0 => unsafe { libc::_exit(0) },
        _ => Ok(()),
    }
}
