//! What amounts to root: whoever holds one of these controls `reconfigure`. Each row with its source; `docs/authority.md`
//! lists them for readers.
//!
//! Sources: *caps* is capabilities(7) of the Linux man-pages; *Spengler* is Brad Spengler, "False Boundaries and Arbitrary Code
//! Execution" (grsecurity, 2011), which shows for each of these privileges a way to all the others; *uapi* is the
//! kernel's `include/uapi/linux/capability.h`; *devices* is the kernel's `Documentation/admin-guide/devices.txt`.

use super::Authority;
use super::control::{loader_places, touches_loader};
use super::effective::{Held, Through, is_directory};
use super::places::{PlaceId, Places};
use crate::model::{FacetId, Kind, Model, ObjectId, Resource, Target, path_contains};
use crate::source::Span;
use std::borrow::Cow;

/// One thing that amounts to root.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name: of a privilege, a path, or the beginning of one.
    pub name: &'static str,
    /// What its holder can do, as the end of "whoever holds it …".
    pub why: &'static str,
    /// Who says so.
    pub source: &'static str,
}

const fn row(name: &'static str, why: &'static str, source: &'static str) -> Row {
    Row { name, why, source }
}

/// The kernel privileges that amount to root.
pub const PRIVILEGES: &[Row] = &[
    row("CAP_CHOWN", "makes any file its own", "caps; Spengler"),
    row("CAP_DAC_OVERRIDE", "writes any file", "caps; Spengler"),
    row("CAP_DAC_READ_SEARCH", "opens any file by its handle, on any mounted file system", "caps; Spengler"),
    row("CAP_FOWNER", "changes the mode of any file", "caps; Spengler"),
    row("CAP_FSETID", "keeps set-id bits on files that it writes", "caps; Spengler"),
    row("CAP_MKNOD", "makes a device node of the disk", "caps; Spengler"),
    row("CAP_PERFMON", "reads kernel memory by tracing programs", "caps; uapi"),
    row("CAP_SETFCAP", "gives any privilege to a program", "caps; Spengler"),
    row("CAP_SETGID", "joins the groups of disks and memory", "caps; Spengler"),
    row("CAP_SETUID", "becomes any user, root too", "caps; Spengler"),
    row("CAP_SYS_ADMIN", "mounts over anything, and more than can be listed", "caps; Spengler"),
    row("CAP_SYS_BOOT", "loads another kernel with kexec_load(2)", "caps; Spengler"),
    row("CAP_SYS_CHROOT", "runs set-id programs with libraries of its own", "caps; Spengler"),
    row("CAP_SYS_MODULE", "loads code into the kernel", "caps; Spengler"),
    row("CAP_SYS_PTRACE", "reads and writes any process", "caps; Spengler"),
    row("CAP_SYS_RAWIO", "reads and writes ports, memory and disks", "caps; Spengler"),
    row("CAP_SYS_TTY_CONFIG", "changes what the administrator's keys type", "caps; Spengler"),
];

/// Sockets that give root to whoever connects: container engines, and the private ones of inits.
pub const SOCKETS: &[Row] = &[
    row(
        "/run/docker.sock",
        "starts a container over the host's root",
        "docs.docker.com: Docker daemon attack surface",
    ),
    row(
        "/run/docker/containerd/containerd.sock",
        "starts a container over the host's root",
        "containerd, docs/ops.md",
    ),
    row(
        "/run/containerd/containerd.sock",
        "starts a container over the host's root",
        "containerd, docs/ops.md",
    ),
    row(
        "/run/k3s/containerd/containerd.sock",
        "starts a container over the host's root",
        "containerd, docs/ops.md",
    ),
    row(
        "/run/podman/podman.sock",
        "starts a container over the host's root",
        "podman-system-service(1): Security",
    ),
    row("/run/crio/crio.sock", "starts a container over the host's root", "crio(8): --listen"),
    row("/run/buildkit/buildkitd.sock", "runs builds as root", "BuildKit, docs/rootless.md"),
    row(
        "/var/lib/lxd/unix.socket",
        "starts a privileged container",
        "LXD documentation: Security, access to the daemon",
    ),
    row(
        "/var/snap/lxd/common/lxd/unix.socket",
        "starts a privileged container",
        "LXD documentation: Security, access to the daemon",
    ),
    row(
        "/var/lib/incus/unix.socket",
        "starts a privileged container",
        "Incus documentation: Security, access to the daemon",
    ),
    row(
        "/run/libvirt/libvirt-sock",
        "starts a machine over the host's disks",
        "libvirt.org: Access control, sockets",
    ),
    row("/run/systemd/private", "tells the init what to start", "systemd, src/core/dbus.c"),
    row("/run/systemd/io.systemd.Manager", "tells the init what to start", "systemd, src/core/varlink.c"),
    row("/run/shepherd/socket", "has the init evaluate Scheme", "GNU Shepherd manual: Invoking shepherd"),
];

/// Where the sockets of all facets are, and those of capc itself; who holds a facet is given it without this.
const RUNTIME: &str = "/run/capc";

/// Device nodes that are raw disks or memory: beginnings of paths, after which comes nothing, a letter, or a number
/// as in the names of `devices`; below one that ends with `/`, anything.
pub const DEVICES: &[Row] = &[
    row("/dev/mem", "reads and writes memory", "mem(4)"),
    row("/dev/kmem", "reads and writes the kernel's memory", "mem(4)"),
    row("/dev/port", "reads and writes ports", "mem(4)"),
    row("/dev/disk/", "reads and writes a disk", "udev(7)"),
    row("/dev/mapper/", "reads and writes a disk", "dmsetup(8)"),
    row("/dev/block/", "reads and writes a disk", "udev(7)"),
    row("/dev/bsg/", "sends commands to a disk", "kernel, block/bsg.c"),
    row("/dev/raw/", "reads and writes a disk", "devices: char 162"),
    row("/dev/sd", "reads and writes a disk", "devices: block 8"),
    row("/dev/hd", "reads and writes a disk", "devices: block 3"),
    row("/dev/vd", "reads and writes a disk", "kernel, drivers/block/virtio_blk.c"),
    row("/dev/xvd", "reads and writes a disk", "devices: block 202"),
    row("/dev/nvme", "reads and writes a disk", "devices: block 259"),
    row("/dev/mmcblk", "reads and writes a disk", "devices: block 179"),
    row("/dev/dm-", "reads and writes a disk", "dmsetup(8)"),
    row("/dev/md", "reads and writes a disk", "devices: block 9"),
    row("/dev/loop", "reads and writes a disk", "devices: block 7"),
    row("/dev/nbd", "reads and writes a disk", "devices: block 43"),
    row("/dev/zd", "reads and writes a disk", "zfs(4)"),
    row("/dev/mtd", "reads and writes flash memory", "devices: char 90"),
    row("/dev/pmem", "reads and writes a disk", "kernel, drivers/nvdimm/pmem.c"),
    row("/dev/bcache", "reads and writes a disk", "kernel, Documentation/admin-guide/bcache.rst"),
    row("/dev/sg", "sends commands to a disk", "devices: char 21"),
];

/// What is `reconfigure`'s own beside its configuration, store and key: what it runs from, and where inits find what they
/// start.
pub const OWN: &[Row] = &[
    row("/run/capc", "changes what the launcher trusts", "docs/security.md"),
    row("/usr/bin/capc", "changes the compiler", "the place of the package"),
    row("/etc/systemd/system", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/etc/systemd/system.control", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/etc/systemd/system.attached", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/system", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/system.control", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/system.attached", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/transient", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/generator", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/generator.early", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/run/systemd/generator.late", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/usr/local/lib/systemd/system", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/usr/lib/systemd/system", "changes units", "systemd.unit(5): System Unit Search Path"),
    row("/etc/shepherd.scm", "changes what the init evaluates", "GNU Shepherd manual: Invoking shepherd"),
];

/// Why somebody controls `reconfigure`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RootReason {
    /// By changing what is at this path, which is its own.
    Change(&'static str),
    /// By reading its key.
    Key,
    /// By changing what every program loads.
    Loader,
    /// By reaching the facets of all services.
    Facets,
    /// By a socket that gives root.
    Socket(&'static Row),
    /// By a kernel privilege that amounts to root.
    Privilege(&'static Row),
    /// By a raw disk or memory.
    Device(&'static Row),
    /// By having no world at all.
    Unconfined,
}

impl RootReason {
    /// Returns the reason as a clause about "it"; `path` is where what it holds lies.
    #[must_use]
    pub fn words(self, path: &str) -> String {
        match self {
            Self::Change(what) => format!("it can change `{path}`, and so `reconfigure`'s {what}"),
            Self::Key => format!("it can read `{path}`, and so `reconfigure`'s signing key"),
            Self::Loader => format!("it can change `{path}`, and so what every program loads"),
            Self::Facets => format!("`{path}` is where facets' sockets are, whoever holds them"),
            Self::Socket(row) => format!("`{}` gives root to whoever can connect to it", row.name),
            Self::Privilege(row) => format!("with `{}` it {}, which amounts to root", row.name, row.why),
            Self::Device(row) => format!("with `{path}` it {}, which amounts to root", row.why),
            Self::Unconfined => "it has no world at all".to_owned(),
        }
    }
}

/// The places where something that is held could amount to root by its path: most meet none of the paths that do, and need
/// not be compared with each row.
pub struct Near {
    /// By place, whether it is one of those paths, or inside one, or above one.
    meets: Vec<bool>,
}

impl Near {
    /// Returns those of a model.
    #[must_use]
    pub fn new(model: &Model, places: &Places) -> Self {
        let root = &model.root;
        let own = [&root.config, &root.store, &root.key].map(|own| Cow::Borrowed(&*own.path));
        let rows = OWN.iter().chain(SOCKETS).map(|row| model.aliases.known(row.name));
        let loaders = loader_places(model).map(Cow::Borrowed);
        Self::to(own.into_iter().chain(rows).chain(loaders), places)
    }

    fn to<'p>(paths: impl Iterator<Item = Cow<'p, str>>, places: &Places) -> Self {
        let mut meets = vec![false; places.count()];
        let mut mark = |place: PlaceId| {
            if let Some(meets) = meets.get_mut(place.0 as usize) {
                *meets = true;
            }
        };
        for path in paths {
            let (above, inside) = places.around(&path);
            above.chain(inside).for_each(&mut mark);
        }
        Self { meets }
    }

    /// Returns whether a place is one of those paths, or inside one, or above one.
    #[must_use]
    pub fn meets(&self, place: PlaceId) -> bool {
        self.meets.get(place.0 as usize) == Some(&true)
    }
}

/// Returns why something that is held controls `reconfigure`, if it does.
#[must_use]
pub fn root_reason(model: &Model, near: &Near, places: &Places, held: &Held) -> Option<RootReason> {
    if held.rights.is_empty() {
        return None;
    }
    if held.kind == Kind::Privilege {
        return privilege(model, held).map(RootReason::Privilege);
    }
    let place = held.place?;
    if held.kind != Kind::Device && !near.meets(place) {
        return None;
    }
    let path = places.path(place);
    if held.kind == Kind::Device {
        let raw = DEVICES.iter().find(|row| is_raw(&model.aliases.known(row.name), path));
        if let Some(row) = raw {
            return Some(RootReason::Device(row));
        }
    }
    if !near.meets(place) {
        return None;
    }
    let touches = |own: &str| path_contains(own, path) || path_contains(path, own);
    if held.file().is_some() {
        let root = &model.root;
        if held.changes() {
            let own =
                [("configuration", &root.config.path), ("store", &root.store.path), ("key", &root.key.path)];
            if let Some((word, _)) = own.into_iter().find(|(_, own)| touches(own)) {
                return Some(RootReason::Change(word));
            }
            if OWN.iter().any(|row| touches(&model.aliases.known(row.name))) {
                return Some(RootReason::Change("own program, units or run-time files"));
            }
            if touches_loader(model, path) {
                return Some(RootReason::Loader);
            }
        }
        if held.fs_rights().contains(Kind::FS_READ) && touches(&root.key.path) {
            return Some(RootReason::Key);
        }
    }
    let is_way = is_directory(held.kind) || held.kind == Kind::Socket;
    if is_way && path_contains(&model.aliases.known(RUNTIME), path) {
        return Some(RootReason::Facets);
    }
    let opens = |row: &&Row| match held.kind {
        Kind::Socket => path == model.aliases.known(row.name),
        kind => is_directory(kind) && path_contains(path, &model.aliases.known(row.name)),
    };
    SOCKETS.iter().find(opens).map(RootReason::Socket)
}

fn privilege(model: &Model, held: &Held) -> Option<&'static Row> {
    let Target::Resource(object) = model.capability(held.capability?).target else { return None };
    match model.object(object).resource() {
        Some(Resource::Privilege(name)) => PRIVILEGES.iter().find(|row| row.name == &**name),
        _ => None,
    }
}

/// Returns whether a path is one of the devices that a row of the table names.
fn is_raw(name: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(name) else { return false };
    let whole = ["mem", "kmem", "port"].iter().any(|word| name.ends_with(&format!("/{word}")));
    match rest.bytes().next() {
        None => whole,
        Some(_) if name.ends_with('/') => true,
        Some(first) => {
            let lettered = ["sd", "hd", "vd"].iter().any(|word| name.ends_with(word));
            !whole && (first.is_ascii_digit() || (lettered && first.is_ascii_lowercase()))
        }
    }
}

impl Authority<'_> {
    /// Returns everything by which an object itself controls `reconfigure`: what it has itself first, then by place.
    #[must_use]
    pub fn root_reasons(&self, subject: ObjectId) -> Vec<RootWay<'_>> {
        root_reasons(
            self.model,
            &Near::new(self.model, &self.places),
            &self.places,
            self.held(subject),
            subject,
        )
    }
}

/// One thing by which somebody controls `reconfigure`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct RootWay<'p> {
    /// The statement behind it.
    pub span: Span,
    /// Why it does.
    pub reason: RootReason,
    /// Where that lies; empty for what has no path.
    pub path: &'p str,
    /// The trusted object's facet that exposes it; none for what the subject has itself.
    pub exposed: Option<FacetId>,
}

/// Returns everything by which an object that holds these things controls `reconfigure`: what it has itself first, then by
/// place in the source.
pub fn root_reasons<'p>(
    model: &Model,
    near: &Near,
    places: &'p Places,
    held: &[Held],
    subject: ObjectId,
) -> Vec<RootWay<'p>> {
    let unconfined = model.object(subject).process().and_then(|process| process.unconfined);
    let unconfined =
        unconfined.map(|span| RootWay { span, reason: RootReason::Unconfined, path: "", exposed: None });
    let mut ways: Vec<RootWay<'p>> = unconfined.into_iter().collect();
    ways.extend(held.iter().filter_map(|held| {
        let reason = root_reason(model, near, places, held)?;
        let path = held.place.map_or("", |place| places.path(place));
        let exposed = match held.through {
            Through::Holding | Through::Own => None,
            Through::Exposed(facet) => Some(facet),
        };
        Some(RootWay { span: held.span, reason, path, exposed })
    }));
    ways.sort_by_key(|way| (way.exposed.is_some(), way.span));
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_raw_device_is_told_from_its_namesakes() {
        let raw = |path: &str| DEVICES.iter().any(|row| is_raw(row.name, path));
        for path in ["/dev/mem", "/dev/sda", "/dev/sdb1", "/dev/nvme0n1", "/dev/dm-0", "/dev/disk/by-id/x"] {
            assert!(raw(path), "{path}");
        }
        for path in
            ["/dev/memory", "/dev/null", "/dev/sound", "/dev/disk", "/dev/mdx", "/dev/ttyS0", "/dev/sd"]
        {
            assert!(!raw(path), "{path}");
        }
    }

    #[test]
    fn a_path_meets_what_amounts_to_root_below_at_and_above_it() {
        let paths = ["/usr", "/run/capc", "/etc/passwd", "/run/docker/sock", "/etc", "/run/docker.sock"];
        let meeting =
            ["/", "/run", "/run/capc", "/run/capc/x", "/usr/share", "/etc", "/etc/a", "/run/docker"];
        let others = ["/srv", "/run/capc-x", "/run/cap", "/run/docker.soc", "/run/docker/socks", "/usrx"];
        let all: Vec<Arc<str>> = meeting.iter().chain(&others).map(|path| (*path).into()).collect();
        let places = Places::new(all.iter());
        let near = Near::to(paths.into_iter().map(Cow::Borrowed), &places);
        for path in &all {
            let meets = near.meets(places.find(path).unwrap());
            assert_eq!(meets, meeting.contains(&&**path), "{path}");
        }
    }

    #[test]
    fn every_row_stands_in_the_documentation() {
        let page = include_str!("../../../docs/authority.md");
        for row in [PRIVILEGES, SOCKETS, DEVICES, OWN].concat() {
            let line = format!("| `{}` | {} | {} |", row.name, row.why, row.source);
            assert!(page.contains(&line), "{line}");
        }
    }
}
