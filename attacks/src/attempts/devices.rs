//! Devices that were not given.

use super::call::{io, tried};
use crate::attempt::{Attack, Attempt, attack};
use std::fs::{File, OpenOptions};

pub const ALL: &[Attack] = &[
    attack("open the machine's memory", |_| device("/dev/mem")),
    attack("open a disk", |_| device("/dev/vda").or_else(|_| device("/dev/sda"))),
    attack("open the kernel's log", |_| device("/dev/kmsg")),
    attack("open the maker of loop devices", |_| device("/dev/loop-control")),
    attack("open the maker of file systems", |_| device("/dev/fuse")),
    attack("open the maker of interfaces", |_| device("/dev/net/tun")),
    attack("open the maker of machines", |_| device("/dev/kvm")),
    attack("open the maker of terminals", |_| device("/dev/ptmx")),
    attack("open its terminal", |_| device("/dev/tty")),
    attack("open the console", |_| device("/dev/console")),
    attack("open a clock", |_| device("/dev/rtc0")),
    attack("make shared memory", |_| io(File::create("/dev/shm/capc-attack-shared"))),
    attack("type into its terminal", |_| {
        let byte = b'x';
        on_any(libc::TIOCSTI as i64, super::call::at(&byte))
    }),
    attack("paste into a console", |_| {
        let byte = 3u8;
        on_any(libc::TIOCLINUX as i64, super::call::at(&byte))
    }),
    attack("take a terminal", |_| on_any(libc::TIOCSCTTY as i64, 1)),
];

fn device(path: &str) -> Attempt {
    io(OpenOptions::new().read(true).write(true).open(path))
}

fn on_any(request: i64, argument: i64) -> Attempt {
    (0..3)
        .map(|number| tried(libc::SYS_ioctl, [number, request, argument, 0, 0, 0]))
        .fold(Err(0), Attempt::or)
}
