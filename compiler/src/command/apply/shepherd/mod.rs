//! Telling the Shepherd, over its own socket and in its own words: what `herd` does, without its having to be found.

mod datum;
mod places;
mod socket;
mod waits;

use super::Switch;
use crate::command::check::count;
use crate::command::running::{Running, running};
use crate::command::{Failure, complain, say};
use crate::emit::init::PLAN;
use crate::emit::init::shepherd::{FILE, Scheme};
use crate::emit::report::harmless;
use crate::seal::Content;
use capc_supervisor::{Mode, Plan};
use datum::Datum;
use socket::{Patience, Reply};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};
use waits::Waits;

/// How long an answer to a question may take.
const QUESTION: Duration = Duration::from_secs(30);
/// How long it may take to bring up what was sealed.
const APPLY: Duration = Duration::from_secs(600);
/// After how long it is said what is waited for.
const SILENCE: Duration = Duration::from_secs(5);
/// How long what was stopped may take to be reaped.
const REAPED: Duration = Duration::from_secs(5);
/// How much of the end of a log is shown, and how many lines.
const TAIL: (u64, usize) = (8192, 10);

/// Refuses what would be refused after the switch, before anything is sealed.
///
/// # Errors
/// When no Shepherd answers, it is too old, or it has services of the same names that are not ours.
pub fn refuse(content: &Content) -> Result<(), Failure> {
    let plan = content.get(PLAN).and_then(|text| Plan::from_json(text).ok());
    let question = question(&plan.ok_or_else(|| Failure::refused("what is to be sealed holds no plan"))?);
    let reply = socket::ask(&places::place(), "eval", "root", &[&question], QUESTION)?;
    let version = match &reply {
        Reply::Done(Datum::List(words)) => words.first().and_then(Datum::text),
        Reply::Done(_) | Reply::Failed(_) => None,
    };
    let Some(version) = version else {
        return Err(Failure::refused(format!(
            "cannot ask the Shepherd what it has: {}; nothing was sealed",
            said(&reply)
        )));
    };
    let Reply::Done(Datum::List(words)) = &reply else { return Ok(()) };
    match words.get(1).and_then(Datum::atom) {
        Some("old") => Err(Failure::refused(format!(
            "capc needs the Shepherd 0.10.2 or later, and the one that runs is {version}; nothing was sealed"
        ))),
        Some("good") => match words.get(2).and_then(Datum::text) {
            Some(name) => Err(Failure::refused(format!(
                "the Shepherd has a service `{name}` that is not capc's; rename yours or unload that one (`herd unload root {name}`), \
                 nothing was sealed"
            ))),
            None => Ok(()),
        },
        _ => {
            Err(Failure::refused("the Shepherd answers in words that capc does not know; nothing was sealed"))
        }
    }
}

/// Returns what is asked beforehand: `("VERSION" old)`, or `("VERSION" good NAME…)` with the names that are taken.
fn question(plan: &Plan) -> String {
    let names: String = match plan.mode {
        Mode::User => String::new(),
        Mode::Root => plan.services.iter().map(|one| format!(" {}", Scheme::text(&one.name))).collect(),
    };
    format!(
        "(let* ((version (@ (shepherd config) Version))
       (word (lambda (text) (or (string->number (substring text 0 (or (string-skip text char-numeric?) (string-length text)))) 0)))
       (numbers (append (map word (string-split version #\\.)) '(0 0 0)))
       (module (resolve-module '(capc shepherd) #f #:ensure #f))
       (ours (or (and module (module-variable module '%ours) (module-ref module '%ours)) '())))
  (if (< (+ (* 1000000 (car numbers)) (* 1000 (cadr numbers)) (caddr numbers)) 10002)
      (list version 'old)
      (let loop ((names (cons \"capc\" (map (lambda (name) (string-append \"capc-\" name)) '({names})))) (taken '()))
        (if (null? names)
            (cons version (cons 'good (reverse taken)))
            (let ((known (lookup-service (string->symbol (car names)))))
              (loop (cdr names) (if (and known (not (memq known ours))
                                   (not (string-suffix? \", as sealed by capc.\" (service-documentation known))))
                              (cons (car names) taken)
                              taken)))))))"
    )
}

/// Loads the file of the generation and lets it be applied.
///
/// # Errors
/// When the Shepherd is not there any more, does not take the file, or a service did not come up.
pub fn apply(switch: &Switch<'_>) -> Result<(), Failure> {
    let file = switch.generation.join(FILE);
    let file = file.to_str().ok_or_else(|| Failure::refused(format!("`{}` is not UTF-8", file.display())))?;
    let again = format!(
        "generation {} is current, and what runs is not what it says: do as above, then `herd load root {file}` and `herd apply capc`",
        switch.number
    );
    let place = places::place();
    let tell = |action: &str, service: &str, arguments: &[&str]| {
        let mut waits = Waits::new(&place);
        let patience = Patience { within: APPLY, silent: SILENCE, meanwhile: &mut || waits.say_new() };
        match socket::ask_patiently(&place, action, service, arguments, patience) {
            Ok(Some(Reply::Done(datum))) => Ok(datum),
            Ok(None) => {
                let late = waits::late(&place, APPLY, &waits::now(&place));
                Err(Failure::refused(format!("generation {} is current; {late}", switch.number)))
            }
            Ok(Some(failed)) => {
                Err(Failure::refused(format!("the Shepherd refuses: {}; {again}", said(&failed))))
            }
            Err(Failure { exit, message }) => Err(Failure { exit, message: format!("{message}; {again}") }),
        }
    };
    tell("load", "root", &[file])?;
    let done = tell("apply", "capc", &[])?;
    let mut failed = Vec::new();
    let mut left = switch.plan.services.len();
    for (word, name, rest) in done.list().iter().filter_map(told) {
        if let ("failed", [why, log]) = (word, rest) {
            failed.push(format!("`{}`", harmless(name)));
            complain_of(name, why, log);
        } else {
            say!("{word:<10} capc-{}", harmless(name));
        }
        left = left.saturating_sub(usize::from(word != "stopped"));
    }
    if left > 0 && switch.plan.mode == Mode::Root {
        let so = if left == 1 { "it is" } else { "they are" };
        say!("left as {so}: {}", count(left, "service"));
    }
    if !failed.is_empty() {
        let failed = failed.join(", ");
        let message = format!("generation {} is current, but not all of it is up: {failed}", switch.number);
        return Err(Failure::refused(message));
    }
    outlived(switch)
}

/// Returns what was done, with whom, and what else is said of it.
fn told(datum: &Datum) -> Option<(&str, &str, &[Datum])> {
    let [word, name, rest @ ..] = datum.list() else { return None };
    Some((word.atom()?, name.text()?, rest))
}

/// Has every Shepherd that has the services of a store stop and forget them.
///
/// # Errors
/// When one has them, and does not; or when services of the store still run that came from one.
pub fn leave(store: &Path) -> Result<(), Failure> {
    let question = format!(
        "(let ((module (resolve-module '(capc shepherd) #f #:ensure #f)))
  (and module (module-variable module '%store) (equal? {} (module-ref module '%store)) ((module-ref module 'leave!))))",
        Scheme::text(&store.to_string_lossy())
    );
    let (mut refused, mut has_stopped) = (None, false);
    for place in places::places().into_iter().filter(|place| socket::answers(place)) {
        let why = match socket::ask(&place, "eval", "root", &[&question], APPLY) {
            Ok(Reply::Done(_)) => {
                has_stopped = true;
                continue;
            }
            Ok(failed @ Reply::Failed(_)) => said(&failed),
            Err(failure) => failure.message,
        };
        let place = place.display();
        refused = refused.or(Some(format!(
            "the Shepherd at {place} does not let the services go: {why}; `herd -s {place} stop capc` stops them"
        )));
    }
    let find = || -> Vec<(u32, Running)> {
        running(store).into_iter().filter_map(|one| Some((places::herder_of(one.pid)?, one))).collect()
    };
    let mut left = find();
    // What was stopped is there until the rest of its world has ended and was reaped.
    let until = Instant::now() + REAPED;
    while has_stopped && !left.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
        left = find();
    }
    let Some((herder, _)) = left.first() else {
        return refused.map_or(Ok(()), |why| Err(Failure::refused(why)));
    };
    let names = left.iter().map(|(_, one)| {
        format!("`{}` (pid {}, from generation {})", harmless(&one.service), one.pid, one.generation)
    });
    let names: Vec<String> = names.collect();
    let pids: Vec<String> = left.iter().map(|(_, one)| one.pid.to_string()).collect();
    let why = refused.unwrap_or_else(|| {
        format!("a Shepherd (pid {herder}) has services that capc cannot ask it to stop: it answers nowhere that capc knows of")
    });
    Err(Failure::refused(format!(
        "{why}\nstill running with what they were given before: {}\nstop them with: kill {}",
        names.join(", "),
        pids.join(" ")
    )))
}

/// Says how a service failed, with the end of its log.
fn complain_of(name: &str, why: &Datum, log: &Datum) {
    let (why, log) = (why.to_string(), log.to_string());
    complain!("capc: `{}` {}; {} ends with:", harmless(name), harmless(&why), harmless(&log));
    for line in tail(Path::new(&log)) {
        complain!("  {}", harmless(&line));
    }
}

/// Returns the last lines of a file.
fn tail(path: &Path) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL.0)))?;
        let mut bytes = Vec::new();
        file.take(TAIL.0).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL.1)).map(|line| (*line).to_owned()).collect()
}

/// Refuses to call it done while something runs that the switch was to end: what the kernel says counts, not what was answered.
fn outlived(switch: &Switch<'_>) -> Result<(), Failure> {
    let was_to_end = |name: &str| switch.stale.iter().chain(&switch.gone).any(|other| other == name);
    let left = running(switch.store);
    match left.iter().find(|one| one.generation != switch.number && was_to_end(&one.service)) {
        None => Ok(()),
        Some(one) => Err(Failure::refused(format!(
            "`{}` (pid {}) still runs as generation {} gave it: the Shepherd did not start it, so it does not end it; end it, \
             then `herd apply capc`",
            one.service, one.pid, one.generation
        ))),
    }
}

fn said(reply: &Reply) -> String {
    match reply {
        Reply::Done(datum) => datum.to_string(),
        Reply::Failed(why) => why.clone(),
    }
}
