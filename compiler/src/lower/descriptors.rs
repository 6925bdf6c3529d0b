//! Descriptors that the init passes: listening sockets first, then ends of channels, at the numbers that programs expect.

use super::facets::holders;
use super::world::World;
use super::{Held, Run, Subject};
use crate::machine::{last_name, parent};
use crate::model::{Address, FacetId, Kind, Protocol, Resource, Target, Transport};
use crate::source::Span;
use capc_schemas::manifest::DescriptorKind;
use capc_supervisor as plan;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The first number after standard input, output and error.
const FIRST: u16 = 3;
/// Every service is the second process of its world, after the keeper.
const SERVICE_PID: &str = "2";

/// A descriptor for the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its number in the service.
    pub fd: u16,
    /// What the init passes.
    pub descriptor: plan::Descriptor,
}

/// A descriptor without its number.
struct Wanted {
    kind: DescriptorKind,
    name: String,
    fd: Option<(u32, Span)>,
    descriptor: plan::Descriptor,
    span: Span,
}

/// Adds the descriptors of a service and returns them by number.
pub fn add<'a>(run: &mut Run<'a>, world: &mut World, subject: Subject<'a>) -> Vec<Passed> {
    let mut wanted = listening(run, subject);
    wanted.extend(channels(run, subject));
    number(run, world, wanted)
}

fn listening<'a>(run: &mut Run<'a>, subject: Subject<'a>) -> Vec<Wanted> {
    let model = run.model;
    let mut wanted = Vec::new();
    for held in run.held(subject) {
        let Target::Resource(resource) = held.capability.target else { continue };
        let Some(Resource::Listen(address)) = model.object(resource).resource() else { continue };
        if held.rights.contains(Kind::ACCEPT) {
            wanted.extend(listen(run, &held.name, address, fd(&held), held.span));
        }
    }
    for facet in subject.service.facets.iter().map(|id| model.facet(*id)).filter(|facet| facet.activated) {
        match &facet.transport {
            Transport::Tcp(address) => wanted.extend(listen(run, &facet.name, address, None, facet.span)),
            Transport::Socket(path) => {
                let Some(directory) = run.facets.get(&(subject.id, parent(&path.path).to_owned())) else {
                    continue;
                };
                let name = facet.name.to_string();
                let file = last_name(&path.path).to_owned();
                let descriptor =
                    plan::Descriptor::Activated { name: name.clone(), facet: directory.key.clone(), file };
                wanted.push(Wanted {
                    kind: DescriptorKind::Listen,
                    name,
                    fd: None,
                    descriptor,
                    span: facet.span,
                });
            }
            Transport::Listen(_)
            | Transport::Channel
            | Transport::Mount(_)
            | Transport::Done
            | Transport::Control
            | Transport::Launch
            | Transport::Ask => {}
        }
    }
    wanted
}

fn fd(held: &Held<'_>) -> Option<(u32, Span)> {
    held.placement.and_then(|placement| placement.fd())
}

fn listen(
    run: &mut Run<'_>,
    name: &str,
    address: &Address,
    fd: Option<(u32, Span)>,
    span: Span,
) -> Option<Wanted> {
    let address = match address {
        Address::Unix(path) => plan::Address::Unix((&**path).into()),
        Address::Ip { protocol, host, port } => {
            let ip =
                if host == "localhost" { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { host.parse().ok() };
            let Some(ip) = ip else {
                let message = format!("`{host}` is no address of this machine");
                run.refusals.refuse(
                    span,
                    message,
                    "listened on",
                    "write an IP address, such as 127.0.0.1 or [::]",
                );
                return None;
            };
            let address = SocketAddr::new(ip, *port);
            match protocol {
                Protocol::Tcp => plan::Address::Tcp(address),
                Protocol::Udp => plan::Address::Udp(address),
            }
        }
    };
    let descriptor = plan::Descriptor::Listen { name: name.to_owned(), address };
    Some(Wanted { kind: DescriptorKind::Listen, name: name.to_owned(), fd, descriptor, span })
}

/// What both sides of a channel call it: the maker `facet.holder`, the holder as its statement says.
fn channels<'a>(run: &Run<'a>, subject: Subject<'a>) -> Vec<Wanted> {
    let channel = |name: String, fd, span| Wanted {
        kind: DescriptorKind::Channel,
        descriptor: plan::Descriptor::Channel { name: name.clone() },
        name,
        fd,
        span,
    };
    let held = held_channels(run, subject);
    let mut wanted: Vec<Wanted> =
        held.iter().map(|(_, held)| channel(held.name.clone(), fd(held), held.span)).collect();
    for id in &subject.service.facets {
        let facet = run.model.facet(*id);
        if facet.transport == Transport::Channel {
            for holder in holders(run, *id) {
                wanted.push(channel(
                    format!("{}.{}", facet.name, run.model.object(holder).name),
                    None,
                    facet.span,
                ));
            }
        }
    }
    wanted
}

/// Returns the channels that a service holds, each once.
fn held_channels<'a>(run: &Run<'a>, subject: Subject<'a>) -> Vec<(FacetId, Held<'a>)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for held in run.held(subject) {
        let Target::Facet(id) = held.capability.target else { continue };
        if run.model.facet(id).transport == Transport::Channel
            && run.model.facet(id).owner != subject.id
            && seen.insert(id)
        {
            found.push((id, held));
        }
    }
    found
}

/// Returns the socket pairs whose other end a service's facets are.
pub fn pairs<'a>(run: &Run<'a>, holder: Subject<'a>) -> Vec<plan::Channel> {
    let pair = |(id, held): &(FacetId, Held<'_>)| {
        let facet = run.model.facet(*id);
        plan::Channel {
            maker: run.model.object(facet.owner).name.to_string(),
            maker_name: format!("{}.{}", facet.name, holder.object.name),
            holder: holder.object.name.to_string(),
            holder_name: held.name.clone(),
        }
    };
    held_channels(run, holder).iter().map(pair).collect()
}

/// Gives numbers: those asked for, and to the others the least that are free, in order.
fn number(run: &mut Run<'_>, world: &mut World, wanted: Vec<Wanted>) -> Vec<Passed> {
    let mut taken = BTreeSet::new();
    for (fd, span) in wanted.iter().filter_map(|wanted| wanted.fd) {
        if !taken.insert(fd) {
            let message = format!("two descriptors of `{}` would have the number {fd}", world.name);
            run.refusals.refuse(span, message, "the second", "choose another number, or leave `fd=` out");
        }
    }
    let mut next = u32::from(FIRST);
    let mut passed = Vec::new();
    for Wanted { kind, name, fd, descriptor, span } in wanted {
        let fd = fd.map_or_else(
            || {
                while !taken.insert(next) {
                    next += 1;
                }
                next
            },
            |(fd, _)| fd,
        );
        let Ok(fd) = u16::try_from(fd) else {
            run.refusals.refuse(
                span,
                format!("{fd} is no number of a descriptor"),
                "wanted here",
                "leave `fd=` out",
            );
            continue;
        };
        world.descriptors.insert(fd, (kind, name));
        passed.push(Passed { fd, descriptor });
    }
    passed.sort_by_key(|passed| passed.fd);
    announce(world);
    passed
}

/// Tells the service of its descriptors: listening sockets by the convention of sd_listen_fds(3), those that follow them
/// without a gap by the same one under another name. Who asked for a number of its own needs no telling.
fn announce(world: &mut World) {
    let mut variables = Vec::new();
    let mut next = FIRST;
    for (kind, prefix) in [(DescriptorKind::Listen, "LISTEN"), (DescriptorKind::Channel, "CAPC")] {
        let mut names: Vec<String> = Vec::new();
        while let Some((_, name)) = world.descriptors.get(&next).filter(|(other, _)| *other == kind) {
            // The names are joined by colons, which no name of ours has.
            names.push(name.replace(':', "_"));
            next += 1;
        }
        if !names.is_empty() {
            variables.push((format!("{prefix}_FDS"), names.len().to_string()));
            variables.push((format!("{prefix}_FDNAMES"), names.join(":")));
        }
        if !names.is_empty() && kind == DescriptorKind::Listen {
            variables.push((format!("{prefix}_PID"), SERVICE_PID.to_owned()));
        }
    }
    variables.retain(|(name, _)| world.environment.iter().all(|(said, _)| said != name));
    world.environment.extend(variables);
}
