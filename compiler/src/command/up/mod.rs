//! `capc up`: compiles, seals with a key that is forgotten, and runs everything in the foreground.
//!
//! Sealing is for a process that ends before anything starts (`sealing`), so that what supervises (`sealed_now`) has the memory
//! that this takes and no more, and knows no key.

mod sealed_now;
mod sealing;

use super::launcher::MemoryLauncher;
use super::sealed_plan::SealedPlan;
use super::{Failure, compile, first, generation};
use crate::cli::{Exit, Inside, Up};
use crate::emit::store::Store;
use crate::lower::Mode;
use crate::seal::launcher_with;
use capc_supervisor::{Groups, Launcher, Outcome, Plan, Prefixed};
use sealed_now::sealed_now;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// Runs a configuration, or a generation that was sealed before.
pub fn run(arguments: &Up) -> Exit {
    let result = match (arguments.inside, &arguments.seal) {
        // What it mounts goes with the machine.
        (None, _) if first::is_first_of_machine() => inside_world(arguments, Mode::Root),
        (None, _) => enter(arguments),
        (Some(inside), None) => inside_world(arguments, mode(inside)),
        (Some(inside), Some(held)) => sealing::run(arguments, mode(inside), held),
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

/// Starts this command again in a mount namespace of its own (and, as a plain user, a user namespace), so that what is
/// mounted for facets goes when it ends, and a plain user may mount at all.
fn enter(arguments: &Up) -> Result<Exit, Failure> {
    // A configuration with errors is told before anything is entered.
    if !arguments.file.is_dir() {
        let compilation = compile::named(&arguments.file)?;
        if compilation.has_errors() {
            return Ok(compile::complain(&compilation));
        }
    }
    let image = launcher_with(None).map_err(|error| Failure::refused(error.to_string()))?;
    let launcher = MemoryLauncher::new(&image)?;
    let myself = std::env::current_exe()
        .map_err(|error| Failure::refused(format!("cannot find capc itself: {error}")))?;
    let word = word(generation::mode());
    let mut command = std::process::Command::new(launcher.path());
    command.args(["--enter", word]).arg(myself).arg("up").arg(&arguments.file).args(["--inside", word]);
    if let Some(store) = &arguments.store {
        command.arg("--store").arg(store);
    }
    let error = command.exec();
    Err(Failure::refused(format!("cannot enter a mount namespace: {error}")))
}

fn mode(inside: Inside) -> Mode {
    match inside {
        Inside::Root => Mode::Root,
        Inside::User => Mode::User,
    }
}

/// Returns the word for what [`mode`] returns.
fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Root => "root",
        Mode::User => "user",
    }
}

fn inside_world(arguments: &Up, mode: Mode) -> Result<Exit, Failure> {
    let groups = Groups::make();
    let ready = match arguments.file.is_dir() {
        true => sealed_before(&arguments.file)?,
        false => match sealed_now(arguments, mode, &groups)? {
            Ok(ready) => ready,
            Err(exit) => return Ok(exit),
        },
    };
    announce(&ready, mode, &groups);
    let launcher = Launcher { program: ready.launcher, generation: ready.generation };
    let mut log = Prefixed::new(std::io::stdout(), &ready.plan);
    match capc_supervisor::run(&ready.plan, &launcher, groups, &ready.runtime, &mut log) {
        Ok(Outcome::AllEndedWell) => Ok(Exit::Clean),
        Ok(Outcome::Stopped) => Ok(Exit::Clean),
        Ok(Outcome::SomeFailed(names)) => {
            if let Some(name) = names.first().filter(|_| !arguments.file.is_dir()) {
                super::complain!(
                    "capc: what a world lacks is told by `capc why-denied {name} --trace` while `capc up` starts it again, and by \
                     `capc trace {name} --config {}`, which runs it without a world",
                    arguments.file.display()
                );
            }
            Err(Failure { exit: Exit::Refused, message: format!("did not end well: {}", names.join(", ")) })
        }
        Err(error) => {
            let message = error.to_string();
            let is_taken = message.contains("Address already in use");
            let help = if is_taken { "; `ss -ltunp` names the process that has it" } else { "" };
            Err(Failure::refused(message + help))
        }
    }
}

/// Everything that the supervisor needs.
struct Ready {
    plan: Plan,
    generation: PathBuf,
    launcher: PathBuf,
    runtime: PathBuf,
    notes: Vec<String>,
    /// The memory file that `launcher` names, and the lock that keeps a second `up` of the same file out.
    _kept: (Option<MemoryLauncher>, Option<Store>),
}

fn announce(ready: &Ready, mode: Mode, groups: &Groups) {
    let services = super::check::count(ready.plan.services.len(), "service");
    let way = match mode {
        Mode::Root => "as root: every service has a uid of its own",
        Mode::User => {
            "as a plain user: one Linux uid outside, your groups stay in force inside granted paths, \
             socket peers all bear the same uid, and the seal guards nothing against you"
        }
    };
    super::complain!("capc: {}, {services}, {way}", ready.plan.name);
    super::complain!("capc: limits: {groups}");
    for note in &ready.notes {
        super::complain!("capc: note: {note}");
    }
}

/// Returns what a generation that `reconfigure --init capc` sealed needs to run: its plan, and the store's launcher,
/// which verifies it again at each start.
fn sealed_before(path: &Path) -> Result<Ready, Failure> {
    let SealedPlan { plan, generation, launcher, runtime } = SealedPlan::open(path)?;
    make_own(&runtime)?;
    Ok(Ready { plan, generation, launcher, runtime, notes: Vec::new(), _kept: (None, None) })
}

/// Makes a runtime directory if it is not there, and checks it: 0700 and the caller's own.
fn make_own(path: &Path) -> Result<(), Failure> {
    let refused =
        |what: String| Failure::refused(format!("the runtime directory `{}`: {what}", path.display()));
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(error.to_string())),
    }
    let metadata = std::fs::symlink_metadata(path).map_err(|error| refused(error.to_string()))?;
    let mine = metadata.uid() == rustix::process::geteuid().as_raw();
    let closed = metadata.mode() & 0o022 == 0;
    if metadata.is_dir() && mine && closed {
        return Ok(());
    }
    Err(refused("it is not a directory of yours that nobody else can write to".to_owned()))
}
