//! One service's way from waiting to its last end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::replace::Next;
use super::restarts::{FAILURES, HEALTHY_AFTER, Restarts, WINDOW};
use super::words::Heard;
use super::{Action, Attempt, Ending, Moment, ServiceId, Stopping};
use crate::calendar::Timetable;
use crate::plan::{Ready, Restart, Service, SignalName, Until};

/// What is known of one service.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: ServiceId,
    pub(super) name: String,
    pub(super) waits: Vec<(ServiceId, Until)>,
    pub(super) ready: Ready,
    pub(super) phase: Phase,
    pub(super) was_ready: bool,
    pub(super) oneshot: bool,
    /// Whether a run of it has ended well.
    pub(super) has_ended_well: bool,
    pub(super) prepares: bool,
    /// Its next world.
    pub(super) next: Next,
    /// When it starts, if by the calendar.
    pub(super) timetable: Option<Timetable>,
    /// The time for which it ran last.
    pub(super) last_due: Option<Timestamp>,
    /// What its latest run has said.
    pub(super) heard: Heard,
    pub(super) stop_within: Duration,
    pub(super) start_within: Duration,
    pub(super) reload: Option<SignalName>,
    /// How often it was started again after an end.
    pub(super) again: u32,
    /// How it looks, and since when.
    pub(super) shown: (&'static str, Duration),
    restart: Restart,
    stop_signal: SignalName,
    attempt: Attempt,
    restarts: Restarts,
}

/// Where a service is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for others.
    Waiting,
    /// Its launcher is at work.
    Launching { since: Duration },
    /// It runs and is not ready.
    Starting { since: Duration },
    /// It is ready.
    Healthy { since: Duration },
    /// It is to end, since `since`; at `kill_at` it is killed.
    Ending { why: Why, order: Order, since: Duration, kill_at: Option<Duration> },
    /// It waits for its next start.
    Pausing { until: Duration },
    /// It waits for a time on the clock.
    Resting { due: Timestamp },
    /// It never starts again.
    Over(Over),
}

/// Why a service is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Asked,
    /// Somebody wishes it to start again.
    Again,
    TooSlow,
    /// It said that it was about to.
    Wished,
    /// It works no more, and how that showed.
    Broken(&'static str),
}

/// What is to be told to a service as soon as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Stop,
    Die,
}

/// How a service's way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Well,
    Failed,
    Refused,
    NotStarted,
    Stopped,
}

impl Entry {
    /// Returns a service before its first start. A wait on a service that the plan lacks is left out.
    pub(super) fn new(
        id: ServiceId,
        service: &Service,
        timetable: Option<Timetable>,
        ids: &BTreeMap<&str, ServiceId>,
        counts_tasks_by_world: bool,
    ) -> Entry {
        let waits = service.waits.iter().filter_map(|wait| Some((*ids.get(wait.on.as_str())?, wait.until)));
        Entry {
            id,
            name: service.name.clone(),
            waits: waits.collect(),
            ready: service.ready,
            phase: Phase::Waiting,
            was_ready: false,
            oneshot: service.oneshot,
            has_ended_well: false,
            prepares: service.prepares,
            next: Next::new(service, counts_tasks_by_world),
            timetable,
            last_due: None,
            heard: Heard::default(),
            reload: service.reload,
            again: 0,
            shown: ("", Duration::ZERO),
            restart: service.restart,
            stop_signal: service.stop.signal,
            stop_within: Duration::from_millis(service.stop.within_ms),
            start_within: Duration::from_millis(service.start_within_ms),
            attempt: Attempt::First,
            restarts: Restarts::default(),
        }
    }

    /// Tells whether something of it runs.
    pub(super) fn is_alive(&self) -> bool {
        match self.phase {
            Phase::Launching { .. }
            | Phase::Starting { .. }
            | Phase::Healthy { .. }
            | Phase::Ending { .. } => true,
            Phase::Waiting | Phase::Pausing { .. } | Phase::Resting { .. } | Phase::Over(_) => false,
        }
    }

    pub(super) fn launch(&mut self, now: Moment, actions: &mut Vec<Action>) {
        actions.push(Action::Launch(self.id, self.attempt));
        self.attempt = Attempt::Again;
        self.next.begins();
        self.heard = Heard::default();
        self.phase = Phase::Launching { since: now.since };
    }

    pub(super) fn launched(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Launching { since } => {
                self.say(actions, "started");
                if self.ready == Ready::Started {
                    self.is_healthy(now);
                } else {
                    let since = if self.prepares { now.since } else { since };
                    self.phase = Phase::Starting { since };
                }
            }
            // The order came while the launcher was at work.
            Phase::Ending { order, .. } => actions.push(match order {
                Order::Stop => Action::Signal(self.id, self.stop_signal),
                Order::Die => Action::Kill(self.id),
            }),
            Phase::Waiting
            | Phase::Starting { .. }
            | Phase::Healthy { .. }
            | Phase::Pausing { .. }
            | Phase::Resting { .. }
            | Phase::Over(_) => {}
        }
    }

    pub(super) fn is_ready(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if let Phase::Starting { since } = self.phase {
            self.say(actions, format_args!("ready after {}", Span(now.since.saturating_sub(since))));
            self.is_healthy(now);
        }
    }

    fn is_healthy(&mut self, now: Moment) {
        self.was_ready = true;
        self.heard.lives(now);
        self.phase = Phase::Healthy { since: now.since };
    }

    /// Records that it had been ready for long, if it had.
    pub(super) fn count_health(&mut self, now: Moment) {
        if let Phase::Healthy { since } = self.phase
            && now.since.saturating_sub(since) >= HEALTHY_AFTER
        {
            self.restarts.was_healthy();
        }
    }

    pub(super) fn refused(&mut self, why: &str, actions: &mut Vec<Action>) {
        if self.is_alive() {
            self.say(actions, format_args!("refused: {why}"));
            self.phase = Phase::Over(Over::Refused);
        }
    }

    pub(super) fn ended(
        &mut self,
        now: Moment,
        ending: &Ending,
        stopping: Stopping,
        actions: &mut Vec<Action>,
    ) {
        let mut well = *ending == Ending::Code(0);
        let mut how = ending.to_string();
        self.count_health(now);
        let is_replaced = self.next.take_replacing();
        match self.phase {
            Phase::Waiting | Phase::Pausing { .. } | Phase::Resting { .. } | Phase::Over(_) => return,
            Phase::Starting { .. } | Phase::Healthy { .. } if is_replaced && stopping == Stopping::No => {
                self.say(actions, format_args!("{how}, before it was stopped to start again"));
                self.begin_anew();
                return;
            }
            Phase::Starting { .. } if well && !self.oneshot && stopping == Stopping::No => {
                how = format!(
                    "{how} before it was ready: one that goes to the background has to stay in the foreground"
                );
            }
            Phase::Launching { .. }
            | Phase::Starting { .. }
            | Phase::Healthy { .. }
            | Phase::Ending { why: Why::Wished, .. } => {}
            Phase::Ending { why: Why::TooSlow, .. } => {
                well = false;
                how = "failed: too slow to become ready".to_owned();
            }
            Phase::Ending { why: Why::Broken(failure), .. } => {
                well = false;
                how = format!("failed: {failure}");
            }
            Phase::Ending { why: Why::Again, .. } if stopping == Stopping::No => {
                self.say(actions, "stopped, to start again");
                self.begin_anew();
                return;
            }
            Phase::Ending { why: Why::Asked | Why::Again, .. } => {
                self.say(actions, "stopped");
                self.phase = Phase::Over(Over::Stopped);
                return;
            }
        }
        self.has_ended_well |= well;
        let over = if well { Over::Well } else { Over::Failed };
        let again = match self.restart {
            Restart::Never => false,
            Restart::OnFailure => !well,
            Restart::Always => !(self.oneshot && well),
        };
        if stopping != Stopping::No {
            self.say(actions, how);
            self.phase = Phase::Over(over);
            return;
        }
        if !again {
            self.come_to_rest(now, over, &how, actions);
            return;
        }
        let pause = if well { Some(self.restarts.ended()) } else { self.restarts.failed(now.since) };
        if let Some(pause) = pause {
            self.say(actions, format_args!("{how}; starts again in {}", Span(pause)));
            self.phase = Phase::Pausing { until: now.since.saturating_add(pause) };
        } else {
            let how = format!("{how}; given up after {FAILURES} failures within {}", Span(WINDOW));
            self.come_to_rest(now, over, &how, actions);
        }
    }

    /// Returns the moment at which [`Entry::tick`] has something to do.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.phase_ends_at().into_iter().chain(self.next.due(self.phase)).min()
    }

    fn phase_ends_at(&self) -> Option<Duration> {
        match self.phase {
            // Half a migration is worse than a long one.
            Phase::Launching { .. } if self.prepares => None,
            Phase::Launching { since } | Phase::Starting { since } => {
                Some(since.saturating_add(self.start_within).max(self.heard.extended))
            }
            Phase::Healthy { .. } => self.heard.silent_at(),
            Phase::Ending { kill_at, .. } => kill_at,
            Phase::Pausing { until } => Some(until),
            Phase::Waiting | Phase::Resting { .. } | Phase::Over(_) => None,
        }
    }

    pub(super) fn tick(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.next.due(self.phase).is_some_and(|moment| moment <= now.since) {
            self.see_to_next(now, actions);
        }
        if self.phase_ends_at().is_none_or(|moment| moment > now.since) {
            return;
        }
        match self.phase {
            Phase::Launching { .. } | Phase::Starting { .. } => {
                self.say(actions, format_args!("not ready within {}", Span(self.start_within)));
                if matches!(self.phase, Phase::Launching { .. }) {
                    self.kill(now, Why::TooSlow, actions);
                } else {
                    self.stop(now, Why::TooSlow, actions);
                }
            }
            Phase::Ending { why, since, kill_at, .. } => {
                self.say(
                    actions,
                    format_args!(
                        "killed: still there {} after it was to stop",
                        Span(kill_at.unwrap_or(now.since).saturating_sub(since))
                    ),
                );
                self.kill(now, why, actions);
            }
            Phase::Pausing { .. } => {
                self.again = self.again.saturating_add(1);
                self.launch(now, actions);
            }
            Phase::Healthy { .. } => self.is_silent(now, actions),
            Phase::Waiting | Phase::Resting { .. } | Phase::Over(_) => {}
        }
    }

    /// Asks it to end in good order. A launcher at work is not disturbed: what it starts is told at once.
    pub(super) fn stop(&mut self, now: Moment, why: Why, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Launching { .. }) {
            actions.push(Action::Signal(self.id, self.stop_signal));
        }
        self.leave(now, why);
    }

    /// Lets it start as if nothing had failed before.
    pub(super) fn begin_anew(&mut self) {
        self.restarts = Restarts::default();
        self.phase = Phase::Waiting;
    }

    /// Gives it its time to end.
    pub(super) fn leave(&mut self, now: Moment, why: Why) {
        self.count_health(now);
        let why = self.next.ends(why);
        let kill_at = Some(now.since.saturating_add(self.stop_within));
        self.phase = Phase::Ending { why, order: Order::Stop, since: now.since, kill_at };
    }

    pub(super) fn kill(&mut self, now: Moment, why: Why, actions: &mut Vec<Action>) {
        self.count_health(now);
        let why = self.next.ends(why);
        actions.push(Action::Kill(self.id));
        self.phase = Phase::Ending { why, order: Order::Die, since: now.since, kill_at: None };
    }

    pub(super) fn say(&self, actions: &mut Vec<Action>, what: impl fmt::Display) {
        actions.push(Action::Say(Some(self.id), format!("{} {what}", self.name)));
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Code(0) => out.write_str("ended well"),
            Ending::Code(code) => write!(out, "failed with status {code}"),
            Ending::Signal(signal) => write!(out, "failed by signal {signal}"),
            Ending::OutOfMemory => {
                out.write_str("failed: it used more memory than its limit, and all of it was killed")
            }
            Ending::Unborn(why) => write!(out, "did not start: {why}"),
        }
    }
}

/// A time as a person reads it.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match (ms / 1000, ms % 1000 / 100) {
            (0, _) => write!(out, "{ms} ms"),
            (seconds, 0) => write!(out, "{seconds} s"),
            (seconds, tenths) => write!(out, "{seconds}.{tenths} s"),
        }
    }
}
