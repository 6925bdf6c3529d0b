//! Services that start by the calendar: how they rest between their runs.
//!
//! A time that comes while the last run still goes on, or while a set clock jumps over it, is made up for by one run at
//! most. A clock that is set back by less than an hour makes nothing run twice; set back by more, it is believed.

use jiff::{SignedDuration, Timestamp};

use super::entry::{Entry, Over, Phase};
use super::{Action, Moment};

/// A clock that is set back by this much was wrong before.
const SMALL_STEP: SignedDuration = SignedDuration::from_hours(1);

impl Entry {
    /// Lays a service with a timetable to rest before its first run.
    pub(super) fn rest_first(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.phase == Phase::Waiting && self.timetable.is_some() {
            self.come_to_rest(now, Over::Well, "rests", actions);
        }
    }

    /// Ends a run, or what should have been one: with a timetable it rests until its next time, without it is over.
    pub(super) fn come_to_rest(&mut self, now: Moment, over: Over, how: &str, actions: &mut Vec<Action>) {
        let (what, phase) = match (&self.timetable, self.next_time(now)) {
            (None, _) => (how.to_owned(), Phase::Over(over)),
            (Some(_), None) => (format!("{how}; its time does not come again"), Phase::Over(over)),
            (Some(timetable), Some(due)) => {
                (format!("{how}; starts at {}", timetable.shown(due)), Phase::Resting { due })
            }
        };
        self.say(actions, what);
        self.phase = phase;
    }

    /// Returns the time on the clock at which [`Entry::look_at_clock`] has something to do.
    pub(super) fn wake_at_clock(&self) -> Option<Timestamp> {
        if let Phase::Resting { due } = self.phase { Some(due) } else { None }
    }

    /// Wakes it when its time has come; when the clock was set, its time may be another.
    pub(super) fn look_at_clock(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Phase::Resting { due } = self.phase else { return };
        if due <= now.clock {
            self.last_due = Some(due);
            self.phase = Phase::Waiting;
        } else if self.next_time(now) != Some(due) {
            self.come_to_rest(now, Over::Well, "finds the clock set", actions);
        }
    }

    fn next_time(&self, now: Moment) -> Option<Timestamp> {
        let is_near = |last: &Timestamp| last.duration_since(now.clock) < SMALL_STEP;
        let after = self.last_due.filter(is_near).map_or(now.clock, |last| last.max(now.clock));
        self.timetable.as_ref()?.next(after)
    }
}
