//! Worlds that are built ahead of their start: complete but for the program, which waits for a word.
//!
//! One is built while the service that it is to replace still runs, or while a service pauses before its next start. It was
//! verified and built as every world is; it waits for so short a time that what it was built from counts as what is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;

use crate::groups::Group;
use crate::harmless::harmless;
use crate::plan::SignalName;
use crate::process;
use crate::state::{Ending, ServiceId};

/// One that has waited for longer is not used: what it was built from may be another by now.
const FRESH_FOR: Duration = Duration::from_secs(10);

/// A launcher at work, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its process.
    pub(crate) launcher: Pid,
    /// Where it, and later the service, prints.
    pub(crate) output: OwnedFd,
    /// The group of what it starts.
    pub(crate) group: Option<Group>,
}

/// The worlds that wait for their start.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    worlds: BTreeMap<ServiceId, Waiting>,
}

/// One of them. Dropped, it ends.
#[derive(Debug)]
struct Waiting {
    /// There until it begins or its launcher has ended.
    started: Option<Started>,
    /// A byte lets it begin; closed, it never will.
    start: OwnedFd,
    since: Duration,
    /// Namespaces of the world that it replaces: as long as they are held, the end of that world does not take the time that it
    /// takes the kernel to clear them away.
    replaced: Vec<File>,
}

/// Makes the pipe through which a world is let begin: the launcher's end and ours.
pub(crate) fn start_pipe() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
}

impl Ahead {
    /// Enters a world that is being built; one of the same service ends.
    pub(crate) fn enter(&mut self, id: ServiceId, started: Started, start: OwnedFd, now: Duration) {
        self.worlds.insert(id, Waiting { started: Some(started), start, since: now, replaced: Vec::new() });
    }

    /// Returns whose world a launcher builds.
    pub(crate) fn built_by(&self, launcher: Pid) -> Option<ServiceId> {
        let builds =
            |waiting: &Waiting| waiting.started.as_ref().is_some_and(|started| started.launcher == launcher);
        self.worlds.iter().find(|(_, waiting)| builds(waiting)).map(|(id, _)| *id)
    }

    /// Holds on to the namespaces of the world that one replaces, until it has begun.
    pub(crate) fn outlast(&mut self, id: ServiceId, keeper: Pid) {
        let Some(waiting) = self.worlds.get_mut(&id) else { return };
        let at = |name| format!("/proc/{}/ns/{name}", keeper.as_raw_pid());
        // Where the kernel does not let us, the world ends in its own time.
        waiting.replaced =
            ["mnt", "net", "ipc"].iter().filter_map(|name| File::open(at(name)).ok()).collect();
    }

    /// Takes in the end of a launcher that was to build a world; returns why there is none.
    pub(crate) fn ended(&mut self, id: ServiceId, ending: &Ending) -> String {
        let started = self.worlds.remove(&id).and_then(|mut waiting| waiting.started.take());
        let said = started.and_then(|started| last_line(&started.output));
        said.unwrap_or_else(|| format!("its launcher {ending}"))
    }

    /// Lets a service's world begin, if there is one that is fresh; the others end.
    pub(crate) fn begin(
        &mut self,
        id: ServiceId,
        now: Duration,
        is_fit: impl FnOnce() -> bool,
    ) -> Option<Started> {
        let mut waiting = self.worlds.remove(&id)?;
        if waiting.stale_at() <= now || !is_fit() {
            return None;
        }
        // One whose launcher has ended cannot be written to.
        rustix::io::write(&waiting.start, b".").ok()?;
        waiting.started.take()
    }

    /// Returns when the first of them has waited for too long.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        self.worlds.values().map(Waiting::stale_at).min()
    }

    /// Ends those that have waited for too long.
    pub(crate) fn drop_stale(&mut self, now: Duration) {
        self.worlds.retain(|_, waiting| now < waiting.stale_at());
    }

    /// Ends all but those of the services that are to start.
    pub(crate) fn keep_only(&mut self, is_to_start: impl Fn(ServiceId) -> bool) {
        self.worlds.retain(|id, _| is_to_start(*id));
    }
}

impl Waiting {
    fn stale_at(&self) -> Duration {
        self.since.saturating_add(FRESH_FOR)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(started) = &self.started {
            // It is a child that was not reaped yet, and its world ends with it.
            process::send(started.launcher, SignalName::Kill);
        }
    }
}

/// Returns the last line that a launcher printed, without what every refusal begins with.
fn last_line(output: &OwnedFd) -> Option<String> {
    let mut bytes = [0; 4096];
    let length = loop {
        match rustix::io::read(output.as_fd(), &mut bytes) {
            Err(Errno::INTR) => {}
            read => break read.ok()?,
        }
    };
    let line = bytes.get(..length)?.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
    let line = harmless(line);
    Some(line.strip_prefix("capc launcher: ").unwrap_or(&line).to_owned())
}
