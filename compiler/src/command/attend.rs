//! `capc attend`, `capc channels`, `capc facets`: what another init has done for it, since it cannot do it itself.

use super::Failure;
use super::sealed_plan::SealedPlan;
use super::transaction::RUNTIME;
use crate::cli::{Attend, Exit, Prepared};
use capc_supervisor::{Attended, attend, keep_channels, mount_facets};
use std::path::{Path, PathBuf};

/// Starts one service; its status is that of the launcher, or of the service that it stayed for.
pub fn run(arguments: &Attend) -> u8 {
    let attended = Attended {
        launcher: arguments.launcher.clone(),
        generation: arguments.generation.clone(),
        service: arguments.service.clone(),
        passed: arguments.pass.clone(),
        ready_sockets: arguments.ready_socket.clone(),
        ready_ports: arguments.ready_port.clone(),
        ready_notify: arguments.ready_notify,
        stays: arguments.wait,
        within: arguments.within.map(std::time::Duration::from_millis),
        say_ready: arguments.say_ready,
        say_end: arguments.say_end,
        runtime: PathBuf::from(RUNTIME),
        notify_socket: notify_socket(),
    };
    match attend(&attended) {
        Ok(status) => status,
        Err(error) => Failure::refused(error.to_string()).report() as u8,
    }
}

/// Keeps the channels of a generation.
pub fn channels(arguments: &Prepared) -> Exit {
    exit(keep(arguments))
}

/// Mounts the facets of a generation.
pub fn facets(arguments: &Prepared) -> Exit {
    exit(mount(arguments))
}

fn exit(done: Result<(), Failure>) -> Exit {
    done.map_or_else(|failure| failure.report(), |()| Exit::Clean)
}

fn keep(arguments: &Prepared) -> Result<(), Failure> {
    let sealed = SealedPlan::open(&arguments.generation)?;
    let none =
        || Failure::usage("an init with a store of descriptors starts this (NOTIFY_SOCKET is not set)");
    let notify = notify_socket().ok_or_else(none)?;
    let refused = |error: capc_supervisor::Error| Failure::refused(error.to_string());
    keep_channels(&sealed.plan, Path::new(RUNTIME), &stored(), &notify).map_err(refused)
}

fn mount(arguments: &Prepared) -> Result<(), Failure> {
    let sealed = SealedPlan::open(&arguments.generation)?;
    mount_facets(&sealed.plan, Path::new(RUNTIME)).map_err(|error| Failure::refused(error.to_string()))
}

fn notify_socket() -> Option<PathBuf> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Returns the names of the descriptors that the init passed to this very process (sd_listen_fds_with_names(3)).
fn stored() -> Vec<String> {
    let variable = |name: &str| std::env::var(name).ok();
    let is_ours = variable("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
    let count = variable("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
    let names = variable("LISTEN_FDNAMES").filter(|_| is_ours && count > 0).unwrap_or_default();
    names.split(':').map(str::to_owned).take(count).collect()
}
