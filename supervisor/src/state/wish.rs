//! What somebody wishes for one service, and how it looks from outside.

use std::time::Duration;

use jiff::Timestamp;

use super::entry::{Entry, Over, Phase, Why};
use super::{Action, Moment, ServiceId, State, Stopping};

/// What somebody wishes for one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// That it stops, and is not started again.
    Stop,
    /// That it starts again, or at all.
    Restart,
    /// That it reads its configuration again.
    Reload,
}

/// How a service looks from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// In one word.
    pub(crate) state: &'static str,
    /// Since when.
    pub(crate) since: Duration,
    /// How often it was started again after an end.
    pub(crate) restarts: u32,
    /// What it last said of itself.
    pub(crate) status: Option<String>,
    /// When it starts next, if by the calendar.
    pub(crate) next: Option<Timestamp>,
}

impl State {
    /// Says why a wish cannot be fulfilled, if it cannot.
    pub(crate) fn refusal(&self, id: ServiceId, wish: Wish) -> Option<String> {
        let entry = self.entry(id)?;
        let runs = matches!(entry.phase, Phase::Starting { .. } | Phase::Healthy { .. });
        match wish {
            _ if self.stopping != Stopping::No => Some("the system is stopping".to_owned()),
            Wish::Stop | Wish::Restart => None,
            Wish::Reload if entry.reload.is_none() => {
                let name = &entry.name;
                Some(format!(
                    "`{name}` has no signal to reload by: its configuration would say `reload signal=\"HUP\"`"
                ))
            }
            Wish::Reload if runs => None,
            Wish::Reload => Some(format!("`{}` does not run: it is {}", entry.name, entry.word())),
        }
    }

    /// Returns how a service looks.
    pub(crate) fn view(&self, id: ServiceId) -> Option<View> {
        let entry = self.entry(id)?;
        Some(View {
            state: entry.word(),
            since: entry.shown.1,
            restarts: entry.again,
            status: entry.heard.status.clone(),
            next: entry.wake_at_clock(),
        })
    }

    /// Tells whether a service has come to where it was wished: it is neither on its way up nor down. A signal to reload is just sent.
    pub(crate) fn is_settled(&self, id: ServiceId, wish: Wish) -> bool {
        let on_its_way = |entry: &Entry| {
            matches!(entry.phase, Phase::Launching { .. } | Phase::Starting { .. } | Phase::Ending { .. })
        };
        wish == Wish::Reload || (!self.entry(id).is_some_and(on_its_way) && !self.is_replacing(id))
    }
}

impl Entry {
    /// Sets out to fulfil a wish that was not refused.
    pub(super) fn wished(&mut self, now: Moment, wish: Wish, actions: &mut Vec<Action>) {
        let why = match wish {
            Wish::Stop => Why::Asked,
            Wish::Restart => Why::Again,
            Wish::Reload => {
                if let Some(signal) = self.reload {
                    self.say(actions, format_args!("is to reload: {signal} sent"));
                    actions.push(Action::Signal(self.id, signal));
                }
                return;
            }
        };
        match (&mut self.phase, wish) {
            (Phase::Starting { .. } | Phase::Healthy { .. }, Wish::Restart) => self.replace(now, actions),
            (Phase::Launching { .. } | Phase::Starting { .. } | Phase::Healthy { .. }, _) => {
                self.stop(now, why, actions);
            }
            (Phase::Ending { why: before, .. }, _) => *before = why,
            (_, Wish::Restart) => self.begin_anew(),
            (Phase::Waiting | Phase::Pausing { .. } | Phase::Resting { .. }, _) => {
                self.say(actions, "stopped");
                self.phase = Phase::Over(Over::Stopped);
            }
            (Phase::Over(_), _) => {}
        }
    }

    /// Returns its state in one word.
    pub(super) fn word(&self) -> &'static str {
        match self.phase {
            Phase::Waiting => "waiting",
            Phase::Launching { .. } if self.prepares => "preparing",
            Phase::Launching { .. } | Phase::Starting { .. } => "starting",
            Phase::Healthy { .. } if self.heard.is_reloading => "reloading",
            Phase::Healthy { .. } => "running",
            Phase::Ending { .. } => "stopping",
            Phase::Pausing { .. } => "pausing",
            Phase::Resting { .. } => "resting",
            Phase::Over(Over::Well) => "ended",
            Phase::Over(Over::Failed) => "failed",
            Phase::Over(Over::Refused) => "refused",
            Phase::Over(Over::NotStarted) => "not-started",
            Phase::Over(Over::Stopped) => "stopped",
        }
    }

    /// Records since when it has looked as it does.
    pub(super) fn note(&mut self, now: Moment) {
        let word = self.word();
        if self.shown.0 != word {
            self.shown = (word, now.since);
        }
    }
}
