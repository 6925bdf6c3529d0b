//! `capc doctor`: every layer of a dead world, tried on this kernel.

use super::Failure;
use super::launcher::MemoryLauncher;
use crate::cli::Exit;
use crate::seal::launcher_with;
use capc_supervisor::Groups;
use std::process::Command;

/// Lets the launcher try every layer and prints what it says, and what limits a supervisor could hold services to.
pub fn run() -> Exit {
    match status() {
        Ok(true) => Exit::Clean,
        Ok(false) => Exit::Refused,
        Err(failure) => failure.report(),
    }
}

fn status() -> Result<bool, Failure> {
    let image = launcher_with(None).map_err(|error| Failure::refused(error.to_string()))?;
    let launcher = MemoryLauncher::new(&image)?;
    let status = Command::new(launcher.path()).arg("--doctor").env_clear().status();
    let status = status.map_err(|error| Failure::refused(format!("cannot run the launcher: {error}")))?;
    let whose = match super::generation::mode() {
        crate::lower::Mode::Root => "root's services",
        crate::lower::Mode::User => "a plain user's services, which do without id-mapped mounts,",
    };
    match status.success() {
        true => super::say!("all that {whose} need is here"),
        false => super::say!("what {whose} need is not all here: they would be refused"),
    }
    // No layer: services start without.
    super::say!("limits {}", Groups::make());
    Ok(status.success())
}

/// Returns the kernel's Landlock ABI; none when the launcher finds none that suffices.
pub fn landlock_abi() -> Option<u32> {
    let image = launcher_with(None).ok()?;
    let launcher = MemoryLauncher::new(&image).ok()?;
    let output = Command::new(launcher.path()).arg("--doctor").env_clear().output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("landlock ok ABI "))?;
    line.trim().parse().ok()
}
