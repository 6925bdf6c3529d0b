//! What the supervisor decides: a pure machine from what happened to what is to be done.
//!
//! It knows no process, file or clock. Each event bears its moment, so a test can live a month in a millisecond.

mod entry;
mod words;
mod rest;
mod wish;
mod replace;
mod order;
mod restarts;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::calendar::Timetable;
use crate::plan::{Plan, Ready, SignalName};
use crate::run::Outcome;
use entry::{Entry, Over, Phase};
pub(crate) use wish::{View, Wish};

/// A service's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServiceId(pub(crate) usize);

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The time since the supervisor began; it only ever grows.
    pub(crate) since: Duration,
    /// What the machine's clock shows; somebody may set it.
    pub(crate) clock: Timestamp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Nothing yet: the first event.
    Begin,
    /// The launcher reported that the service runs.
    Launched(ServiceId),
    /// The service is ready by its sockets.
    Ready(ServiceId),
    /// The service's main process says something.
    Said(ServiceId, Word),
    /// Its next world is built, and waits for its start.
    Built(ServiceId),
    /// Its next world could not be built, for this reason.
    NotBuilt(ServiceId, String),
    /// The launcher refused it.
    Refused(ServiceId, String),
    /// Nothing of it runs any more.
    Ended(ServiceId, Ending),
    /// Somebody wishes something for one service.
    Wished(ServiceId, Wish),
    /// Somebody asks for the end of everything.
    Stop,
    /// A moment that [`State::wake_at`] named has come.
    Tick,
    /// A time that [`State::wake_at_clock`] named has come, or somebody has set the clock.
    Clock,
}

/// What a service says of itself, by the `sd_notify` protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is ready, or has read its configuration again.
    Ready,
    /// How it is, with nothing in it that a terminal would obey.
    Status(String),
    /// It is about to end by itself.
    Stopping,
    /// It reads its configuration again.
    Reloading,
    /// It lives.
    Alive,
    /// It has failed, and wants to be treated so.
    Failed,
    /// From now on it says at least so often that it lives; never, if this is zero.
    AliveEvery(Duration),
    /// What it is doing takes at most so much longer.
    Extend(Duration),
    /// Another process is its main one; that is not its to say.
    Main,
}

/// How a service ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By the kernel, since all of it together used more memory than it may.
    OutOfMemory,
    /// Before it began, for this reason.
    Unborn(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start its launcher.
    Launch(ServiceId, Attempt),
    /// Build its next world, which is not to start yet.
    Build(ServiceId),
    /// Send a signal to its main process.
    Signal(ServiceId, SignalName),
    /// Kill all of it.
    Kill(ServiceId),
    /// Tell the person who looks on, of this service or of all.
    Say(Option<ServiceId>, String),
}

/// Whether a service has been started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    First,
    Again,
}

/// The whole state.
#[derive(Debug)]
pub(crate) struct State {
    entries: Vec<Entry>,
    stopping: Stopping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Orderly,
    AtOnce,
}

impl State {
    /// Returns the state before anything has happened. Waits on services that the plan lacks are left out.
    ///
    /// A service with a timetable starts by that; the others start at once. Whether something counts the tasks of each
    /// world by itself decides whether two worlds of a service with a limit of them can be there at a time.
    pub(crate) fn new(
        plan: &Plan,
        mut timetables: BTreeMap<ServiceId, Timetable>,
        counts_tasks_by_world: bool,
    ) -> State {
        let ids: BTreeMap<&str, ServiceId> = plan
            .services
            .iter()
            .zip(0..)
            .map(|(service, id)| (service.name.as_str(), ServiceId(id)))
            .collect();
        let entries = plan.services.iter().zip(0..).map(|(service, id)| {
            let id = ServiceId(id);
            Entry::new(id, service, timetables.remove(&id), &ids, counts_tasks_by_world)
        });
        State { entries: entries.collect(), stopping: Stopping::No }
    }

    /// Takes in one event and returns what is to be done, in order.
    pub(crate) fn step(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Begin => {
                self.break_circles(&mut actions);
                for entry in &mut self.entries {
                    entry.rest_first(now, &mut actions);
                }
            }
            Event::Launched(id) => self.with(id, |entry| entry.launched(now, &mut actions)),
            Event::Ready(id) => self.with(id, |entry| entry.is_ready(now, &mut actions)),
            Event::Said(id, word) => self.with(id, |entry| entry.said(now, word, &mut actions)),
            Event::Built(id) => self.with(id, |entry| entry.is_built(now, &mut actions)),
            Event::NotBuilt(id, why) => self.with(id, |entry| entry.is_not_built(&why, &mut actions)),
            Event::Refused(id, why) => self.with(id, |entry| entry.refused(&why, &mut actions)),
            Event::Ended(id, ending) => {
                let stopping = self.stopping;
                self.with(id, |entry| entry.ended(now, &ending, stopping, &mut actions));
            }
            Event::Wished(id, wish) => self.with(id, |entry| entry.wished(now, wish, &mut actions)),
            Event::Stop => self.ask_to_stop(now, &mut actions),
            Event::Tick => {
                for entry in &mut self.entries {
                    entry.tick(now, &mut actions);
                }
            }
            Event::Clock => {
                for entry in &mut self.entries {
                    entry.look_at_clock(now, &mut actions);
                }
            }
        }
        self.settle(now, &mut actions);
        for entry in &mut self.entries {
            entry.note(now);
        }
        actions
    }

    /// Returns the next moment at which [`Event::Tick`] is due.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        self.entries.iter().filter_map(Entry::wake_at).min()
    }

    /// Returns the next time on the clock at which [`Event::Clock`] is due.
    pub(crate) fn wake_at_clock(&self) -> Option<Timestamp> {
        self.entries.iter().filter_map(Entry::wake_at_clock).min()
    }

    /// Returns how all ended, once all has ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let mut failed = Vec::new();
        for entry in &self.entries {
            match entry.phase {
                Phase::Over(Over::Well | Over::Stopped) => {}
                Phase::Over(Over::Failed | Over::Refused | Over::NotStarted) => {
                    failed.push(entry.name.clone())
                }
                Phase::Waiting
                | Phase::Launching { .. }
                | Phase::Starting { .. }
                | Phase::Healthy { .. }
                | Phase::Ending { .. }
                | Phase::Pausing { .. }
                | Phase::Resting { .. } => return None,
            }
        }
        Some(match self.stopping {
            Stopping::Orderly | Stopping::AtOnce => Outcome::Stopped,
            Stopping::No if failed.is_empty() => Outcome::AllEndedWell,
            Stopping::No => Outcome::SomeFailed(failed),
        })
    }

    /// Returns the services whose sockets are to be looked for.
    pub(crate) fn awaiting_sockets(&self) -> impl Iterator<Item = ServiceId> {
        let awaits =
            |entry: &&Entry| entry.ready == Ready::Socket && matches!(entry.phase, Phase::Starting { .. });
        self.entries.iter().filter(awaits).map(|entry| entry.id)
    }

    fn entry(&self, id: ServiceId) -> Option<&Entry> {
        self.entries.get(id.0)
    }

    fn with(&mut self, id: ServiceId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            change(entry);
        }
    }
}
