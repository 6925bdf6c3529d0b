//! What the language has and no world of this version enforces: refused by name, and never left out in silence.

use super::refusals::Refusals;
use super::{Run, Subject};
use crate::model::{Facet, Kind, Service, Transport};

/// Refuses everything that a service asks for and would not get, or would get without its bounds.
pub fn refuse<'a>(run: &mut Run<'a>, subject: Subject<'a>) {
    words(subject.service, &mut run.refusals);
    for facet in &subject.service.facets {
        provided(run.model.facet(*facet), &mut run.refusals);
    }
    for held in run.held(subject) {
        if let Some((what, help)) = beyond(held.capability.kind) {
            let message = format!(
                "`{}` holds `{}`, {what}, which this version of the launcher cannot hand over",
                subject.object.name, held.capability.name
            );
            run.refusals.refuse(held.span, message, "held by this", help);
        }
    }
}

/// Returns what kinds are that no world can have yet, and what to write instead.
const fn beyond(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Caller => Some(("its caller's", "leave it out: nobody launches a service")),
        Kind::Launch => Some(("a program's `launch`", "run the program as a service")),
        Kind::Ask => Some(("a powerbox's `ask`", "endow the service with what it needs")),
        Kind::Dir
        | Kind::File
        | Kind::State
        | Kind::Secret
        | Kind::Listen
        | Kind::Connect
        | Kind::Socket
        | Kind::Device
        | Kind::Network
        | Kind::Privilege
        | Kind::Identity
        | Kind::Facet
        // Who provides one is refused.
        | Kind::Mount
        // Nothing is handed over for it: it is a reference to whom one may introduce.
        | Kind::Control => None,
    }
}

fn words(service: &Service, refusals: &mut Refusals) {
    // Every word is named here, so that a new one stops the build where somebody must think.
    let Service {
        program: _,
        arguments: _,
        argument_paths: _,
        prepare: _,
        image: _,
        standard: _,
        config: _,
        identity: _,
        environment: _,
        workdir: _,
        scratch: _,
        placements: _,
        facets: _,
        oneshot: _,
        restart: _,
        ready: _,
        limits: _,
        stop: _,
        reload: _,
        schedule: _,
        syscalls: _,
        unconfined,
    } = service;
    if let Some(span) = unconfined {
        let message = "this version of the launcher starts nothing without a world";
        refusals.refuse(*span, message, "said here", "leave it to the init that starts it now");
    }
}

/// Landlock refuses every change of mounts to whoever it holds to any right on files, whatever privileges he has.
fn provided(facet: &Facet, refusals: &mut Refusals) {
    if let Transport::Mount(_) = facet.transport {
        let message = format!(
            "`{}` is a mount, and no service can mount: Landlock forbids it in every world",
            facet.name
        );
        let help = "mount it outside of capc and declare it as a `dir`, or provide a `socket=` facet";
        refusals.refuse(facet.span, message, "provided here", help);
    }
}
