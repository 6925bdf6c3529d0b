//! The next world of a service: built while the service still runs, or in its pause, so that its start is short.
//!
//! A service that is to start again goes on until its next world is built, and if that is refused, it just goes on.

use std::time::Duration;

use super::entry::{Entry, Phase, Why};
use super::{Action, Moment, ServiceId, State, Stopping};
use crate::plan::Service;

/// How long before the end of a pause the next world is built.
const LEAD: Duration = Duration::from_millis(100);
/// One that takes longer to build is not waited for.
const BUILT_WITHIN: Duration = Duration::from_secs(5);

/// What is known of a service's next world.
#[derive(Debug)]
pub(super) struct Next {
    /// What is done before the program begins is part of a start: it is not to be done ahead.
    is_built_ahead: bool,
    /// Whether it can be there while the service runs.
    is_built_beside: bool,
    is_asked_for: bool,
    /// Until when it is waited for, while the service that it is to replace still runs.
    replacing: Option<Duration>,
}

impl Next {
    pub(super) fn new(service: &Service, counts_tasks_by_world: bool) -> Next {
        let is_built_ahead = !service.prepares;
        Next {
            is_built_ahead,
            // By identity the tasks of both would be counted together.
            is_built_beside: is_built_ahead && (service.limits.tasks.is_none() || counts_tasks_by_world),
            is_asked_for: false,
            replacing: None,
        }
    }

    /// Records that it begins.
    pub(super) fn begins(&mut self) {
        self.is_asked_for = false;
        self.replacing = None;
    }

    /// Records that nothing is to be replaced any more; returns whether something was.
    pub(super) fn take_replacing(&mut self) -> bool {
        self.replacing.take().is_some()
    }

    /// Returns why a service ends that is to, for this reason: who wished that it starts again still does, however it ends before
    /// that; only who wishes that it stops takes that back.
    pub(super) fn ends(&mut self, why: Why) -> Why {
        if self.take_replacing() && why != Why::Asked { Why::Again } else { why }
    }

    /// Returns the moment at which [`Entry::see_to_next`] has something to do.
    pub(super) fn due(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Pausing { until } if self.is_built_ahead && !self.is_asked_for => {
                Some(until.saturating_sub(LEAD))
            }
            _ => self.replacing,
        }
    }
}

impl Entry {
    /// Starts it again: once its next world is built, or at once where that cannot be.
    pub(super) fn replace(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !self.next.is_built_beside {
            self.stop(now, Why::Again, actions);
        } else if self.next.replacing.is_none() {
            self.next.replacing = Some(now.since.saturating_add(BUILT_WITHIN));
            self.next.is_asked_for = true;
            actions.push(Action::Build(self.id));
        }
    }

    pub(super) fn is_built(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.next.take_replacing() {
            self.stop(now, Why::Again, actions);
        }
    }

    pub(super) fn is_not_built(&mut self, why: &str, actions: &mut Vec<Action>) {
        if self.next.take_replacing() {
            self.next.is_asked_for = false;
            self.say(actions, format_args!("goes on as it was: its next world could not be built: {why}"));
        }
    }

    /// Does what [`Next::due`] named.
    pub(super) fn see_to_next(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Pausing { until } if until > now.since => {
                self.next.is_asked_for = true;
                actions.push(Action::Build(self.id));
            }
            Phase::Pausing { .. } => {}
            _ => self.is_built(now, actions),
        }
    }
}

impl State {
    /// Returns whether a service runs only until its next world is built.
    pub(crate) fn is_replacing(&self, id: ServiceId) -> bool {
        self.entry(id).is_some_and(|entry| entry.next.replacing.is_some())
    }

    /// Returns whether a service is to start, so that a world that was built for it is still of use.
    pub(crate) fn is_to_start(&self, id: ServiceId) -> bool {
        self.stopping == Stopping::No
            && self.entry(id).is_some_and(|entry| {
                let is_expected = matches!(
                    entry.phase,
                    Phase::Waiting | Phase::Pausing { .. } | Phase::Ending { why: Why::Again, .. }
                );
                is_expected || entry.next.replacing.is_some()
            })
    }
}
