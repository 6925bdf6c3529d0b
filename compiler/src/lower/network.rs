//! Ports and remote addresses: which network a service is in, and what Landlock and the filter let it do there.

use super::seccomp::Sockets;
use super::world::World;
use super::{Held, Mode, Run, Subject};
use crate::model::{Address, CapId, Kind, Model, Protocol, Resource, Target, Transport, path_contains};
use crate::source::Span;
use capc_schemas::manifest::Network;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// `CAP_NET_BIND_SERVICE` (linux/capability.h).
const BIND_SERVICE: u8 = 10;
/// Where the machine says which ports need no privilege.
const UNPRIVILEGED_FROM: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// What of the network a service uses.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// What the filter grants.
    pub sockets: Sockets,
    /// Addresses and the names that the service knows them by.
    pub hosts: BTreeSet<(String, String)>,
}

/// Adds the network of a service.
pub fn add<'a>(run: &mut Run<'a>, world: &mut World, subject: Subject<'a>) -> Uses {
    let model = run.model;
    let mut uses = Uses::default();
    for held in run.held(subject) {
        match held.capability.target {
            Target::Resource(resource) => match model.object(resource).resource() {
                Some(Resource::Listen(address)) => listen(run, world, &mut uses, &held, address),
                Some(Resource::Connect(address)) => connect(run, world, &mut uses, &held, address),
                Some(Resource::Network) => whole(world, &mut uses),
                Some(
                    Resource::Path { .. }
                    | Resource::Identity { .. }
                    | Resource::Privilege(_)
                    | Resource::Caller(_),
                )
                | None => {}
            },
            Target::Facet(facet) => match &model.facet(facet).transport {
                Transport::Tcp(address) => connect(run, world, &mut uses, &held, address),
                Transport::Listen(listen) => {
                    if let Some(address @ Address::Ip { .. }) = listen_address(model, *listen) {
                        connect(run, world, &mut uses, &held, address);
                    }
                }
                Transport::Socket(_)
                | Transport::Channel
                | Transport::Mount(_)
                | Transport::Done
                | Transport::Control
                | Transport::Launch
                | Transport::Ask => {}
            },
        }
    }
    for facet in subject.service.facets.iter().map(|id| model.facet(*id)) {
        if let Transport::Tcp(address) = &facet.transport {
            match facet.activated {
                true => passed(run, world, address, facet.span),
                false => bind(run, world, &mut uses, address, facet.span),
            }
        }
    }
    let makes_socket = |transport: &Transport| matches!(transport, Transport::Socket(_));
    let facets = subject.service.facets.iter().map(|id| model.facet(*id));
    let listens =
        !world.bind_ports.is_empty() || facets.into_iter().any(|facet| makes_socket(&facet.transport));
    uses.sockets.deaf = uses.sockets.tcp && !listens && world.network != Network::Open;
    if world.network != Network::Private {
        // Below that, abstract sockets and signals of the host's network would be in reach.
        world.needs_abi(6);
    }
    uses
}

/// Returns the address of a `listen`.
#[must_use]
pub fn listen_address(model: &Model, listen: CapId) -> Option<&Address> {
    let Target::Resource(resource) = model.capability(listen).target else { return None };
    match model.object(resource).resource() {
        Some(Resource::Listen(address)) => Some(address),
        _ => None,
    }
}

fn listen(run: &mut Run<'_>, world: &mut World, uses: &mut Uses, held: &Held<'_>, address: &Address) {
    let (accept, binds) = (held.rights.contains(Kind::ACCEPT), held.rights.contains(Kind::BIND));
    match (accept, binds, address) {
        (true, true, _) => {
            let message =
                format!("`{}` would both be given the socket of `{}` and bind it", world.name, held.name);
            run.refusals.refuse(
                held.span,
                message,
                "an address is bound once",
                "name `accept` or `bind`, not both",
            );
        }
        (true, false, _) => passed(run, world, address, held.span),
        (false, true, Address::Ip { .. }) => bind(run, world, uses, address, held.span),
        (false, true, Address::Unix(path)) => {
            let message =
                format!("`{}` cannot bind `{path}` itself: it would need its whole directory", world.name);
            let help = "let it hold `accept`, or provide a facet with `socket=`";
            run.refusals.refuse(held.span, message, "wanted here", help);
        }
        (false, false, _) => {}
    }
}

/// A socket that the init binds and passes.
fn passed(run: &mut Run<'_>, world: &mut World, address: &Address, span: Span) {
    // It could be shut down and connected out of an empty network, but for Landlock's rules on ports.
    world.needs_abi(4);
    match address {
        Address::Ip { port, .. } => {
            privileged(run, world, *port, span);
        }
        Address::Unix(path) => refuse_shared_ground(run, world, path, span),
    }
}

/// The init makes and removes the socket by its path, so nobody else may change what the path leads through.
fn refuse_shared_ground(run: &mut Run<'_>, world: &World, path: &str, span: Span) {
    let model = run.model;
    let changer = run.holdings.all().iter().find(|holding| {
        let known = model.capability(holding.capability);
        let changes = Kind::FS_WRITE.or(Kind::FS_SOCKET).and(holding.rights);
        let directory = matches!(known.kind, Kind::Dir | Kind::State | Kind::Mount);
        let above = known.path.as_deref().is_some_and(|place| path_contains(place, path));
        directory && above && !changes.is_empty() && model.object(holding.holder).service().is_some()
    });
    if let Some(holding) = changer {
        let who = &model.object(holding.holder).name;
        let message = format!(
            "`{}` is to be passed a socket at `{path}`, in a directory that `{who}` can change",
            world.name
        );
        let help = "listen in a directory that no service can change";
        run.refusals.refuse(span, message, "passed here", help);
    }
}

/// The network of the host, all of it.
fn whole(world: &mut World, uses: &mut Uses) {
    world.network = Network::Open;
    uses.sockets.tcp = true;
    uses.sockets.udp = true;
    uses.sockets.routes = true;
}

/// The network of the host for some ports, unless it is all granted.
fn some(world: &mut World) {
    if world.network == Network::Private {
        world.network = Network::Host;
    }
}

/// A port that the service binds itself.
fn bind(run: &mut Run<'_>, world: &mut World, uses: &mut Uses, address: &Address, span: Span) {
    let Address::Ip { protocol, port, .. } = address else { return };
    some(world);
    match protocol {
        Protocol::Tcp => {
            uses.sockets.tcp = true;
            world.bind_ports.insert(*port);
        }
        Protocol::Udp => uses.sockets.udp = true,
    }
    if privileged(run, world, *port, span) {
        world.keep.insert(BIND_SERVICE);
    }
}

/// Returns whether a port needs a privilege; a plain user has none to give.
fn privileged(run: &mut Run<'_>, world: &World, port: u16, span: Span) -> bool {
    let machine = run.host.machine;
    let told = machine.read(UNPRIVILEGED_FROM).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let from: u16 = told.and_then(|text| text.trim().parse().ok()).unwrap_or(1024);
    let is_privileged = port < from;
    if is_privileged && run.options.mode == Mode::User {
        let message =
            format!("port {port} for `{}` takes a privilege that a plain user does not have", world.name);
        run.refusals.refuse(
            span,
            message,
            "wanted here",
            format!("use a port from {from} on, or run capc as root"),
        );
    }
    is_privileged
}

/// A remote port, on any host; the name is made known.
fn connect(run: &mut Run<'_>, world: &mut World, uses: &mut Uses, held: &Held<'_>, address: &Address) {
    let Address::Ip { protocol, host, port } = address else { return };
    if *protocol == Protocol::Udp {
        let message = format!("`{}` could send UDP to anybody: no layer knows UDP ports", world.name);
        let help = "use `connect tcp=`, or let a service of its own hold the network and ask it over a facet";
        return run.refusals.refuse(held.span, message, "cannot be enforced", help);
    }
    some(world);
    uses.sockets.tcp = true;
    world.connect_ports.insert(*port);
    if host == "localhost" || host.parse::<IpAddr>().is_ok() {
        return;
    }
    let found = hosts(run, host);
    if found.is_empty() {
        let message = format!("`{host}` is not in the machine's /etc/hosts, and a world asks no name server");
        let help = "write the address, or put the name into /etc/hosts and reconfigure when it changes";
        return run.refusals.refuse(held.span, message, "whose address?", help);
    }
    uses.hosts.extend(found.into_iter().map(|address| (address, host.clone())));
}

/// Returns the addresses of a name in the machine's `/etc/hosts`.
fn hosts(run: &Run<'_>, name: &str) -> Vec<String> {
    let real = crate::machine::walk(run.host.machine, "/etc/hosts").map(|walk| walk.real);
    let bytes = real.ok().and_then(|real| run.host.machine.read(&real).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let address = |line: &str| {
        let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
        let address = words.next().filter(|address| address.parse::<IpAddr>().is_ok())?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then(|| address.to_owned())
    };
    text.lines().filter_map(address).collect()
}
