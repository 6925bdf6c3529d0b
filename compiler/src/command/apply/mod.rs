//! The last step of a transaction: the init is told what to load, stop, start and restart.
//!
//! What is to be done follows from what runs and from what is sealed, and from nothing that an earlier run remembers: one that was
//! cut short is made good by the next.

mod own;
mod shepherd;
mod systemd;

pub use systemd::{NOT_SEALED, STOPPED};

use super::Failure;
use super::running::{Running, launched, running};
use crate::emit::init::{PLAN, in_order};
use crate::emit::store::{self, Found};
use crate::model::Init;
use crate::seal::Content;
use capc_schemas::token::Digest;
use capc_supervisor::{Plan, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A switch to another generation, as far as the init is concerned.
pub struct Switch<'a> {
    /// The store.
    pub store: &'a Path,
    /// The new generation's directory.
    pub generation: &'a Path,
    /// Its number.
    pub number: u64,
    /// Its files.
    pub files: &'a BTreeMap<String, Digest>,
    /// Its plan.
    pub plan: &'a Plan,
    /// Services that run from something else than what is sealed now, in the order in which they wait for each other.
    pub stale: Vec<String>,
    /// Services that run and are not sealed any more, those first that waited for others.
    pub gone: Vec<String>,
    /// Services that may pass descriptors from now on, and could not before, for the sake of `data-only` facets: what their
    /// peers sent them meanwhile must not wait for them.
    pub freed: BTreeSet<String>,
}

impl Switch<'_> {
    /// Returns whether a service is given the same, by the same, as in an older generation.
    pub fn is_as_in(&self, number: u64, service: &str) -> bool {
        let new = Sealed { files: self.files, plan: Some(self.plan) };
        Then::at(self.store, number).is_some_and(|then| new.is_same(&then.sealed(), service))
    }

    /// Returns whether a process that was started for a generation keeps the channels of this one.
    ///
    /// It does not where somebody is freed: what was said before is not for him, though he had not begun yet.
    pub fn keeps_channels_of(&self, pid: u32) -> bool {
        let ends = self.plan.channels.iter().flat_map(|channel| [&channel.maker, &channel.holder]);
        if ends.into_iter().any(|end| self.freed.contains(end)) {
            return false;
        }
        let line = launched(pid);
        let number =
            line.and_then(|(_, generation)| Path::new(&generation).file_name()?.to_str()?.parse().ok());
        let then = number.and_then(|number| Then::at(self.store, number));
        then.is_some_and(|then| then.plan.is_some_and(|plan| plan.channels == self.plan.channels))
    }
}

/// Returns those of some services that run from something else than these files and this plan say.
pub fn outdated<'r>(
    store: &Path,
    files: &BTreeMap<String, Digest>,
    plan: Option<&Plan>,
    running: &'r [Running],
) -> Vec<&'r Running> {
    let new = Sealed { files, plan };
    let mut old = BTreeMap::new();
    let mut is_outdated = |running: &&Running| {
        let then = old.entry(running.generation).or_insert_with(|| Then::at(store, running.generation));
        then.as_ref().is_none_or(|then| !new.is_same(&then.sealed(), &running.service))
    };
    running.iter().filter(|running| is_outdated(running)).collect()
}

/// Returns those of some services that run from something else than the current generation says.
pub fn outdated_now<'r>(store: &Path, current: &Found, running: &'r [Running]) -> Vec<&'r Running> {
    let plan = Then::at(store, current.number).and_then(|now| now.plan);
    let mut outdated = outdated(store, &current.files, plan.as_ref(), running);
    outdated.retain(|running| running.generation != current.number);
    outdated
}

/// Refuses, before anything is sealed, what the init could not be told later.
///
/// # Errors
/// When it does not run, or has something of the same name.
pub fn refuse(init: Init, root: Option<&Path>, store: &Path, content: &Content) -> Result<(), Failure> {
    match init {
        Init::Systemd => systemd::refuse(root, store, content),
        Init::Shepherd if root.is_none() => shepherd::refuse(content),
        Init::Capc | Init::Shepherd => Ok(()),
    }
}

/// Returns what a person should know before an init is given something.
pub fn note(init: Init, root: Option<&Path>) -> Option<String> {
    let starts_capc = init != Init::Capc && root.is_none() && rustix::process::geteuid().is_root();
    let capc = std::env::current_exe().ok().filter(|_| starts_capc)?;
    let who = own::who_can_change(&capc)?;
    Some(format!(
        "the init starts `{}` as root, and {who}: who changes it has all authority; install it where only root can",
        capc.display()
    ))
}

/// Has the init of a system that does not run here find a generation when it comes up.
///
/// # Errors
/// When that cannot be written.
pub fn install(init: Init, root: &Path, store: &Path, found: &Found) -> Result<(), Failure> {
    match init {
        Init::Systemd => {
            systemd::install(&systemd::Links::new(Some(root), store), &systemd::units(found.files.keys()))
        }
        Init::Capc | Init::Shepherd => Ok(()),
    }
}

/// Returns what an init reads and has otherwise than it is sealed: each with its place, and how that differs.
pub fn differences(store: &Path, found: &Found) -> Vec<(PathBuf, &'static str)> {
    systemd::differences(store, &systemd::units(found.files.keys()))
}

/// Has every other init forget a store.
///
/// # Errors
/// When one does not.
pub fn leave_others(init: Option<Init>, root: Option<&Path>, store: &Path) -> Result<(), Failure> {
    let herd = if init != Some(Init::Shepherd) && root.is_none() { shepherd::leave(store) } else { Ok(()) };
    if init == Some(Init::Systemd) {
        // Two of a service, of which one has what was revoked, are worse than the old one alone.
        let again = "systemd was told nothing yet: stop what is left, and reconfigure again";
        return herd
            .map_err(|Failure { exit, message }| Failure { exit, message: format!("{again}\n{message}") });
    }
    let units = systemd::leave(root, store);
    herd.and(units)
}

/// Tells the init.
///
/// # Errors
/// When it is not there, or a service did not come up; the new generation is the current one nevertheless.
pub fn apply(init: Init, store: &Path, found: &Found, plan: &Plan) -> Result<(), Failure> {
    let running: Vec<Running> =
        running(store).into_iter().filter(|running| running.generation != found.number).collect();
    let (mut stale, mut gone) = (BTreeSet::new(), BTreeMap::new());
    for running in outdated(store, &found.files, Some(plan), &running) {
        if plan.services.iter().any(|service| service.name == running.service) {
            stale.insert(running.service.as_str());
            continue;
        }
        let then = Then::at(store, running.generation).and_then(|then| then.plan);
        let place = then.and_then(|then| in_order(&then).iter().position(|name| *name == running.service));
        gone.insert((std::cmp::Reverse(place), &running.service), running.service.clone());
    }
    let order = in_order(plan);
    let stale = order.into_iter().filter(|name| stale.contains(*name)).map(str::to_owned).collect();
    let switch = Switch {
        store,
        generation: &found.path,
        number: found.number,
        files: &found.files,
        plan,
        stale,
        gone: gone.into_values().collect(),
        freed: freed(store, found.number, plan, &running),
    };
    match init {
        Init::Capc => Ok(()),
        Init::Systemd => systemd::apply(&switch),
        Init::Shepherd => shepherd::apply(&switch),
    }
}

/// Returns the services that may pass descriptors and could not before: in what they run from, or in the generation before.
fn freed(store: &Path, number: u64, plan: &Plan, running: &[Running]) -> BTreeSet<String> {
    let plan_of = |number| Then::at(store, number)?.plan;
    let mut plans = BTreeMap::new();
    for number in running.iter().map(|one| one.generation).chain(number.checked_sub(1)) {
        plans.entry(number).or_insert_with(|| plan_of(number).map(data_only).unwrap_or_default());
    }
    let was_bound = |number: u64, name: &str| plans.get(&number).is_some_and(|bound| bound.contains(name));
    let free = plan.services.iter().filter(|service| !service.data_only).map(|service| &service.name);
    let freed = free.filter(|name| {
        let mut ran = running.iter().filter(|one| one.service == **name);
        was_bound(number.saturating_sub(1), name) || ran.any(|one| was_bound(one.generation, name))
    });
    freed.cloned().collect()
}

/// Returns the services that can pass no descriptors.
fn data_only(plan: Plan) -> BTreeSet<String> {
    plan.services.into_iter().filter(|service| service.data_only).map(|service| service.name).collect()
}

/// A generation that something was started from.
struct Then {
    found: Found,
    plan: Option<Plan>,
}

impl Then {
    /// Reads it; none if it is not there or not whole.
    fn at(store: &Path, number: u64) -> Option<Self> {
        let found = store::find(store, number).ok()?;
        let plan = match found.files.contains_key(PLAN) {
            true => Some(Plan::from_json(&store::read(&found.path.join(PLAN)).ok()?).ok()?),
            false => None,
        };
        Some(Self { found, plan })
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed { files: &self.found.files, plan: self.plan.as_ref() }
    }
}

/// What a generation says of services.
struct Sealed<'a> {
    files: &'a BTreeMap<String, Digest>,
    plan: Option<&'a Plan>,
}

impl Sealed<'_> {
    fn service(&self, name: &str) -> Option<&Service> {
        self.plan?.services.iter().find(|service| service.name == name)
    }

    /// Returns whether a service is given the same, by the same.
    fn is_same(&self, other: &Self, name: &str) -> bool {
        let manifest = format!("manifests/{name}");
        self.files.get(&manifest) == other.files.get(&manifest) && self.service(name) == other.service(name)
    }
}
