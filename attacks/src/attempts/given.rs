//! More than was given of what was given: a directory to read, a directory to keep things in.

use super::call::{at, c, io, so, text, tried};
use crate::aim::{Aim, SUCCEED};
use crate::attempt::{Attack, Attempt, attack};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const ALL: &[Attack] = &[
    attack("write a file given for reading", |aim| io(OpenOptions::new().write(true).open(file(aim)))),
    attack("truncate it", |aim| {
        let path = c(file(aim));
        tried(libc::SYS_truncate, [text(&path), 6, 0, 0, 0, 0])
    }),
    attack("make a file beside it", |aim| io(File::create(aim.given.join("made")))),
    attack("make a directory beside it", |aim| io(fs::create_dir(aim.given.join("made-directory")))),
    attack("make a symbolic link beside it", |aim| io(symlink("file", aim.given.join("made-link")))),
    attack("make a second name for it", |aim| io(fs::hard_link(file(aim), aim.given.join("made-name")))),
    attack("make a FIFO beside it", |aim| {
        let path = c(aim.given.join("made-pipe"));
        tried(libc::SYS_mknod, [text(&path), i64::from(libc::S_IFIFO | 0o600), 0, 0, 0, 0])
    }),
    attack("bind a socket beside it", |aim| io(UnixListener::bind(aim.given.join("made-door")))),
    attack("rename it", |aim| io(fs::rename(aim.given.join("other"), aim.given.join("renamed")))),
    attack("remove it", |aim| io(fs::remove_file(aim.given.join("old")))),
    attack("change its mode", |aim| io(fs::set_permissions(file(aim), Permissions::from_mode(0o666)))),
    attack("change its owner", |aim| io(chown(file(aim), Some(12345), None))),
    attack("change its times", |aim| {
        let (path, times) = (c(file(aim)), [0i64; 4]);
        tried(libc::SYS_utimensat, [i64::from(libc::AT_FDCWD), text(&path), at(&times), 0, 0, 0])
    }),
    attack("give it an attribute", |aim| attribute(&file(aim), "user.capc")),
    attack("execute a file given for reading", |aim| run(Command::new(aim.given.join("program")))),
    attack("map it for execution", |aim| map_executable(&aim.given.join("program"))),
    attack("connect to a socket in the directory", |aim| io(UnixStream::connect(aim.given.join("door")))),
    attack("write to a FIFO in the directory", |aim| {
        let flags = libc::O_NONBLOCK;
        io(OpenOptions::new().write(true).custom_flags(flags).open(aim.given.join("pipe")))
    }),
    attack("link it into its own state", |aim| io(fs::hard_link(file(aim), own(aim, "linked")))),
    attack("move it into its own state", |aim| io(fs::rename(aim.given.join("other2"), own(aim, "moved")))),
    attack("exchange it with a file of its own", |aim| {
        let ours = own(aim, "ours");
        io(fs::write(&ours, "ours"))?;
        let (ours, theirs, here) = (c(ours), c(aim.given.join("other3")), i64::from(libc::AT_FDCWD));
        let exchange = i64::from(libc::RENAME_EXCHANGE);
        tried(libc::SYS_renameat2, [here, text(&ours), here, text(&theirs), exchange, 0])
    }),
    attack("replace it by a file of its own", |aim| {
        let ours = own(aim, "ours");
        io(fs::write(&ours, "ours"))?;
        io(fs::rename(&ours, aim.given.join("other4")))
    }),
    attack("execute a file of its own making", |aim| run(Command::new(copy(aim, "program")?))),
    attack("map a file of its own for execution", |aim| map_executable(&copy(aim, "library")?)),
    attack("execute a script of its own making", |aim| {
        let script = own(aim, "script");
        io(fs::write(&script, "#!/bin/sh\nexit 0\n"))?;
        io(fs::set_permissions(&script, Permissions::from_mode(0o755)))?;
        run(Command::new(script))
    }),
    attack("load it by way of the loader", |aim| {
        let program = copy(aim, "loaded")?;
        let mut loader = Command::new("/lib64/ld-linux-x86-64.so.2");
        loader.arg(program);
        run(loader)
    }),
    attack("set a file's set-user-ID bit", |aim| set_bit(aim, 0o4755)),
    attack("set a file's set-group-ID bit", |aim| set_bit(aim, 0o2755)),
    attack("make a character device", |aim| node(aim, libc::S_IFCHR, libc::makedev(1, 1))),
    attack("make a block device", |aim| node(aim, libc::S_IFBLK, libc::makedev(7, 0))),
    attack("give a file a privilege", |aim| {
        let path = copy(aim, "privileged")?;
        attribute(&path, "security.capability")
    }),
    attack("give a file a trusted attribute", |aim| {
        let path = copy(aim, "trusted")?;
        attribute(&path, "trusted.capc")
    }),
    attack("give a file to root", |aim| io(chown(copy(aim, "roots")?, Some(0), Some(0)))),
    attack("execute from /tmp", |_| from(Path::new("/tmp/capc-attack"))),
    attack("execute from /run", |_| from(Path::new("/run/capc-attack"))),
    attack("execute from /dev/shm", |_| from(Path::new("/dev/shm/capc-attack"))),
];

fn file(aim: &Aim) -> PathBuf {
    aim.given.join("file")
}

fn own(aim: &Aim, name: &str) -> PathBuf {
    let path = aim.state.join(name);
    let _ = fs::remove_file(&path);
    path
}

/// Copies this program into the state directory.
fn copy(aim: &Aim, name: &str) -> Result<PathBuf, i32> {
    let path = own(aim, name);
    copy_to(&path)?;
    Ok(path)
}

fn copy_to(path: &Path) -> Attempt {
    io(fs::read("/proc/self/exe").and_then(|program| fs::write(path, program)))?;
    io(fs::set_permissions(path, Permissions::from_mode(0o755)))
}

fn from(path: &Path) -> Attempt {
    let _ = fs::remove_file(path);
    copy_to(path)?;
    let ran = run(Command::new(path));
    let _ = fs::remove_file(path);
    ran
}

/// Becomes a program, which says that it could.
fn run(mut command: Command) -> Attempt {
    match command.arg(SUCCEED).spawn() {
        Ok(mut child) => so(child.wait().is_ok_and(|status| status.success())),
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => Ok(()),
        Err(_) => io::<()>(Err(command.exec())),
    }
}

fn map_executable(path: &Path) -> Attempt {
    use std::os::fd::AsRawFd;
    let file = File::open(path).map_err(|error| error.raw_os_error().unwrap_or(0))?;
    let protection = i64::from(libc::PROT_READ | libc::PROT_EXEC);
    tried(libc::SYS_mmap, [0, 4096, protection, i64::from(libc::MAP_PRIVATE), i64::from(file.as_raw_fd()), 0])
}

fn attribute(path: &Path, name: &str) -> Attempt {
    // A version 2 file capability with one bit (capabilities(7)); as any other attribute it is just bytes.
    let value: [u32; 5] = [0x0200_0001, 1, 0, 0, 0];
    let (path, name) = (c(path), c(name));
    tried(libc::SYS_setxattr, [text(&path), text(&name), at(&value), 20, 0, 0])
}

fn set_bit(aim: &Aim, mode: u32) -> Attempt {
    let path = copy(aim, "set-id")?;
    io(fs::set_permissions(&path, Permissions::from_mode(mode)))?;
    so(fs::metadata(&path).is_ok_and(|metadata| metadata.permissions().mode() & 0o6000 != 0))
}

fn node(aim: &Aim, kind: u32, device: u64) -> Attempt {
    let path = c(own(aim, "node"));
    tried(libc::SYS_mknod, [text(&path), i64::from(kind | 0o666), device as i64, 0, 0, 0])
}
