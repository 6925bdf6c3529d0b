//! Who may start now, who never will, and who may be asked to stop.

use super::entry::{Entry, Over, Phase, Why};
use super::{Action, Moment, ServiceId, State, Stopping};
use crate::plan::Until;

/// What one wait says about the service that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prospect {
    Met,
    Open,
    /// It cannot come true any more.
    Lost(&'static str),
}

impl State {
    /// Draws the conclusions of a change until nothing follows any more.
    pub(super) fn settle(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.stopping == Stopping::No {
            while self.start_who_can(now, actions) {}
        } else {
            self.stop_who_can(now, actions);
        }
    }

    /// Asks for the end of everything; asked again, kills what is left.
    pub(super) fn ask_to_stop(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.stopping == Stopping::No {
            self.stopping = Stopping::Orderly;
            // One that others depend on is not to stop before them, as it would to start again.
            for entry in &mut self.entries {
                entry.next.take_replacing();
            }
            actions.push(Action::Say(None, "stopping; once more kills what is left".to_owned()));
        } else {
            self.stopping = Stopping::AtOnce;
            for entry in &mut self.entries {
                if entry.is_alive() {
                    entry.kill(now, Why::Asked, actions);
                }
            }
        }
    }

    /// One round over those that wait; tells whether anything has changed.
    fn start_who_can(&mut self, now: Moment, actions: &mut Vec<Action>) -> bool {
        let mut changed = false;
        for index in 0..self.entries.len() {
            let id = ServiceId(index);
            match self.entry(id).map(|entry| (entry.phase, self.prospect(entry))) {
                Some((Phase::Waiting, (Prospect::Met, _))) => {
                    self.with(id, |entry| entry.launch(now, actions))
                }
                Some((Phase::Waiting, (Prospect::Lost(why), on))) => {
                    let why = format!("not started: it waits for {}, which {why}", self.name(on));
                    self.with(id, |entry| entry.come_to_rest(now, Over::NotStarted, &why, actions));
                }
                _ => continue,
            }
            changed = true;
        }
        changed
    }

    /// Names those that wait for each other: they would wait for ever.
    pub(super) fn break_circles(&mut self, actions: &mut Vec<Action>) {
        let mut inside = vec![true; self.entries.len()];
        let is_inside = |inside: &[bool], id: ServiceId| inside.get(id.0) == Some(&true);
        loop {
            // Who waits for nobody inside, and whom nobody inside waits for, is in no circle.
            let mut wanted = vec![false; self.entries.len()];
            let mut changed = false;
            for entry in &self.entries {
                let waits = entry.waits.iter().any(|(on, _)| is_inside(&inside, *on));
                if let Some(mark) = inside.get_mut(entry.id.0).filter(|mark| **mark && !waits) {
                    *mark = false;
                    changed = true;
                }
                for (on, _) in entry.waits.iter().filter(|_| is_inside(&inside, entry.id)) {
                    wanted.get_mut(on.0).into_iter().for_each(|mark| *mark = true);
                }
            }
            for (mark, _) in inside.iter_mut().zip(wanted).filter(|(mark, wanted)| **mark && !wanted) {
                *mark = false;
                changed = true;
            }
            if !changed {
                break;
            }
        }
        for index in 0..self.entries.len() {
            let id = ServiceId(index);
            let Some(entry) = self.entry(id).filter(|_| is_inside(&inside, id)) else { continue };
            let on = entry.waits.iter().find(|(on, _)| is_inside(&inside, *on)).map_or(id, |(on, _)| *on);
            let why = format!("not started: it waits for {}, in a circle", self.name(on));
            self.give_up(id, &why, actions);
        }
    }

    fn give_up(&mut self, id: ServiceId, why: &str, actions: &mut Vec<Action>) {
        self.with(id, |entry| {
            entry.say(actions, why);
            entry.phase = Phase::Over(Over::NotStarted);
        });
    }

    /// Returns the worst of a service's waits, and on whom.
    fn prospect(&self, entry: &Entry) -> (Prospect, ServiceId) {
        let mut worst = (Prospect::Met, ServiceId(usize::MAX));
        for (on, until) in &entry.waits {
            match self.entry(*on).map_or(Prospect::Open, |maker| prospect(maker, *until)) {
                Prospect::Met => {}
                Prospect::Open => worst = (Prospect::Open, *on),
                lost @ Prospect::Lost(_) => return (lost, *on),
            }
        }
        worst
    }

    fn name(&self, id: ServiceId) -> String {
        self.entry(id).map_or_else(|| "?".to_owned(), |entry| entry.name.clone())
    }

    /// Asks those to stop whom nobody that is left depends on.
    fn stop_who_can(&mut self, now: Moment, actions: &mut Vec<Action>) {
        for entry in &mut self.entries {
            if matches!(entry.phase, Phase::Waiting | Phase::Pausing { .. } | Phase::Resting { .. }) {
                entry.phase = Phase::Over(Over::Stopped);
            }
        }
        let needed = self.needed();
        let is_ending = |entry: &Entry| matches!(entry.phase, Phase::Ending { .. });
        let is_free = |entry: &Entry| entry.is_alive() && needed.get(entry.id.0) == Some(&false);
        // Those that depend on each other in a circle are asked together, when no one else is left.
        let only_circles = !self.entries.iter().any(|entry| is_ending(entry) || is_free(entry));
        for entry in &mut self.entries {
            if entry.is_alive() && !is_ending(entry) && (only_circles || is_free(entry)) {
                entry.stop(now, Why::Asked, actions);
            }
        }
    }

    /// Tells of each service whether one that runs depends on it, at any remove.
    fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.entries.len()];
        let mut from: Vec<&Entry> = self.entries.iter().filter(|entry| entry.is_alive()).collect();
        while let Some(holder) = from.pop() {
            for (on, _) in &holder.waits {
                if let (Some(mark), Some(maker)) = (needed.get_mut(on.0), self.entry(*on))
                    && !*mark
                {
                    *mark = true;
                    from.push(maker);
                }
            }
        }
        needed
    }
}

fn prospect(maker: &Entry, until: Until) -> Prospect {
    match (maker.phase, until) {
        (Phase::Healthy { .. }, Until::Ready) => Prospect::Met,
        // Once done is done: a later run of the same, by the calendar, takes nothing back.
        (_, Until::Done) if maker.has_ended_well => Prospect::Met,
        (Phase::Resting { .. }, Until::Ready) if maker.has_ended_well => Prospect::Met,
        (Phase::Over(Over::Well), Until::Done) => Prospect::Met,
        (Phase::Over(Over::Well), Until::Ready) if maker.was_ready || maker.oneshot => Prospect::Met,
        (Phase::Over(Over::Well), Until::Ready) => Prospect::Lost("ended before it was ready"),
        (Phase::Over(Over::Failed), _) => Prospect::Lost("failed"),
        (Phase::Over(Over::Refused), _) => Prospect::Lost("was refused"),
        (Phase::Over(Over::NotStarted), _) => Prospect::Lost("was not started"),
        (Phase::Over(Over::Stopped), _) => Prospect::Lost("was stopped"),
        (Phase::Waiting | Phase::Launching { .. } | Phase::Starting { .. } | Phase::Healthy { .. }, _)
        | (Phase::Ending { .. } | Phase::Pausing { .. } | Phase::Resting { .. }, _) => Prospect::Open,
    }
}
