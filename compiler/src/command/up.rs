//! `capc up`: compiles, seals with a key that is forgotten, and runs everything in the foreground.

use super::launcher::MemoryLauncher;
use super::sealed_plan::SealedPlan;
use super::{Failure, compile, first, generation, instance};
use crate::cli::{Exit, Inside, Up};
use crate::emit::store::{self, Draft, Store};
use crate::lower::{self, Mode};
use crate::machine::RealMachine;
use crate::seal::{self, Heading, MemoryKey, Signers, TrustRoot, launcher_with};
use capc_supervisor::{Controller, Groups, Launcher, Outcome, Plan, Prefixed};
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// Runs a configuration, or a generation that was sealed before.
pub fn run(arguments: &Up) -> Exit {
    let result = match arguments.inside {
        // What it mounts goes with the machine.
        None if first::is_first_of_machine() => inside_world(arguments, Inside::Root),
        None => enter(arguments),
        Some(inside) => inside_world(arguments, inside),
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
    let word = match generation::mode() {
        Mode::Root => "root",
        Mode::User => "user",
    };
    let mut command = std::process::Command::new(launcher.path());
    command.args(["--enter", word]).arg(myself).arg("up").arg(&arguments.file).args(["--inside", word]);
    if let Some(store) = &arguments.store {
        command.arg("--store").arg(store);
    }
    let error = command.exec();
    Err(Failure::refused(format!("cannot enter a mount namespace: {error}")))
}

fn inside_world(arguments: &Up, inside: Inside) -> Result<Exit, Failure> {
    let mode = match inside {
        Inside::Root => Mode::Root,
        Inside::User => Mode::User,
    };
    let groups = Groups::make();
    let ready = match arguments.file.is_dir() {
        true => sealed_before(&arguments.file)?,
        false => match seal_now(arguments, mode, &groups)? {
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
            Err(Failure { exit: Exit::Refused, message: format!("did not end well: {}", names.join(", ")) })
        }
        Err(error) => Err(Failure::refused(error.to_string())),
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

/// Compiles and seals; an inner exit is a complaint that has been printed.
fn seal_now(arguments: &Up, mode: Mode, groups: &Groups) -> Result<Result<Ready, Exit>, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
    let mut compilation = compile::named(&arguments.file)?;
    let complaint = compile::complain(&compilation);
    let (Exit::Clean, Some(model), Some(holdings), Some(checked)) =
        (complaint, &compilation.model, &compilation.holdings, &compilation.checked)
    else {
        return Ok(Err(complaint));
    };
    let file = compile::absolute(&arguments.file)?;
    let id = instance::id_of(&file);
    let store_path = match &arguments.store {
        Some(path) => compile::absolute(path)?,
        None => default_store(mode)?.join("up").join(&id),
    };
    let runtime = runtime(mode, &id)?;
    let store = Store::open(&store_path).map_err(|error| refused(&error))?;
    store.clear().map_err(|error| refused(&error))?;
    let current = store::current(&store_path).map_err(|error| refused(&error))?;
    let previous = match &current {
        None => BTreeMap::new(),
        Some(found) => generation::identities(&found.path)?,
    };
    let state_root = (mode == Mode::User).then(|| store_path.join("state"));
    if let Some(path) = &state_root {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| Failure::refused(format!("cannot make `{}`: {error}", path.display())))?;
    }
    let have = |controller| groups.have(controller);
    let groups =
        lower::Groups::sure(have(Controller::Memory), have(Controller::Tasks), have(Controller::Cpu));
    let options = lower::Options { mode, state_root, previous, groups };
    let lowered =
        generation::lower(&compilation, (model, holdings, checked), &RealMachine::default(), &options);
    let (lowered, answers) = match lowered {
        Ok(lowered) => lowered,
        Err(refusals) => {
            compilation.diagnostics = refusals;
            compile::complain(&compilation);
            return Ok(Err(Exit::Refused));
        }
    };
    let key = new_key()?;
    let none = || Failure::refused("there is no key");
    let signers = Signers::all(&[key.public()]).ok_or_else(none)?;
    let number = current.as_ref().map_or(1, |found| found.number + 1);
    let heading = Heading {
        scope: &model.name,
        host: generation::host(None)?,
        number,
        previous: current.as_ref().map(|found| (found.number, found.digest)),
        content_of: None,
        signers: &signers,
    };
    let (content, sources) = generation::content(&compilation, &lowered, answers)?;
    let digests = seal::digests(&content);
    let text = seal::seal(&heading, &sources, &digests)
        .map_err(|path| Failure::refused(format!("`{path}` cannot be a file of a generation")))?;
    let draft =
        Draft { number, content: &content, digests: &digests, seal: &text, launcher: None, previous: None };
    let place = store
        .publish(
            &draft,
            |seal| Ok(key.sign(seal).into_bytes()),
            |new| store::verify(new, &signers).map(drop).map_err(|error| error.to_string()),
        )
        .map_err(|error| refused(&error))?;
    store.keep_only(number).map_err(|error| refused(&error))?;
    let floor = store.floor();
    let trust = TrustRoot {
        scope: &model.name,
        host: heading.host,
        floor: &floor.to_string_lossy(),
        runtime: &runtime.to_string_lossy(),
        signers: &signers,
    };
    let image = launcher_with(Some(&trust)).map_err(|error| refused(&error))?;
    let memory = MemoryLauncher::new(&image)?;
    let launcher = memory.path();
    Ok(Ok(Ready {
        plan: lowered.plan,
        generation: place,
        launcher,
        runtime,
        notes: lowered.notes,
        _kept: (Some(memory), Some(store)),
    }))
}

/// Returns what a generation that `reconfigure --init capc` sealed needs to run: its plan, and the store's launcher,
/// which verifies it again at each start.
fn sealed_before(path: &Path) -> Result<Ready, Failure> {
    let SealedPlan { plan, generation, launcher, runtime } = SealedPlan::open(path)?;
    make_own(&runtime)?;
    Ok(Ready { plan, generation, launcher, runtime, notes: Vec::new(), _kept: (None, None) })
}

fn new_key() -> Result<MemoryKey, Failure> {
    use std::io::Read;
    let mut seed = [0; 32];
    let random = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    random.map_err(|error| Failure::refused(format!("cannot read /dev/urandom: {error}")))?;
    Ok(MemoryKey::new(&seed))
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
