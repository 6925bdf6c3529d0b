//! The launcher's whole way, as a list of calls.

use crate::apply::identities::Identities;
use crate::apply::{descriptors, enter, facet, landlock, limits, namespaces, places, state};
use crate::crew::{Crew, Given};
use crate::follow::{Ahead, World};
use crate::load::{self, Buffers};
use crate::refusal::{Layer, OrRefuse, REFUSED, Refusal, complain};
use crate::request::{self, Launch, Request};
use crate::sys::memory::{self, Arena, Room};
use crate::sys::start::Start;
use crate::sys::{self, At, O_PATH, Onlookers, Telling};
use crate::{doctor, plan, whole};
use capc_schemas::manifest::Mode;
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
        World {
            plan,
            generation: launch.generation,
            stay: launch.stay,
            notify: notify.as_ref(),
            crew: &crew,
            ahead,
        }
        .follow()
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

/// Returns whether `capc why-denied` is at work.
///
/// Only then are refused system calls told: otherwise, with audit off, a service could fill the kernel's log with them.
fn is_asked_why() -> bool {
    sys::open(At::Here, ASKED_WHY, O_PATH, 0, load::NO_LINKS).is_ok()
}
