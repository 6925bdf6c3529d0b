//! `capc reconfigure`: compiles a configuration and has it sealed as the next generation.

use super::question::Answerable;
use super::transaction::{self, Ground, Proposal};
use super::{Failure, compile, drift, generation, rollback};
use crate::cli::{Exit, Init, Reconfigure, Sealing};
use crate::emit::init::PLAN;
use crate::lower;
use crate::machine::RealMachine;
use crate::model;
use crate::seal::{SealedSource, Signers};
use crate::source::{Files, RealFiles};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Runs the transaction.
pub fn run(arguments: &Reconfigure) -> Exit {
    match transact(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

/// Another system's files, by the paths that they have there.
struct Below(PathBuf);

impl Files for Below {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealFiles.read(&self.0.join(path.strip_prefix("/").unwrap_or(path)))
    }
}

fn transact(arguments: &Reconfigure) -> Result<Exit, Failure> {
    let root = arguments.root.as_deref().map(compile::absolute).transpose()?;
    let mut compilation = match &root {
        None => compile::named(&arguments.file)?,
        Some(root) => below(root, &arguments.file)?,
    };
    let complaint = compile::complain(&compilation);
    let (Exit::Clean, Some(model), Some(holdings), Some(checked)) =
        (complaint, &compilation.model, &compilation.holdings, &compilation.checked)
    else {
        return Ok(complaint);
    };
    let in_root = |path: &str| match &root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    let store = arguments.store.clone().unwrap_or_else(|| in_root(&model.root.store.path));
    let sealing = Sealing {
        keys: match arguments.sealing.keys.as_slice() {
            [] => vec![PathBuf::from(&*model.root.key.path)],
            keys => keys.to_vec(),
        },
        ..arguments.sealing
    };
    let ground = Ground::open(&compile::absolute(&store)?, root.as_deref(), &sealing)?;
    let previous = match &ground.current {
        None => BTreeMap::new(),
        Some(found) => generation::identities(&found.path)?,
    };
    let (machine, mode) = match &root {
        None => (RealMachine::here(), generation::mode()),
        Some(root) => (RealMachine::below(root.clone()), lower::Mode::Root),
    };
    let init = match arguments.init {
        None => model.root.init,
        Some(Init::None) => None,
        Some(Init::Capc) => Some(model::Init::Capc),
        Some(Init::Systemd) => Some(model::Init::Systemd),
        Some(Init::Shepherd) => Some(model::Init::Shepherd),
    };
    let groups = groups(init, root.as_deref());
    let options = lower::Options { mode, state_root: None, previous, groups };
    let lowered = generation::lower(&compilation, (model, holdings, checked), &machine, &options);
    let (lowered, answers) = match lowered {
        Ok(lowered) => lowered,
        Err(refusals) => return Ok(compile::refuse(&mut compilation, refusals)),
    };
    let (mut content, sources) = generation::content(&compilation, &lowered, answers)?;
    let manifests = lowered.manifests.iter().map(|(_, text)| text.as_str());
    if let Some(images) = drift::images(manifests, &machine)? {
        content.insert(generation::IMAGES.to_owned(), images);
    }
    if arguments.same_config {
        refuse_other_config(&ground, &sources)?;
    }
    if init.is_none() {
        content.remove(PLAN);
    }
    let next = introduced(arguments, &ground, &sealing)?;
    let notes = lowered.notes;
    let meaning = Answerable::of(compilation).map_err(|_| Failure {
        exit: Exit::Internal,
        message: "what was proved has no answers; please report this".to_owned(),
    })?;
    let host = generation::host(root.as_deref())?;
    let proposal = Proposal { content, sources, meaning, host, content_of: None, next, init, notes };
    let before = ground.current.as_ref().map(|found| found.number);
    let store = ground.path.clone();
    let done = match transaction::run(ground, proposal, &sealing)? {
        Ok(done) => done,
        Err(exit) => return Ok(exit),
    };
    if let Err(failure) = done.applied {
        return go_back(failure, before.filter(|_| arguments.rollback_on_failure), &store, &sealing);
    }
    match (init, &root) {
        (Some(model::Init::Systemd | model::Init::Shepherd), _) | (_, Some(_)) => {}
        (None, None) => {
            super::say!("start a service with: {} {} SERVICE", done.launcher.display(), done.place.display())
        }
        (Some(model::Init::Capc), None) => super::say!("start it with: capc up {}", done.place.display()),
    }
    Ok(Exit::Clean)
}

/// Returns what the init can limit for all processes of a service together: with systemd, what its kernel has controllers for;
/// the supervisor finds out when it starts.
fn groups(init: Option<model::Init>, root: Option<&Path>) -> lower::Groups {
    match (init, root) {
        (Some(model::Init::Systemd), Some(_)) => lower::Groups::sure(true, true, true),
        (Some(model::Init::Systemd), None) => {
            let listed = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
            let has = |name: &str, old: &str| {
                listed.split_ascii_whitespace().any(|word| word == name)
                    // A hierarchy of the first version (control group's `tasks`).
                    || Path::new("/sys/fs/cgroup").join(old).join("tasks").exists()
            };
            lower::Groups::sure(has("memory", "memory"), has("pids", "pids"), has("cpu", "cpu,cpuacct"))
        }
        (Some(model::Init::Capc), _) => lower::Groups::AT_START,
        (None | Some(model::Init::Shepherd), _) => lower::Groups::default(),
    }
}

/// Undoes a switch after which something did not come up, if that is wished and there is something to go back to.
fn go_back(failure: Failure, before: Option<u64>, store: &Path, sealing: &Sealing) -> Result<Exit, Failure> {
    let Some(before) = before else { return Err(failure) };
    let exit = failure.report();
    super::say!("\ngoing back to the content of generation {before}\n");
    let sealing = Sealing { yes: true, keys: sealing.keys.clone(), ..*sealing };
    rollback::back_to(store, before, &sealing).map(|_| exit)
}

/// Refuses sources that nobody has sealed before.
fn refuse_other_config(ground: &Ground, sources: &[SealedSource]) -> Result<(), Failure> {
    let current = ground.current()?;
    let seal = current.seal().map_err(|error| Failure::refused(error.to_string()))?;
    match drift::is_same_config(&seal, sources) {
        true => Ok(()),
        false => Err(Failure::refused(format!(
            "the configuration is not the one that generation {} was sealed from (--same-config): look at `capc status`",
            current.number
        ))),
    }
}

/// Compiles a file of another system, or one that lies elsewhere and is meant for it.
///
/// # Errors
/// When the current directory is gone.
pub fn below(root: &Path, file: &Path) -> Result<crate::Compilation, Failure> {
    let absolute = compile::absolute(file)?;
    match absolute.strip_prefix(root) {
        Ok(inside) => Ok(compile::from_absolute(&Below(root.to_owned()), &Path::new("/").join(inside), file)),
        Err(_) => compile::named(file),
    }
}

/// Returns who may sign what follows the first generation.
fn introduced(
    arguments: &Reconfigure,
    ground: &Ground,
    sealing: &Sealing,
) -> Result<Option<Signers>, Failure> {
    let Some(threshold) = arguments.threshold else { return Ok(None) };
    if ground.current.is_some() {
        return Err(Failure::usage(
            "--threshold is for the first generation; `capc key rotate` changes who may sign",
        ));
    }
    let keys: Vec<_> = sealing
        .keys
        .iter()
        .map(|path| super::signer::Signer::at(path))
        .collect::<Result<_, _>>()
        .map_err(Failure::refused)?;
    let signers = Signers::new(keys.iter().map(|signer| signer.key), threshold);
    let few =
        || Failure::usage(format!("--threshold {threshold} asks for other than 1 to {} keys", keys.len()));
    signers.map(Some).ok_or_else(few)
}
