//! The launcher's whole way, as a list of calls.

use crate::apply::identities::Identities;
use crate::apply::keeper::{self, SERVICE_PID, STARTED};
use crate::apply::report::{ABOUT_TO, Report};
use crate::apply::{descriptors, enter, facet, landlock, limits, namespaces, places, state};
use crate::load::{self, Buffers};
use crate::plan::{self, Plan};
use crate::refusal::{Layer, OrRefuse, REFUSED, Reason, Refusal, Sentence, Subject};
use crate::request::{self, Launch, Request, Stay};
use crate::sys::memory::{self, Arena, Room, Stack};
use crate::sys::start::Start;
use crate::sys::{
    self, At, CLONE_NEWPID, Errno, Fd, O_PATH, Onlookers, Parent, Patience, Process, Side, Telling,
};
use crate::{doctor, exec, whole};
use capc_schemas::manifest::{Mode, Network, Ready};
use core::ffi::CStr;

/// There while `capc why-denied` is at work; in a directory of root's alone.
const ASKED_WHY: &CStr = c"/run/capc/why-denied";

/// Does what is asked and returns the status to exit with.
#[must_use]
pub fn main(start: Start) -> u8 {
    // Before anything is opened: what is open now was passed.
    let passed = descriptors::passed();
    let Some(room) = memory::take_room() else { return REFUSED };
    sys::copy_trust_record(&mut room.record);
    let answer = descriptors::fill_standard().and_then(|()| match request::request(start)? {
        Request::Launch(launch) => launch_service(start, launch, passed, room),
        Request::Enter { mode, skip, program } => enter::enter(start, mode, skip, program, &mut room.arena),
        Request::Doctor => Ok(doctor::examine()),
        Request::Check { generation } => check(generation, room),
    });
    answer.unwrap_or_else(|refusal| {
        complain(refusal.status(), format_args!("{refusal}"));
        refusal.status()
    })
}

/// Says in one line why nothing is started.
fn complain(status: u8, text: core::fmt::Arguments<'_>) {
    let verdict = if status == REFUSED { "refused: " } else { "" };
    sys::complain(Sentence::of(format_args!("capc launcher: {verdict}{text}\n")).bytes());
}

/// Says what a process of the world has told, and returns its status.
fn repeat(status: u8, text: &[u8]) -> u8 {
    let line = text.split(|byte| *byte == b'\n').next().and_then(|line| core::str::from_utf8(line).ok());
    complain(status, format_args!("{}", line.unwrap_or("for an unknown reason")));
    status
}

fn check<'m>(generation: &'m CStr, room: &'m mut Room) -> Result<u8, Refusal<'m>> {
    let Room { record, seal, manifest, signature, scratch, .. } = room;
    let trust = load::trust(record)?;
    whole::verify(&trust, generation, Buffers { seal, signature, manifest }, scratch)?;
    Ok(0)
}

fn launch_service(
    start: Start,
    launch: Launch,
    passed: descriptors::Passed,
    room: &'static mut Room,
) -> Result<u8, Refusal<'static>> {
    let Room { record, seal, manifest, signature, arena, stack, scratch, identities } = room;
    let life = request::life_pipe(start)?;
    let group = request::control_group(start)?;
    let ahead = request::start_pipe(start)?;
    // Before the service's process, which is left with it.
    request::files(start)?.map(limits::files).transpose()?;
    sys::let_look(Onlookers::Nobody).or_refuse(Layer::Session, "prctl")?;
    let trust = load::trust(record)?;
    let manifest =
        load::manifest(&trust, launch.generation, launch.service, Buffers { seal, signature, manifest })?;
    let plan = plan::plan(&manifest, Arena::new(arena))?;
    passed.suffice(plan.descriptors, [life.as_ref(), group.as_ref(), ahead.as_ref()])?;
    landlock::suffices(plan.landlock_abi)?;
    let notify = launch.notify_socket.map(sys::connect_datagrams).transpose();
    let notify = notify.or_refuse(Layer::Notification, "connecting to NOTIFY_SOCKET")?;
    namespaces::leave_mounts()?;
    namespaces::leave_queues_and_name(plan)?;
    state::make(plan)?;
    // Before anything of the service runs: what does cannot have written there.
    let identities = match plan.mode {
        Mode::Root => Identities::open(&trust.root, identities),
        Mode::User => Identities::none(),
    };
    let telling = if is_asked_why() { Telling::Audit } else { Telling::Nobody };
    let sealed = Sealed { plan, generation: launch.generation };
    let root = places::begin(launch.generation)?;
    let given = Given { root: &root, stack, life, group, waits: ahead.is_some(), telling };
    let crew = Crew::of(start, plan, given, launch.stay)?;
    // While the service's process makes what needs no root.
    let root = || {
        let notify_socket = launch.notify_socket;
        let world = places::World { plan, trust: &trust.root, notify_socket, scratch, identities };
        let root = places::build(world, root)?;
        if ahead.is_none() {
            facet::unlink(plan, &root)?;
        }
        // In the root, this process is moved with it, and no mount of the host's stays in use.
        sys::change_dir(c"/").or_refuse(Layer::Mounts, "entering the root")?;
        crew.let_enter()?;
        Ok(root)
    };
    let followed = root().and_then(|root| {
        let ahead = ahead.map(|start| Ahead { start, root });
        World { sealed, stay: launch.stay, notify: notify.as_ref(), crew: &crew, ahead }.follow()
    });
    match followed {
        Ok(None) => crew.leave(launch.stay),
        Ok(Some(status)) => {
            crew.end();
            Ok(status)
        }
        Err(refusal) => {
            crew.end();
            // Where they end by themselves, what fails here fails for that reason, and does not know it.
            crew.repeat().ok_or(refusal)
        }
    }
}

/// What is started, and the generation that says it.
struct Sealed {
    plan: &'static Plan<'static>,
    generation: &'static CStr,
}

/// What a world's processes are given.
struct Given<'g> {
    /// Its root, which is empty still.
    root: &'g Fd,
    /// A stack for the service's.
    stack: &'static mut Stack,
    /// The end of the supervisor's pipe.
    life: Option<Fd>,
    /// The control group of all of them.
    group: Option<Fd>,
    /// Whether the world is built ahead of its start.
    waits: bool,
    /// Whether refused system calls are told.
    telling: Telling,
}

/// Returns whether `capc why-denied` is at work.
///
/// Only then are refused system calls told: otherwise, with audit off, a service could fill the kernel's log with them.
fn is_asked_why() -> bool {
    sys::open(At::Here, ASKED_WHY, O_PATH, 0, load::NO_LINKS).is_ok()
}

/// The processes of a world, and what they are heard and told by.
struct Crew {
    keeper: Process,
    service: Process,
    /// What the service says of itself, and where it is told that its root is built.
    words: Fd,
    /// Where the service waits for a word before its program.
    service_end: Fd,
    /// The keeper watches it for as long as the launcher stays.
    started: Fd,
}

impl Crew {
    /// Makes the keeper and the service's process.
    fn of(
        start: Start,
        plan: &'static Plan<'static>,
        given: Given<'_>,
        stay: Stay,
    ) -> Result<Self, Refusal<'static>> {
        let Given { root, stack, life, group, waits, telling } = given;
        let into = group.as_ref();
        let (words, report) = sys::stream_pair().or_refuse(Layer::Program, "socketpair")?;
        let (service_end, keeper_end) = sys::socket_pair().or_refuse(Layer::Keeper, "socketpair")?;
        let (watched, started) = sys::socket_pair().or_refuse(Layer::Keeper, "socketpair")?;
        let report = Report(report);
        let parent = match stay {
            Stay::Leave | Stay::Introduce => Parent::Ours,
            Stay::Wait => Parent::Self_,
        };
        let joins = plan.network == Network::Private;
        let ends = keeper::Ends { start, service: service_end, launch: watched, life, report, joins };
        let keeper =
            match sys::fork_into(into, parent, CLONE_NEWPID, None).or_refuse(Layer::Pids, "clone3")? {
                Side::Child => {
                    drop((keeper_end, started, words));
                    keeper::keep(&ends)
                }
                Side::Parent(keeper) => keeper,
            };
        let keeper::Ends { service: service_end, report, .. } = ends;
        sys::join_pids_of(&keeper.fd).or_refuse(Layer::Pids, "setns")?;
        let waits = waits || stay == Stay::Introduce || plan.ready == Ready::Notify;
        // By number: in the service's process they are copies, and its own.
        let there = |fd: &Fd| Fd::inherited(fd.number());
        let ends = exec::Ends {
            plan,
            root: there(root),
            keeper: there(&keeper_end),
            report: Report(there(&report.0)),
            launchers: [&words, &service_end, &started].map(there),
            waits,
            telling,
        };
        let service = sys::spawn_into(into, parent, SERVICE_PID, stack, (exec::become_service, ends))
            .or_refuse(Layer::Pids, "clone3 with set_tid")?;
        Ok(Self { keeper, service, words, service_end, started })
    }

    /// Lets the service enter its root.
    fn let_enter(&self) -> Result<(), Refusal<'static>> {
        match sys::send_datagram(&self.words, &[0]) {
            // A process that is gone has said why.
            Err(Errno::EPIPE) => Ok(()),
            sent => sent.or_refuse(Layer::Root, "telling the service of it"),
        }
    }

    /// Leaves a service that runs to its keeper, or stays with it.
    fn leave(&self, stay: Stay) -> Result<u8, Refusal<'static>> {
        match stay {
            Stay::Leave | Stay::Introduce => {
                // A keeper that is gone already has seen a short service end.
                let _ = sys::send_datagram(&self.started, &[STARTED]);
                Ok(0)
            }
            Stay::Wait => accompany(&self.service),
        }
    }

    /// Ends a world in which nothing is to run; nothing does any more when anybody is told.
    fn end(&self) {
        // It takes the world along, or has done so already.
        let _ = sys::send_signal(&self.keeper.fd, sys::KILL);
        // The keeper itself ends when somebody has asked how the service did.
        wait_a_while(&self.service.fd);
    }

    /// Says why the world's processes ended, if they have told; returns the status to exit with.
    fn repeat(&self) -> Option<u8> {
        let mut waits = [sys::wait_for(self.words.number())];
        // Not to the end: that is yet to come while one of them is ending.
        let mut message = [0; 4096];
        let is_told = sys::poll(&mut waits, 0) == Ok(1);
        let length = if is_told { sys::read(&self.words, &mut message).ok()? } else { 0 };
        match message.get(..length)? {
            [status, text @ ..] if *status != ABOUT_TO => Some(repeat(*status, text)),
            _ => None,
        }
    }
}

/// A world whose processes are there.
struct World<'w> {
    sealed: Sealed,
    stay: Stay,
    notify: Option<&'w Fd>,
    crew: &'w Crew,
    ahead: Option<Ahead>,
}

/// A service that is no more before its program ran, though nothing was wrong with it.
const GONE: Refusal<'_> = Refusal {
    layer: Layer::Program,
    subject: Subject::Itself,
    reason: Reason::Gone("its process ended while it waited to begin"),
};

/// What is left to do for a world that was built ahead of its start.
struct Ahead {
    /// A byte lets it begin; its end says that it never will.
    start: Fd,
    /// Its root.
    root: Fd,
}

impl World<'_> {
    /// Follows the service until its program runs; returns the status to exit with if it never will.
    fn follow(&self) -> Result<Option<u8>, Refusal<'static>> {
        let Crew { words, service_end, .. } = self.crew;
        let mut first = [0];
        sys::read(words, &mut first).or_refuse(Layer::Program, "reading its status")?;
        let ready = self.sealed.plan.ready;
        let introduces = self.stay == Stay::Introduce;
        if first == [ABOUT_TO] {
            if !self.begins(words)? {
                return Ok(Some(0));
            }
            let must_be_known = ready == Ready::Notify || introduces;
            if must_be_known {
                // The init must know the process before it hears from it, and takes no word of the launcher's after that.
                self.announce(if introduces && ready == Ready::Started { "\nREADY=1" } else { "" })?;
            }
            if introduces {
                self.wait_until_known()?;
            }
            if must_be_known || self.ahead.is_some() {
                sys::send_datagram(service_end, &[ABOUT_TO]).map_err(|_| GONE)?;
            }
        }
        let mut message = [0; 4096];
        let message = sys::read_all(words, &mut message).or_refuse(Layer::Program, "reading its status")?;
        let (status, text) = match (first, &*message) {
            ([0], _) => return Err(Refusal::of(Layer::Program, "its process ended without a word")),
            ([ABOUT_TO], []) => {
                match ready {
                    _ if introduces => {}
                    Ready::Started => self.announce("\nREADY=1")?,
                    Ready::Socket => self.announce("")?,
                    Ready::Notify => {}
                }
                return Ok(None);
            }
            ([ABOUT_TO], [status, text @ ..]) => (*status, text),
            ([status], text) => (status, text),
        };
        Ok(Some(repeat(status, text)))
    }

    /// Waits until a world that was built ahead of its start is to begin; returns false if it never will.
    ///
    /// Sockets of the run before it are removed only then: that may have been at work until now. A service that ends meanwhile is
    /// told at once: later its number could be another's.
    fn begins(&self, words: &Fd) -> Result<bool, Refusal<'static>> {
        let Some(Ahead { start, root }) = &self.ahead else { return Ok(true) };
        if let Some(notify) = self.notify {
            sys::send_datagram(notify, b"X_CAPC_BUILT=1")
                .or_refuse(Layer::Notification, "telling the init")?;
        }
        let mut waits = [sys::wait_for(start.number()), sys::wait_for(words.number())];
        while sys::poll(&mut waits, -1) == Err(Errno::EINTR) {}
        if waits[1].revents != 0 {
            return Err(GONE);
        }
        if sys::read(start, &mut [0]).or_refuse(Layer::Program, "waiting to begin")? != 1 {
            return Ok(false);
        }
        facet::unlink(self.sealed.plan, root)?;
        Ok(true)
    }

    /// Tells the init who the service is; a launcher that stays is who it is itself. An init that watches the service itself, or the
    /// launcher in its place, is told what it runs from, too.
    fn announce(&self, ready: &str) -> Result<(), Refusal<'static>> {
        let Some(notify) = self.notify else { return Ok(()) };
        let (service, keeper) = (self.crew.service.pid, self.crew.keeper.pid);
        let mut text = match self.stay {
            Stay::Leave | Stay::Introduce => {
                Sentence::of(format_args!("MAINPID={service}\nX_CAPC_KEEPER={keeper}{ready}\n"))
            }
            Stay::Wait => Sentence::raw(&[]),
        };
        if self.stay != Stay::Leave {
            text.add(b"STATUS=");
            text.add(self.sealed.generation.to_bytes());
        }
        sys::send_datagram(notify, text.bytes()).or_refuse(Layer::Notification, "telling the init")
    }

    /// Waits until the init has read what it was told: it closes what comes with `BARRIER=1` (sd_notify_barrier(3)).
    fn wait_until_known(&self) -> Result<(), Refusal<'static>> {
        let Some(notify) = self.notify else { return Ok(()) };
        let layer = Layer::Notification;
        let (closed, open) = sys::pipe().or_refuse(layer, "pipe")?;
        sys::send_along(notify, b"BARRIER=1", &open)
            .or_refuse(layer, "asking whether the init has read it")?;
        drop(open);
        wait_a_while(&closed);
        Ok(())
    }
}

/// Waits for what is sure to come, unless something else is wrong: that an init reads what it was told, that a world has ended.
fn wait_a_while(fd: &Fd) {
    const MILLISECONDS: i32 = 5000;
    let mut waits = [sys::wait_for(fd.number())];
    while sys::poll(&mut waits, MILLISECONDS) == Err(Errno::EINTR) {}
}

/// Hands signals on, and returns the service's own end.
fn accompany<'m>(service: &Process) -> Result<u8, Refusal<'m>> {
    sys::hold_signals().or_refuse(Layer::Program, "holding signals")?;
    loop {
        // Signals are held before the first look, so an end after it wakes us.
        if let Some(end) =
            sys::end_of(&service.fd, Patience::Look).or_refuse(Layer::Program, "waiting for its end")?
        {
            return Ok(end.shell_status());
        }
        match sys::next_signal().or_refuse(Layer::Program, "waiting for signals")? {
            sys::CHILD_ENDED => {}
            signal => {
                // A service that has just ended is none to hand a signal to.
                let _ = sys::send_signal(&service.fd, signal);
            }
        }
    }
}
