//! What another init cannot do itself for a service: pass it channels, know when its sockets listen, mount its facets.
//!
//! [`attend`] stands between the init and one launcher. It ends when the service is ready, or stays in its stead where an init knows
//! only its own children.

mod channels;
mod facets;
mod passing;
mod signals;

pub use channels::keep_channels;
pub use facets::mount_facets;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use crate::error::Error;
use crate::notification::{self, Notification};
use crate::process;
use crate::readiness;
use crate::sockets;
use crate::state::{Ending, Word};
use signals::Signals;

/// One service of another init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attended {
    /// What builds its world.
    pub launcher: PathBuf,
    /// The sealed generation.
    pub generation: PathBuf,
    /// Its name.
    pub service: String,
    /// What it is passed from descriptor 3 on, in order.
    pub passed: Vec<Passed>,
    /// Sockets, by their paths in its world, that must listen before it is ready.
    pub ready_sockets: Vec<String>,
    /// TCP ports that must.
    pub ready_ports: Vec<u16>,
    /// Whether it says by itself that it is ready.
    pub ready_notify: bool,
    /// Whether to stay until it ends, and to end as it does.
    pub stays: bool,
    /// How long it may take to become ready, once it runs; without end if that is not said.
    pub within: Option<Duration>,
    /// A descriptor to which a byte is written when it is ready.
    pub say_ready: Option<i32>,
    /// A descriptor to which its status is written when it has ended.
    pub say_end: Option<i32>,
    /// Where the system keeps what lives as long as it runs.
    pub runtime: PathBuf,
    /// Where the init listens.
    pub notify_socket: Option<PathBuf>,
}

/// Something that a service is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The next descriptor that the init passed.
    Init,
    /// The end of a channel, by the name that the service knows it by.
    Channel(String),
}

/// The first pause between two looks at a service's sockets, and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Starts one service for another init; returns the status to exit with.
///
/// It reaps every child of the process and takes over its signals, so it is for a program that does nothing else.
///
/// # Errors
/// When a descriptor is not there or the launcher cannot be started.
pub fn attend(attended: &Attended) -> Result<u8, Error> {
    let mut number = FIRST;
    let mut descriptors = Vec::new();
    // Before anything is opened here, which would take the number of one that is missing.
    let wanted = attended.passed.iter().filter(|passed| **passed == Passed::Init).count();
    for number in (FIRST..).take(wanted) {
        passing::is_passed(number)?;
    }
    for passed in &attended.passed {
        descriptors.push(match passed {
            Passed::Init => {
                number += 1;
                passing::inherited(number - 1)?
            }
            Passed::Channel(name) => channels::fetch(&attended.runtime, &attended.service, name)?,
        });
    }
    let say_ready = attended.say_ready.map(passing::inherited).transpose()?;
    let say_end = attended.say_end.map(passing::inherited).transpose()?;
    if attended.is_to_be_watched() {
        let end = Watch::begin(attended, descriptors, say_ready)?.follow();
        if let (Some(descriptor), Ok(status)) = (say_end, &end) {
            // An init that asks no more how it ends is not there to be told.
            let _ = File::from(descriptor).write_all(format!("e{status}\n").as_bytes());
        }
        end
    } else {
        // What the init is told, it is to know before the service can have ended.
        let mut command = attended.command(&["--introduce"], descriptors, None)?;
        if let Some(path) = &attended.notify_socket {
            command.env("NOTIFY_SOCKET", path);
        }
        Err(Error::when(format!("run {}", attended.launcher.display()))(command.exec()))
    }
}

/// The first number of a passed descriptor.
const FIRST: i32 = 3;

impl Attended {
    fn waits_for_sockets(&self) -> bool {
        !self.ready_sockets.is_empty() || !self.ready_ports.is_empty()
    }

    fn is_to_be_watched(&self) -> bool {
        self.waits_for_sockets() || self.stays || self.say_ready.is_some() || self.say_end.is_some()
    }

    /// Returns the launcher with what it is to be passed, and after that the pipe that its world lives by.
    fn command(
        &self,
        how: &[&str],
        descriptors: Vec<OwnedFd>,
        life: Option<OwnedFd>,
    ) -> Result<Command, Error> {
        let mut command = Command::new(&self.launcher);
        command.args(how).arg(&self.generation).arg(&self.service).env_clear();
        if life.is_some() {
            let number = FIRST + i32::try_from(descriptors.len()).unwrap_or(i32::MAX - FIRST);
            command.env("CAPC_LIFE", number.to_string());
        }
        let mappings = descriptors.into_iter().chain(life).zip(FIRST..);
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
        command
            .fd_mappings(mappings)
            .map_err(std::io::Error::other)
            .map_err(Error::when("pass descriptors"))?;
        Ok(command)
    }
}

/// A service on its way, and then up.
struct Watch<'a> {
    attended: &'a Attended,
    signals: Signals,
    notify: OwnedFd,
    notify_path: PathBuf,
    launcher: Pid,
    /// The service's own process, once the launcher has named it, and since when.
    main: Option<Pid>,
    since: Option<Instant>,
    is_ready: bool,
    /// Children that have ended, and how.
    ends: HashMap<Pid, Ending>,
    say_ready: Option<OwnedFd>,
    /// The writing end; with it the world ends.
    _life: Option<OwnedFd>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.notify_path);
    }
}

impl<'a> Watch<'a> {
    fn begin(
        attended: &'a Attended,
        descriptors: Vec<OwnedFd>,
        say_ready: Option<OwnedFd>,
    ) -> Result<Self, Error> {
        if attended.stays {
            // What is the init's child no more is nobody's: it ends, and with it the world.
            let death = rustix::process::Signal::KILL;
            rustix::process::set_parent_process_death_signal(Some(death))
                .map_err(Error::when("wait for the init's end"))?;
        }
        facets::make_runtime(&attended.runtime)?;
        let signals = Signals::new().map_err(Error::when("listen to signals"))?;
        let notify_path = attended.runtime.join(format!("attend-{}", std::process::id()));
        let notify =
            sockets::notify(&notify_path).map_err(Error::when(format!("bind {}", notify_path.display())))?;
        // What leaves when the service is ready leaves its world to the init.
        let (life, kept) = match attended.stays {
            false => (None, None),
            true => {
                let (reading, writing) =
                    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(Error::when("make the life pipe"))?;
                (Some(reading), Some(writing))
            }
        };
        let mut command = attended.command(&[], descriptors, life)?;
        let child = command.env("NOTIFY_SOCKET", &notify_path).spawn();
        let child = child.map_err(Error::when(format!("run {}", attended.launcher.display())))?;
        let none = || Error::when("run the launcher")(std::io::Error::from(std::io::ErrorKind::InvalidData));
        let launcher = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(none)?;
        Ok(Self {
            attended,
            signals,
            notify,
            notify_path,
            launcher,
            main: None,
            since: None,
            is_ready: false,
            ends: HashMap::new(),
            say_ready,
            _life: kept,
        })
    }

    /// Follows the service until it is ready, or to its end.
    fn follow(mut self) -> Result<u8, Error> {
        let mut pause = LOOKS.0;
        loop {
            // Taken before anything is looked at: whatever comes from here on wakes the wait below.
            let signals = self.signals.take();
            // Who has ended has said before what it had to say.
            self.ends.extend(process::reap());
            for (sender, notification) in notification::hear(self.notify.as_fd()) {
                self.hear(sender, &notification)?;
            }
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            let looks = self.attended.waits_for_sockets() && !self.is_ready && self.main.is_some();
            if let Some(main) = self.main.filter(|_| looks)
                && readiness::listens(&self.attended.ready_sockets, &self.attended.ready_ports, main)
            {
                self.ready()?;
            }
            if self.is_ready && !self.attended.stays {
                return Ok(self.main.and_then(end_unreaped).as_ref().map_or(0, status_of));
            }
            let rest = self.rest();
            if rest == Some(Duration::ZERO) {
                self.kill();
                return Err(Error::Late(self.attended.service.clone()));
            }
            for signal in signals {
                // A process that has just ended is none to hand a signal to.
                let _ = rustix::process::kill_process(self.main.unwrap_or(self.launcher), signal);
            }
            let looks = looks && !self.is_ready;
            self.wait(looks.then_some(pause).into_iter().chain(rest).min())?;
            pause = if looks { pause.saturating_mul(2).min(LOOKS.1) } else { LOOKS.0 };
        }
    }

    fn hear(&mut self, sender: Pid, notification: &Notification) -> Result<(), Error> {
        let says_ready = notification.words.contains(&Word::Ready);
        // It says so once: later, its number may be that of a process of the service's.
        if sender == self.launcher && self.main.is_none() {
            self.main = notification.main;
            self.since = self.since.or(self.main.map(|_| Instant::now()));
            if let Some(path) = self.attended.notify_socket.as_ref().filter(|_| self.main.is_some()) {
                // As a launcher says that speaks with the init itself.
                let from = format!("STATUS={}", self.attended.generation.display());
                passing::tell(path, from.as_bytes(), &[])?;
            }
            // A launcher says so of services that are ready when they run.
            if says_ready && !self.attended.waits_for_sockets() { self.ready() } else { Ok(()) }
        } else if Some(sender) == self.main && says_ready && self.attended.ready_notify {
            self.ready()
        } else {
            Ok(())
        }
    }

    /// Returns the status to exit with, if it is over.
    fn ended(&mut self) -> Result<Option<u8>, Error> {
        if let Some(status) = self.ends.get(&self.launcher).map(status_of).filter(|status| *status != 0) {
            return Ok(Some(status));
        }
        // A short service may have ended before its launcher has named it.
        let Some(ending) = self.main.and_then(|main| self.ends.get(&main)) else { return Ok(None) };
        if self.attended.waits_for_sockets() && !self.is_ready {
            return Err(Error::Unready(self.attended.service.clone()));
        }
        Ok(Some(status_of(ending)))
    }

    /// Returns how long it may still take to become ready. What is run before it by `prepare` does not count.
    fn rest(&self) -> Option<Duration> {
        let (within, since) = self.attended.within.zip(self.since).filter(|_| !self.is_ready)?;
        Some(within.saturating_sub(since.elapsed()))
    }

    /// Ends the service; where its world lives by our pipe, that ends as well.
    fn kill(&self) {
        for process in self.main.into_iter().chain([self.launcher]) {
            // One that has ended is none to kill.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
    }

    /// Tells the init, once.
    fn ready(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_ready, true) {
            return Ok(());
        }
        if let Some(descriptor) = self.say_ready.take() {
            // An init that has given up waiting is not there to be told.
            let _ = File::from(descriptor).write_all(b"1");
        }
        let (Some(path), Some(main)) = (&self.attended.notify_socket, self.main) else { return Ok(()) };
        let text = match self.attended.stays {
            true => "READY=1".to_owned(),
            false => format!("MAINPID={}\nREADY=1", main.as_raw_nonzero()),
        };
        passing::tell(path, text.as_bytes(), &[])?;
        // Who leaves the service to the init leaves when that knows it: it takes nobody's word for one that has ended.
        if self.attended.stays { Ok(()) } else { passing::wait_until_read(path) }
    }

    fn wait(&self, pause: Option<Duration>) -> Result<(), Error> {
        let timeout = pause.map(|pause| Timespec {
            tv_sec: i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: pause.subsec_nanos().into(),
        });
        let notify = [self.notify.as_fd()];
        let ends = notify.into_iter().chain(self.signals.ends());
        let mut ends: Vec<PollFd<'_>> =
            ends.map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN)).collect();
        match rustix::event::poll(&mut ends, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Error::when("wait")(error)),
        }
    }
}

/// Returns how a child has ended, if it has, and leaves it to whoever is its parent next.
fn end_unreaped(child: Pid) -> Option<Ending> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = rustix::process::waitid(WaitId::Pid(child), options).ok()??;
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Ending::Code(code)),
        (None, Some(signal)) => Some(Ending::Signal(signal)),
        (None, None) => None,
    }
}

/// Returns the status by which a shell tells how a process ended.
fn status_of(ending: &Ending) -> u8 {
    match ending {
        Ending::Code(code) => u8::try_from(*code).unwrap_or(u8::MAX),
        Ending::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Ending::OutOfMemory => 128 + 9,
        Ending::Unborn(_) => 1,
    }
}

/// Returns the socket on which ends of channels are asked for.
fn channels_path(runtime: &Path) -> PathBuf {
    runtime.join("channels")
}
