//! What is there before services, and what brings them up: directories of facets, timers and targets.

use super::text::{Unit, literal};
use super::{FACETS, GROUND, Site, TARGET, listens, mount as mount_name, unit};
use capc_supervisor::{Calendar, Facet, Service};

/// Returns the mount of a facet's directory, as the launcher wants it: a small one in memory, the maker's own.
///
/// # Errors
/// When its path cannot be written.
pub fn mount(facet: &Facet) -> Result<Unit, String> {
    let Facet { key, uid, gid } = facet;
    let mut unit = Unit::new(&format!("directory of the facet {key}"));
    unit.section("Mount");
    unit.set("What", "tmpfs");
    unit.set("Where", literal(&format!("{FACETS}/{key}"))?);
    unit.set("Type", "tmpfs");
    let options = format!("size=64k,nr_inodes=16,mode=0755,uid={uid},gid={gid},nosuid,nodev,noexec");
    unit.set("Options", options);
    // `/run/capc` is root's alone.
    unit.set("DirectoryMode", "0700");
    Ok(unit)
}

/// Returns the timer of a oneshot.
pub fn timer(service: &Service, calendar: &Calendar) -> Unit {
    let mut timer = Unit::new(&format!("when {} starts", service.name));
    timer.set("PartOf", TARGET);
    timer.section("Timer");
    let calendar = calendar.to_string();
    timer.set("OnCalendar", calendar.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    timer.set("AccuracySec", "1s");
    timer
}

/// Returns what all sockets and directories are started by.
///
/// # Errors
/// When a name is too long.
pub fn sockets(site: &Site<'_>) -> Result<Unit, String> {
    let mut names = Vec::new();
    for facet in &site.plan.facets {
        names.push(mount_name(&facet.key)?);
    }
    for service in site.plan.services.iter().filter(|service| listens(service)) {
        names.push(unit(&service.name, "socket")?);
    }
    let mut target = Unit::new(&format!("sockets of {}", site.plan.name));
    target.set_units("Wants", names);
    Ok(target)
}

/// Returns what the whole system is started and stopped by.
///
/// # Errors
/// When a name is too long.
pub fn target(site: &Site<'_>) -> Result<Unit, String> {
    let mut names = vec![GROUND.to_owned()];
    for service in &site.plan.services {
        let kind = if service.schedule.is_some() { "timer" } else { "service" };
        names.push(unit(&service.name, kind)?);
    }
    let mut target = Unit::new(&format!("{}, sealed by capc", site.plan.name));
    target.set_units("Wants", names);
    target.section("Install");
    target.set("WantedBy", "multi-user.target");
    Ok(target)
}
