//! The unit of a service: how the launcher is called, when, and what follows.

use super::text::{Unit, command, milliseconds, shown};
use super::{CHANNELS, GROUND, Site, TARGET, listens, unit as unit_name};
use capc_supervisor::{Descriptor, Limits, Ready, Restart, Service, Until};
use std::collections::BTreeSet;

/// How many processes of capc's own stand beside a service's while it starts.
const BESIDES: u64 = 3;

/// How a unit stands to the process of its service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// The launcher names the process, which systemd watches.
    Runs,
    /// The same, and what it was started for stays true after its end.
    RunsOnce,
    /// The launcher stays, and the unit is started when the service has ended.
    Ends,
}

/// Returns the unit of a service.
///
/// # Errors
/// Says what systemd cannot do.
pub fn unit(site: &Site<'_>, service: &Service) -> Result<Unit, String> {
    let course = course(site, service)?;
    let mut unit = Unit::new(&format!("{} of {}", service.name, site.plan.name));
    unit.set("PartOf", TARGET);
    unit.set("Wants", GROUND);
    unit.set_units("After", [GROUND, "network.target"]);
    let needs = needs(site, service)?;
    unit.set_units("Requires", &needs);
    unit.set_units("After", &needs);
    // After so many failures it is given up, but one that is always to run is only paused.
    let (limit, pause) = match service.restart {
        Restart::Always if !service.oneshot => ("0", "1s"),
        Restart::Always | Restart::OnFailure | Restart::Never => ("60s", "100ms"),
    };
    unit.set("StartLimitIntervalSec", limit);
    unit.set("StartLimitBurst", 5);
    unit.section("Service");
    unit.set("Type", if course == Course::Ends { "oneshot" } else { "notify" });
    unit.set("NotifyAccess", "main");
    unit.set("ExecStart", start(site, service, course)?);
    if service.schedule.is_none() && course != Course::Runs {
        unit.set("RemainAfterExit", "yes");
    }
    if let Some(signal) = service.reload {
        let kill = format!("kill -{signal} \"$MAINPID\"");
        unit.set("ExecReload", command("/bin/sh", ["-c", &kill])?);
    }
    let restart = match service.restart {
        Restart::Never => "no",
        Restart::Always if !service.oneshot => "always",
        Restart::Always | Restart::OnFailure => "on-failure",
    };
    unit.set("Restart", restart);
    unit.set("RestartSec", pause);
    // What the launcher refused, it would refuse again.
    unit.set("RestartPreventExitStatus", 77);
    if service.restart != Restart::Never {
        // Nobody asked for these ends.
        unit.set("RestartForceExitStatus", "SIGHUP SIGINT SIGTERM SIGPIPE");
    }
    unit.set("KillMode", "mixed");
    unit.set("KillSignal", format!("SIG{}", service.stop.signal));
    unit.set("WatchdogSignal", "SIGKILL");
    // Half a migration is worse than a long one.
    let takes_its_time = service.prepares || course == Course::Ends;
    let within = if takes_its_time { "infinity".to_owned() } else { milliseconds(service.start_within_ms) };
    unit.set("TimeoutStartSec", within);
    unit.set("TimeoutStopSec", milliseconds(service.stop.within_ms));
    let Limits { memory, tasks, cpu, needs: _ } = service.limits;
    if let Some(memory) = memory {
        unit.set("MemoryMax", memory);
    }
    if let Some(tasks) = tasks {
        // The world's keeper, and the launcher or the attendant before it, count too.
        unit.set("TasksMax", tasks.saturating_add(BESIDES));
    }
    if let Some(cpu) = cpu {
        unit.set("CPUQuota", format!("{cpu}%"));
    }
    unit.set("SyslogIdentifier", shown(&service.name));
    if listens(service) {
        unit.set_units("Sockets", [unit_name(&service.name, "socket")?]);
    }
    Ok(unit)
}

/// Returns the unit that keeps socket pairs, and gives their ends to launchers.
///
/// # Errors
/// When capc's path cannot be written.
pub fn channels(site: &Site<'_>) -> Result<Unit, String> {
    let mut unit = Unit::new(&format!("channels of {}", site.plan.name));
    unit.set("PartOf", TARGET);
    unit.section("Service");
    unit.set("Type", "notify");
    unit.set("NotifyAccess", "main");
    let generation = site.generation.to_string_lossy();
    unit.set("ExecStart", command(&site.capc.to_string_lossy(), ["channels", &generation])?);
    unit.set("FileDescriptorStoreMax", site.plan.channels.len().saturating_mul(2));
    unit.set("Restart", "always");
    unit.set("RestartSec", "100ms");
    unit.set("SyslogIdentifier", "capc-channels");
    Ok(unit)
}

/// Returns the units that must be there first.
fn needs(site: &Site<'_>, service: &Service) -> Result<BTreeSet<String>, String> {
    let mut needs = BTreeSet::new();
    for wait in &service.waits {
        let other = site.plan.services.iter().find(|other| other.name == wait.on);
        if other.is_some_and(|other| other.schedule.is_some()) {
            return Err(format!(
                "`{}` waits for `{}`, which starts by the calendar, and systemd cannot wait for that: let it not wait",
                service.name, wait.on
            ));
        }
        needs.insert(unit_name(&wait.on, "service")?);
    }
    if listens(service) {
        needs.insert(unit_name(&service.name, "socket")?);
    }
    if has_channels(service) {
        needs.insert(CHANNELS.to_owned());
    }
    Ok(needs)
}

fn has_channels(service: &Service) -> bool {
    service.descriptors.iter().any(|descriptor| matches!(descriptor, Descriptor::Channel { .. }))
}

/// Returns how a unit stands to its service: what others wait for decides.
fn course(site: &Site<'_>, service: &Service) -> Result<Course, String> {
    if !service.oneshot {
        return Ok(Course::Runs);
    }
    let waits = site.plan.services.iter().flat_map(|other| other.waits.iter().map(move |wait| (other, wait)));
    let waits = waits.filter(|(_, wait)| wait.on == service.name);
    let (mut ready, mut done) = (None, None);
    for (other, wait) in waits {
        match wait.until {
            Until::Ready => ready = Some(&other.name),
            Until::Done => done = Some(&other.name),
        }
    }
    match (ready, done) {
        (Some(ready), Some(done)) => Err(format!(
            "`{ready}` waits until `{0}` is ready and `{done}` until it has ended, and a unit of systemd has one of these \
moments only: let both wait for the same",
            service.name
        )),
        (Some(_), None) => Ok(Course::RunsOnce),
        (None, _) => Ok(Course::Ends),
    }
}

/// Returns the command line that starts a service.
fn start(site: &Site<'_>, service: &Service, course: Course) -> Result<String, String> {
    let launcher = site.launcher.to_string_lossy().into_owned();
    let launch = [site.generation.to_string_lossy().into_owned(), service.name.clone()];
    let stays = (course == Course::Ends).then(|| "--wait".to_owned());
    let waits_for_sockets = service.ready == Ready::Socket && course != Course::Ends;
    if !has_channels(service) && !waits_for_sockets {
        // systemd takes no process for a service's that has ended when it is told of it.
        let how = stays.unwrap_or_else(|| "--introduce".to_owned());
        return command(&launcher, [how].into_iter().chain(launch));
    }
    let mut attend = vec!["attend".to_owned()];
    attend.extend(stays);
    for descriptor in &service.descriptors {
        attend.push("--pass".to_owned());
        attend.push(match descriptor {
            Descriptor::Channel { name } => format!("channel:{name}"),
            Descriptor::Listen { .. } | Descriptor::Activated { .. } => "init".to_owned(),
        });
    }
    if waits_for_sockets {
        for path in &service.ready_sockets {
            attend.extend(["--ready-socket".to_owned(), path.clone()]);
        }
        for port in &service.ready_ports {
            attend.extend(["--ready-port".to_owned(), port.to_string()]);
        }
    }
    attend.push(launcher);
    attend.extend(launch);
    command(&site.capc.to_string_lossy(), attend)
}
