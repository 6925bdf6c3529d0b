//! What is to end: what is sealed no more, and what runs as something else than it is sealed.
//!
//! All of it ends at once. One that takes its time to stop holds up those that it waits for, and nobody else: what was revoked
//! from others is theirs no longer than they themselves take.

use super::links::Links;
use super::systemctl::{PAUSE, State, ask, reload, states, there};
use crate::command::{Failure, say};
use crate::emit::init::systemd::unit;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Nothing but the unit itself.
pub const ALONE: &str = "--job-mode=ignore-dependencies";
/// Not what depends on the unit, but after it where that ends too.
const IN_ORDER: &str = "--job-mode=ignore-requirements";
/// The names that units of stores have.
const NAMES: [&str; 3] = ["capc.target", "capc-*", "run-capc-facets-*"];
/// How often it is asked for an end that somebody else called off.
const TIMES: usize = 5;

/// Units that are to start again.
#[derive(Default)]
pub struct Stale {
    /// Sockets that must not start anybody until they are made anew.
    pub sockets: Vec<String>,
    /// Services, those first that wait for others.
    pub services: Vec<String>,
}

/// Units that are sealed no more.
pub struct Gone {
    /// What starts others.
    starters: Vec<String>,
    /// Services, those first that waited for others.
    services: Vec<String>,
    /// What others stand on.
    ground: Vec<String>,
}

impl Gone {
    /// Returns what is linked, loaded or runs, and is not wanted any more.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn of(links: &Links, wanted: &BTreeSet<String>, running: &[String]) -> Result<Self, Failure> {
        let mut units: BTreeSet<String> = links.ours().difference(wanted).cloned().collect();
        // What somebody unlinked (`systemctl disable` does) is there nevertheless until it is stopped.
        let there = there(&NAMES)?.into_iter().filter(|unit| !wanted.contains(unit) && !units.contains(unit));
        let unlinked: Vec<String> = there.filter(|unit| links.was_ours(unit)).collect();
        units.extend(unlinked);
        let mut services = Vec::new();
        for service in running {
            let unit = unit(service, "service").map_err(Failure::refused)?;
            units.remove(&unit);
            services.push(unit);
        }
        let (mut starters, mut ground) = (Vec::new(), Vec::new());
        for unit in units {
            match unit.rsplit_once('.') {
                Some((_, "timer" | "socket")) => starters.push(unit),
                Some((_, "service")) => services.push(unit),
                _ => ground.push(unit),
            }
        }
        Ok(Self { starters, services, ground })
    }

    /// Returns all of them.
    pub fn units(&self) -> Vec<String> {
        [&self.starters[..], &self.services, &self.ground].concat()
    }

    /// Stops them, and with them what is to start again, and forgets them; returns those that did not stop.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn end(&self, links: &Links, stale: &Stale) -> Result<Vec<String>, Failure> {
        let units = self.units();
        let before = states(&units)?;
        alone(&[&self.starters[..], &stale.sockets].concat())?;
        at_once(&[&self.services[..], &stale.services].concat())?;
        alone(&self.ground)?;
        let (mut ended, mut left) = (Vec::new(), Vec::new());
        for ((unit, before), now) in units.into_iter().zip(before).zip(states(&self.units())?) {
            if !now.is_down() {
                left.push(unit);
                continue;
            }
            if unit.ends_with(".socket") {
                links.last_sockets(&unit).iter().for_each(|path| unlink_deaf(path));
            }
            say!("{}    {unit}", if before.is_down() { "removed" } else { "stopped" });
            ended.push(unit);
        }
        if !ended.is_empty() {
            ask(&["reset-failed"], &ended)?;
            links.remove(&ended)?;
            reload()?;
        }
        Ok(left)
    }
}

/// Unlinks a socket that nobody answers: systemd leaves one whose unit was unlinked before it was stopped.
fn unlink_deaf(path: &Path) {
    let is_socket = path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let answer = UnixStream::connect(path).map_err(|error| error.kind());
    if is_socket && answer.is_err_and(|kind| kind == ErrorKind::ConnectionRefused) {
        let _ = std::fs::remove_file(path);
    }
}

/// Refuses to call it done while units are there that did not stop.
///
/// # Errors
/// Names them.
pub fn refuse_left(units: &[String]) -> Result<(), Failure> {
    if units.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "systemd did not stop what is sealed no more: {}; `systemctl stop` them, and reconfigure again",
        units.join(", ")
    )))
}

/// Stops units that nothing holds up.
fn alone(units: &[String]) -> Result<(), Failure> {
    let states = states(units)?;
    let up = units.iter().zip(states).filter(|(_, state)| !state.is_down());
    let up: Vec<String> = up.map(|(unit, _)| unit.clone()).collect();
    if up.is_empty() { Ok(()) } else { ask(&["stop", ALONE], &up) }
}

/// Ends the runs that services are in, each after those of them that wait for it, and returns when all have ended or were
/// asked in vain.
///
/// # Errors
/// When systemd does not answer.
pub fn at_once(units: &[String]) -> Result<(), Failure> {
    let before = states(units)?;
    let mut left: Vec<(&String, State)> =
        units.iter().zip(before).filter(|(_, state)| !state.is_down()).collect();
    let mut asked = 0;
    let mut idle: Vec<String> = left.iter().map(|(unit, _)| (*unit).clone()).collect();
    while !left.is_empty() {
        // What somebody has it start meanwhile calls an end off that is still to come.
        if !idle.is_empty() {
            if asked == TIMES {
                return Ok(());
            }
            asked += 1;
            ask(&["stop", "--no-block", IN_ORDER], &idle)?;
        }
        std::thread::sleep(PAUSE);
        let names: Vec<String> = left.iter().map(|(unit, _)| (*unit).clone()).collect();
        idle.clear();
        let mut still = Vec::new();
        for ((unit, before), now) in left.into_iter().zip(states(&names)?) {
            if now.is_down() || now.run != before.run {
                continue;
            }
            if !now.is_moving() {
                idle.push(unit.clone());
            }
            still.push((unit, before));
        }
        left = still;
    }
    Ok(())
}
