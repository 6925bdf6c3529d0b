//! What came along unasked.

use super::call::{call, so, tried};
use crate::attempt::{Attack, NO_EFFECT, attack};
use std::env;

pub const ALL: &[Attack] = &[
    attack("find a descriptor that was not passed", |_| {
        let passed: i64 = env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
        let own = 0..3 + passed;
        let flags = i64::from(libc::F_GETFD);
        so((own.end..4096).any(|number| call(libc::SYS_fcntl, [number, flags, 0, 0, 0, 0]).is_ok()))
    }),
    attack("read from its standard input", |_| {
        let terminal_or_pipe = call(libc::SYS_lseek, [0, 0, 1, 0, 0, 0]).is_err();
        so(terminal_or_pipe)
    }),
    attack("find a variable that was not given", |_| {
        let given = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET"];
        so(env::vars().any(|(name, _)| !given.contains(&name.as_str())))
    }),
    attack("find a directory outside as its own", |_| {
        so(env::current_dir().is_ok_and(|directory| directory != std::path::Path::new("/")))
    }),
    attack("find a signal ignored", |_| {
        let status = std::fs::read_to_string("/proc/self/status").map_err(|_| NO_EFFECT)?;
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
        // Rust's own start ignores SIGPIPE, signal 13; glibc's posix_spawn the two that it keeps for itself, 32 and 33.
        let unasked = !(1 << 12 | 1 << 31 | 1 << 32);
        so(ignored.is_some_and(|set| u64::from_str_radix(set, 16).is_ok_and(|set| set & unasked != 0)))
    }),
    attack("find a signal blocked", |_| {
        let status = std::fs::read_to_string("/proc/self/status").map_err(|_| NO_EFFECT)?;
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t"));
        so(blocked.is_some_and(|set| set.bytes().any(|byte| byte != b'0')))
    }),
    attack("have a terminal", |_| {
        let mut window = [0u64; 1];
        let place = window.as_mut_ptr() as i64;
        (0..3)
            .map(|number| tried(libc::SYS_ioctl, [number, libc::TIOCGWINSZ as i64, place, 0, 0, 0]))
            .fold(Err(0), Result::or)
    }),
];
