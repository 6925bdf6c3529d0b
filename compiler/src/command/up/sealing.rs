//! The process that compiles and seals for a supervisor, with a key that nobody else ever has, and ends.

use crate::cli::{Exit, Held, Up};
use crate::command::{Failure, compile, generation, print_json};
use crate::emit::store::{self, Draft, Store};
use crate::lower::{self, Mode};
use crate::machine::RealMachine;
use crate::seal::{self, Heading, MemoryKey, Signers, line_of};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;

/// What it tells the supervisor, on standard output.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The digest of the SEAL of what is current now.
    pub digest: String,
    /// The public half of the key, as OpenSSH writes it.
    pub key: String,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Compiles and seals into the store whose lock, as its supervisor holds it, is standard input.
///
/// # Errors
/// When the store, the system or the machine refuses; what is wrong with the configuration is printed.
pub fn run(arguments: &Up, mode: Mode, held: &[Held]) -> Result<Exit, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
    end_with_supervisor()?;
    let store_path = arguments.store.as_deref().ok_or_else(|| Failure::usage("--seal goes with --store"))?;
    let lock = take_lock().map_err(|error| refused(&error))?;
    let mut compilation = compile::named(&arguments.file)?;
    let complaint = compile::complain(&compilation);
    let (Exit::Clean, Some(model), Some(holdings), Some(checked)) =
        (complaint, &compilation.model, &compilation.holdings, &compilation.checked)
    else {
        return Ok(complaint);
    };
    let store = Store::handed_on(store_path, lock).map_err(|error| refused(&error))?;
    store.clear().map_err(|error| refused(&error))?;
    let current = store::current(store_path).map_err(|error| refused(&error))?;
    let previous = match &current {
        None => BTreeMap::new(),
        Some(found) => generation::identities(&found.path)?,
    };
    let state_root = (mode == Mode::User).then(|| store_path.join("state"));
    if let Some(path) = &state_root {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| Failure::refused(format!("cannot make `{}`: {error}", path.display())))?;
    }
    let have = |one| held.contains(&one);
    let groups = lower::Groups::sure(have(Held::Memory), have(Held::Tasks), have(Held::Cpu));
    let options = lower::Options { mode, state_root, previous, groups };
    let lowered =
        generation::lower(&compilation, (model, holdings, checked), &RealMachine::default(), &options);
    let (lowered, answers) = match lowered {
        Ok(lowered) => lowered,
        Err(refusals) => return Ok(compile::refuse(&mut compilation, refusals)),
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
    let sign = |seal: &[u8]| Ok(key.sign(seal).into_bytes());
    let judge =
        |new: &std::path::Path| store::verify(new, &signers).map(drop).map_err(|error| error.to_string());
    store.publish(&draft, sign, judge).map_err(|error| refused(&error))?;
    store.keep_only(number).map_err(|error| refused(&error))?;
    let digest = seal::digest(text.as_bytes()).to_string();
    print_json(&Told { digest, key: line_of(&key.public()), notes: lowered.notes })?;
    Ok(Exit::Clean)
}

/// Takes the lock from standard input, and puts there what the supervisor has there: `/dev/stdin` may be what is compiled.
fn take_lock() -> std::io::Result<OwnedFd> {
    let lock = std::io::stdin().as_fd().try_clone_to_owned()?;
    let theirs = rustix::process::getppid().map(|parent| format!("/proc/{}/fd/0", parent.as_raw_nonzero()));
    let theirs = theirs.and_then(|path| File::open(path).ok());
    rustix::stdio::dup2_stdin(&theirs.map_or_else(|| File::open("/dev/null"), Ok)?)?;
    Ok(lock)
}

/// Sees to it that the store is not locked for a supervisor that was killed.
fn end_with_supervisor() -> Result<(), Failure> {
    let refused = |error: Errno| Failure::refused(format!("cannot watch the supervisor: {error}"));
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(refused)?;
    // That may have been before: then nobody reads.
    let out = std::io::stdout();
    let mut ends = [PollFd::new(&out, PollFlags::empty())];
    rustix::event::poll(&mut ends, Some(&Timespec::default())).map_err(refused)?;
    match ends.iter().any(|end| end.revents().contains(PollFlags::ERR)) {
        true => Err(Failure::refused("the supervisor that this seals for is gone")),
        false => Ok(()),
    }
}

fn new_key() -> Result<MemoryKey, Failure> {
    use std::io::Read;
    let mut seed = [0; 32];
    let random = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    random.map_err(|error| Failure::refused(format!("cannot read /dev/urandom: {error}")))?;
    Ok(MemoryKey::new(&seed))
}
