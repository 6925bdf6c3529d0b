//! Which system calls are granted, by what they are for.
//!
//! The start was what the default profiles of Docker and Podman permit a container; left out is what could reach beyond
//! the world, what only administrators use, and what hides its arguments from a filter.
//! Calls that are granted with some arguments only stand in `checks`.

use syscalls::x86_64::Sysno::{self, *};

/// Every group of granted calls, with what it is for.
#[rustfmt::skip]
const GRANTED: &[(&str, &[Sysno])] = &[
    ("reading and writing what is open", &[
        read, write, readv, writev, pread64, pwrite64, preadv, pwritev, preadv2, pwritev2, lseek, close, close_range,
        dup, dup2, dup3, flock, fsync, fdatasync, sync, syncfs, sync_file_range, ftruncate, fallocate, fadvise64,
        readahead, sendfile, splice, tee, vmsplice, copy_file_range, pipe, pipe2, cachestat,
    ]),
    ("names of files, as Landlock and mounts allow", &[
        access, faccessat, faccessat2, chdir, fchdir, getcwd, getdents, getdents64, readlink, readlinkat,
        link, linkat, symlink, symlinkat, unlink, unlinkat, rename, renameat, renameat2, rmdir, truncate,
        stat, lstat, fstat, newfstatat, statx, statfs, fstatfs, umask, utime, utimes, utimensat, futimesat,
        chown, fchown, lchown, fchownat, name_to_handle_at,
        getxattr, lgetxattr, fgetxattr, listxattr, llistxattr, flistxattr, setxattr, lsetxattr, fsetxattr,
        removexattr, lremovexattr, fremovexattr, getxattrat, listxattrat, setxattrat, removexattrat,
        inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch,
    ]),
    ("waiting for events", &[
        poll, ppoll, select, pselect6, epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2,
        eventfd, eventfd2, signalfd, signalfd4, timerfd_create, timerfd_settime, timerfd_gettime,
        io_setup, io_submit, io_cancel, io_getevents, io_pgetevents, io_destroy,
    ]),
    ("memory", &[
        brk, mmap, munmap, mremap, mprotect, madvise, msync, mincore, mlock, mlock2, munlock, mlockall, munlockall,
        remap_file_pages, pkey_alloc, pkey_free, pkey_mprotect, mseal, map_shadow_stack, membarrier,
    ]),
    ("processes and threads of its own", &[
        fork, vfork, execve, execveat, exit, exit_group, wait4, waitid, getpid, getppid, gettid, set_tid_address,
        getpgid, getpgrp, setpgid, getsid, setsid, pidfd_open, pidfd_send_signal, kill, tkill, tgkill,
        futex, futex_waitv, futex_wait, futex_wake, futex_requeue, set_robust_list, get_robust_list, rseq, arch_prctl,
        sched_yield, sched_getaffinity, sched_setaffinity, sched_getparam, sched_setparam, sched_getscheduler,
        sched_setscheduler, sched_getattr, sched_setattr, sched_get_priority_max, sched_get_priority_min,
        sched_rr_get_interval, getpriority, setpriority, ioprio_get, ioprio_set, getcpu, getrusage, times,
        getrlimit, setrlimit, prlimit64, restart_syscall,
    ]),
    ("signals", &[
        rt_sigaction, rt_sigprocmask, rt_sigreturn, rt_sigpending, rt_sigtimedwait, rt_sigsuspend, rt_sigqueueinfo,
        rt_tgsigqueueinfo, sigaltstack, pause, alarm, getitimer, setitimer,
    ]),
    ("reading clocks, and sleeping", &[
        time, gettimeofday, clock_gettime, clock_getres, clock_nanosleep, nanosleep,
        timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete,
    ]),
    ("its identity, which no_new_privs and empty capability sets keep from growing", &[
        getuid, geteuid, getgid, getegid, getresuid, getresgid, getgroups, setuid, setgid, setreuid, setregid,
        setresuid, setresgid, setfsuid, setfsgid, setgroups, capget, capset,
    ]),
    ("less authority for itself", &[
        landlock_create_ruleset, landlock_add_rule, landlock_restrict_self,
    ]),
    ("sockets, once `socket` has made one", &[
        bind, listen, accept, accept4, connect, shutdown, getsockname, getpeername, getsockopt,
        recvfrom, recvmsg, recvmmsg,
    ]),
    ("System V and POSIX communication within its own namespace", &[
        shmget, shmat, shmdt, shmctl, semget, semop, semtimedop, semctl, msgget, msgsnd, msgrcv, msgctl,
        mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr,
    ]),
    ("what the machine is", &[uname, sysinfo, getrandom]),
];

/// Calls with their arguments in memory, where no filter sees them: programs fall back to the older ones.
const ABSENT: &[Sysno] = &[clone3, openat2];

/// Returns the numbers of all calls that the kernel of our table has.
pub fn known() -> impl Iterator<Item = u32> {
    Sysno::iter().chain([Sysno::last()]).map(number)
}

/// Returns the numbers of the granted calls, whatever their arguments.
pub fn granted() -> impl Iterator<Item = u32> {
    GRANTED.iter().flat_map(|(_, calls)| *calls).copied().map(number)
}

/// Returns the numbers of the calls that are as if the kernel had none.
pub fn absent() -> impl Iterator<Item = u32> {
    ABSENT.iter().copied().map(number)
}

/// Returns the kernel's name of a call, by its number.
pub fn name_of_call(number: u32) -> Option<&'static str> {
    Some(Sysno::new(usize::try_from(number).ok()?)?.name())
}

/// Returns the number of a call.
pub const fn number(call: Sysno) -> u32 {
    call.id().unsigned_abs()
}
