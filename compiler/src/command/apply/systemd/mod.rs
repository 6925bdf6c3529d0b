//! Telling systemd: what is gone is stopped, what changed is started again in order, what is new is started, the rest is
//! left alone.
//!
//! `Requires=` would have systemd stop whoever waits for what is stopped, so each unit is stopped and started again by
//! itself, without what depends on it, and the order is kept here.

mod links;
mod systemctl;
mod kernel;
mod report;

pub use links::Links;

use super::{Failure, Switch, in_order};
use crate::command::running::{launched, running};
use crate::command::say;
use crate::emit::init::systemd::{CHANNELS, DIRECTORY, GROUND, TARGET, listens, mount, unit};
use crate::seal::Content;
use capc_supervisor::Service;
use kernel::Listening;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use systemctl::{State, ask, reload, states};

/// What is there where systemd runs (sd_booted(3)).
const RUNS: &str = "/run/systemd/system";
/// How a file differs that systemd reads beside a unit.
pub const NOT_SEALED: &str = "not sealed";
/// Nothing but the unit itself.
const ALONE: &str = "--job-mode=ignore-dependencies";
/// How long a service that says nothing must run to count as running.
const SETTLED: Duration = Duration::from_secs(1);

/// Returns the units among the files of a generation.
pub fn units<'a>(files: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    files.into_iter().filter_map(|path| path.strip_prefix(DIRECTORY)).map(str::to_owned).collect()
}

/// Refuses what systemd could not be told later.
///
/// # Errors
/// When it does not run, or something bears the name of one of the units.
pub fn refuse(root: Option<&Path>, store: &Path, content: &Content) -> Result<(), Failure> {
    if root.is_none() && !Path::new(RUNS).exists() {
        return Err(Failure::refused(format!(
            "systemd does not run here (there is no `{RUNS}`): say --root DIR for another system, or --init capc"
        )));
    }
    let links = Links::new(root, store);
    let new = units(content.keys());
    if !links.missing(&new).is_empty() || !links.ours().is_subset(&new) {
        links.refuse_unwritable()?;
    }
    let strangers = links.strangers(&new);
    let Some(first) = strangers.first() else { return Ok(()) };
    let more = strangers.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Err(Failure::refused(format!(
        "`{}`{more} is a unit of the same name, and none of this store's: remove it, or give the service another name",
        first.display()
    )))
}

/// Links the units of a system that does not run.
///
/// # Errors
/// When they cannot be linked.
pub fn install(links: &Links, units: &BTreeSet<String>) -> Result<(), Failure> {
    let gone: Vec<String> = links.ours().difference(units).cloned().collect();
    links.remove(&gone)?;
    links.make(units)
}

/// Returns the units that systemd does not have as they are sealed: each with its place, and how that differs.
pub fn differences(store: &Path, units: &BTreeSet<String>) -> Vec<(PathBuf, &'static str)> {
    let links = Links::new(None, store);
    let missing = links.missing(units);
    let mut found: Vec<(PathBuf, &str)> = missing
        .iter()
        .map(|unit| links.place(unit))
        .map(|place| if place.symlink_metadata().is_ok() { (place, "changed") } else { (place, "gone") })
        .collect();
    let linked: Vec<String> = units.iter().filter(|unit| !missing.contains(unit)).cloned().collect();
    if Path::new(RUNS).exists()
        && let Ok(states) = states(&linked)
    {
        let old = linked.iter().zip(&states).filter(|(_, state)| !state.is_loaded());
        found.extend(old.map(|(unit, _)| (links.place(unit), "not loaded")));
        let beside: BTreeSet<&str> = states.iter().flat_map(State::drop_ins).collect();
        found.extend(beside.into_iter().map(|path| (PathBuf::from(path), NOT_SEALED)));
    }
    found
}

/// Stops all units of a store, and forgets them.
///
/// # Errors
/// When systemd does not answer.
pub fn leave(root: Option<&Path>, store: &Path) -> Result<(), Failure> {
    let links = Links::new(root, store);
    let units = links.ours();
    if units.is_empty() {
        return Ok(());
    }
    if root.is_some() || !Path::new(RUNS).exists() {
        return install(&links, &BTreeSet::new());
    }
    dismiss(&links, &BTreeSet::new(), &[])?;
    reload()
}

/// Tells it what a switch means.
///
/// # Errors
/// When it does not answer, or a service did not come up.
pub fn apply(switch: &Switch<'_>) -> Result<(), Failure> {
    let links = Links::new(None, switch.store);
    let units = units(switch.files.keys());
    dismiss(&links, &units, &switch.gone)?;
    links.make(&units)?;
    reload()?;
    let done = Course::of(switch)?.run()?;
    report::report(switch, &done)
}

/// Stops what is linked or runs and is not wanted any more, and unlinks it.
fn dismiss(links: &Links, wanted: &BTreeSet<String>, running: &[String]) -> Result<(), Failure> {
    let linked: BTreeSet<String> = links.ours().difference(wanted).cloned().collect();
    // In an order that leads down: who starts others first, what others stand on last.
    let mut gone: Vec<String> =
        linked.iter().filter(|unit| is_of(unit, &["timer", "socket"])).cloned().collect();
    for service in running {
        gone.push(unit(service, "service").map_err(Failure::refused)?);
    }
    for kinds in [&["service"][..], &["mount", "target"]] {
        let rest = linked.iter().filter(|unit| is_of(unit, kinds) && !gone.contains(unit));
        let rest: Vec<String> = rest.cloned().collect();
        gone.extend(rest);
    }
    if gone.is_empty() {
        return Ok(());
    }
    let before = states(&gone)?;
    for (unit, state) in gone.iter().zip(before) {
        let unit = std::slice::from_ref(unit);
        let was_there = !state.is_down();
        if was_there {
            ask(&["stop", ALONE], unit)?;
        }
        for unit in unit {
            say!("{}    {unit}", if was_there { "stopped" } else { "removed" });
        }
    }
    let left: Vec<String> = states(&gone)?
        .iter()
        .zip(&gone)
        .filter(|(state, _)| !state.is_down())
        .map(|(_, unit)| unit.clone())
        .collect();
    if !left.is_empty() {
        return Err(Failure::refused(format!(
            "systemd did not stop what is sealed no more: {}; `systemctl stop` them, and reconfigure again",
            left.join(", ")
        )));
    }
    ask(&["reset-failed"], &gone)?;
    links.remove(&gone)
}

fn is_of(unit: &str, kinds: &[&str]) -> bool {
    unit.rsplit_once('.').is_some_and(|(_, kind)| kinds.contains(&kind))
}

/// A service with its units.
struct Served<'a> {
    service: &'a Service,
    unit: String,
    state: State,
    is_stale: bool,
}

/// What was done to a unit.
pub struct Done {
    /// The unit.
    pub unit: String,
    /// What.
    pub what: What,
    /// Its run before.
    pub run: String,
}

/// What is done to a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was not there.
    Started,
    /// It ran from something else than what is sealed.
    Restarted,
    /// It is as it was.
    Left,
}

/// The way from what runs to what is sealed.
struct Course<'a> {
    switch: &'a Switch<'a>,
    served: Vec<Served<'a>>,
}

impl<'a> Course<'a> {
    fn of(switch: &'a Switch<'a>) -> Result<Self, Failure> {
        let order = in_order(switch.plan);
        let find = |name: &str| switch.plan.services.iter().find(|service| service.name == name);
        let services: Vec<&Service> = order.into_iter().filter_map(find).collect();
        let names = services.iter().map(|service| unit(&service.name, "service"));
        let names: Vec<String> = names.collect::<Result<_, _>>().map_err(Failure::refused)?;
        let states = states(&names)?;
        let served = services.into_iter().zip(names).zip(states).map(|((service, unit), state)| {
            let is_stale =
                switch.stale.contains(&service.name) || has_run_differently(switch, service, &state);
            Served { service, unit, state, is_stale }
        });
        Ok(Self { switch, served: served.collect() })
    }

    /// Goes it.
    fn run(self) -> Result<Vec<Done>, Failure> {
        self.make_ground()?;
        let mut done = Vec::new();
        let mut new: Vec<String> = Vec::new();
        for Served { service, unit, state: _, is_stale } in &self.served {
            let state = states(std::slice::from_ref(unit))?.pop().unwrap_or_default();
            let is_stale = *is_stale || begins_differently(self.switch, service, &state);
            let what = match (is_stale, state.is_down()) {
                // Its time will come.
                (_, true) if service.schedule.is_some() => continue,
                (false, false) => What::Left,
                (false, true) => What::Started,
                (true, _) => What::Restarted,
            };
            match what {
                What::Left => {}
                What::Started => new.push(unit.clone()),
                What::Restarted if state.is_down() => new.push(unit.clone()),
                // It ends now, whatever it or what it waits for takes to start: nobody's start keeps what was revoked.
                What::Restarted if takes_its_time(service) || self.waits_for_one_of(service, &new) => {
                    ask(&["stop", ALONE], std::slice::from_ref(unit))?;
                    new.push(unit.clone());
                }
                What::Restarted => restart(service, std::slice::from_ref(unit))?,
            }
            done.push(Done { unit: unit.clone(), what, run: state.run });
        }
        start(&mut new)?;
        self.wait_for_times()?;
        // What failed just now is not tried again with it.
        ask(&["start", ALONE], &[TARGET.to_owned()])?;
        self.settle(&done)?;
        Ok(done)
    }

    /// Returns whether a service waits for one of some units, or for what waits for one.
    fn waits_for_one_of(&self, service: &Service, units: &[String]) -> bool {
        let mut waits: Vec<&str> = service.waits.iter().map(|wait| wait.on.as_str()).collect();
        let mut next = 0;
        while let Some(name) = waits.get(next).copied() {
            next += 1;
            let Some(served) = self.served.iter().find(|served| served.service.name == name) else {
                continue;
            };
            if units.contains(&served.unit) {
                return true;
            }
            let more = served.service.waits.iter().map(|wait| wait.on.as_str());
            let more: Vec<&str> = more.filter(|name| !waits.contains(name)).collect();
            waits.extend(more);
        }
        false
    }

    /// Makes sockets and directories that are not there as they are sealed.
    ///
    /// What a service is passed can only be made while the service is not there.
    fn make_ground(&self) -> Result<(), Failure> {
        let sockets = self.served.iter().filter(|served| listens(served.service));
        let listening = Listening::now();
        let mut bad = Vec::new();
        let mut idle = false;
        for served in sockets {
            let socket = unit(&served.service.name, "socket").map_err(Failure::refused)?;
            let state = states(std::slice::from_ref(&socket))?.pop().unwrap_or_default();
            if !state.is_active() || !listening.has_all_of(served.service) {
                idle |= !served.state.is_down();
                bad.push((served, socket));
            }
        }
        let mut spoiled = Vec::new();
        for facet in self.switch.plan.facets.iter().filter(|facet| kernel::is_anothers(facet)) {
            spoiled.push(mount(&facet.key).map_err(Failure::refused)?);
        }
        if idle || !spoiled.is_empty() {
            let is_bad = |served: &Served<'_>| bad.iter().any(|(other, _)| other.unit == served.unit);
            let leaving: Vec<&Served<'_>> =
                self.served.iter().rev().filter(|served| served.is_stale || is_bad(served)).collect();
            let sockets: Vec<String> = bad.iter().map(|(_, socket)| socket.clone()).collect();
            ask(&["stop", ALONE], &sockets)?;
            for served in leaving {
                ask(&["stop", ALONE], std::slice::from_ref(&served.unit))?;
            }
            // Whoever has sockets there is stopped with it.
            ask(&["stop"], &spoiled)?;
        }
        let sockets: Vec<String> = bad.into_iter().map(|(_, socket)| socket).collect();
        if !sockets.is_empty() {
            ask(&["reset-failed"], &sockets)?;
        }
        ask(&["start"], &[GROUND.to_owned()])?;
        let made = states(&sockets)?;
        for (socket, _) in sockets.iter().zip(made).filter(|(_, state)| state.is_active()) {
            say!("listens    {socket}");
        }
        self.keep_channels()
    }

    /// Has the pairs kept that are sealed.
    fn keep_channels(&self) -> Result<(), Failure> {
        if self.switch.plan.channels.is_empty() {
            return Ok(());
        }
        let unit = [CHANNELS.to_owned()];
        let state = states(&unit)?.pop().unwrap_or_default();
        if state.is_active() && self.switch.keeps_channels_of(state.pid) {
            return Ok(());
        }
        let verb = if state.is_down() { "start" } else { "restart" };
        ask(&["reset-failed"], &unit)?;
        ask(&[verb, ALONE], &unit)?;
        say!("{verb}ed{}{CHANNELS}", if verb == "start" { "    " } else { "  " });
        Ok(())
    }

    /// Starts the timers.
    fn wait_for_times(&self) -> Result<(), Failure> {
        let timers = self.served.iter().filter(|served| served.service.schedule.is_some());
        let timers = timers.map(|served| unit(&served.service.name, "timer"));
        let timers: Vec<String> = timers.collect::<Result<_, _>>().map_err(Failure::refused)?;
        let states = states(&timers)?;
        let mut new: Vec<String> = timers
            .into_iter()
            .zip(states)
            .filter(|(_, state)| !state.is_active())
            .map(|(timer, _)| timer)
            .collect();
        for timer in &new {
            say!("waits      {timer}");
        }
        start(&mut new)
    }

    /// Waits until services that say nothing have shown that they run.
    fn settle(&self, done: &[Done]) -> Result<(), Failure> {
        let touched: Vec<String> =
            done.iter().filter(|done| done.what != What::Left).map(|done| done.unit.clone()).collect();
        let begin = Instant::now();
        while !touched.is_empty() && begin.elapsed() < SETTLED {
            if states(&touched)?.iter().any(State::is_down) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// Returns whether nothing bounds how long a service takes to start.
fn takes_its_time(service: &Service) -> bool {
    service.schedule.is_none() && (service.oneshot || service.prepares)
}

/// Starts what runs from something else anew.
fn restart(service: &Service, unit: &[String]) -> Result<(), Failure> {
    if service.schedule.is_none() {
        return ask(&["restart", ALONE], unit);
    }
    // It begins anew, and nobody waits for its end.
    ask(&["stop", ALONE], unit)?;
    ask(&["start", "--no-block"], unit)
}

/// Starts units that are not there, each after those that it waits for.
fn start(units: &mut Vec<String>) -> Result<(), Failure> {
    if !units.is_empty() {
        // What failed before is tried as if it had not.
        ask(&["reset-failed"], units)?;
        ask(&["start"], units)?;
        units.clear();
    }
    Ok(())
}

/// Returns whether a oneshot that has ended ran from something else than what is sealed.
fn has_run_differently(switch: &Switch<'_>, service: &Service, state: &State) -> bool {
    let generations = switch.store.join("generations");
    let number = Path::new(state.status.as_str())
        .strip_prefix(generations)
        .ok()
        .and_then(|number| number.to_str()?.parse().ok());
    let ended = service.oneshot && service.schedule.is_none() && state.is_active() && state.pid == 0;
    ended && number.is_some_and(|number| !switch.is_as_in(number, &service.name))
}

/// Returns whether a unit is just being started from something else than what is sealed: its launcher may have looked at the floor
/// before that was raised, and no world tells of it yet.
fn begins_differently(switch: &Switch<'_>, service: &Service, state: &State) -> bool {
    let launched = launched(state.pid).filter(|_| state.is_starting());
    let number = launched.and_then(|(generation, _)| generation.file_name()?.to_str()?.parse().ok());
    number.is_some_and(|number| number != switch.number && !switch.is_as_in(number, &service.name))
}

/// Returns what still runs from something else than what is sealed.
fn left_over(switch: &Switch<'_>) -> Vec<String> {
    let old = running(switch.store).into_iter().filter(|running| {
        let is_sealed = switch.plan.services.iter().any(|service| service.name == running.service);
        !is_sealed
            || (running.generation != switch.number && !switch.is_as_in(running.generation, &running.service))
    });
    old.map(|running| {
        format!("{} (pid {}, from generation {})", running.service, running.pid, running.generation)
    })
    .collect()
}
