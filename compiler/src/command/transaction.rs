//! The transaction: what `reconfigure`, `rollback` and `key rotate` have in common, from the lock to the switch.
//!
//! Whatever ends it before the switch leaves the old generation as it was.

use super::question::Answerable;
use super::review::Review;
use super::running::{Running, running};
use super::signer::{self, Signer};
use super::{Failure, apply, check::count, generation, instance};
use crate::Compilation;
use crate::cli::{Exit, Sealing};
use crate::emit::init::{self, PLAN, Site};
use crate::emit::report::harmless;
use crate::emit::store::{self, Draft, Found, Store, StoreError};
use crate::model::Init;
use crate::seal::{
    self, Content, Digests, Heading, SealedSource, Signers, TrustRoot, fingerprint, launcher_with,
};
use capc_schemas::token::Digest;
use capc_supervisor::Plan;
use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Where a system's services find their facets.
pub const RUNTIME: &str = "/run/capc";

/// A store that a transaction begins with: locked, but for a dry run, and its current generation verified.
pub struct Ground {
    /// The store's directory.
    pub path: PathBuf,
    /// The system's root that the store lies beneath, if it is another's.
    pub root: Option<PathBuf>,
    /// None for a dry run, which locks and makes nothing.
    store: Option<Store>,
    /// The current generation.
    pub current: Option<Arc<Found>>,
    /// Finds what of it is not as it was sealed, which takes as long as compiling; its seal is.
    differences: Option<JoinHandle<Result<Vec<String>, StoreError>>>,
}

/// What is to become a generation.
pub struct Proposal {
    /// Its files but SEAL.
    pub content: Content,
    /// The configuration files.
    pub sources: Vec<SealedSource>,
    /// What they mean.
    pub meaning: Answerable,
    /// The machine.
    pub host: Digest,
    /// The generation whose content it has.
    pub content_of: Option<u64>,
    /// Who may sign the next one; none to leave it as it is.
    pub next: Option<Signers>,
    /// What starts it at boot.
    pub init: Option<Init>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What was switched to.
pub struct Done {
    /// Its directory.
    pub place: PathBuf,
    /// What judges each start.
    pub launcher: PathBuf,
    /// What came of telling the init.
    pub applied: Result<(), Failure>,
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::refused(error.to_string())
}

impl Ground {
    /// Takes the lock, before anything is looked at, and verifies the current generation.
    ///
    /// # Errors
    /// When somebody else holds it, or what is there was not sealed.
    pub fn open(path: &Path, root: Option<&Path>, sealing: &Sealing) -> Result<Self, Failure> {
        let store = match sealing.dry_run {
            true => None,
            false => Some(Store::open(path).map_err(|error| refused(&error))?),
        };
        let current = store::standing(path).map_err(|error| refused(&error))?.map(Arc::new);
        if let Some(found) = &current {
            let broken = |error: store::StoreError| {
                Failure::refused(format!(
                    "the current generation {}: {error}; nothing can follow it: restore it from a backup, or begin again \
with another store, which is a new introduction",
                    found.number
                ))
            };
            store::signed(path, found).map_err(broken)?;
        }
        let differences = current
            .clone()
            .map(|found| std::thread::spawn(move || store::differences(&found.path, &found.seal()?)));
        if let Some(store) = &store {
            store.clear().map_err(|error| refused(&error))?;
        }
        let root = root.map(Path::to_owned);
        Ok(Self { path: path.to_owned(), root, store, current, differences })
    }

    /// Returns the current generation, which there must be.
    ///
    /// # Errors
    /// When there is none.
    pub fn current(&self) -> Result<&Found, Failure> {
        let none = || Failure::usage(format!("the store `{}` has no generation", self.path.display()));
        self.current.as_deref().ok_or_else(none)
    }

    /// Returns what of the current generation is not as it was sealed.
    fn spoiled(&mut self) -> Result<Vec<String>, Failure> {
        match self.differences.take().map(JoinHandle::join) {
            None => Ok(Vec::new()),
            Some(Ok(found)) => found.map_err(|error| refused(&error)),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// Returns what the current generation was compiled from; none if that was changed since.
    fn old_side(&self) -> Option<Result<Answerable, Box<Compilation>>> {
        self.current.as_ref().and_then(|found| Answerable::sealed(&found.path).ok())
    }

    /// Returns where the store lies for the system that it belongs to.
    fn path_inside(&self) -> Result<PathBuf, Failure> {
        let Some(root) = &self.root else { return Ok(self.path.clone()) };
        let inside = self.path.strip_prefix(root).map_err(|_| {
            Failure::usage(format!(
                "the store `{}` must lie beneath --root {}",
                self.path.display(),
                root.display()
            ))
        })?;
        Ok(Path::new("/").join(inside))
    }
}

/// Runs the rest of a transaction: shows, asks, signs, writes, verifies, switches.
///
/// None if it ends before the switch, because it is a dry run or somebody said no.
///
/// # Errors
/// When anything fails; then nothing has changed.
pub fn run(mut ground: Ground, proposal: Proposal, sealing: &Sealing) -> Result<Result<Done, Exit>, Failure> {
    let Proposal { mut content, sources, mut meaning, host, content_of, next, init, notes } = proposal;
    let scope = meaning.name().to_owned();
    let keys: Vec<_> = sealing
        .keys
        .iter()
        .map(|path| Signer::at(path))
        .collect::<Result<_, _>>()
        .map_err(Failure::refused)?;
    let (next, judged_by) = who(ground.current.as_deref(), next, &keys)?;
    let number = ground.current.as_ref().map_or(1, |found| found.number + 1);
    let heading = Heading {
        scope: &scope,
        host,
        number,
        previous: ground.current.as_ref().map(|found| (found.number, found.digest)),
        content_of,
        signers: &next,
    };
    let inside = ground.path_inside()?;
    let floor = inside.join("trust/floor");
    // Another root's system is its root's.
    let runtime = match ground.root {
        Some(_) => PathBuf::from(RUNTIME),
        None => instance::base(generation::mode()),
    };
    let trust = TrustRoot {
        scope: &scope,
        host,
        floor: &floor.to_string_lossy(),
        runtime: &runtime.to_string_lossy(),
        signers: &judged_by,
    };
    let image = launcher_with(Some(&trust)).map_err(|error| refused(&error))?;
    let plan = match init {
        None => None,
        Some(init) => Some((init, add_init(&mut content, init, &inside, &image, number)?)),
    };
    if let Some(init) = init {
        apply::refuse(init, ground.root.as_deref(), &inside, &content)?;
    }
    let digests = seal::digests(&content);
    let text = seal::seal(&heading, &sources, &digests)
        .map_err(|path| Failure::refused(format!("`{path}` cannot be a file of a generation")))?;
    let spoiled = ground.spoiled()?;
    let running = if ground.root.is_none() { running(&ground.path) } else { Vec::new() };
    let review = Review::of(ground.old_side(), &mut meaning);
    let before = ground.current.as_deref();
    announce(before, &digests, &heading, &meaning.summary());
    super::say!(
        "{}",
        super::diff::painted(
            &harmless(review.human().trim_end()),
            super::compile::colour(&std::io::stdout())
        )
    );
    let said_of_spoiled =
        spoiled.iter().map(|what| format!("of the current generation {what}; this one replaces it"));
    let on_init = init.and_then(|init| apply::note(init, ground.root.as_deref()));
    for note in review.note.iter().cloned().chain(notes).chain(said_of_spoiled).chain(on_init) {
        super::say!("note: {}", harmless(&note));
    }
    let outdated = apply::outdated(&ground.path, &digests, plan.as_ref().map(|(_, plan)| plan), &running);
    super::say!("{}", before_and_after(&review, (&running, &outdated), &ground));
    for key in &keys {
        super::say!("to be signed by {}", key.describe());
    }
    super::say!("sha256 of what is signed: {}", seal::digest(text.as_bytes()));
    let Some(store) = &ground.store else {
        intend(&ground, (&content, &digests), spoiled.is_empty(), &text, &image, number);
        return Ok(Err(Exit::Clean));
    };
    if !sealing.yes && !agreed()? {
        super::say!("nothing was changed");
        return Ok(Err(Exit::Refused));
    }
    let launcher = store.write_launcher(&image).map_err(|error| refused(&error))?;
    let draft = Draft {
        number,
        content: &content,
        digests: &digests,
        seal: &text,
        launcher: Some(&launcher),
        previous: before.filter(|_| spoiled.is_empty()),
    };
    let within = Duration::from_secs(sealing.sign_within);
    let place = store
        .publish(&draft, |seal| signer::sign_all(&keys, seal, within), |new| judge(&launcher, new))
        .map_err(|error| refused(&error))?;
    super::say!("generation {number} is current: {}", place.display());
    let applied = tell(&ground, &inside, &place, plan.as_ref());
    Ok(Ok(Done { place, launcher, applied }))
}

/// Tells the init of what is current now.
fn tell(ground: &Ground, inside: &Path, place: &Path, plan: Option<&(Init, Plan)>) -> Result<(), Failure> {
    let root = ground.root.as_deref();
    let found = Found::at(place).map_err(|error| refused(&error))?;
    apply::leave_others(plan.map(|(init, _)| *init), root, inside)?;
    match (plan, root) {
        (None, _) => Ok(()),
        (Some((init, plan)), None) => apply::apply(*init, &ground.path, &found, plan),
        (Some((init, _)), Some(root)) => apply::install(*init, root, inside, &found),
    }
}

/// Adds what an init loads to the content of a generation; returns the plan that it follows.
fn add_init(
    content: &mut Content,
    init: Init,
    store: &Path,
    launcher: &[u8],
    number: u64,
) -> Result<Plan, Failure> {
    let none = || Failure::refused("what is to be sealed holds no plan for an init");
    let plan = Plan::from_json(content.get(PLAN).ok_or_else(none)?).map_err(|error| refused(&error))?;
    let capc = std::env::current_exe()
        .map_err(|error| Failure::refused(format!("cannot find capc itself: {error}")))?;
    let site = Site {
        plan: &plan,
        launcher: &store::launcher_path(store, launcher),
        generation: &store.join("generations").join(number.to_string()),
        capc: &capc,
        content,
    };
    let made = init::files(init, &site).map_err(Failure::refused)?;
    content.extend(made);
    Ok(plan)
}

/// Returns who may sign the next generation, and who must have signed this one, if those who are asked may.
fn who(
    current: Option<&Found>,
    next: Option<Signers>,
    asked: &[Signer],
) -> Result<(Signers, Signers), Failure> {
    let keys: Vec<_> = asked.iter().map(|signer| signer.key).collect();
    let nobody = || Failure::usage("nobody is asked to sign: name a key with --key");
    let everybody = Signers::all(&keys).ok_or_else(nobody)?;
    let Some(found) = current else {
        let next = next.unwrap_or_else(|| everybody.clone());
        return match next.are_met_by(&keys) {
            true => Ok((next, everybody)),
            false => Err(Failure::usage("the first generation is signed by the keys that it names")),
        };
    };
    let named = found.next_signers().map_err(|error| refused(&error))?;
    let next = next.unwrap_or_else(|| named.clone());
    let may: BTreeSet<_> = named.keys().iter().chain(next.keys()).collect();
    let list = |signers: &Signers| {
        let keys: Vec<String> = signers.keys().iter().map(fingerprint).collect();
        format!("{} of {}", signers.threshold(), keys.join(", "))
    };
    if let Some(stranger) = asked.iter().find(|signer| !may.contains(&signer.key)) {
        return Err(Failure::refused(format!(
            "{} may not sign generation {}: generation {} names {}; `capc key rotate` changes that",
            stranger.describe(),
            found.number + 1,
            found.number,
            list(&named)
        )));
    }
    if !named.are_met_by(&keys) {
        return Err(Failure::refused(format!(
            "generation {} says who may sign the next: {}; name as many with --key",
            found.number,
            list(&named)
        )));
    }
    match next == named {
        true => Ok((next, named)),
        // A change of keys is signed by the old and the new; the launcher that judges it wants all of them.
        false if next.are_met_by(&keys) => Ok((next, everybody)),
        false => Err(Failure::refused(format!("the new keys must sign too: {}", list(&next)))),
    }
}

/// Says what the new generation is, and which services it brings, changes or takes away.
fn announce(current: Option<&Found>, files: &Digests, heading: &Heading<'_>, summary: &str) {
    let Heading { scope, number, content_of, .. } = heading;
    let content_of = content_of.map(|number| format!(", with the content of {number}")).unwrap_or_default();
    super::say!("generation {number} of {scope}{content_of}: {summary}");
    let Some(found) = current else { return super::say!("the first one; all that it gives:\n") };
    let is_service = |path: &str| path.strip_prefix("manifests/").map(str::to_owned);
    let mut changes = Vec::new();
    for (path, digest) in files {
        let Some(name) = is_service(path) else { continue };
        match found.files.get(path) {
            None => changes.push(format!("+{name}")),
            Some(old) if old != digest => changes.push(format!("~{name}")),
            Some(_) => {}
        }
    }
    let gone = found.files.keys().filter(|path| !files.contains_key(*path));
    changes.extend(gone.filter_map(|path| is_service(path)).map(|name| format!("-{name}")));
    match changes.is_empty() {
        true => super::say!("no service differs from generation {}", found.number),
        false => super::say!("services that differ from generation {}: {}", found.number, changes.join(" ")),
    }
    super::say!("authority, compared with generation {}:\n", found.number);
}

/// Says what is revoked and which processes go on as they were started.
fn before_and_after(
    review: &Review,
    (running, outdated): (&[Running], &[&Running]),
    ground: &Ground,
) -> String {
    let mut lines: Vec<String> = review.revocations(running).into_iter().collect();
    let number = count(running.len(), "service");
    lines.push(match (running, outdated) {
        _ if ground.root.is_some() => "another system's root: nothing of it runs here".to_owned(),
        ([], _) => "no service of this store runs now".to_owned(),
        (_, []) => format!("{number} running, of which this changes none"),
        (_, outdated) => {
            let who: Vec<String> =
                outdated.iter().map(|one| format!("{} (pid {})", one.service, one.pid)).collect();
            let who = who.join(", ");
            format!("{number} running, to be restarted in order to run what is sealed now: {who}")
        }
    });
    lines.join("\n")
}

/// Says what a run that is none would do.
fn intend(
    ground: &Ground,
    (content, digests): (&Content, &Digests),
    is_whole: bool,
    text: &str,
    image: &[u8],
    number: u64,
) {
    let store = ground.path.display();
    let is_new = |(path, _): &(&String, &Vec<u8>)| {
        let old = ground.current.as_ref().and_then(|found| found.files.get(*path));
        !is_whole || old != digests.get(*path)
    };
    let new: Vec<_> = content.iter().filter(is_new).collect();
    let bytes: usize = new.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + text.len();
    let launcher = format!("launcher-{}", seal::digest(image));
    let is_there = ground.path.join("trust").join(&launcher).exists();
    super::say!("");
    super::say!(
        "would write   {store}/generations/{number}: {}, {} of them new ({} bytes), and its signature",
        count(content.len() + 1, "file"),
        new.len() + 1,
        bytes
    );
    super::say!("would {}   {store}/trust/{launcher}", if is_there { "keep " } else { "write" });
    super::say!("would link    {store}/trust/{number} to it, and have it verify the whole generation");
    super::say!("would switch  {store}/current to generations/{number}");
    super::say!("would raise   {store}/trust/floor to {number}");
    super::say!("nothing was written (--dry-run)");
}

/// Has the launcher that will judge each start verify the whole generation as it lies there.
fn judge(launcher: &Path, generation: &Path) -> Result<(), String> {
    let asked = Command::new(launcher).arg("--check").arg(generation).env_clear().output();
    // A store may lie where nothing is executed; the same image runs from memory.
    let asked = match asked {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let image = std::fs::read(launcher).map_err(|error| error.to_string())?;
            let memory = super::launcher::MemoryLauncher::new(&image).map_err(|failure| failure.message)?;
            Command::new(memory.path()).arg("--check").arg(generation).env_clear().output()
        }
        asked => asked,
    };
    let output = asked.map_err(|error| format!("cannot run `{}`: {error}", launcher.display()))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            Err(format!("the launcher would not take it: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

/// Asks on the terminal; without one there is nobody to ask.
pub fn agreed() -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage("there is no terminal to ask on: look with --dry-run, then say --yes"));
    }
    super::say_as_is!("seal it and switch to it? [y/N] ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = stdin.lock().read_line(&mut answer);
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
