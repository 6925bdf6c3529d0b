//! The plan of the init: order, readiness, what it makes and passes.

use super::descriptors::{Passed, pairs};
use super::world::World;
use super::{Mode, Run, Subject, limits};
use crate::check::Checked;
use crate::machine::walk;
use crate::model::{Address, Kind, Ready, Restart, Service, Target, Transport};
use crate::order::WaitKind;
use capc_supervisor as plan;
use std::collections::BTreeSet;

/// How long a service may take to become ready.
const START_WITHIN_MS: u64 = 60_000;
/// How long a service may take to stop, unless it says so.
const STOP_WITHIN_MS: u64 = 10_000;

/// Returns when a service counts as ready: never before what others wait for is there.
pub fn ready(run: &mut Run<'_>, checked: &Checked, subject: Subject<'_>) -> Ready {
    let said = subject.service.ready;
    let (sockets, ports) = listened(run, subject);
    let has_something = !sockets.is_empty() || !ports.is_empty();
    let is_waited_for =
        checked.waits().all.iter().any(|wait| wait.to == subject.id && wait.kind == WaitKind::Mint);
    match said {
        Ready::Started if has_something && is_waited_for => Ready::Socket,
        Ready::Socket if !has_something => {
            let message =
                format!("`{}` would be ready with its sockets, and makes none itself", subject.object.name);
            let help = "leave `ready` out, or say `ready \"notify\"`";
            run.refusals.refuse(subject.object.span, message, "declared here", help);
            Ready::Started
        }
        said => said,
    }
}

/// Returns the sockets and ports that a service makes itself.
fn listened(run: &Run<'_>, subject: Subject<'_>) -> (Vec<String>, Vec<u16>) {
    let model = run.model;
    let mut sockets = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for facet in subject.service.facets.iter().map(|id| model.facet(*id)).filter(|facet| !facet.activated) {
        match &facet.transport {
            Transport::Socket(path) => drop(sockets.insert(path.path.to_string())),
            Transport::Tcp(Address::Ip { port, .. }) => drop(ports.insert(*port)),
            _ => {}
        }
    }
    for holding in run.holdings.of(subject.id) {
        let is_listen = matches!(model.capability(holding.capability).target, Target::Resource(_));
        if let Some(Address::Ip { protocol: crate::model::Protocol::Tcp, port, .. }) =
            super::network::listen_address(model, holding.capability).filter(|_| is_listen)
            && holding.rights.contains(Kind::BIND)
        {
            ports.insert(*port);
        }
    }
    (sockets.into_iter().collect(), ports.into_iter().collect())
}

/// Returns the plan of a system.
pub fn plan<'a>(
    run: &mut Run<'a>,
    checked: &Checked,
    services: Vec<(Subject<'a>, World, Vec<Passed>)>,
) -> plan::Plan {
    let mut facets: Vec<plan::Facet> = Vec::new();
    for directory in run.facets.values() {
        let identity = run.identity(directory.maker);
        facets.push(plan::Facet { key: directory.key.clone(), uid: identity.uid, gid: identity.gid });
    }
    facets.sort_by(|one, other| one.key.cmp(&other.key));
    let channels = services.iter().flat_map(|(subject, _, _)| pairs(run, *subject)).collect();
    let mode = match run.options.mode {
        Mode::Root => plan::Mode::Root,
        Mode::User => plan::Mode::User,
    };
    let planned =
        services.into_iter().map(|(subject, world, passed)| service(run, checked, subject, &world, passed));
    let services: Vec<plan::Service> = planned.collect();
    let plan = plan::Plan {
        format: plan::Format::V1,
        name: run.model.name.to_string(),
        mode,
        facets,
        channels,
        services,
    };
    if let Err(error) = plan.check() {
        let span = run.model.object(crate::model::SYSTEM).span;
        run.refusals.internal(span, &error.to_string());
    }
    plan
}

fn service(
    run: &mut Run<'_>,
    checked: &Checked,
    subject: Subject<'_>,
    world: &World,
    passed: Vec<Passed>,
) -> plan::Service {
    let model = run.model;
    let Subject { id, object, service } = subject;
    let mut waits: Vec<plan::Wait> = Vec::new();
    for wait in checked.waits().all.iter().filter(|wait| wait.from == id) {
        let until = match model.facet(wait.facet).transport {
            Transport::Done => plan::Until::Done,
            _ => plan::Until::Ready,
        };
        let wait = plan::Wait { on: model.object(wait.to).name.to_string(), until };
        if !waits.contains(&wait) {
            waits.push(wait);
        }
    }
    waits.sort_by(|one, other| one.on.cmp(&other.on));
    let ready = match world.ready {
        capc_schemas::manifest::Ready::Started => plan::Ready::Started,
        capc_schemas::manifest::Ready::Notify => plan::Ready::Notify,
        capc_schemas::manifest::Ready::Socket => plan::Ready::Socket,
    };
    let (ready_sockets, ready_ports) = match ready {
        plan::Ready::Socket => listened(run, subject),
        plan::Ready::Started | plan::Ready::Notify => (Vec::new(), Vec::new()),
    };
    let (stop, within_ms) =
        service.stop.as_ref().map_or(("TERM", STOP_WITHIN_MS), |(signal, within)| (signal, *within));
    let stop = plan::Stop { signal: signal(run, subject, stop).unwrap_or(plan::SignalName::Term), within_ms };
    let reload = service.reload.as_deref().and_then(|name| signal(run, subject, name));
    plan::Service {
        name: object.name.to_string(),
        waits,
        oneshot: service.oneshot,
        prepares: service.prepare.is_some(),
        schedule: schedule(run, service),
        restart: match service.restart {
            Restart::Never => plan::Restart::Never,
            Restart::OnFailure => plan::Restart::OnFailure,
            Restart::Always => plan::Restart::Always,
        },
        ready,
        ready_sockets,
        ready_ports,
        descriptors: passed.into_iter().map(|passed| passed.descriptor).collect(),
        stop,
        reload,
        start_within_ms: START_WITHIN_MS,
        data_only: run.data_only.services.contains_key(&id),
        limits: limits::together(run, subject),
    }
}

/// Returns when a service starts, if by the calendar; a zone that the machine does not know is refused.
fn schedule(run: &mut Run<'_>, service: &Service) -> Option<plan::Calendar> {
    let (words, span) = service.schedule.as_ref()?;
    let calendar = match plan::Calendar::parse(words) {
        Ok(calendar) => calendar,
        Err(what) => {
            run.refusals.internal(*span, what);
            return None;
        }
    };
    if let Some(zone) = calendar.zone().filter(|zone| *zone != "UTC") {
        let rules = format!("/usr/share/zoneinfo/{zone}");
        if walk(run.host.machine, &rules).is_err() {
            let message = format!("`{zone}` is no time zone of this machine: `{rules}` is not there");
            let help = "install the machine's time zones (`tzdata`), or write the time in UTC";
            run.refusals.refuse(*span, message, "said here", help);
        }
    }
    Some(calendar)
}

fn signal(run: &mut Run<'_>, subject: Subject<'_>, name: &str) -> Option<plan::SignalName> {
    use plan::SignalName::{Abrt, Alrm, Cont, Hup, Int, Kill, Quit, Term, Usr1, Usr2, Winch};
    let known = [Hup, Int, Quit, Abrt, Kill, Usr1, Usr2, Alrm, Term, Cont, Winch];
    let found = known.into_iter().find(|signal| signal.to_string() == name);
    if found.is_none() {
        let names: Vec<String> = known.iter().map(ToString::to_string).collect();
        let message = format!(
            "`{}` wants the signal `{name}`, which the supervisor does not send",
            subject.object.name
        );
        run.refusals.refuse(
            subject.object.span,
            message,
            "declared here",
            format!("use one of {}", names.join(" ")),
        );
    }
    found
}
