//! More identity and privilege than was given.

use super::call::{at, io, so, tried};
use crate::aim::SUCCEED;
use crate::attempt::{Attack, Attempt, NO_EFFECT, attack};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

pub const ALL: &[Attack] = &[
    attack("become root", |_| tried(libc::SYS_setuid, [0; 6])),
    attack("become root for files", |_| {
        // Returns the old one, whatever happens (setfsuid(2)): the second call says what it is now.
        let _ = tried(libc::SYS_setfsuid, [0; 6]);
        so(super::call::call(libc::SYS_setfsuid, [-1, 0, 0, 0, 0, 0]) == Ok(0))
    }),
    attack("become another user", |_| tried(libc::SYS_setresuid, [12345, 12345, 12345, 0, 0, 0])),
    attack("join root's group", |_| tried(libc::SYS_setgid, [0; 6])),
    attack("join the group of disks", |_| {
        let groups = [6u32];
        tried(libc::SYS_setgroups, [1, at(&groups), 0, 0, 0, 0])
    }),
    attack("have a privilege", |_| {
        // Version 3 (capset(2)): CAP_SYS_ADMIN, bit 21, effective and permitted.
        let (header, data) = ([0x2008_0522u32, 0], [1u32 << 21, 1 << 21, 0, 0, 0, 0]);
        tried(libc::SYS_capset, [at(&header), at(&data), 0, 0, 0, 0])
    }),
    attack("keep privileges over a program", |_| {
        let (ambient, raise) = (i64::from(libc::PR_CAP_AMBIENT), i64::from(libc::PR_CAP_AMBIENT_RAISE));
        let (header, data) = ([0x2008_0522u32, 0], [1u32 << 21, 1 << 21, 1 << 21, 0, 0, 0]);
        let _ = tried(libc::SYS_capset, [at(&header), at(&data), 0, 0, 0, 0]);
        tried(libc::SYS_prctl, [ambient, raise, 21, 0, 0, 0])
    }),
    attack("change what privileges mean", |_| {
        tried(libc::SYS_prctl, [i64::from(libc::PR_SET_SECUREBITS), 1, 0, 0, 0, 0])
    }),
    attack("find a privilege in its sets", |_| {
        let status = fs::read_to_string("/proc/self/status").map_err(|_| NO_EFFECT)?;
        let sets = status.lines().filter(|line| line.starts_with("Cap"));
        so(sets.filter_map(|line| line.split_once('\t')).any(|(_, set)| set.bytes().any(|byte| byte != b'0')))
    }),
    attack("gain by a program's set-user-ID bit", |_| {
        let status = fs::read_to_string("/proc/self/status").map_err(|_| NO_EFFECT)?;
        so(status.contains("NoNewPrivs:\t0"))
    }),
    attack("find a set-user-ID program", |_| {
        let found = ["/usr/bin/su", "/bin/su", "/usr/bin/passwd", "/usr/bin/mount"].iter().find_map(|path| {
            let mode = fs::metadata(Path::new(path)).ok()?.mode();
            (mode & 0o4000 != 0).then_some(path)
        });
        let program = found.ok_or(libc::ENOENT)?;
        io(Command::new(program).arg(SUCCEED).stdout(std::process::Stdio::null()).spawn())
    }),
    attack("find a supplementary group", |_| {
        // SAFETY: a count of zero touches no memory.
        so(unsafe { libc::getgroups(0, std::ptr::null_mut()) } > 0)
    }),
    attack("use more files than were allowed", |_| raise(libc::RLIMIT_NOFILE)),
    attack("lock more memory than was allowed", |_| raise(libc::RLIMIT_MEMLOCK)),
    attack("run without its filter", |_| {
        let status = fs::read_to_string("/proc/self/status").map_err(|_| NO_EFFECT)?;
        so(!status.contains("Seccomp:\t2"))
    }),
];

fn raise(resource: libc::__rlimit_resource_t) -> Attempt {
    let mut limit = [0u64; 2];
    let (number, place) = (i64::from(resource), std::ptr::from_mut(&mut limit) as i64);
    tried(libc::SYS_prlimit64, [0, number, 0, place, 0, 0])?;
    let [_, hard] = limit;
    if hard == u64::MAX {
        return Ok(());
    }
    let more = [hard + 1, hard + 1];
    tried(libc::SYS_prlimit64, [0, number, at(&more), 0, 0, 0])
}
