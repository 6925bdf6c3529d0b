//! Following processes that run already, and what a supervisor starts, to hear of what they try in vain (ptrace(2)).
//!
//! Nothing is changed or withheld; when the follower ends, the kernel lets go of all of them and they go on.

use super::refused::{Refusal, refusal};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// `-ENOSYS`, which stands for the result of a call that has only begun.
const BEGUN: u64 = -38i64 as u64;

/// Whom to follow.
#[derive(Clone, Debug, Default)]
pub struct Whom {
    /// Threads whose calls are looked at, and those of all that they start.
    pub running: Vec<u32>,
    /// Threads of which only what they start is of interest, once it is a program of a world.
    pub makers: Vec<u32>,
}

/// Follows until `tell` says that nobody listens any more, or all have ended; `is_meant` says of a process that has just become
/// a program whether its calls are to be looked at.
///
/// The calling thread is the one that follows: when it ends, those that are followed go on by themselves.
///
/// # Errors
/// When nobody of them may be followed.
pub fn follow(
    whom: &Whom,
    mut is_meant: impl FnMut(u32) -> bool,
    mut tell: impl FnMut(Refusal) -> bool,
) -> io::Result<()> {
    let options = Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACESYSGOOD;
    let mut known: BTreeMap<Pid, Look> = BTreeMap::new();
    let mut refused = None;
    let pid = |number: &u32| Pid::from_raw(i32::try_from(*number).unwrap_or(0));
    let running = whom.running.iter().map(|number| (pid(number), Look::Between));
    for (pid, look) in running.chain(whom.makers.iter().map(|number| (pid(number), Look::Away))) {
        match ptrace::seize(pid, options) {
            Ok(()) => drop(known.insert(pid, look)),
            // It has ended.
            Err(Errno::ESRCH) => continue,
            Err(error) => refused = Some(error),
        }
        if look != Look::Away {
            let _ = ptrace::interrupt(pid);
        }
    }
    match refused {
        Some(error) if known.is_empty() => return Err(error.into()),
        _ => {}
    }
    // Whoever was just made may stop before its maker tells of it.
    let mut early: BTreeSet<Pid> = BTreeSet::new();
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
            Err(Errno::ECHILD) => return Ok(()),
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let Some(pid) = status.pid() else { continue };
        let deliver = match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                known.remove(&pid);
                early.remove(&pid);
                continue;
            }
            WaitStatus::PtraceSyscall(_) => {
                if !at_call(pid, &mut known, &mut tell) {
                    return Ok(());
                }
                None
            }
            WaitStatus::PtraceEvent(_, _, event) => {
                if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 {
                    let was = known.get(&pid).copied().unwrap_or(Look::Away);
                    let is_meant = was != Look::Away || is_meant(u32::try_from(pid.as_raw()).unwrap_or(0));
                    // The call that executed it ends next.
                    known.insert(pid, if is_meant { Look::Inside } else { Look::Away });
                } else if is_making(event)
                    && let Ok(child) = ptrace::getevent(pid)
                {
                    let child = Pid::from_raw(i32::try_from(child).unwrap_or(0));
                    let look = match known.get(&pid) {
                        Some(Look::Between | Look::Inside) => Look::Between,
                        _ => Look::Away,
                    };
                    known.insert(child, look);
                    if early.remove(&child) {
                        resume(child, look, None);
                    }
                    // The maker is inside of the call that made it.
                } else if !known.contains_key(&pid) {
                    early.insert(pid);
                    continue;
                }
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            _ => None,
        };
        resume(pid, known.get(&pid).copied().unwrap_or(Look::Away), deliver);
    }
}

/// How a process is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Only what it starts is of interest.
    Away,
    /// It is between two calls.
    Between,
    /// It is inside of a call.
    Inside,
}

fn is_making(event: i32) -> bool {
    use ptrace::Event::{PTRACE_EVENT_CLONE, PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK};
    [PTRACE_EVENT_CLONE, PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK].iter().any(|made| *made as i32 == event)
}

/// Lets a process go on; one that is gone needs nothing.
fn resume(pid: Pid, look: Look, deliver: Option<Signal>) {
    let _ = match look {
        Look::Away => ptrace::cont(pid, deliver),
        Look::Between | Look::Inside => ptrace::syscall(pid, deliver),
    };
}

/// Looks at a call that begins or ends; returns whether anybody listens.
fn at_call(pid: Pid, known: &mut BTreeMap<Pid, Look>, tell: &mut impl FnMut(Refusal) -> bool) -> bool {
    let Ok(registers) = ptrace::getregs(pid) else { return true };
    let look = known.entry(pid).or_insert(Look::Between);
    if *look == Look::Between && registers.rax == BEGUN {
        *look = Look::Inside;
        return true;
    }
    *look = Look::Between;
    let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
    let error = (registers.rax as i64).checked_neg().filter(|error| (1..4096).contains(error));
    match error.and_then(|error| refusal(pid, registers.orig_rax, arguments, error)) {
        Some(refusal) => tell(refusal),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refused::{Tried, Why};
    use crate::uses::Access;
    use std::process::{Command, Stdio};

    #[test]
    fn what_a_running_process_tries_in_vain_is_told_and_it_goes_on() {
        let script = "while :; do cat /capc-none; read -r x </capc-dir/none; sleep 0.05; done";
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let whom = Whom { running: vec![child.id()], makers: Vec::new() };
        let expected = ["/capc-none", "/capc-dir/none"];
        let heard = std::thread::spawn(move || {
            let mut heard = BTreeSet::new();
            let told = |refusal: Refusal| {
                if let (Tried::File(path, Access::Read), Why::Missing) = (refusal.tried, refusal.why) {
                    heard.insert(path.display().to_string());
                }
                !expected.iter().all(|path| heard.contains(*path))
            };
            follow(&whom, |_| true, told).unwrap();
            heard
        });
        let heard = heard.join().unwrap();
        assert!(expected.iter().all(|path| heard.contains(*path)), "{heard:?}");
        assert_eq!(child.try_wait().unwrap(), None, "it goes on");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
