//! Other processes: outside, outside under the same uid, and the first process of this world.

use super::call::{at, c, call, text, tried};
use crate::attempt::{Attack, Attempt, attack};

/// The first process of whatever this is in.
const FIRST: i32 = 1;

pub const ALL: &[Attack] = &[
    attack("signal a process", |aim| signal(aim.pid)),
    attack("signal a process of the same uid", |aim| signal(aim.twin)),
    attack("signal one of its threads", |aim| {
        tried(libc::SYS_tgkill, [aim.twin.into(), aim.twin.into(), 0, 0, 0, 0])
    }),
    attack("queue a signal for it", |aim| {
        // A `siginfo_t` whose code, the third word, is SI_QUEUE.
        let information = [0, 0xffff_ffff_u64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        tried(libc::SYS_rt_sigqueueinfo, [aim.twin.into(), 0, at(&information), 0, 0, 0])
    }),
    attack("hold on to a process", |aim| tried(libc::SYS_pidfd_open, [aim.pid.into(), 0, 0, 0, 0, 0])),
    attack("signal the first process", |_| signal(FIRST)),
    attack("trace a process", |aim| trace(aim.pid)),
    attack("trace a process of the same uid", |aim| trace(aim.twin)),
    attack("trace the first process", |_| trace(FIRST)),
    attack("be traced by its parent", |_| {
        tried(libc::SYS_ptrace, [i64::from(libc::PTRACE_TRACEME), 0, 0, 0, 0, 0])
    }),
    attack("read the memory of a process", |aim| memory(libc::SYS_process_vm_readv, aim.pid)),
    attack("read the memory of one of the same uid", |aim| memory(libc::SYS_process_vm_readv, aim.twin)),
    attack("write the memory of one of the same uid", |aim| memory(libc::SYS_process_vm_writev, aim.twin)),
    attack("read the memory of the first process", |_| memory(libc::SYS_process_vm_readv, FIRST)),
    attack("take a descriptor from a process", |aim| take(aim.pid)),
    attack("take a descriptor from one of the same uid", |aim| take(aim.twin)),
    attack("take a descriptor from the first process", |_| take(FIRST)),
    attack("compare itself with a process", |aim| {
        tried(libc::SYS_kcmp, [std::process::id().into(), aim.twin.into(), 0, 0, 0, 0])
    }),
    attack("limit a process", |aim| {
        let limit = [0u64; 2];
        tried(libc::SYS_prlimit64, [aim.twin.into(), i64::from(libc::RLIMIT_CORE), at(&limit), 0, 0, 0])
    }),
    attack("slow a process down", |aim| {
        tried(libc::SYS_setpriority, [i64::from(libc::PRIO_PROCESS), aim.twin.into(), 19, 0, 0, 0])
    }),
    attack("bind a process to a processor", |aim| {
        let processors = [1u64];
        tried(libc::SYS_sched_setaffinity, [aim.twin.into(), 8, at(&processors), 0, 0, 0])
    }),
    attack("move the memory of a process", |aim| {
        let nodes = [1u64];
        tried(libc::SYS_migrate_pages, [aim.twin.into(), 2, at(&nodes), at(&nodes), 0, 0])
    }),
    attack("read where a process keeps its locks", |aim| {
        let (mut head, mut length) = (0u64, 0u64);
        let places = (std::ptr::from_mut(&mut head) as i64, std::ptr::from_mut(&mut length) as i64);
        tried(libc::SYS_get_robust_list, [aim.twin.into(), places.0, places.1, 0, 0, 0])
    }),
    attack("see the session of a process", |aim| tried(libc::SYS_getsid, [aim.pid.into(), 0, 0, 0, 0, 0])),
    attack("run before everybody", |_| {
        tried(libc::SYS_setpriority, [i64::from(libc::PRIO_PROCESS), 0, -10, 0, 0, 0])
    }),
    attack("run in real time", |_| {
        let priority = [1i32];
        tried(libc::SYS_sched_setscheduler, [0, i64::from(libc::SCHED_FIFO), at(&priority), 0, 0, 0])
    }),
    attack("read and write before everybody", |_| {
        // Class 1, real time, of this process (ioprio_set(2)).
        tried(libc::SYS_ioprio_set, [1, 0, 1 << 13, 0, 0, 0])
    }),
    attack("join shared memory", |aim| tried(libc::SYS_shmget, [aim.key.into(), 1, 0, 0, 0, 0])),
    attack("join a queue of messages", |aim| tried(libc::SYS_msgget, [aim.key.into(), 0, 0, 0, 0, 0])),
    attack("join semaphores", |aim| tried(libc::SYS_semget, [aim.key.into(), 1, 0, 0, 0, 0])),
    attack("open a named queue", |aim| {
        let name = c(&aim.name);
        tried(libc::SYS_mq_open, [text(&name), i64::from(libc::O_RDONLY), 0, 0, 0, 0])
    }),
];

fn signal(pid: i32) -> Attempt {
    tried(libc::SYS_kill, [pid.into(), 0, 0, 0, 0, 0])
}

fn trace(pid: i32) -> Attempt {
    tried(libc::SYS_ptrace, [i64::from(libc::PTRACE_SEIZE), pid.into(), 0, 0, 0, 0])
}

/// Reads or writes where every program has its code: even where nothing is, EFAULT would say that it was allowed.
fn memory(number: i64, pid: i32) -> Attempt {
    let mut buffer = [0u8; 8];
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: 8 };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(0x1000), iov_len: 8 };
    match tried(number, [pid.into(), at(&local), 1, at(&remote), 1, 0]) {
        Err(libc::EFAULT) => Ok(()),
        other => other,
    }
}

fn take(pid: i32) -> Attempt {
    let handle = call(libc::SYS_pidfd_open, [pid.into(), 0, 0, 0, 0, 0])?;
    tried(libc::SYS_pidfd_getfd, [handle, 0, 0, 0, 0, 0])
}
