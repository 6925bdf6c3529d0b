//! What a process of its own has sealed just now, as the supervisor takes it over.

use super::sealing::Told;
use super::{Ready, make_own, word};
use crate::cli::{Exit, Up};
use crate::command::launcher::MemoryLauncher;
use crate::command::{Failure, compile, generation, instance};
use crate::emit::init::PLAN;
use crate::emit::store::{self, Store};
use crate::lower::Mode;
use crate::seal::{Signers, TrustRoot, launcher_with, public_key_of};
use capc_supervisor::{Controller, Groups, Plan};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Has a file compiled and sealed, and reads what came of it; an inner exit is a complaint that has been printed.
///
/// The store is locked by this process, for as long as the supervisor runs.
pub fn sealed_now(arguments: &Up, mode: Mode, groups: &Groups) -> Result<Result<Ready, Exit>, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
    let id = instance::id_of(&compile::absolute(&arguments.file)?);
    let store_path = match &arguments.store {
        Some(path) => compile::absolute(path)?,
        None => default_store(mode)?.join("up").join(&id),
    };
    let store = Store::open(&store_path).map_err(|error| refused(&error))?;
    let lock = store.lock().map_err(|error| refused(&error))?;
    // This very program, whatever lies at its path by now.
    let mut sealing = Command::new("/proc/self/exe");
    sealing.args(["up", "--inside", word(mode), "--store"]).arg(&store_path).arg("--seal");
    sealing.args(held(groups)).arg("--").arg(&arguments.file);
    let sealing = sealing.stdin(Stdio::from(lock)).stderr(Stdio::inherit()).output();
    let sealing =
        sealing.map_err(|error| Failure::refused(format!("cannot start capc again to seal: {error}")))?;
    match sealing.status.code() {
        Some(0) => {}
        Some(code) => return Ok(Err(Exit::of(code))),
        None => return Err(Failure::refused(format!("sealing was ended by a {}", sealing.status))),
    }
    let unread = |why: &dyn std::fmt::Display| Failure::refused(format!("what was sealed is unknown: {why}"));
    let told: Told = serde_json::from_slice(&sealing.stdout).map_err(|error| unread(&error))?;
    let found = store::current(&store_path).map_err(|error| refused(&error))?;
    let found = found.filter(|found| found.digest.to_string() == told.digest);
    let found = found.ok_or_else(|| unread(&"another generation is current"))?;
    let place = store_path.join("generations").join(found.number.to_string());
    let plan = generation::Sealed::of(found).need(PLAN)?;
    let plan = Plan::from_json(&plan).map_err(|error| unread(&error))?;
    let key = public_key_of(&told.key).and_then(|key| Signers::all(&[key]));
    let signers = key.ok_or_else(|| unread(&"its key is none"))?;
    let runtime = runtime(mode, &id)?;
    let floor = store.floor();
    let trust = TrustRoot {
        scope: &plan.name,
        host: generation::host(None)?,
        floor: &floor.to_string_lossy(),
        runtime: &runtime.to_string_lossy(),
        signers: &signers,
    };
    let image = launcher_with(Some(&trust)).map_err(|error| refused(&error))?;
    let memory = MemoryLauncher::new(&image)?;
    let launcher = memory.path();
    let _kept = (Some(memory), Some(store));
    Ok(Ok(Ready { plan, generation: place, launcher, runtime, notes: told.notes, _kept }))
}

/// Returns what groups hold services to, in the words of `--seal`.
fn held(groups: &Groups) -> impl Iterator<Item = &'static str> {
    let all =
        [(Controller::Memory, "memory"), (Controller::Tasks, "tasks"), (Controller::Cpu, "cpu")].into_iter();
    all.filter(|(controller, _)| groups.have(*controller)).map(|(_, word)| word)
}

fn default_store(mode: Mode) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match mode {
        Mode::Root => Ok("/var/lib/capc".into()),
        Mode::User => absolute("XDG_STATE_HOME")
            .map(|path| path.join("capc"))
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state/capc")))
            .ok_or_else(|| {
                Failure::usage("neither XDG_STATE_HOME nor HOME is set: name a store with --store")
            }),
    }
}

/// Returns the runtime directory, made and checked.
fn runtime(mode: Mode, id: &str) -> Result<PathBuf, Failure> {
    let base = instance::base(mode);
    let path = base.join(id);
    make_own(&base)?;
    make_own(&path)?;
    Ok(path)
}
