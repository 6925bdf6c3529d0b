//! Running one program as a whole: how long it takes and how much memory it uses, as the system counts it.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// Whose clock counts.
#[derive(Copy, Clone)]
pub enum Clock {
    /// Ours, around the whole process.
    Outside,
    /// Its own: it prints microseconds.
    Inside,
}

/// Something to run again and again.
pub struct Task {
    /// What it is called in the table.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Variables of its environment beyond our own.
    pub environment: Vec<(&'static str, OsString)>,
    /// Whose clock counts.
    pub clock: Clock,
}

/// What one run came to.
#[derive(Copy, Clone)]
pub struct Run {
    /// How long it took.
    pub took: Duration,
    /// The most memory that it had, in bytes.
    pub memory: u64,
}

/// Runs a task once.
pub fn run(task: &Task) -> Result<Run, Box<dyn std::error::Error>> {
    let (program, arguments) = task.command.split_first().ok_or("nothing to run")?;
    let mut command = Command::new(program);
    command.args(arguments).envs(task.environment.iter().cloned()).stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(match task.clock {
        Clock::Outside => Stdio::null(),
        Clock::Inside => Stdio::piped(),
    });
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let inside = child.stdout.take().map(std::io::read_to_string).transpose()?;
    let used = child.wait4()?;
    let took = match inside {
        None => begin.elapsed(),
        Some(printed) => Duration::from_micros(printed.trim().parse()?),
    };
    Ok(Run { took, memory: used.rusage.maxrss })
}
