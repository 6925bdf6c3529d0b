//! `capc status`: what differs from what was sealed, in one screen, and by which command each is accepted or undone.

use super::drift::{self, Drift, Survey};
use super::generation::{Sealed, SealedFiles};
use super::running::{Running, running};
use super::{Failure, check::count, compile, instance, print_json};
use crate::cli::{AnswerFormat, Exit, Inspected};
use crate::emit::init::systemd::DIRECTORY;
use crate::emit::report::harmless;
use crate::emit::store::{self, Found, StoreError};
use crate::machine::RealMachine;
use crate::seal::fingerprint;
use capc_schemas::manifest::Mode;
use serde::Serialize;
use std::path::Path;

/// How many lines of one sort are printed; all are counted.
const MOST: usize = 12;

/// `capc/status/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusAnswer {
    format: &'static str,
    scope: String,
    generation: u64,
    floor: Option<u64>,
    /// Fingerprints; empty if the signatures are not good.
    signed_by: Vec<String>,
    mode: &'static str,
    /// The version of the compiler that sealed it.
    compiler: String,
    /// How many files of code are kept in which way.
    code: Vec<KeptAnswer>,
    /// Paths that are granted as they are, and compared here alone; sorted.
    images: Vec<String>,
    running: Vec<RunningAnswer>,
    /// What holds services to their limits, where capc's supervisor runs them.
    limits: Option<String>,
    /// Those of them that run from something else than what is sealed now.
    #[serde(skip)]
    outdated: Vec<String>,
    /// What is wrong with the generation itself, in words.
    broken: Vec<String>,
    /// What differs on the machine: sources, then the rest by path.
    drifted: Vec<Drift>,
    #[serde(skip)]
    advice: Vec<String>,
}

/// Files of code that are kept in one way.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct KeptAnswer {
    /// `store`, `pinned` or `memfd`.
    integrity: &'static str,
    files: usize,
}

/// A service that runs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RunningAnswer {
    service: String,
    generation: u64,
    pid: u32,
}

/// Looks, and says what it found.
pub fn run(arguments: &Inspected) -> Exit {
    let answer = match look(arguments) {
        Ok(answer) => answer,
        Err(failure) => return failure.report(),
    };
    let exit = match (answer.broken.is_empty(), answer.drifted.is_empty()) {
        (false, _) => Exit::Refused,
        (true, false) => Exit::Errors,
        (true, true) => Exit::Clean,
    };
    match arguments.format {
        AnswerFormat::Human => super::say_as_is!("{}", harmless(&answer.human())),
        AnswerFormat::Json => match print_json(&answer) {
            Ok(()) => {}
            Err(failure) => return failure.report(),
        },
    }
    exit
}

fn look(arguments: &Inspected) -> Result<StatusAnswer, Failure> {
    let refused = |error: StoreError| Failure::refused(error.to_string());
    let path = compile::absolute(&arguments.store)?;
    let none = || Failure::usage(format!("the store `{}` has no generation", path.display()));
    let found = store::current(&path).map_err(refused)?.ok_or_else(none)?;
    let seal = found.seal().map_err(refused)?;
    let mut broken = Vec::new();
    let signed =
        store::signed(&path, &found).map_err(|error| broken.push(error.to_string())).unwrap_or_default();
    let floor = store::floor(&path).map_err(|error| broken.push(error.to_string())).ok().flatten();
    match floor {
        Some(floor) if floor > found.number => {
            broken.extend(store::standing(&path).err().map(|error| error.to_string()))
        }
        Some(_) => {}
        None => broken.push("there is no floor, so nothing starts".to_owned()),
    }
    broken.extend(store::differences(&found.path, &seal).map_err(refused)?);
    let mut answer = StatusAnswer {
        format: "capc/status/1",
        scope: seal.header.scope.to_string(),
        generation: found.number,
        floor,
        signed_by: signed.iter().map(fingerprint).collect(),
        mode: "",
        compiler: seal.header.compiler.to_string(),
        code: Vec::new(),
        images: Vec::new(),
        running: Vec::new(),
        limits: None,
        outdated: Vec::new(),
        broken,
        drifted: Vec::new(),
        advice: Vec::new(),
    };
    let running = running(&path);
    answer.running = running
        .iter()
        .map(|Running { service, generation, pid }| RunningAnswer {
            service: service.clone(),
            generation: *generation,
            pid: *pid,
        })
        .collect();
    answer.outdated = super::apply::outdated_now(&path, &found, &running)
        .into_iter()
        .map(|old| format!("{} (pid {}, generation {})", old.service, old.pid, old.generation))
        .collect();
    answer.limits = limits(&found, &answer.scope);
    let sealed = Sealed::open(&found.path)?;
    // What was changed in the generation says nothing about the machine.
    let Ok(survey) = Survey::of(&sealed) else {
        answer.advice.push(format!(
            "undo it: restore `{}` from a backup; or seal anew with `capc reconfigure`",
            found.path.display()
        ));
        return Ok(answer);
    };
    let kept = survey.kept();
    answer.code =
        kept.iter().map(|(level, files)| KeptAnswer { integrity: level.word(), files: *files }).collect();
    answer.images = survey.images.keys().cloned().collect();
    answer.mode = survey.mode.map_or("", Mode::word);
    answer.drifted = drift::sources(&sealed)?;
    answer.drifted.extend(drift::files(&sealed, &RealMachine::here())?);
    answer.drifted.extend(super::apply::differences(&path, &found).into_iter().map(|(path, state)| Drift {
        kind: drift::UNIT,
        path: path.to_string_lossy().into_owned(),
        state,
        services: Vec::new(),
        refused: false,
    }));
    answer.advice = advice(&answer, &found, &sealed)?;
    Ok(answer)
}

/// Returns what the supervisor of a generation says of limits, if one runs.
fn limits(found: &Found, scope: &str) -> Option<String> {
    let running = instance::running(Some(&found.path)).ok()?;
    // Before the name stands what it is the name of.
    let name = scope.split_once(' ').map_or(scope, |(_, name)| name);
    let own = running.into_iter().find(|one| one.ps.system == name)?;
    Some(own.ps.limits)
}

/// Returns the commands by which what differs is accepted or undone.
fn advice(answer: &StatusAnswer, found: &Found, sealed: &Sealed) -> Result<Vec<String>, Failure> {
    let sources = SealedFiles::read(sealed)?;
    let main = shell(&sources.main);
    let mut lines = Vec::new();
    if !answer.broken.is_empty() {
        lines.push(format!("seal it anew      capc reconfigure {main}"));
    }
    if answer.drifted.is_empty() {
        return Ok(lines);
    }
    let (units, others): (Vec<&Drift>, Vec<&Drift>) =
        answer.drifted.iter().partition(|drift| drift.kind == drift::UNIT);
    let (stopped, units): (Vec<&Drift>, Vec<&Drift>) =
        units.into_iter().partition(|drift| drift.state == super::apply::STOPPED);
    lines.extend(linked_again(&units, found));
    lines.extend(started_again(&stopped, &main));
    if others.is_empty() {
        return Ok(lines);
    }
    let is_source = |drift: &&&Drift| drift.kind == "source";
    let changed_sources = others.iter().filter(is_source).count();
    if changed_sources < others.len() && changed_sources == 0 {
        lines.push(format!("accept programs   capc reconfigure {main} --same-config"));
    } else {
        lines.push(format!("accept all of it  capc reconfigure {main}"));
    }
    for drift in others.iter().filter(is_source).take(MOST) {
        if let Some(place) = sources.place(Path::new(&drift.path)) {
            let kept = shell(&found.path.join(place));
            lines.push(format!("undo an edit      cp {kept} {}", shell(Path::new(&drift.path))));
        }
    }
    if changed_sources < others.len() {
        lines.push(
            "undo the rest     put the files back as they were: their packages' old version, or a backup"
                .to_owned(),
        );
    }
    Ok(lines)
}

/// Returns the commands by which an init has its units as they are sealed.
fn linked_again(units: &[&Drift], found: &Found) -> Vec<String> {
    let store = found.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let mut lines = Vec::new();
    for drift in units.iter().filter(|drift| drift.state != "not loaded").take(MOST) {
        let place = Path::new(&drift.path);
        if drift.state == super::apply::NOT_SEALED {
            lines.push(format!("take it away      rm {}", shell(place)));
            continue;
        }
        let sealed = store.join("current").join(DIRECTORY).join(place.file_name().unwrap_or_default());
        lines.push(format!("link a unit again ln -sfnT {} {}", shell(&sealed), shell(place)));
    }
    if !units.is_empty() {
        lines.push("load units again  systemctl daemon-reload && systemctl start capc.target".to_owned());
    }
    lines
}

/// Returns the command by which an init has again what somebody stopped.
fn started_again(units: &[&Drift], main: &str) -> Option<String> {
    // Who has the directory that was there keeps it until it starts again; what is new would be seen by others alone.
    match units.iter().any(|drift| drift.path.ends_with(".mount")) {
        true => Some(format!("mount it again    capc reconfigure {main} --same-config")),
        false if units.is_empty() => None,
        false => Some("start it again    systemctl start capc.target".to_owned()),
    }
}

/// Returns a path as a shell reads it, for commands that people copy.
fn shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._+-,=@%".contains(letter);
    match text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

impl StatusAnswer {
    fn human(&self) -> String {
        let mut out = Vec::new();
        let signed = match self.signed_by.as_slice() {
            [] => "by nobody that its launcher trusts".to_owned(),
            keys => keys.join(", "),
        };
        let floor = self.floor.map_or("none".to_owned(), |floor| floor.to_string());
        out.push(format!(
            "generation  {} of {}, floor {floor}, sealed by capc {}",
            self.generation, self.scope, self.compiler
        ));
        out.push(format!("signed      {signed}"));
        match self.mode {
            "root" => out.push("mode        root: every service has a uid of its own, and the seal binds every service and user".to_owned()),
            "user" => out.push("mode        user: all services have your uid, and the seal guards nothing against you".to_owned()),
            _ => {}
        }
        for KeptAnswer { integrity, files } in &self.code {
            let how = match *integrity {
                "store" => "in a store that nothing changes, which is checked at every start",
                "memfd" => "copied into sealed memory and hashed at every start",
                _ => "pinned: verified by digest at every start",
            };
            out.push(format!("code        {} {how}", count(*files, "file")));
        }
        if !self.images.is_empty() {
            let shown: Vec<&str> = self.images.iter().take(4).map(String::as_str).collect();
            let more = self.images.len().checked_sub(4).filter(|more| *more > 0);
            let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
            out.push(format!("images      {}{more}: seen as they are, compared only here", shown.join(", ")));
        }
        out.push(self.runs());
        out.extend(self.limits.iter().map(|limits| format!("limits      {limits}")));
        for broken in self.broken.iter().take(MOST) {
            out.push(format!("BROKEN      {broken}"));
        }
        out.extend(rest(self.broken.len(), "BROKEN      "));
        for drift in self.drifted.iter().take(MOST) {
            let Drift { kind, path, state, .. } = drift;
            out.push(format!("{kind:<11} {path} is {state}; {}", drift.effect()));
        }
        out.extend(rest(self.drifted.len(), "            "));
        if self.broken.is_empty() && self.drifted.is_empty() {
            out.push("clean       nothing differs from what was sealed".to_owned());
        }
        out.extend(self.advice.iter().cloned());
        out.push(String::new());
        out.join("\n")
    }

    fn runs(&self) -> String {
        let number = match self.running.len() {
            0 => return "running     nothing of this store".to_owned(),
            number => count(number, "service"),
        };
        match self.outdated.as_slice() {
            [] => format!("running     {number}, all as they are sealed"),
            old => {
                format!("running     {number}; to be restarted to run what is sealed now: {}", old.join(", "))
            }
        }
    }
}

fn rest(number: usize, head: &str) -> Option<String> {
    number.checked_sub(MOST).filter(|more| *more > 0).map(|more| format!("{head}… and {more} more"))
}
