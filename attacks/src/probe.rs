//! What a service can do with what it was told of, tried once each: `capc-attacks --probe KIND PLACE…`.
//!
//! One line on standard output, `can RIGHT…`, in the order of the kind's rights.

use crate::aim::SUCCEED;
use crate::attempts::call::{call, io};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The argument that asks for it.
pub const PROBE: &str = "--probe";

/// Tries every right of a kind.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    let can = match arguments {
        [kind, at] if kind == "dir" => directory(Path::new(at)),
        [kind, at] if kind == "file" => file(Path::new(at)),
        [kind, at] if kind == "device" => device(Path::new(at)),
        [kind, at] if kind == "socket" => vec![("connect", UnixStream::connect(at).is_ok())],
        [kind, at] if kind == "secret" => vec![("read", fs::read(at).is_ok_and(|secret| !secret.is_empty()))],
        [kind, at] if kind == "connect" => vec![("connect", greeted(at))],
        [kind, at] if kind == "listen" => listening(at),
        _ => {
            eprintln!("capc-attacks: {PROBE} dir|file|device|socket|secret|connect|listen PLACE");
            return ExitCode::from(2);
        }
    };
    let can: Vec<&str> = can.into_iter().filter(|(_, can)| *can).map(|(right, _)| right).collect();
    println!("can {}", can.join(" "));
    ExitCode::SUCCESS
}

fn executes(program: &Path) -> bool {
    let status = Command::new(program).arg(SUCCEED).stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn modifies(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok()
}

/// A directory with `file`, `program` and `old`.
fn directory(at: &Path) -> Vec<(&'static str, bool)> {
    vec![
        ("read", fs::read(at.join("file")).is_ok() && fs::read_dir(at).is_ok()),
        ("exec", executes(&at.join("program"))),
        ("modify", modifies(&at.join("file"))),
        ("create", fs::create_dir(at.join("made")).is_ok()),
        ("remove", fs::remove_file(at.join("old")).is_ok()),
        ("socket", UnixListener::bind(at.join("door")).is_ok()),
    ]
}

/// A file that is a program.
fn file(at: &Path) -> Vec<(&'static str, bool)> {
    vec![("read", fs::read(at).is_ok()), ("exec", executes(at)), ("modify", modifies(at))]
}

/// A device that reads and writes as /dev/zero does, and knows no `ioctl` of its own.
fn device(at: &Path) -> Vec<(&'static str, bool)> {
    let read = File::open(at).and_then(|mut device| device.read_exact(&mut [0]));
    let write = OpenOptions::new().write(true).open(at);
    let opened = File::open(at).or_else(|_| OpenOptions::new().write(true).open(at));
    // Allowed, and not known to the device.
    let ioctl = opened.is_ok_and(|device| {
        let number = i64::from(device.as_raw_fd());
        call(libc::SYS_ioctl, [number, libc::TCGETS as i64, 0, 0, 0, 0]) == Err(libc::ENOTTY)
    });
    vec![
        ("read", read.is_ok()),
        ("write", write.and_then(|mut device| device.write_all(b"x")).is_ok()),
        ("ioctl", ioctl),
    ]
}

fn greeted(address: &str) -> bool {
    TcpStream::connect(address).and_then(|mut stream| stream.read_exact(&mut [0])).is_ok()
}

/// The passed socket, and the address itself.
fn listening(address: &str) -> Vec<(&'static str, bool)> {
    let passed = std::env::var("LISTEN_FDS").is_ok_and(|count| count == "1");
    vec![("accept", passed), ("bind", io(TcpListener::bind(address)).is_ok())]
}
