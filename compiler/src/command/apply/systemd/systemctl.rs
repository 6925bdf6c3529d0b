//! Speaking with systemd, by its own tool: what is asked of it, and how its units are.
//!
//! systemd may start itself anew while it is spoken with, and then every connection to it ends. So what a unit came to is
//! never read from how a call ended, but from the unit.

use super::Failure;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is asked of every unit, in this order.
const PROPERTIES: [&str; 11] = [
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "NRestarts",
    "Job",
    "StatusText",
    "NeedDaemonReload",
    "InvocationID",
    "DropInPaths",
];
/// How long it may take until systemd answers again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long until the next look.
pub const PAUSE: Duration = Duration::from_millis(50);
/// How many units are named in one call.
const AT_ONCE: usize = 200;

/// How a unit is.
#[derive(Clone, Debug, Default)]
pub struct State {
    load: String,
    active: String,
    sub: String,
    result: String,
    /// Its main process, or 0.
    pub pid: u32,
    /// How often it was started again by itself.
    pub restarts: String,
    job: String,
    /// What was last said of it.
    pub status: String,
    needs_reload: bool,
    /// Which of its runs this is.
    pub run: String,
    /// What is read beside it.
    drop_ins: String,
}

impl State {
    /// Returns whether it has been started, and has not been stopped or ended since.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }

    /// Returns whether it is being started.
    pub fn is_starting(&self) -> bool {
        self.active == "activating"
    }

    /// Returns whether nothing of it is there.
    pub fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// Returns whether it is there, even if it has not come to an end yet that is waited for.
    pub fn is_there(&self) -> bool {
        !self.is_down() && self.sub != "auto-restart"
    }

    /// Returns what an administrator has it read beside it.
    pub fn drop_ins(&self) -> impl Iterator<Item = &str> {
        self.drop_ins
            .split_ascii_whitespace()
            .filter(|path| path.starts_with("/etc/") || path.starts_with("/run/"))
    }

    /// Returns whether it has ended, as it may.
    pub fn has_ended_well(&self) -> bool {
        self.active == "inactive" && self.result == "success"
    }

    /// Returns whether it is on its way to another state.
    pub fn is_moving(&self) -> bool {
        !self.job.is_empty() && self.job != "0"
    }

    /// Returns whether systemd knows it, in the form that it has now.
    pub fn is_loaded(&self) -> bool {
        self.load == "loaded" && !self.needs_reload
    }

    /// Returns how it is, in the words of systemd.
    pub fn words(&self) -> String {
        let again = match self.restarts.as_str() {
            "" | "0" => String::new(),
            number => format!(", started again {number} times"),
        };
        match self.result.as_str() {
            "" | "success" => format!("{} ({}){again}", self.active, self.sub),
            result => format!("{} ({}: {result}){again}", self.active, self.sub),
        }
    }
}

/// Asks for something, and waits until it has come to something; whether to what was asked, the units' states tell.
///
/// # Errors
/// When systemd does not answer.
pub fn ask(words: &[&str], units: &[String]) -> Result<(), Failure> {
    for units in units.chunks(AT_ONCE) {
        if call(words, units)?.is_some() {
            continue;
        }
        // The call failed, or it was cut off while what it asked for goes on.
        let begin = Instant::now();
        while states(units)?.iter().any(State::is_moving) && begin.elapsed() < PATIENCE * 20 {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Has systemd read all units again.
///
/// # Errors
/// When it does not.
pub fn reload() -> Result<(), Failure> {
    let begin = Instant::now();
    while call(&["daemon-reload"], &[])?.is_none() {
        if begin.elapsed() > PATIENCE {
            return Err(Failure::refused(
                "systemd does not read its units again: `systemctl daemon-reload` fails",
            ));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Returns how units are, in their order.
///
/// # Errors
/// When systemd does not answer.
pub fn states(units: &[String]) -> Result<Vec<State>, Failure> {
    let property = format!("--property={}", PROPERTIES.join(","));
    let mut states = Vec::new();
    for units in units.chunks(AT_ONCE) {
        let text = insist(&["show", &property], units, "how its units are")?;
        let found: Vec<State> = text.trim_end().split("\n\n").map(state).collect();
        if found.len() != units.len() {
            return Err(Failure::refused("systemd did not say how each unit is"));
        }
        states.extend(found);
    }
    Ok(states)
}

/// Returns the units of these names that are there, or have failed.
///
/// # Errors
/// When systemd does not answer.
pub fn there(names: &[&str]) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let text = insist(&["list-units", "--plain", "--no-legend"], &names, "which units it has")?;
    Ok(text.lines().filter_map(|line| line.split_ascii_whitespace().next()).map(str::to_owned).collect())
}

/// Returns the last lines that a unit left in the journal.
pub fn last_lines(unit: &str) -> Vec<String> {
    let output = Command::new("journalctl")
        .args(["--no-pager", "--quiet", "--output=cat", "--boot", "--lines=10", "--unit", unit])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn state(text: &str) -> State {
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        lines.next().unwrap_or_default().to_owned()
    };
    let [load, active, sub, result, pid, restarts, job, status, needs_reload, run, drop_ins] =
        PROPERTIES.map(value);
    State {
        load,
        active,
        sub,
        result,
        pid: pid.parse().unwrap_or(0),
        restarts,
        job,
        status,
        needs_reload: needs_reload == "yes",
        run,
        drop_ins,
    }
}

/// Asks until there is an answer.
fn insist(words: &[&str], units: &[String], what: &str) -> Result<String, Failure> {
    let begin = Instant::now();
    loop {
        if let Some(text) = call(words, units)? {
            return Ok(text);
        }
        if begin.elapsed() > PATIENCE {
            let verb = words.first().unwrap_or(&"");
            return Err(Failure::refused(format!("systemd does not say {what}: `systemctl {verb}` fails")));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Calls the tool; none if it failed.
fn call(words: &[&str], units: &[String]) -> Result<Option<String>, Failure> {
    let output = Command::new("systemctl")
        .args(["--no-pager", "--no-ask-password", "--quiet"])
        .args(words)
        .arg("--")
        .args(units)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::refused(format!("cannot run `systemctl`: {error}")))?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}
