//! The sockets that a service is passed, made before it and kept while it starts again.

use super::text::{Unit, command, literal};
use super::{FACETS, Site, TARGET, mount, unit as unit_name};
use capc_supervisor::{Address, Descriptor, Plan, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The longest path of a socket (unix(7)).
const LONGEST_PATH: usize = 107;

/// Returns the socket unit of a service: its lines stand in the order in which the service is passed them.
///
/// # Errors
/// When systemd cannot make one of them.
pub fn unit(site: &Site<'_>, service: &Service) -> Result<Unit, String> {
    let mut unit = Unit::new(&format!("sockets of {} of {}", service.name, site.plan.name));
    unit.set("PartOf", TARGET);
    let mut mounts = BTreeSet::new();
    let mut lines = Vec::new();
    let mut makers = Vec::new();
    let mut is_late = false;
    for descriptor in &service.descriptors {
        match descriptor {
            Descriptor::Listen { name: _, address: Address::Tcp(address) } => {
                is_late |= appears_later(*address);
                lines.push(("ListenStream", address.to_string()));
            }
            Descriptor::Listen { name: _, address: Address::Udp(address) } => {
                is_late |= appears_later(*address);
                lines.push(("ListenDatagram", address.to_string()));
            }
            Descriptor::Listen { name: _, address: Address::Unix(path) } => {
                lines.push(("ListenStream", socket_path(service, &path.to_string_lossy())?));
            }
            Descriptor::Activated { name: _, facet, file } => {
                mounts.insert(mount(facet)?);
                let path = format!("{FACETS}/{facet}/{file}");
                lines.push(("ListenStream", socket_path(service, &path)?));
                let owner = site.plan.facets.iter().find(|owner| owner.key == *facet);
                makers.extend(owner.map(|owner| (format!("{}:{}", owner.uid, owner.gid), path)));
            }
            Descriptor::Channel { name: _ } => {}
        }
    }
    unit.set_units("Requires", &mounts);
    unit.set_units("After", &mounts);
    unit.section("Socket");
    for (key, value) in lines {
        unit.set(key, value);
    }
    unit.set("Accept", "no");
    unit.set("Backlog", 4096);
    unit.set("BindIPv6Only", "ipv6-only");
    // An address of a network that comes up later is listened on from the beginning.
    if is_late {
        unit.set("FreeBind", "yes");
    }
    unit.set("SocketMode", "0666");
    // `SocketUser=` takes no number without a name. A holder's world shows what is the maker's, and nothing of others.
    for (owner, path) in makers {
        let own = "exec chown -h \"$1\" \"$2\"";
        unit.set("ExecStartPost", command("/bin/sh", ["-c", own, "own", &owner, &path])?);
    }
    unit.set("RemoveOnStop", "yes");
    unit.set_units("Service", [unit_name(&service.name, "service")?]);
    Ok(unit)
}

/// Refuses a socket that two services would be passed: systemd hands a socket to one.
///
/// # Errors
/// Names the address and both services.
pub fn refuse_shared(plan: &Plan) -> Result<(), String> {
    let mut seen: BTreeMap<&Address, &str> = BTreeMap::new();
    for service in &plan.services {
        for descriptor in &service.descriptors {
            let Descriptor::Listen { name: _, address } = descriptor else { continue };
            if let Some(other) = seen.insert(address, &service.name) {
                return Err(format!(
                    "`{other}` and `{}` would be passed the same socket, {address}, and systemd passes one to one service \
only: give one of them an address of its own",
                    service.name
                ));
            }
        }
    }
    Ok(())
}

fn appears_later(address: SocketAddr) -> bool {
    !address.ip().is_unspecified() && !address.ip().is_loopback()
}

fn socket_path(service: &Service, path: &str) -> Result<String, String> {
    if path.len() > LONGEST_PATH {
        return Err(format!(
            "`{}` would listen on `{path}`, which has {} letters, and systemd takes {LONGEST_PATH}: give it a shorter path",
            service.name,
            path.len()
        ));
    }
    literal(path)
}
