//! Starting launchers, with exactly the descriptors that a service is to have.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, setrlimit};

use crate::error::Error;
use crate::plan::{Plan, SignalName};
use crate::state::Ending;

/// The first number of a passed descriptor.
const FIRST: i32 = 3;

/// What a launcher is passed.
pub(crate) struct Passed<'a> {
    /// What the service is handed, in order.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// The world ends when the other end of this pipe is closed.
    pub(crate) life: BorrowedFd<'a>,
    /// Where it reports.
    pub(crate) notify: &'a Path,
    /// Where it prints.
    pub(crate) output: OwnedFd,
    /// The group in which it starts what it starts.
    pub(crate) group: Option<BorrowedFd<'a>>,
    /// The end of a pipe that it waits on before it lets the program begin.
    pub(crate) start: Option<BorrowedFd<'a>>,
}

/// Starts launchers.
pub(crate) struct Starter {
    /// The launcher, open as of the beginning, by a number that no passed descriptor takes.
    program: OwnedFd,
    generation: PathBuf,
    /// How many open files we might have had: what a service without a limit of its own is left with.
    files: Option<u64>,
    /// Fill the numbers that services are handed, so that nothing of our own lies there when they are put in place.
    _placeholders: Vec<OwnedFd>,
}

impl Starter {
    /// Opens the launcher, sets the low numbers aside, and makes room for as many files as there may be.
    pub(crate) fn new(plan: &Plan, program: &Path, generation: &Path) -> Result<Starter, Error> {
        let files = allow_most_files();
        let most = plan.services.iter().map(|service| service.descriptors.len()).max().unwrap_or(0);
        let above = i32::try_from(most).unwrap_or(i32::MAX).saturating_add(FIRST + 3);
        let doing = || Error::when::<io::Error>(format!("open the launcher {}", program.display()));
        let file = rustix::fs::open(program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let file = file.map_err(|error| doing()(error.into()))?;
        let program = rustix::io::fcntl_dupfd_cloexec(&file, above).map_err(|error| doing()(error.into()))?;
        let mut placeholders = vec![file];
        while let Some(last) = placeholders.last().filter(|last| last.as_raw_fd() < above) {
            placeholders.push(last.try_clone().map_err(Error::when("set descriptors aside"))?);
        }
        let generation = std::path::absolute(generation).map_err(Error::when("name the generation"))?;
        Ok(Starter { program, generation, files, _placeholders: placeholders })
    }

    /// Starts the launcher of one service.
    pub(crate) fn start(&self, service: &str, passed: Passed<'_>) -> io::Result<Pid> {
        let Passed { mut descriptors, life, notify, output, group, start } = passed;
        let ours = [("CAPC_LIFE", Some(life)), ("CAPC_CGROUP", group), ("CAPC_START", start)];
        let mut numbers = Vec::new();
        for (variable, descriptor) in ours {
            if let Some(descriptor) = descriptor {
                numbers.push((
                    variable,
                    i32::try_from(descriptors.len()).unwrap_or(i32::MAX).saturating_add(FIRST),
                ));
                descriptors.push(descriptor.try_clone_to_owned()?);
            }
        }
        let mappings = descriptors.into_iter().zip(FIRST..);
        let mappings: Vec<FdMapping> =
            mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
        let mut command = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()));
        command
            .arg0("capc-launcher")
            .args([self.generation.as_os_str(), OsStr::new(service)])
            .env_clear()
            .env("NOTIFY_SOCKET", notify)
            .envs(numbers.into_iter().map(|(variable, number)| (variable, number.to_string())))
            .envs(self.files.map(|files| ("CAPC_FILES", files.to_string())))
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output))
            // A terminal's Ctrl-C is for the supervisor, which then stops the services in order.
            .process_group(0)
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        let child = command.spawn()?;
        i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Lets this process have as many files open as it is allowed to, since each service takes some; returns how many it could have
/// before, if that was less.
///
/// Programs that use select(2) write past their memory with a number over 1,023, so the limit is for ourselves alone.
fn allow_most_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    current.filter(|_| current != maximum && raised.is_ok())
}

/// Sends a signal to a child. One that has ended and is not reaped yet takes it without effect.
pub(crate) fn send(child: Pid, signal: SignalName) {
    let signal = match signal {
        SignalName::Hup => Signal::HUP,
        SignalName::Int => Signal::INT,
        SignalName::Quit => Signal::QUIT,
        SignalName::Abrt => Signal::ABORT,
        SignalName::Kill => Signal::KILL,
        SignalName::Usr1 => Signal::USR1,
        SignalName::Usr2 => Signal::USR2,
        SignalName::Alrm => Signal::ALARM,
        SignalName::Term => Signal::TERM,
        SignalName::Cont => Signal::CONT,
        SignalName::Winch => Signal::WINCH,
    };
    let _ = rustix::process::kill_process(child, signal);
}

/// Reaps every child that has ended, our own or adopted.
pub(crate) fn reap() -> Vec<(Pid, Ending)> {
    let mut ends = Vec::new();
    while let Ok(Some((child, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        let code = status.exit_status().map(Ending::Code);
        ends.extend(code.or(status.terminating_signal().map(Ending::Signal)).map(|ending| (child, ending)));
    }
    ends
}
