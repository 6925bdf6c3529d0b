//! The group of one service: made before its launcher starts, emptied and removed when nothing of it is to be left.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::plan::Limits;

/// The world's keeper counts as a task, and is none of the service's.
const KEEPER: u64 = 1;
/// In which time `cpu` is measured, in microseconds: the kernel's own choice.
const PERIOD: u64 = 100_000;
/// How often a group that is being emptied is looked at, and for how long between two looks.
const LOOKS: (u32, Duration) = (200, Duration::from_millis(1));

/// A service's group; emptied and removed when dropped.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
    directory: OwnedFd,
    limits: Limits,
}

/// How often a service came up against its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Felt {
    /// Processes that were killed for want of memory under its limit.
    pub(crate) killed: u64,
    /// Processes and threads that were refused.
    pub(crate) refused: u64,
    /// Periods in which it had to wait for the next one to go on.
    pub(crate) withheld: u64,
}

impl Group {
    /// Makes a group with these limits, for which the controllers are there.
    pub(super) fn make(path: PathBuf, limits: &Limits) -> io::Result<Group> {
        // One of that name that could not be emptied in time.
        if path.exists() {
            remove(&path)?;
        }
        fs::create_dir(&path)?;
        let directory =
            rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .inspect_err(|_| drop(remove(&path)))?;
        let group = Group { path, directory, limits: *limits };
        let Limits { memory, tasks, cpu, needs: _ } = limits;
        if let Some(memory) = memory {
            group.set("memory.max", &memory.to_string())?;
            // Half a service that was killed for its memory is worse than none.
            group.set("memory.oom.group", "1")?;
            match group.set("memory.swap.max", "0") {
                // A kernel without swap has nothing to limit.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        if let Some(tasks) = tasks {
            group.set("pids.max", &tasks.saturating_add(KEEPER).to_string())?;
        }
        if let Some(cpu) = cpu {
            let quota = cpu.saturating_mul(PERIOD) / 100;
            group.set("cpu.max", &format!("{quota} {PERIOD}"))?;
        }
        Ok(group)
    }

    /// Returns whether this is its place.
    pub(super) fn is_at(&self, place: &Path) -> bool {
        self.path == place
    }

    /// Kills all that is in it.
    pub(crate) fn kill(&self) {
        // What is known to run is killed one by one as well.
        let _ = self.set("cgroup.kill", "1");
    }

    /// Returns what its limits did so far.
    pub(crate) fn felt(&self) -> Felt {
        let count = |file: &str, word: &str| {
            let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(name, _)| *name == word).and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
        };
        let Limits { memory, tasks, cpu, needs: _ } = self.limits;
        // Where the whole machine has no memory left, it is not by this limit that somebody is killed.
        let by_limit = memory.is_some() && count("memory.events", "oom") > 0;
        Felt {
            killed: if by_limit { count("memory.events", "oom_kill") } else { 0 },
            refused: tasks.map_or(0, |_| count("pids.events", "max")),
            withheld: cpu.map_or(0, |_| count("cpu.stat", "nr_throttled")),
        }
    }

    fn set(&self, file: &str, text: &str) -> io::Result<()> {
        put(&self.path.join(file), text)
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One that stays is tried again by the next start of the service, and by the end of the supervisor.
        let _ = remove(&self.path);
    }
}

/// Writes to one of the kernel's files.
pub(super) fn put(file: &Path, text: &str) -> io::Result<()> {
    // Without O_CREAT, so that a file that is not there is told as such.
    File::options().write(true).open(file)?.write_all(text.as_bytes())
}

/// Empties a group and removes it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let (mut looks, pause) = LOOKS;
    loop {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && looks > 0 => {
                put(&path.join("cgroup.kill"), "1")?;
                looks -= 1;
                std::thread::sleep(pause);
            }
            done => return done,
        }
    }
}
