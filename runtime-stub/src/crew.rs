//! The processes of a world: its keeper, and the one that becomes the service.

use crate::apply::keeper::{self, SERVICE_PID, STARTED};
use crate::apply::report::{ABOUT_TO, Report};
use crate::exec;
use crate::plan::Plan;
use crate::refusal::{Layer, OrRefuse, Refusal, repeat};
use crate::request::Stay;
use crate::sys::memory::Stack;
use crate::sys::start::Start;
use crate::sys::{self, CLONE_NEWPID, Errno, Fd, Parent, Patience, Process, Side, Telling};
use capc_schemas::manifest::{Network, Ready};

/// What a world's processes are given.
pub struct Given<'g> {
    /// Its root, which is empty still.
    pub root: &'g Fd,
    /// A stack for the service's.
    pub stack: &'static mut Stack,
    /// The end of the supervisor's pipe.
    pub life: Option<Fd>,
    /// The control group of all of them.
    pub group: Option<Fd>,
    /// Whether the world is built ahead of its start.
    pub waits: bool,
    /// Whether refused system calls are told.
    pub telling: Telling,
}

/// The processes of a world, and what they are heard and told by.
pub struct Crew {
    /// The first process.
    pub keeper: Process,
    /// The one that becomes the service.
    pub service: Process,
    /// What the service says of itself, and where it is told that its root is built.
    pub words: Fd,
    /// Where the service waits for a word before its program.
    pub service_end: Fd,
    /// The keeper watches it for as long as the launcher stays.
    started: Fd,
}

impl Crew {
    /// Makes the keeper and the service's process.
    pub fn of(
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
    pub fn let_enter(&self) -> Result<(), Refusal<'static>> {
        match sys::send_datagram(&self.words, &[0]) {
            // A process that is gone has said why.
            Err(Errno::EPIPE) => Ok(()),
            sent => sent.or_refuse(Layer::Root, "telling the service of it"),
        }
    }

    /// Leaves a service that runs to its keeper, or stays with it.
    pub fn leave(&self, stay: Stay) -> Result<u8, Refusal<'static>> {
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
    pub fn end(&self) {
        // It takes the world along, or has done so already.
        let _ = sys::send_signal(&self.keeper.fd, sys::KILL);
        // The keeper itself ends when somebody has asked how the service did.
        wait_a_while(&self.service.fd);
    }

    /// Says why the world's processes ended, if they have told; returns the status to exit with.
    pub fn repeat(&self) -> Option<u8> {
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

/// Waits for what is sure to come, unless something else is wrong: that an init reads what it was told, that a world has ended.
pub fn wait_a_while(fd: &Fd) {
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
