//! The way from what runs to what is sealed.

use super::facets;
use super::gone::{ALONE, Stale, at_once};
use super::kernel::Listening;
use super::systemctl::{State, ask, states};
use super::{Failure, Switch, in_order};
use crate::command::running::launched;
use crate::command::say;
use crate::emit::init::systemd::{CHANNELS, GROUND, TARGET, listens, mount, unit};
use capc_supervisor::Service;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a service that says nothing must run to count as running.
const SETTLED: Duration = Duration::from_secs(1);

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
pub struct Course<'a> {
    switch: &'a Switch<'a>,
    served: Vec<Served<'a>>,
}

impl<'a> Course<'a> {
    /// Looks at what is there.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn of(switch: &'a Switch<'a>) -> Result<Self, Failure> {
        let order = in_order(switch.plan);
        let find = |name: &str| switch.plan.services.iter().find(|service| service.name == name);
        let services: Vec<&Service> = order.into_iter().filter_map(find).collect();
        let names = services.iter().map(|service| unit(&service.name, "service"));
        let names: Vec<String> = names.collect::<Result<_, _>>().map_err(Failure::refused)?;
        let states = states(&names)?;
        let stranded = facets::stranded(switch)?;
        let served = services.into_iter().zip(names).zip(states).map(|((service, unit), state)| {
            let is_stale = switch.stale.contains(&service.name)
                || has_run_differently(switch, service, &state)
                || begins_differently(switch, service, &state)
                || (stranded.contains(&service.name) && !state.is_down());
            Served { service, unit, state, is_stale }
        });
        Ok(Self { switch, served: served.collect() })
    }

    /// Returns what is there as something else than what is sealed.
    ///
    /// # Errors
    /// When a name is too long for a unit.
    pub fn stale(&self) -> Result<Stale, Failure> {
        let services = self.served.iter().rev().filter(|served| served.is_stale && !served.state.is_down());
        let services = services.map(|served| served.unit.clone()).collect();
        let freed = self.served.iter().filter(|served| self.switch.freed.contains(&served.service.name));
        let sockets = freed.filter(|served| listens(served.service));
        let sockets = sockets.map(|served| unit(&served.service.name, "socket"));
        Ok(Stale { services, sockets: sockets.collect::<Result<_, _>>().map_err(Failure::refused)? })
    }

    /// Goes it, when what is stale has ended.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn run(mut self) -> Result<Vec<Done>, Failure> {
        self.make_ground()?;
        let mut now = self.look()?;
        let begun = self.begun_since(&now);
        if !begun.is_empty() {
            at_once(&begun)?;
            now = self.look()?;
        }
        let mut done = Vec::new();
        let (mut new, mut scheduled) = (Vec::new(), Vec::new());
        for (Served { service, unit, state, is_stale }, now) in self.served.iter().zip(now) {
            let what = match (*is_stale, now.is_down()) {
                // Its time will come, unless it was at work.
                (is_stale, true) if service.schedule.is_some() && (!is_stale || state.is_down()) => continue,
                (false, false) => What::Left,
                (false, true) => What::Started,
                (true, _) => What::Restarted,
            };
            match what {
                What::Left => {}
                // It begins anew, and nobody waits for its end.
                _ if service.schedule.is_some() => scheduled.push(unit.clone()),
                What::Started | What::Restarted => new.push(unit.clone()),
            }
            done.push(Done { unit: unit.clone(), what, run: state.run.clone() });
        }
        if !scheduled.is_empty() {
            ask(&["start", "--no-block"], &scheduled)?;
        }
        start(&mut new)?;
        self.wait_for_times()?;
        // What failed just now is not tried again with it.
        ask(&["start", ALONE], &[TARGET.to_owned()])?;
        self.settle(&done)?;
        Ok(done)
    }

    fn look(&self) -> Result<Vec<State>, Failure> {
        let names: Vec<String> = self.served.iter().map(|served| served.unit.clone()).collect();
        states(&names)
    }

    /// Returns what has begun, or begun again, as something else than what is sealed; that is stale, too.
    fn begun_since(&mut self, now: &[State]) -> Vec<String> {
        let mut begun = Vec::new();
        for (served, now) in self.served.iter_mut().zip(now) {
            if begins_differently(self.switch, served.service, now) {
                served.is_stale = true;
                served.state = now.clone();
                begun.push(served.unit.clone());
            }
        }
        begun
    }

    /// Makes sockets and directories that are not there as they are sealed.
    ///
    /// What a service is passed can only be made while the service is not there. Who may take descriptors from now on does not
    /// begin with sockets at which some may wait.
    fn make_ground(&self) -> Result<(), Failure> {
        let sockets = self.served.iter().filter(|served| listens(served.service));
        let listening = Listening::now();
        let mut bad = Vec::new();
        for served in sockets {
            let socket = unit(&served.service.name, "socket").map_err(Failure::refused)?;
            let state = states(std::slice::from_ref(&socket))?.pop().unwrap_or_default();
            let is_freed = self.switch.freed.contains(&served.service.name);
            if !state.is_active() || !listening.has_all_of(served.service) || is_freed {
                bad.push((served, socket));
            }
        }
        let mut spoiled = Vec::new();
        for facet in self.switch.plan.facets.iter().filter(|facet| facets::is_anothers(facet)) {
            spoiled.push(mount(&facet.key).map_err(Failure::refused)?);
        }
        let sockets: Vec<String> = bad.iter().map(|(_, socket)| socket.clone()).collect();
        let services: Vec<String> = bad.iter().rev().map(|(served, _)| served.unit.clone()).collect();
        if !sockets.is_empty() {
            ask(&["stop", ALONE], &sockets)?;
            at_once(&services)?;
        }
        if !spoiled.is_empty() {
            // Whoever has sockets there is stopped with it.
            ask(&["stop"], &spoiled)?;
        }
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
///
/// Its launcher said what it runs from. One that said something of itself afterwards ran, as far as anybody knows, from what was current
/// before.
fn has_run_differently(switch: &Switch<'_>, service: &Service, state: &State) -> bool {
    let generations = switch.store.join("generations");
    let number = Path::new(state.status.as_str())
        .strip_prefix(generations)
        .ok()
        .and_then(|number| number.to_str()?.parse().ok());
    let ended = service.oneshot && service.schedule.is_none() && state.is_active() && state.pid == 0;
    ended && !switch.is_as_in(number.unwrap_or(switch.number.saturating_sub(1)), &service.name)
}

/// Returns whether a unit is just being started from something else than what is sealed: its launcher may have looked at the floor
/// before that was raised, and no world tells of it yet.
fn begins_differently(switch: &Switch<'_>, service: &Service, state: &State) -> bool {
    let launched = launched(state.pid).filter(|_| state.is_starting());
    let number = launched.and_then(|(generation, _)| generation.file_name()?.to_str()?.parse().ok());
    number.is_some_and(|number| number != switch.number && !switch.is_as_in(number, &service.name))
}
