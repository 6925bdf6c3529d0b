//! The loop: waits for whatever happens next, asks the state what follows, does it.
//!
//! One thread and nothing shared. It may be the first process of a container, so it reaps every child there is.

mod start;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::ahead::Ahead;
use crate::calendar::Timetable;
use crate::clock::Clock;
use crate::control::{Answer, CallerId, Control, Ps, PsFormat, PsService, Request};
use crate::error::Error;
use crate::groups::{Controller, Group, Groups};
use crate::journal::Journal;
use crate::logs::{Log, Pipes};
use crate::notification;
use crate::plan::Plan;
use crate::process::{self, Starter};
use crate::readiness;
use crate::roster::{News, Roster};
use crate::signals::Signals;
use crate::state::{Action, Ending, Event, Moment, ServiceId, State, View, Wish};
use crate::world::World;

/// The program that starts services, and what it starts them from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The launcher itself; `/proc/self/fd/N` of a sealed memory file will do.
    pub program: PathBuf,
    /// The sealed generation.
    pub generation: PathBuf,
}

/// How the whole ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every service has ended well.
    AllEndedWell,
    /// Every service has ended, and these failed, were refused or never started, in the order of the plan.
    SomeFailed(Vec<String>),
    /// Somebody asked for the end.
    Stopped,
}

/// Starts all services of a plan and keeps them until all have ended or a signal asks for the end.
///
/// It takes over SIGCHLD, SIGINT, SIGTERM and SIGHUP and reaps every child of the process, so it is for a program that
/// does nothing else meanwhile and has one thread. Each service is started in one of `groups`, if there are any.
pub fn run(
    plan: &Plan,
    launcher: &Launcher,
    groups: Groups,
    runtime: &Path,
    log: &mut dyn Log,
) -> Result<Outcome, Error> {
    plan.check().map_err(Error::Plan)?;
    let timetables = timetables(plan)?;
    let starter = Starter::new(plan, &launcher.program, &launcher.generation)?;
    let signals = Signals::new().map_err(Error::when("listen to signals"))?;
    let runtime = std::path::absolute(runtime).map_err(Error::when("name the runtime directory"))?;
    let world = World::build(plan, &runtime)?;
    let control = Control::new(&runtime).map_err(Error::when("bind the control socket"))?;
    let log = Journal::new(&runtime, log).map_err(Error::when("make the directory of logs"))?;
    let supervisor = Supervisor {
        plan,
        names: plan.services.iter().map(|service| service.name.as_str()).collect(),
        starter,
        world,
        signals,
        control,
        waiting: Vec::new(),
        log,
        clock: Clock::new().map_err(Error::when("make a timer"))?,
        state: State::new(plan, timetables, groups.have(Controller::Tasks)),
        roster: Roster::default(),
        ahead: Ahead::default(),
        entered: BTreeMap::new(),
        groups,
        pipes: Pipes::default(),
        watches: BTreeMap::new(),
        begin: Instant::now(),
    };
    supervisor.run()
}

/// Finds the rules of the time zones that services start by.
fn timetables(plan: &Plan) -> Result<BTreeMap<ServiceId, Timetable>, Error> {
    let mut timetables = BTreeMap::new();
    for (service, id) in plan.services.iter().zip(0..) {
        if let Some(calendar) = &service.schedule {
            let timetable = Timetable::new(calendar).map_err(|error| {
                let zone = calendar.zone().unwrap_or("of this machine");
                Error::when::<io::Error>(format!("find the time zone {zone}"))(io::Error::other(error))
            })?;
            timetables.insert(ServiceId(id), timetable);
        }
    }
    Ok(timetables)
}

/// The first pause between two looks at a service's sockets, and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

struct Supervisor<'a> {
    plan: &'a Plan,
    names: Vec<&'a str>,
    starter: Starter,
    world: World,
    signals: Signals,
    clock: Clock,
    control: Control,
    /// Who waits until which service is settled, and what they wished.
    waiting: Vec<(CallerId, ServiceId, Wish)>,
    log: Journal<'a>,
    state: State,
    roster: Roster,
    /// Worlds that wait for their start.
    ahead: Ahead,
    /// The groups of services that run; declared, and so let go, before their place.
    entered: BTreeMap<ServiceId, Group>,
    groups: Groups,
    pipes: Pipes,
    watches: BTreeMap<ServiceId, Watch>,
    begin: Instant,
}

/// When a service's sockets are looked for next.
#[derive(Clone, Copy, Debug)]
struct Watch {
    at: Duration,
    pause: Duration,
}

impl Supervisor<'_> {
    fn run(mut self) -> Result<Outcome, Error> {
        self.happen(Event::Begin);
        loop {
            if let Some(outcome) = self.state.outcome() {
                self.pipes.finish(&self.names, &mut self.log);
                return Ok(outcome);
            }
            let due = self.state.wake_at_clock();
            self.clock.wake_at(due).map_err(Error::when("set a timer"))?;
            self.wait()?;
            self.pipes.pump(&self.names, &mut self.log);
            self.hear_and_reap();
            if self.signals.take_stop() {
                self.happen(Event::Stop);
            }
            self.look_for_sockets();
            if self.state.wake_at().is_some_and(|moment| moment <= self.now()) {
                self.happen(Event::Tick);
            }
            if self.clock.take() {
                self.happen(Event::Clock);
            }
            self.ahead.drop_stale(self.begin.elapsed());
            self.attend();
        }
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Sleeps until something is to be read or a moment has come.
    fn wait(&self) -> Result<(), Error> {
        let looks = self.watches.values().map(|watch| watch.at).min();
        let wishes = [self.state.wake_at(), looks, self.ahead.wake_at()];
        let timeout = wishes.into_iter().flatten().min().map(|moment| {
            let rest = moment.saturating_sub(self.now());
            Timespec {
                tv_sec: i64::try_from(rest.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: rest.subsec_nanos().into(),
            }
        });
        let own =
            [self.signals.children(), self.signals.stop(), self.world.notify().0.as_fd(), self.clock.as_fd()];
        let mut ends: Vec<PollFd<'_>> = own
            .into_iter()
            .chain(self.pipes.ends())
            .map(|end| (end, PollFlags::IN))
            .chain(self.control.ends())
            .map(|(end, wish)| PollFd::from_borrowed_fd(end, wish))
            .collect();
        match rustix::event::poll(&mut ends, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(Error::when("wait for events")(error)),
        }
    }

    /// Takes in one event and does what follows, and what follows from that.
    fn happen(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = Moment { since: self.now(), clock: Clock::now() };
            let put_off = self.put_off(&event);
            for action in self.state.step(now, event) {
                match action {
                    Action::Launch(id, attempt) => {
                        let limits = self.plan.services.get(id.0).map(|service| &service.limits);
                        if let Some(why) = limits.and_then(|limits| self.groups.refusal(limits)) {
                            events.push_back(Event::Refused(id, why));
                        } else if let Err(error) = self.launch(id, attempt) {
                            events.push_back(Event::Ended(id, Ending::Unborn(error.to_string())));
                        }
                    }
                    Action::Build(id) => match self.build(id) {
                        Ok(true) => {}
                        // It is built when what it replaces has ended.
                        Ok(false) => events.push_back(Event::Built(id)),
                        Err(error) => events.push_back(Event::NotBuilt(id, error.to_string())),
                    },
                    Action::Signal(id, signal) => {
                        self.roster.main(id).into_iter().for_each(|main| process::send(main, signal));
                    }
                    Action::Kill(id) => self.kill(id),
                    Action::Say(about, text) => {
                        let about = about.and_then(|id| self.names.get(id.0)).copied();
                        self.log.event_of(about, &text);
                    }
                }
            }
            put_off
                .into_iter()
                .for_each(|(caller, why)| self.control.answer(caller, &Answer::Refused { why }));
        }
        self.ahead.keep_only(|id| self.state.is_to_start(id));
        let (watches, now) = (&mut self.watches, self.begin.elapsed());
        let awaiting: Vec<ServiceId> = self.state.awaiting_sockets().collect();
        watches.retain(|id, _| awaiting.contains(id));
        for id in awaiting {
            watches.entry(id).or_insert(Watch { at: now, pause: LOOKS.0 });
        }
    }

    /// Takes in messages and ends of children.
    ///
    /// Children are reaped first and their ends acted on last: what they sent while they lived comes before their end.
    fn hear_and_reap(&mut self) {
        let ends = if self.signals.take_children() { process::reap() } else { Vec::new() };
        let mut news = Vec::new();
        for (sender, notification) in notification::hear(self.world.notify().0.as_fd()) {
            match self.ahead.built_by(sender) {
                Some(id) if notification.built => {
                    let keeper = self.roster.keeper(id);
                    keeper.into_iter().for_each(|keeper| self.ahead.outlast(id, keeper));
                    self.happen(Event::Built(id));
                }
                Some(_) => {}
                None => news.extend(self.roster.hear(sender, notification)),
            }
        }
        for (child, ending) in ends {
            match self.ahead.built_by(child) {
                Some(id) => {
                    let why = self.ahead.ended(id, &ending);
                    self.happen(Event::NotBuilt(id, why));
                }
                None => news.extend(self.roster.reaped(child, ending)),
            }
        }
        if !news.is_empty() {
            // What a service printed comes before the news of it.
            self.pipes.pump(&self.names, &mut self.log);
        }
        for news in news {
            match news {
                News::Launched(id) => self.happen(Event::Launched(id)),
                News::Said(id, word) => self.happen(Event::Said(id, word)),
                // Killed before its program ran, in what is done to prepare it.
                News::Refused(id) if self.entered.get(&id).is_some_and(|group| group.felt().killed > 0) => {
                    self.entered.remove(&id);
                    self.happen(Event::Ended(id, Ending::OutOfMemory));
                }
                News::Refused(id) => {
                    let line = self.pipes.last_line(id).unwrap_or("its launcher did not say why");
                    let why = line.strip_prefix("capc launcher: refused: ").unwrap_or(line).to_owned();
                    self.entered.remove(&id);
                    self.happen(Event::Refused(id, why));
                }
                // The keeper would end by itself; this way nothing of the old world lives into the new one.
                News::Orphaned(id) => self.kill(id),
                News::Ended(id, ending) => {
                    let ending = self.leave(id, ending);
                    self.happen(Event::Ended(id, ending));
                }
            }
        }
    }

    /// Takes out those who wait for a service to start again that after this event will not, and what they are told.
    fn put_off(&mut self, event: &Event) -> Vec<(CallerId, String)> {
        let Supervisor { state, waiting, names, .. } = self;
        let why = |id: ServiceId| match event {
            _ if !state.is_replacing(id) => None,
            Event::NotBuilt(of, why) if *of == id => {
                let name = names.get(id.0).copied().unwrap_or_default();
                Some(format!("`{name}` goes on as it was: its next world could not be built: {why}"))
            }
            Event::Stop => Some("the system is stopping".to_owned()),
            _ => None,
        };
        let waits =
            |(_, id, wish): &mut (CallerId, ServiceId, Wish)| *wish == Wish::Restart && why(*id).is_some();
        let out: Vec<_> = waiting.extract_if(.., waits).collect();
        out.into_iter().filter_map(|(caller, id, _)| Some((caller, why(id)?))).collect()
    }

    /// Answers those who ask, and those whose service has come to where they wished it.
    fn attend(&mut self) {
        for (caller, request) in self.control.hear() {
            let (name, wish) = match request {
                Request::Ps => {
                    self.control.answer(caller, &Answer::Ps { ps: self.list() });
                    continue;
                }
                Request::Stop { service } => (service, Wish::Stop),
                Request::Restart { service } => (service, Wish::Restart),
                Request::Reload { service } => (service, Wish::Reload),
            };
            let why = match self.names.iter().position(|known| *known == name).map(ServiceId) {
                None => Some(format!("no service is named `{name}`")),
                Some(id) => self.state.refusal(id, wish).or_else(|| {
                    self.waiting.push((caller, id, wish));
                    self.happen(Event::Wished(id, wish));
                    None
                }),
            };
            if let Some(why) = why {
                self.control.answer(caller, &Answer::Refused { why });
            }
        }
        let Supervisor { state, control, waiting, .. } = self;
        waiting.retain(|(caller, id, wish)| {
            let settled = state.view(*id).filter(|_| state.is_settled(*id, *wish));
            if let Some(view) = &settled {
                control.answer(*caller, &Answer::Done { state: view.state.to_owned() });
            }
            settled.is_none()
        });
    }

    /// Returns how all services are.
    fn list(&self) -> Ps {
        let (now, clock) = (self.now(), Clock::now());
        let service = |(id, name): (usize, &&str)| {
            let View { state, since, restarts, status, next } = self.state.view(ServiceId(id))?;
            Some(PsService {
                name: (*name).to_owned(),
                state: state.to_owned(),
                since: format!("{:.0}", clock.checked_sub(now.saturating_sub(since)).unwrap_or(clock)),
                pid: self.roster.main(ServiceId(id)).map(|main| main.as_raw_nonzero().get()),
                restarts,
                status,
                next: next.map(|next| format!("{next:.0}")),
            })
        };
        let services = self.names.iter().enumerate().filter_map(service).collect();
        let (system, limits) = (self.plan.name.clone(), self.groups.to_string());
        Ps { format: PsFormat::V1, system, limits, services }
    }

    fn look_for_sockets(&mut self) {
        let now = self.now();
        let due: Vec<ServiceId> =
            self.watches.iter().filter(|(_, watch)| watch.at <= now).map(|(id, _)| *id).collect();
        for id in due {
            let (Some(service), Some(main)) = (self.plan.services.get(id.0), self.roster.main(id)) else {
                continue;
            };
            if readiness::listens(&service.ready_sockets, &service.ready_ports, main) {
                self.happen(Event::Ready(id));
            } else if let Some(watch) = self.watches.get_mut(&id) {
                watch.pause = watch.pause.saturating_mul(2).min(LOOKS.1);
                watch.at = now + watch.pause;
            }
        }
    }
}
