//! What follows from the words that a service says of itself.

use std::time::Duration;

use super::entry::{Entry, Phase, Span, Why};
use super::{Action, Moment, Word};
use crate::plan::Ready;

/// A service may draw its own stop out to so many times what the configuration gives it.
const LONGEST_STOP: u32 = 10;

/// What one run of a service has said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Its latest word on how it is.
    pub(super) status: Option<String>,
    /// Whether it reads its configuration again.
    pub(super) is_reloading: bool,
    /// Until when it wants to be waited for.
    pub(super) extended: Duration,
    /// How often it says that it lives, and when it did last.
    alive_every: Option<Duration>,
    alive_at: Duration,
    has_named_another: bool,
}

impl Heard {
    /// Records that it lives.
    pub(super) fn lives(&mut self, now: Moment) {
        self.alive_at = now.since;
    }

    /// Returns when it has been silent for too long.
    pub(super) fn silent_at(&self) -> Option<Duration> {
        self.alive_every.map(|every| self.alive_at.saturating_add(every))
    }
}

impl Entry {
    /// Takes in one word of its main process.
    pub(super) fn said(&mut self, now: Moment, word: Word, actions: &mut Vec<Action>) {
        if !self.is_alive() {
            return;
        }
        match word {
            Word::Ready if self.heard.is_reloading => {
                self.heard.is_reloading = false;
                self.say(actions, "reloaded");
            }
            Word::Ready if self.ready == Ready::Notify => self.is_ready(now, actions),
            Word::Ready => {}
            Word::Status(status) => {
                actions.push(Action::Say(Some(self.id), format!("{}: {status}", self.name)));
                self.heard.status = Some(status);
            }
            Word::Stopping if matches!(self.phase, Phase::Starting { .. } | Phase::Healthy { .. }) => {
                self.say(actions, "is about to end");
                self.leave(now, Why::Wished);
            }
            Word::Stopping => {}
            Word::Reloading if matches!(self.phase, Phase::Healthy { .. }) => {
                self.heard.is_reloading = true;
                self.say(actions, "reloads");
            }
            Word::Reloading => {}
            Word::Alive => self.heard.lives(now),
            Word::AliveEvery(every) => {
                self.heard.alive_every = Some(every).filter(|every| !every.is_zero());
                self.heard.lives(now);
            }
            Word::Failed => {
                if matches!(self.phase, Phase::Starting { .. } | Phase::Healthy { .. }) {
                    self.say(actions, "killed: it says that it has failed");
                    self.kill(now, Why::Broken("by its own word"), actions);
                }
            }
            Word::Extend(longer) => self.extend(now, longer),
            Word::Main => {
                if !self.heard.has_named_another {
                    self.heard.has_named_another = true;
                    self.say(
                        actions,
                        "names a main process, which is not its to name; that counts for nothing",
                    );
                }
            }
        }
    }

    /// Gives it longer to become ready or to end.
    fn extend(&mut self, now: Moment, longer: Duration) {
        let until = now.since.saturating_add(longer);
        match &mut self.phase {
            Phase::Starting { .. } => self.heard.extended = self.heard.extended.max(until),
            Phase::Ending { since, kill_at: Some(kill_at), .. } => {
                let last = since.saturating_add(self.stop_within.saturating_mul(LONGEST_STOP));
                *kill_at = (*kill_at).max(until.min(last));
            }
            Phase::Waiting
            | Phase::Launching { .. }
            | Phase::Healthy { .. }
            | Phase::Ending { .. }
            | Phase::Pausing { .. }
            | Phase::Resting { .. }
            | Phase::Over(_) => {}
        }
    }

    /// Kills it for saying nothing for longer than it promised.
    pub(super) fn is_silent(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let every = Span(self.heard.alive_every.unwrap_or_default());
        self.say(actions, format_args!("killed: it has not said for {every} that it lives"));
        self.kill(now, Why::Broken("silent for too long"), actions);
    }
}
