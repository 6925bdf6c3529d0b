//! As much as there is of what everybody shares.

use super::call::{at, call, io, so, text, tried};
use crate::attempt::{Attack, Attempt, NO_EFFECT, attack};
use std::fs::File;
use std::io::Write;

/// The world of the attempts has `tasks=64`.
const TASKS: usize = 200;
/// And `memory="128M"`.
const MEMORY_BYTES: usize = 512 << 20;
/// A private tmpfs has 64 MiB.
const FILE_BYTES: usize = 128 << 20;

pub const ALL: &[Attack] = &[
    attack("have very many processes", |_| {
        let mut children = Vec::new();
        let mut failed = 0;
        for _ in 0..TASKS {
            // SAFETY: this child of ours has one thread; its own children only wait to be killed.
            match unsafe { libc::fork() } {
                ..0 => {
                    failed = super::call::last_error();
                    break;
                }
                0 => {
                    let _ = call(libc::SYS_pause, [0; 6]);
                    // SAFETY: ends the child without running what the parent has registered.
                    unsafe { libc::_exit(0) }
                }
                child => children.push(child),
            }
        }
        for child in children {
            let _ = call(libc::SYS_kill, [child.into(), libc::SIGKILL.into(), 0, 0, 0, 0]);
            let _ = call(libc::SYS_wait4, [child.into(), 0, 0, 0, 0, 0]);
        }
        if failed == 0 { Ok(()) } else { Err(failed) }
    }),
    attack("have very much memory", |_| {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let length = MEMORY_BYTES as i64;
        tried(libc::SYS_mmap, [0, length, protection.into(), (flags | libc::MAP_POPULATE).into(), -1, 0])
    }),
    attack("fill /tmp", |_| fill("/tmp/capc-attack-filled")),
    attack("fill /run", |_| fill("/run/capc-attack-filled")),
    attack("have very many descriptors", |_| {
        for _ in 0..100_000 {
            call(libc::SYS_dup, [0; 6])?;
        }
        Ok(())
    }),
    attack("have very large pipes", |_| {
        let mut ends = [0i32; 2];
        call(libc::SYS_pipe2, [ends.as_mut_ptr() as i64, 0, 0, 0, 0, 0])?;
        tried(libc::SYS_fcntl, [ends[0].into(), i64::from(libc::F_SETPIPE_SZ), 1 << 26, 0, 0, 0])
    }),
    attack("keep very much memory from being swapped", |_| {
        let memory = vec![1u8; 32 << 20];
        tried(libc::SYS_mlock, [at(memory.as_slice()), 32 << 20, 0, 0, 0, 0])
    }),
    attack("have very many names in /tmp", |_| {
        for number in 0..100_000 {
            io(File::create(format!("/tmp/capc-attack-{number}")))?;
        }
        so(true)
    }),
    // The last one: where control groups limit memory, everything may end with it.
    attack("fill memory files", |_| {
        let name = super::call::c("filled");
        let file = call(libc::SYS_memfd_create, [text(&name), libc::MFD_NOEXEC_SEAL.into(), 0, 0, 0, 0])?;
        fill(&format!("/proc/self/fd/{file}"))
    }),
];

fn fill(path: &str) -> Attempt {
    let chunk = vec![1u8; 1 << 20];
    let mut file = File::create(path).map_err(|error| error.raw_os_error().unwrap_or(NO_EFFECT))?;
    // Without a name it goes with whoever is killed for it.
    let _ = std::fs::remove_file(path);
    io((0..FILE_BYTES / chunk.len()).try_for_each(|_| file.write_all(&chunk)))
}
