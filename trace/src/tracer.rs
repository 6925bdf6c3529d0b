//! Following a program and all that it starts, from one system call to the next (ptrace(2)).

use super::calls::Call;
use super::memory;
use super::uses::Uses;
use command_fds::{CommandFdExt, FdMapping};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// `-ENOSYS`, which stands for the result of a call that has only begun.
const BEGUN: u64 = -38i64 as u64;

/// After so long whoever still runs is killed again.
const AGAIN: Duration = Duration::from_millis(50);

/// What to run.
pub struct Request<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Its environment, all of it.
    pub environment: &'a [(String, String)],
    /// Where it begins.
    pub directory: &'a Path,
    /// As whom it runs, by uid and gid, if not as who asks.
    pub user: Option<(u32, u32)>,
    /// Listening sockets, passed from descriptor 3 on.
    pub passed: Vec<OwnedFd>,
    /// How long it may run.
    pub limit: Duration,
}

/// Runs a program to its end, or for so long, and returns what it used.
///
/// # Errors
/// When it cannot be started, or the kernel does not let us trace it.
pub fn run(request: Request<'_>) -> io::Result<Uses> {
    // Stopped until it is traced, so that nothing is missed; LISTEN_PID names the process that it becomes.
    let script = r#"[ -z "$LISTEN_FDS" ] || export LISTEN_PID=$$; kill -STOP $$; exec "$@""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(request.program).args(request.arguments);
    command.env_clear().envs(request.environment.iter().map(|(name, value)| (name, value)));
    if !request.passed.is_empty() {
        command.env("LISTEN_FDS", request.passed.len().to_string());
    }
    let passed = request.passed.into_iter().zip(3..);
    let mappings = passed.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    // What it prints is no part of what is found out, and nobody is to take it for that.
    let out = io::stderr().as_fd().try_clone_to_owned()?;
    command.current_dir(request.directory).stdin(Stdio::null()).stdout(out).process_group(0);
    if let Some((uid, gid)) = request.user {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn()?;
    let first = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    waitpid(first, Some(WaitPidFlag::WUNTRACED))?;
    let follow = Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACECLONE;
    let options =
        follow | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
    ptrace::seize(first, options)?;
    kill(first, Signal::SIGCONT)?;
    let alive = Arc::new(Mutex::new(BTreeSet::from([first])));
    let (done, patience) = mpsc::channel::<()>();
    let mut limit = request.limit;
    let known = alive.clone();
    let watch = std::thread::spawn(move || {
        // Whatever they wait for, and whichever session they are in; who was just being made is killed the next time.
        while patience.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            for pid in known.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let _ = kill(*pid, Signal::SIGKILL);
            }
            limit = AGAIN;
        }
    });
    let mut tracer =
        Tracer { first, begun: BTreeMap::new(), alive, uses: Uses::default(), is_program: false };
    let followed = tracer.follow();
    drop(done);
    let _ = watch.join();
    followed?;
    Ok(tracer.uses)
}

struct Tracer {
    first: Pid,
    /// The call in which each process is; none between two.
    begun: BTreeMap<Pid, Option<Call>>,
    /// All that are followed and have not been seen to end.
    alive: Arc<Mutex<BTreeSet<Pid>>>,
    uses: Uses,
    /// Whether the shell has become the program.
    is_program: bool,
}

impl Tracer {
    fn follow(&mut self) -> nix::Result<()> {
        loop {
            // Of this thread alone: another may be tracing too.
            let mine = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            let looked = mine | WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
            let pid = match waitid(Id::All, looked) {
                Err(Errno::ECHILD) => return Ok(()),
                Err(Errno::EINTR) => continue,
                other => other?.pid(),
            };
            let Some(pid) = pid else { continue };
            let status = {
                // Nobody is killed by a number that belongs to somebody else by then.
                let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
                let status = waitpid(pid, Some(mine))?;
                match status {
                    WaitStatus::Exited(..) | WaitStatus::Signaled(..) => alive.remove(&pid),
                    _ => alive.insert(pid),
                };
                status
            };
            let deliver = match status {
                WaitStatus::PtraceSyscall(_) => {
                    self.at_call(pid);
                    None
                }
                WaitStatus::PtraceEvent(_, _, event) => {
                    if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 {
                        self.executed(pid);
                    }
                    None
                }
                WaitStatus::Stopped(_, signal) => Some(signal),
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                    self.begun.remove(&pid);
                    if pid == self.first && matches!(status, WaitStatus::Exited(..)) {
                        self.uses.left = self.begun.keys().next().map(|left| memory::name(*left));
                    }
                    continue;
                }
                _ => None,
            };
            self.begun.entry(pid).or_default();
            match ptrace::syscall(pid, deliver) {
                // Killed meanwhile.
                Err(Errno::ESRCH) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn at_call(&mut self, pid: Pid) {
        let Ok(registers) = ptrace::getregs(pid) else { return };
        let begun = self.begun.entry(pid).or_default();
        match begun.take() {
            None if registers.rax == BEGUN => {
                let arguments =
                    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
                *begun = Some(Call::begins(pid, registers.orig_rax, arguments));
            }
            None => {}
            Some(call) if call.is_exec() => {}
            Some(call) if self.is_program && call.went_well(registers.rax as i64) => {
                call.ended(pid, registers.rax, &mut self.uses);
            }
            Some(_) => {}
        }
    }

    fn executed(&mut self, pid: Pid) {
        // The first is the shell's: it becomes the program.
        if !std::mem::replace(&mut self.is_program, true) {
            return;
        }
        let call = self.begun.get(&pid).cloned().flatten();
        if let (Some(call), Ok(program)) = (call, std::fs::read_link(format!("/proc/{pid}/exe"))) {
            call.became(pid, program, &mut self.uses);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uses::{Access, Use};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    fn used(script: &str, limit: Duration) -> Vec<Use> {
        uses(script, limit).all().map(|(used, _)| used.clone()).collect()
    }

    fn uses(script: &str, limit: Duration) -> Uses {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let request = Request {
            program: Path::new("/bin/sh"),
            arguments: &arguments,
            environment: &environment,
            directory: Path::new("/"),
            user: None,
            passed: Vec::new(),
            limit,
        };
        run(request).unwrap()
    }

    #[track_caller]
    fn check(script: &str, expected: &[Use]) {
        let used = used(script, Duration::from_secs(60));
        for one in expected {
            assert!(used.contains(one), "{one:?} is not in {used:#?}");
        }
    }

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("capc-trace-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path.canonicalize().unwrap()
    }

    #[test]
    fn files_are_told_by_what_was_done_with_them() {
        let at = directory("files");
        std::fs::write(at.join("old"), "old").unwrap();
        let here = at.display();
        check(
            &format!(
                "cat {here}/old; echo x >> {here}/old; echo x > {here}/new; mv {here}/new {here}/moved; rm {here}/moved; cat {here}/none"
            ),
            &[
                Use::File(at.join("old"), Access::Read),
                Use::File(at.join("old"), Access::Modify),
                Use::File(at.join("new"), Access::Create),
                Use::File(at.join("new"), Access::Remove),
                Use::File(at.join("moved"), Access::Create),
                Use::File(at.join("moved"), Access::Remove),
            ],
        );
        assert!(
            !used(&format!("cat {here}/none"), Duration::from_secs(60))
                .iter()
                .any(|used| { matches!(used, Use::File(path, _) if path.ends_with("none")) })
        );
        std::fs::remove_dir_all(at).unwrap();
    }

    #[test]
    fn programs_that_it_starts_are_followed() {
        check("(cat /etc/hostname & wait) | cat", &[Use::File("/etc/hostname".into(), Access::Read)]);
    }

    #[test]
    fn what_never_ends_by_itself_is_ended_with_all_that_it_started() {
        let used = used("cat /etc/hostname; (setsid sleep 600 & sleep 600)", Duration::from_secs(1));
        assert!(used.contains(&Use::File("/etc/hostname".into(), Access::Read)), "{used:#?}");
    }

    #[test]
    fn a_daemon_that_leaves_its_session_and_waits_for_ever_is_ended_too() {
        let begun = std::time::Instant::now();
        let script = "setsid sh -c 'cat /etc/hostname; sleep 600 & wait' & sleep 0.1; exit 0";
        let uses = uses(script, Duration::from_secs(1));
        let read = Use::File("/etc/hostname".into(), Access::Read);
        assert!(uses.left().is_some() && uses.all().any(|(used, _)| *used == read), "{uses:#?}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_file_is_told_with_the_name_by_which_it_was_asked_for() {
        let at = directory("names");
        std::fs::create_dir(at.join("real")).unwrap();
        std::fs::write(at.join("real/file"), "text").unwrap();
        std::fs::write(at.join("real/script"), "#!/bin/sh\nexit 0\n").unwrap();
        std::fs::set_permissions(at.join("real/script"), PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("real", at.join("link")).unwrap();
        let script = format!("cat {0}/link/file; cd {0}; ./link/script", at.display());
        let uses = uses(&script, Duration::from_secs(60));
        for name in ["file", "script"] {
            let asked: Vec<&Path> = uses.asked(&at.join("real").join(name)).collect();
            assert_eq!(asked, [at.join("link").join(name)]);
        }
        let executed = Use::File(at.join("real/script"), Access::Execute);
        assert!(uses.all().any(|(used, _)| *used == executed), "{uses:#?}");
        std::fs::remove_dir_all(at).unwrap();
    }

    #[test]
    fn sockets_are_told_by_their_addresses() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap();
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}", port.port());
        let arguments = ["-c".to_owned(), script];
        let request = Request {
            program: Path::new("/bin/bash"),
            arguments: &arguments,
            environment: &[],
            directory: Path::new("/"),
            user: None,
            passed: Vec::new(),
            limit: Duration::from_secs(60),
        };
        let uses = run(request).unwrap();
        assert!(uses.all().any(|(used, _)| *used == Use::Connect(port)), "{uses:#?}");
    }
}
