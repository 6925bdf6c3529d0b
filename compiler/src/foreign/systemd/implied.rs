//! What a unit's type and settings imply, unless it says `DefaultDependencies=no`, and what they imply in any case.
//!
//! The sources are systemd.unit(5) to systemd.swap(5) and systemd.exec(5), each under "Automatic Dependencies", as of
//! version 252. What only matters when a machine stops, such as being stopped before `shutdown.target` is reached, follows by
//! itself: no start of anything else brings that target in.

use super::name::{UnitName, UnitType, escape, escape_path};
use super::settings::Settings;
use super::unit::{Needed, Relation, Strength, Unit};
use crate::foreign::order::Why;
use crate::source::Span;

/// Adds to a unit what follows from the rest of it.
pub fn imply(unit: &mut Unit, settings: &Settings, name: &UnitName<'_>) {
    let header = unit.header;
    if unit.defaults {
        defaults(unit, settings);
    }
    match unit.unit_type {
        UnitType::Service => service(unit, settings),
        UnitType::Socket => socket(unit, settings, name),
        UnitType::Timer => {
            trigger(unit, settings, name, "its timer");
            if settings.is_on("Persistent") {
                need(unit, "/var/lib/systemd/timers", header, Why::Nature("where its time stamp lies"));
            }
        }
        UnitType::Path => {
            trigger(unit, settings, name, "its path unit");
            for (key, word) in settings.all("Path") {
                need(unit, &word.text, word.span, Why::Needs(key));
            }
        }
        UnitType::Mount => mount(unit, settings, name),
        UnitType::Automount => {
            let mount = name.with_type(UnitType::Mount);
            unit.name(Relation::Triggers, mount.as_str(), header, Why::Nature("its automount"));
            unit.name(Relation::Before, mount.as_str(), header, Why::Nature("its automount"));
            if let Some((place, span)) = settings.last("Where") {
                let parent = place.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent);
                need(unit, parent, span, Why::Nature("the mount above it"));
            }
        }
        UnitType::Swap => {
            if let Some((what, span)) = settings.last("What") {
                source(unit, what, span);
            }
        }
        UnitType::Target | UnitType::Device | UnitType::Slice | UnitType::Scope => {}
    }
    match unit.unit_type {
        UnitType::Service | UnitType::Mount | UnitType::Swap => runs(unit, settings),
        UnitType::Socket if settings.all("Exec").next().is_some() => runs(unit, settings),
        _ => {}
    }
    slice(unit, settings, name);
}

/// Adds that a path must be mounted.
fn need(unit: &mut Unit, path: &str, span: Span, why: Why) {
    if path.starts_with('/') {
        unit.paths.push(Needed { path: path.to_owned(), span, why });
    }
}

fn both(unit: &mut Unit, name: &str, span: Span, why: Why) {
    unit.name(Relation::Pull(Strength::Hard), name, span, why);
    unit.name(Relation::After, name, span, why);
}

/// Adds what is usual for a type.
fn defaults(unit: &mut Unit, settings: &Settings) {
    let header = unit.header;
    let early = |unit: &mut Unit| both(unit, "sysinit.target", header, Why::Default);
    let before = |unit: &mut Unit, target: &str| {
        unit.name(Relation::Before, target, header, Why::DefaultBefore);
    };
    match unit.unit_type {
        UnitType::Service => {
            early(unit);
            unit.name(Relation::After, "basic.target", header, Why::Default);
        }
        UnitType::Socket => {
            early(unit);
            before(unit, "sockets.target");
        }
        UnitType::Path => {
            early(unit);
            before(unit, "paths.target");
        }
        UnitType::Timer => {
            early(unit);
            before(unit, "timers.target");
            if settings.all("On").any(|(key, _)| key == "OnCalendar=") {
                for target in ["time-set.target", "time-sync.target"] {
                    unit.name(Relation::After, target, header, Why::Default);
                }
            }
        }
        UnitType::Mount => {
            let (is_network, options) = options(settings);
            let (after, target) = match is_network {
                true => ("remote-fs-pre.target", "remote-fs.target"),
                false => ("local-fs-pre.target", "local-fs.target"),
            };
            if !is_extrinsic(&unit.id) {
                unit.name(Relation::After, after, header, Why::Default);
                if !options.split(',').any(|option| option == "nofail") {
                    before(unit, target);
                }
                if is_network {
                    unit.name(Relation::After, "network.target", header, Why::Default);
                    unit.name(Relation::After, "network-online.target", header, Why::Default);
                    unit.name(Relation::Pull(Strength::Soft), "network-online.target", header, Why::Default);
                }
                if settings.last("Type").is_some_and(|(kind, _)| kind == "tmpfs") {
                    unit.name(Relation::After, "swap.target", header, Why::Default);
                }
                before(unit, "umount.target");
            }
        }
        UnitType::Automount => {
            unit.name(Relation::After, "local-fs-pre.target", header, Why::Default);
            before(unit, "local-fs.target");
            before(unit, "umount.target");
        }
        UnitType::Swap => {
            before(unit, "swap.target");
            before(unit, "umount.target");
        }
        UnitType::Target | UnitType::Device | UnitType::Slice | UnitType::Scope => {}
    }
    // Before they are started, units are stopped: when the machine is shut down as a whole.
    let stops =
        !matches!(unit.unit_type, UnitType::Mount | UnitType::Automount | UnitType::Swap | UnitType::Device);
    if stops && &*unit.id != "shutdown.target" {
        before(unit, "shutdown.target");
        unit.name(Relation::Conflicts, "shutdown.target", header, Why::DefaultBefore);
    }
}

/// File systems that need the network (systemd's `fstype_is_network`).
const NETWORK: [&str; 17] = [
    "afs",
    "ceph",
    "cifs",
    "smb3",
    "smbfs",
    "sshfs",
    "ncpfs",
    "ncp",
    "nfs",
    "nfs4",
    "gfs",
    "gfs2",
    "glusterfs",
    "pvfs2",
    "ocfs2",
    "lustre",
    "davfs",
];

fn options(settings: &Settings) -> (bool, &str) {
    let options = settings.last("Options").map_or("", |(options, _)| options);
    let kind = settings.last("Type").map_or("", |(kind, _)| kind);
    let kind = kind.strip_prefix("fuse.").unwrap_or(kind);
    (NETWORK.contains(&kind) || options.split(',').any(|option| option == "_netdev"), options)
}

/// Whether a mount is the business of whoever started the machine.
fn is_extrinsic(id: &str) -> bool {
    let place = id.strip_suffix(".mount").unwrap_or(id);
    matches!(place, "-" | "usr")
        || ["proc", "sys", "dev", "run-initramfs", "run-host"].iter().any(|place_of_kernel| {
            place.strip_prefix(place_of_kernel).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
}

fn service(unit: &mut Unit, settings: &Settings) {
    for (key, word) in settings.all("Sockets") {
        unit.name(Relation::Pull(Strength::Soft), word.text.as_str(), word.span, Why::After(key));
        unit.name(Relation::After, word.text.as_str(), word.span, Why::After(key));
    }
    let bus = match (settings.last("Type"), settings.last("BusName")) {
        (Some(("dbus", span)), _) | (None, Some((_, span))) => Some(span),
        _ => None,
    };
    if let Some(span) = bus {
        both(unit, "dbus.socket", span, Why::Nature("as it talks on the bus"));
    }
}

fn socket(unit: &mut Unit, settings: &Settings, name: &UnitName<'_>) {
    let header = unit.header;
    let (service, span) = match settings.last("Service") {
        Some((service, span)) => (service.to_owned(), span),
        None => (name.with_type(UnitType::Service), header),
    };
    // With `Accept=yes` each connection has an instance of its own, which nothing names beforehand.
    if !settings.is_on("Accept") {
        unit.name(Relation::Triggers, service.as_str(), span, Why::Nature("its socket"));
        unit.name(Relation::Before, service.as_str(), span, Why::Nature("its socket"));
    }
    for (key, word) in settings.all("Listen") {
        need(unit, &word.text, word.span, Why::Needs(key));
    }
    if let Some((device, span)) = settings.last("BindToDevice") {
        let device = format!("sys-subsystem-net-devices-{}.device", escape(device));
        both(unit, &device, span, Why::Needs("BindToDevice="));
    }
}

fn trigger(unit: &mut Unit, settings: &Settings, name: &UnitName<'_>, reason: &'static str) {
    let (other, span) = match settings.last("Unit") {
        Some((other, span)) => (other.to_owned(), span),
        None => (name.with_type(UnitType::Service), unit.header),
    };
    unit.name(Relation::Triggers, other.as_str(), span, Why::Nature(reason));
    unit.name(Relation::Before, other.as_str(), span, Why::Nature(reason));
}

fn mount(unit: &mut Unit, settings: &Settings, name: &UnitName<'_>) {
    let (is_network, options) = options(settings);
    if let Some((place, span)) = settings.last("Where") {
        let parent = place.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent);
        let parent = if parent.is_empty() { "/" } else { parent };
        if name.text != "-.mount" {
            need(unit, parent, span, Why::Nature("the mount above it"));
        }
    }
    if let Some((what, span)) = settings.last("What") {
        let is_bound = options.split(',').any(|option| matches!(option, "bind" | "rbind" | "loop"));
        if is_bound || !is_network {
            source(unit, what, span);
        }
    }
}

/// Adds the device, or the file, that is mounted or swapped to.
fn source(unit: &mut Unit, what: &str, span: Span) {
    if what.starts_with("/dev/") {
        let device = format!("{}.device", escape_path(what));
        both(unit, &device, span, Why::Needs("What="));
        let made = format!("blockdev@{}.target", escape_path(what));
        unit.name(Relation::After, made, span, Why::Needs("What="));
    } else {
        need(unit, what, span, Why::Needs("What="));
    }
}

/// What follows from running a program (systemd.exec(5)).
fn runs(unit: &mut Unit, settings: &Settings) {
    let header = unit.header;
    for key in ["WorkingDirectory", "RootDirectory", "RootImage"] {
        if let (Some((path, span)), Some((key, _))) = (settings.last(key), settings.all(key).last()) {
            // With a dash before it, it may be missing.
            need(unit, path, span, Why::Needs(key));
        }
    }
    if let Some((_, span)) = settings.last("RootImage") {
        unit.name(Relation::After, "systemd-udevd.service", span, Why::Nature("for the image's device"));
    }
    let places = [
        ("RuntimeDirectory", "/run"),
        ("StateDirectory", "/var/lib"),
        ("CacheDirectory", "/var/cache"),
        ("LogsDirectory", "/var/log"),
        ("ConfigurationDirectory", "/etc"),
    ];
    for (group, place) in places {
        for (key, word) in settings.all(group) {
            let path = format!("{place}/{}", word.text.split(':').next().unwrap_or_default());
            need(unit, &path, word.span, Why::Needs(key));
            if matches!(group, "StateDirectory" | "CacheDirectory" | "LogsDirectory") {
                unit.name(Relation::After, "systemd-remount-fs.service", word.span, Why::Needs(key));
            }
        }
    }
    if let Some((_, span)) = settings.last("PrivateTmp").filter(|_| settings.is_on("PrivateTmp")) {
        for path in ["/tmp", "/var/tmp"] {
            need(unit, path, span, Why::Needs("PrivateTmp="));
        }
        unit.name(Relation::After, "systemd-tmpfiles-setup.service", span, Why::Needs("PrivateTmp="));
    }
    if let Some((namespace, span)) = settings.last("LogNamespace") {
        for socket in ["systemd-journald", "systemd-journald-varlink"] {
            both(unit, &format!("{socket}@{namespace}.socket"), span, Why::Needs("LogNamespace="));
        }
        return;
    }
    let logs = |key: &str| settings.last(key).map(|(value, _)| is_log(value));
    // Without a word of its own the output goes to the journal; errors go where the output goes.
    if logs("StandardOutput").unwrap_or(true) || logs("StandardError").unwrap_or(false) {
        let why = Why::Nature("as its output goes to the journal");
        unit.name(Relation::After, "systemd-journald.socket", header, why);
    }
}

fn is_log(value: &str) -> bool {
    let first = value.split('+').next().unwrap_or_default();
    matches!(first, "journal" | "syslog" | "kmsg")
}

/// Adds the slice that a unit is in.
fn slice(unit: &mut Unit, settings: &Settings, name: &UnitName<'_>) {
    let header = unit.header;
    let reason = Why::Nature("the slice that it is in");
    match unit.unit_type {
        UnitType::Service | UnitType::Socket | UnitType::Mount | UnitType::Swap => {
            match (settings.last("Slice"), name.instance) {
                (Some((slice, span)), _) => both(unit, slice, span, Why::After("Slice=")),
                (None, Some(_)) => {
                    both(unit, &format!("system-{}.slice", escape(name.prefix)), header, reason);
                }
                (None, None) => both(unit, "system.slice", header, reason),
            }
        }
        UnitType::Slice if name.text != "-.slice" => {
            let parent = match name.prefix.rsplit_once('-') {
                Some((parent, _)) if !parent.is_empty() => format!("{parent}.slice"),
                _ => "-.slice".to_owned(),
            };
            both(unit, &parent, header, reason);
        }
        _ => {}
    }
}
