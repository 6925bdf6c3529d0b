//! What every world has: private places in memory, the harmless devices, and the links of a merged root.

use super::place::Place;
use super::world::World;
use super::{Run, Subject};
use capc_schemas::manifest::{FileMode, Rights};

/// How large a private place is unless `scratch` says it.
const USUAL_SIZE: u64 = 64 << 20;
/// Where every program expects to write; the last one it would not share.
const PRIVATE: [(&str, u16); 3] = [("/tmp", 0o1777), ("/var/tmp", 0o1777), ("/run", 0o755)];
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
const DESCRIPTOR_LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];
/// Where the notification socket of the init is seen.
const NOTIFY: &str = "/run/capc/notify";

/// Furnishes a world.
pub fn furnish(run: &mut Run<'_>, world: &mut World, subject: Subject<'_>) {
    let Subject { object, service, .. } = subject;
    let tmpfs =
        |bytes: u64, mode: u16| FileMode::new(mode).map(|mode| Place::Tmpfs { bytes, mode, sockets: true });
    for scratch in &service.scratch {
        let at = &*scratch.at.path;
        let mode = if at == "/dev/shm" { 0o1777 } else { 0o755 };
        let mode = PRIVATE.iter().find(|(path, _)| *path == at).map_or(mode, |(_, mode)| *mode);
        if let Some(place) = tmpfs(scratch.size.unwrap_or(USUAL_SIZE), mode) {
            world.put(at, place, scratch.at.span, &mut run.refusals);
        }
    }
    for (at, mode) in PRIVATE {
        if let Some(place) = tmpfs(USUAL_SIZE, mode) {
            world.put_if_free(at, place, object.span);
        }
    }
    for device in DEVICES {
        world.put_if_free(
            device,
            Place::Device { from: device.to_owned(), rights: Rights::READ.or(Rights::MODIFY) },
            object.span,
        );
    }
    let links = DESCRIPTOR_LINKS.iter().map(|(at, target)| ((*at).to_owned(), (*target).to_owned()));
    for (at, target) in links.chain(run.host.root_links.clone()) {
        world.put_if_free(&at, Place::Link { target }, object.span);
    }
    if world.ready == capc_schemas::manifest::Ready::Notify {
        world.notify = Some(NOTIFY.to_owned());
    }
    world.environment =
        service.environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
}
