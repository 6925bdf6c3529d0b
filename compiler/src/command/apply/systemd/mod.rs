//! Telling systemd: what is gone or changed ends, all of it at once; then it starts again, with what is new; the rest is
//! left alone.
//!
//! `Requires=` would have systemd stop whoever waits for what is stopped, so units are stopped without what depends on
//! them. Who waits for whom is kept to among those that end, and among those that start.

mod links;
mod systemctl;
mod kernel;
mod facets;
mod gone;
mod course;
mod report;

pub use links::Links;

use super::{Failure, Switch, in_order};
use crate::command::running::running;
use crate::emit::init::systemd::{DIRECTORY, TARGET};
use crate::seal::Content;
use course::Course;
use gone::{Gone, Stale};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use systemctl::{State, reload, states};

/// What is there where systemd runs (sd_booted(3)).
const RUNS: &str = "/run/systemd/system";
/// How a file differs that systemd reads beside a unit.
pub const NOT_SEALED: &str = "not sealed";
/// How a unit differs that somebody stopped by itself.
pub const STOPPED: &str = "stopped";

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
        let is_up =
            |unit: &str| linked.iter().zip(&states).any(|(one, state)| one == unit && state.is_active());
        if is_up(TARGET) {
            let bears_others =
                |unit: &str| [".mount", ".socket", ".timer"].iter().any(|kind| unit.ends_with(kind));
            let stopped = linked
                .iter()
                .zip(&states)
                .filter(|(unit, state)| bears_others(unit) && state.is_loaded() && state.is_down());
            found.extend(stopped.map(|(unit, _)| (links.place(unit), STOPPED)));
        }
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
    if !links.has_any() {
        return Ok(());
    }
    if root.is_some() || !Path::new(RUNS).exists() {
        return install(&links, &BTreeSet::new());
    }
    let gone = Gone::of(&links, &BTreeSet::new(), &[])?;
    let units = gone.units();
    if units.is_empty() {
        return Ok(());
    }
    links.hold(&units);
    reload()?;
    gone::refuse_left(&gone.end(&links, &Stale::default())?)
}

/// Tells it what a switch means.
///
/// # Errors
/// When it does not answer, or a service did not come up.
pub fn apply(switch: &Switch<'_>) -> Result<(), Failure> {
    let links = Links::new(None, switch.store);
    let units = units(switch.files.keys());
    let gone = Gone::of(&links, &units, &switch.gone)?;
    links.hold(&gone.units());
    links.make(&units)?;
    reload()?;
    let course = Course::of(switch)?;
    let left = gone.end(&links, &course.stale()?)?;
    let told = course.run().and_then(|done| report::report(switch, &done));
    gone::refuse_left(&left)?;
    told
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
