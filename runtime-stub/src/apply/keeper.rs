//! The keeper: the first process of a world, which lives as long as the service, the launcher's start, and the supervisor.
//!
//! When it ends the kernel ends the whole world. It can do nothing else: no privileges, three descriptors, five calls.

use super::report::Report;
use crate::refusal::{Layer, OrRefuse, Refusal};
use crate::sys::memory;
use crate::sys::start::Start;
use crate::sys::{self, Fd, Instruction, Wait, wait_for};
use linux_raw_sys::{general as k, ptrace as p};

/// The service's number in every world.
pub const SERVICE_PID: i32 = 2;

/// The descriptors that the keeper waits on.
pub struct Ends {
    /// Where the old stack ends.
    pub start: Start,
    /// The other end of the service's socket.
    pub service: Fd,
    /// Closed when the launcher ends early; a byte when the service has started.
    pub launch: Fd,
    /// Closed when the supervisor ends.
    pub life: Option<Fd>,
    /// Where a failure is told.
    pub report: Report,
    /// Whether it joins the service's network, as any but the host's.
    pub joins: bool,
}

/// What the launcher writes when the world is to outlive it.
pub const STARTED: u8 = b'.';

/// The keeper's descriptors.
const SERVICE: i32 = 0;
const LAUNCH: i32 = 1;
const LIFE: i32 = 2;
const REPORT: i32 = 3;

/// Is the keeper.
pub fn keep(ends: &Ends) -> ! {
    ends.report.unless_refused(take_places(ends));
    let known = usize::from(ends.life.is_some()) | usize::from(ends.joins) << 1;
    memory::go_on_small(ends.start, keep_small, known)
}

/// Is the keeper, with nothing left in memory but its descriptors.
extern "C" fn keep_small(known: usize) -> ! {
    let (life, joins) = (if known & 1 == 0 { -1 } else { LIFE }, known & 2 != 0);
    let report = Report(Fd::inherited(REPORT));
    let socket = Fd::inherited(SERVICE);
    let service = confine(&socket, life, joins).unwrap_or_else(|refusal| {
        // Of a service that has ended it is not for its keeper to tell.
        if has_ended(&socket) { sys::exit(0) } else { report.refuse(refusal) }
    });
    drop((socket, report));
    watch(&service, life)
}

/// Gives up everything once the service is there, and returns that.
fn confine<'m>(socket: &Fd, life: i32, joins: bool) -> Result<Fd, Refusal<'m>> {
    let layer = Layer::Keeper;
    sys::name_self(c"capc-keeper").or_refuse(layer, "naming itself")?;
    // In the old root, it is moved to the new one with that, and no mount of the host's stays in use.
    sys::change_dir(c"/").or_refuse(layer, "entering the root")?;
    sys::new_session().or_refuse(layer, "setsid")?;
    sys::reset_signals().or_refuse(layer, "resetting signals")?;
    sys::reap_by_itself().or_refuse(layer, "ignoring the end of children")?;
    let mut waits = [wait_for(SERVICE), wait_for(LAUNCH), wait_for(life)];
    loop {
        poll(&mut waits);
        let [service, launch, life] = waits.map(|wait| wait.revents != 0);
        // A byte says that the service is there; the end of its socket, that it never will be.
        if launch || life || (service && sys::read(socket, &mut [0]) != Ok(1)) {
            sys::exit(0);
        }
        if service {
            break;
        }
    }
    let service = sys::open_process(SERVICE_PID).or_refuse(layer, "pidfd_open")?;
    if joins {
        sys::join_network_of(&service).or_refuse(Layer::Network, "setns")?;
    }
    sys::clear_ambient().or_refuse(layer, "dropping privileges")?;
    sys::set_privileges(0).or_refuse(layer, "dropping privileges")?;
    sys::gain_nothing().or_refuse(layer, "no_new_privs")?;
    sys::filter_calls(&FILTER, sys::Telling::Nobody).or_refuse(Layer::Seccomp, "installing the keeper's")?;
    // The answer lets the service go on.
    sys::write_all(socket, &[STARTED]).or_refuse(layer, "answering the service")?;
    Ok(service)
}

/// Returns whether the service has ended, by its end of the socket.
fn has_ended(socket: &Fd) -> bool {
    let mut waits = [Wait { fd: socket.number(), events: 0, revents: 0 }];
    sys::poll(&mut waits, 0) != Ok(0)
}

/// Moves the ends to their places and closes all else.
fn take_places<'m>(ends: &Ends) -> Result<(), Refusal<'m>> {
    let layer = Layer::Keeper;
    let moved = |fd: &Fd| sys::duplicate_above(fd, REPORT + 1).or_refuse(layer, "moving its descriptors");
    let life = ends.life.as_ref().unwrap_or(&ends.launch);
    let parts = [moved(&ends.service)?, moved(&ends.launch)?, moved(life)?, moved(&ends.report.0)?];
    for (part, place) in parts.into_iter().zip(SERVICE..) {
        sys::duplicate_to(part.number(), place).or_refuse(layer, "moving its descriptors")?;
    }
    sys::close_range(REPORT.unsigned_abs() + 1, u32::MAX).or_refuse(layer, "close_range")
}

/// Ends with the service or the supervisor, or with the launcher if that has not finished.
fn watch(service: &Fd, life: i32) -> ! {
    let launch = Fd::inherited(LAUNCH);
    let mut waits = [wait_for(service.number()), wait_for(LAUNCH), wait_for(life)];
    loop {
        poll(&mut waits);
        let [service, launched, life] = waits.map(|wait| wait.revents != 0);
        if service || life || (launched && !has_started(&launch)) {
            sys::exit(0);
        }
        if launched {
            waits = [waits[0], wait_for(-1), waits[2]];
        }
    }
}

fn has_started(launch: &Fd) -> bool {
    let mut byte = [0];
    sys::read(launch, &mut byte) == Ok(1) && byte == [STARTED]
}

/// Waits; after an interruption nothing is ready.
fn poll(waits: &mut [Wait; 3]) {
    waits.iter_mut().for_each(|wait| wait.revents = 0);
    let _ = sys::poll(waits, -1);
}

const fn load(offset: u32) -> Instruction {
    Instruction { code: (p::BPF_LD | p::BPF_W | p::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

const fn equals(value: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code: (p::BPF_JMP | p::BPF_JEQ | p::BPF_K) as u16, jt, jf, k: value }
}

const fn answer(action: u32) -> Instruction {
    Instruction { code: (p::BPF_RET | p::BPF_K) as u16, jt: 0, jf: 0, k: action }
}

/// Five calls; all others fail, those of other machines kill.
const FILTER: [Instruction; 11] = {
    const ALLOW: u32 = 0x7fff_0000;
    const KILL: u32 = 0x8000_0000;
    const FAIL: u32 = 0x0005_0000 | linux_raw_sys::errno::EPERM;
    [
        load(4),
        equals(p::AUDIT_ARCH_X86_64, 1, 0),
        answer(KILL),
        load(0),
        equals(k::__NR_poll, 5, 0),
        equals(k::__NR_read, 4, 0),
        equals(k::__NR_write, 3, 0),
        equals(k::__NR_close, 2, 0),
        equals(k::__NR_exit_group, 1, 0),
        answer(FAIL),
        answer(ALLOW),
    ]
};
