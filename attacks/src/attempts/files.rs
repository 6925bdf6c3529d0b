//! Files and metadata that were not given.

use super::call::{at, c, call, io, so, text, tried};
use crate::aim::Aim;
use crate::attempt::{Attack, Attempt, attack};
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

pub const ALL: &[Attack] = &[
    attack("read a file", |aim| io(fs::read(aim.outside.join("secret")))),
    attack("see that a file is there", |aim| io(fs::symlink_metadata(aim.outside.join("secret")))),
    attack("list a directory", |aim| io(fs::read_dir(&aim.outside))),
    attack("append to a file", |aim| io(OpenOptions::new().append(true).open(aim.outside.join("secret")))),
    attack("make a file", |aim| io(File::create(aim.outside.join("made")))),
    attack("change a file's mode", mode),
    attack("read /etc/shadow", |_| io(fs::read("/etc/shadow"))),
    attack("read the machine's users", |_| {
        so(fs::read_to_string("/etc/passwd").is_ok_and(|users| users.contains("daemon:")))
    }),
    attack("read the machine's identity", |_| io(fs::read("/etc/machine-id"))),
    attack("list /root", |_| io(fs::read_dir("/root"))),
    attack("list /home", |_| io(fs::read_dir("/home"))),
    attack("list /var/lib/dpkg", |_| io(fs::read_dir("/var/lib/dpkg"))),
    attack("list /boot", |_| io(fs::read_dir("/boot"))),
    attack("make a file in /etc", |_| made("/etc/capc-attack")),
    attack("make a file in /", |_| made("/capc-attack")),
    attack("make a file in /usr/bin", |_| made("/usr/bin/capc-attack")),
    attack("leave a given directory by `..`", |aim| {
        let directory = File::open(&aim.given).map_err(|error| error.raw_os_error().unwrap_or(0))?;
        let path = c("../outside/secret");
        let number = i64::from(directory.as_raw_fd());
        tried(libc::SYS_openat, [number, text(&path), i64::from(libc::O_RDONLY), 0, 0, 0])
    }),
    attack("follow a link of its own making", |aim| {
        let link = aim.state.join("link");
        let _ = fs::remove_file(&link);
        io(symlink(aim.outside.join("secret"), &link))?;
        io(fs::read(&link))
    }),
    attack("open a file by its handle", by_handle),
    attack("read through a process's root", |_| io(fs::read("/proc/1/root/etc/shadow"))),
    attack("read through a process's directory", |aim| {
        io(fs::read(format!("/proc/{}/root/etc/hostname", aim.pid)))
    }),
    attack("watch a directory", |aim| {
        let queue = call(libc::SYS_inotify_init1, [0; 6])?;
        let path = c(&aim.outside);
        tried(libc::SYS_inotify_add_watch, [queue, text(&path), i64::from(libc::IN_ALL_EVENTS), 0, 0, 0])
    }),
    attack("connect to a socket by its path", |aim| {
        io(std::os::unix::net::UnixStream::connect(aim.outside.join("door")))
    }),
];

fn mode(aim: &Aim) -> Attempt {
    use std::os::unix::fs::PermissionsExt;
    io(fs::set_permissions(aim.outside.join("secret"), PermissionsExt::from_mode(0o644)))
}

fn made(path: &str) -> Attempt {
    io(File::create_new(path))?;
    io(fs::remove_file(path))
}

/// `open_by_handle_at(2)` finds any file of a file system, wherever it lies.
fn by_handle(aim: &Aim) -> Attempt {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        handle: [u8; 128],
    }
    let mut handle = Handle { bytes: 128, kind: 0, handle: [0; 128] };
    let (mut mount, file) = (0i32, c(aim.given.join("file")));
    let (handle_at, mount_at) =
        (std::ptr::from_mut(&mut handle) as i64, std::ptr::from_mut(&mut mount) as i64);
    let here = i64::from(libc::AT_FDCWD);
    call(libc::SYS_name_to_handle_at, [here, text(&file), handle_at, mount_at, 0, 0])?;
    let directory = File::open(&aim.given).map_err(|error| error.raw_os_error().unwrap_or(0))?;
    tried(libc::SYS_open_by_handle_at, [i64::from(directory.as_raw_fd()), at(&handle), 0, 0, 0, 0])
}
