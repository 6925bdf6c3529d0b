//! Processes: making them, waiting for them, their namespaces, identity, privileges and limits.

use super::files::text;
use super::memory::Stack;
use super::{Answer, Errno, Fd, call, signed};
use core::ffi::CStr;
pub use linux_raw_sys::general::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
};
use linux_raw_sys::{general as k, prctl as p};

/// Whose child a new process is.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Parent {
    /// This process's.
    Self_,
    /// A child of whoever made this process.
    Ours,
}

/// Which side of a fork this is.
pub enum Side {
    /// The new process.
    Child,
    /// The process that made it.
    Parent(Process),
}

/// A process that was made here.
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its descriptor.
    pub fd: Fd,
}

/// Makes a process with memory of its own, in these new namespaces, with this number in the innermost one.
pub fn fork(parent: Parent, namespaces: u32, pid: Option<i32>) -> Answer<Side> {
    fork_into(None, parent, namespaces, pid)
}

/// Makes a process like [`fork`], in a control group from its first instruction on.
pub fn fork_into(group: Option<&Fd>, parent: Parent, namespaces: u32, pid: Option<i32>) -> Answer<Side> {
    let (mut pidfd, numbers) = (-1, [pid.unwrap_or(0)]);
    let set_tid: &[i32] = if pid.is_some() { &numbers } else { &[] };
    let arguments = arguments(group, parent, namespaces, set_tid, &raw mut pidfd);
    // SAFETY: the structure has the size that is told and points at locals; without CLONE_VM the child goes on with a
    // copy of all memory.
    let answer = unsafe { call(k::__NR_clone3, [&raw const arguments as usize, size_of_val(&arguments)]) }?;
    Ok(if answer == 0 { Side::Child } else { Side::Parent(made(answer, pidfd)) })
}

/// Makes a process that shares this one's memory, with this number in the innermost PID namespace; there `body` goes on with `with`.
///
/// Nothing is copied, and nothing is to be given back when it executes a program. Its descriptors are a table of its own: what
/// `with` names stays open here.
pub fn spawn_into<T: Send + 'static>(
    group: Option<&Fd>,
    parent: Parent,
    pid: i32,
    stack: &'static mut Stack,
    (body, with): (fn(T) -> !, T),
) -> Answer<Process> {
    /// What the new process finds on top of its stack.
    struct Task<T>(fn(T) -> !, T);
    extern "C" fn begin<T>(task: *const Task<T>) -> ! {
        // SAFETY: it was put there for this process, which alone reads it, and once.
        let Task(body, with) = unsafe { task.read() };
        body(with)
    }
    const { assert!(align_of::<Task<T>>() <= 64 && size_of::<Task<T>>() <= 4096) };
    let bottom = stack.0.as_mut_ptr() as usize;
    let task = (bottom + stack.0.len() - size_of::<Task<T>>()) & !63;
    // SAFETY: aligned, and within the stack, which is ours for good.
    unsafe { (task as *mut Task<T>).write(Task(body, with)) };
    let mut pidfd = -1;
    let numbers = [pid];
    let mut arguments = arguments(group, parent, k::CLONE_VM, &numbers, &raw mut pidfd);
    (arguments.stack, arguments.stack_size) = (bottom as u64, (task - bottom) as u64);
    let answer: isize;
    // SAFETY: the structure has the size that is told and points at locals. The new process has a stack of its own, never comes
    // back from `begin`, and shares with this one only what lives for ever: `T` is 'static, and may be sent.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r8",
            "call r9",
            "ud2",
            "2:",
            inlateout("rax") k::__NR_clone3 as isize => answer,
            in("rdi") &raw const arguments, in("rsi") size_of_val(&arguments),
            in("r8") task, in("r9") begin::<T> as extern "C" fn(*const Task<T>) -> !,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    Ok(made(super::answer(answer)?, pidfd))
}

fn arguments(
    group: Option<&Fd>,
    parent: Parent,
    more: u32,
    numbers: &[i32],
    pidfd: *mut i32,
) -> k::clone_args {
    let (flags, exit_signal) = match parent {
        Parent::Self_ => (k::CLONE_PIDFD, k::SIGCHLD),
        Parent::Ours => (k::CLONE_PIDFD | k::CLONE_PARENT, 0),
    };
    k::clone_args {
        flags: u64::from(flags | more) | if group.is_some() { k::CLONE_INTO_CGROUP } else { 0 },
        pidfd: pidfd as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(exit_signal),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: if numbers.is_empty() { 0 } else { numbers.as_ptr() as u64 },
        set_tid_size: numbers.len() as u64,
        cgroup: group.map_or(0, |group| u64::from(group.number().unsigned_abs())),
    }
}

const fn made(answer: usize, pidfd: i32) -> Process {
    Process { pid: answer as i32, fd: Fd::of(pidfd as usize) }
}

/// How a process ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// With a status.
    Exited(u8),
    /// By a signal.
    Killed(u8),
}

impl End {
    /// Returns the status that a shell gives it.
    #[must_use]
    pub const fn shell_status(self) -> u8 {
        match self {
            Self::Exited(status) => status,
            Self::Killed(signal) => 128_u8.wrapping_add(signal),
        }
    }
}

/// Whether to wait until something happens.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Patience {
    /// Wait.
    Wait,
    /// Only look.
    Look,
}

/// Returns how a child of this process ended; none if it still runs.
pub fn end_of(child: &Fd, patience: Patience) -> Answer<Option<End>> {
    const CLD_EXITED: i32 = 1;
    // si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status; 128 bytes in all.
    let mut info = [0_i32; 32];
    let options = if patience == Patience::Look { k::WEXITED | k::WNOHANG } else { k::WEXITED };
    // __WALL: children made with another exit signal count too.
    let options = options | 0x4000_0000;
    let (which, info_at) = (signed(child.number()), info.as_mut_ptr() as usize);
    loop {
        // SAFETY: the kernel fills in at most the 128 bytes of a `siginfo`.
        match unsafe { call(k::__NR_waitid, [k::P_PIDFD as usize, which, info_at, options as usize, 0]) } {
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let [signal, _, code, _, _, _, status, ..] = info;
    Ok(match (signal, code) {
        (0, _) => None,
        (_, CLD_EXITED) => Some(End::Exited(status as u8)),
        _ => Some(End::Killed(status as u8)),
    })
}

/// Returns the number of this process.
#[must_use]
pub fn own_pid() -> usize {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_getpid, []) }.unwrap_or(0)
}

/// Returns a descriptor of the process with this number.
pub fn open_process(pid: i32) -> Answer<Fd> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_pidfd_open, [signed(pid), 0]) }.map(Fd::of)
}

/// Sends a signal.
pub fn send_signal(process: &Fd, signal: u32) -> Answer<()> {
    // SAFETY: without a `siginfo` no memory is involved.
    unsafe { call(k::__NR_pidfd_send_signal, [signed(process.number()), signal as usize, 0, 0]) }.map(drop)
}

/// Ends this process.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no memory is involved.
        let _ = unsafe { call(k::__NR_exit_group, [usize::from(status)]) };
    }
}

/// Leaves namespaces for new ones.
pub fn unshare(namespaces: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_unshare, [namespaces as usize]) }.map(drop)
}

/// Makes children of this process in the PID namespace of that one.
pub fn join_pids_of(process: &Fd) -> Answer<()> {
    join(process, k::CLONE_NEWPID)
}

/// Joins the network of that process.
pub fn join_network_of(process: &Fd) -> Answer<()> {
    join(process, k::CLONE_NEWNET)
}

fn join(process: &Fd, namespace: u32) -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_setns, [signed(process.number()), namespace as usize]) }.map(drop)
}

/// Names the machine.
pub fn set_host_name(name: &[u8]) -> Answer<()> {
    // SAFETY: the kernel reads at most the slice's length from it.
    unsafe { call(k::__NR_sethostname, [name.as_ptr() as usize, name.len()]) }.map(drop)
}

/// Begins a session without a terminal.
pub fn new_session() -> Answer<()> {
    // SAFETY: no memory is involved.
    unsafe { call(k::__NR_setsid, []) }.map(drop)
}

/// Leaves the session's keys behind for an empty keyring.
pub fn new_keyring() -> Answer<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
    // SAFETY: the name is none.
    unsafe { call(k::__NR_keyctl, [KEYCTL_JOIN_SESSION_KEYRING, 0]) }.map(drop)
}

/// Sets the name that process listings show.
pub fn name_self(name: &CStr) -> Answer<()> {
    // SAFETY: the name ends with a NUL; the kernel reads at most 16 bytes of it.
    unsafe { call(k::__NR_prctl, [p::PR_SET_NAME as usize, text(name)]) }.map(drop)
}

/// A list of strings as programs are given it: addresses, the last of them 0.
///
/// INVARIANT: made by [`StringList::of`] alone, so every address is that of a string that outlives `'m`, and the last is 0.
#[derive(Copy, Clone)]
pub struct StringList<'m>(&'m [usize], core::marker::PhantomData<&'m CStr>);

impl<'m> StringList<'m> {
    /// Fills a slice, which must have room for one more, with a list of strings.
    #[must_use]
    pub fn of<'s: 'm>(room: &'m mut [usize], strings: impl Iterator<Item = &'s CStr>) -> Option<Self> {
        let mut places = room.iter_mut();
        for string in strings {
            *places.next()? = text(string);
        }
        *places.next()? = 0;
        Some(Self(room, core::marker::PhantomData))
    }
}

/// Becomes a program; returns only if that fails.
pub fn execute(path: &CStr, arguments: StringList<'_>, environment: StringList<'_>) -> Errno {
    let lists = [arguments.0.as_ptr() as usize, environment.0.as_ptr() as usize];
    let [arguments, environment] = lists;
    // SAFETY: the path ends with a NUL, and the lists are by their invariant ones of strings that end with 0.
    unsafe { call(k::__NR_execve, [text(path), arguments, environment]) }.err().unwrap_or(Errno::EINVAL)
}
