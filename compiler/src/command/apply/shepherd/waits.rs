//! What the Shepherd waits for while it brings up what was sealed, and what it has waited for in vain.

use super::datum::Datum;
use super::socket::{self, Reply};
use crate::command::say;
use crate::emit::report::harmless;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take.
const QUESTION: Duration = Duration::from_secs(5);
/// A user's Shepherd has one service, and no such word.
const WHAT: &str = "(let ((module (resolve-module '(capc shepherd) #f #:ensure #f)))
  (if (and module (module-variable module 'on-the-way)) ((module-ref module 'on-the-way)) '()))";

/// A service that has begun, and is not up yet, or not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    service: String,
    pid: String,
    since: String,
    log: String,
}

/// What was said of what is waited for.
pub struct Waits<'p> {
    place: &'p Path,
    told: BTreeSet<String>,
}

impl<'p> Waits<'p> {
    /// Begins to wait.
    pub const fn new(place: &'p Path) -> Self {
        Self { place, told: BTreeSet::new() }
    }

    /// Says what is waited for, of each once.
    pub fn say_new(&mut self) {
        for Waited { service, pid, since, log: _ } in now(self.place) {
            if self.told.insert(pid.clone()) {
                say!("waits for  capc-{service}, begun at {since} (pid {pid})");
            }
        }
    }
}

/// Returns what has begun, and is not up yet, or not done; nothing if nobody says.
pub fn now(place: &Path) -> Vec<Waited> {
    match socket::ask(place, "eval", "root", &[WHAT], QUESTION) {
        Ok(Reply::Done(datum)) => datum.list().iter().filter_map(waited).collect(),
        Ok(Reply::Failed(_)) | Err(_) => Vec::new(),
    }
}

fn waited(datum: &Datum) -> Option<Waited> {
    let [service, pid, since, log] = datum.list() else { return None };
    let [service, since, log] = [service, since, log].map(|datum| datum.text().map(harmless));
    Some(Waited { service: service?, pid: pid.to_string(), since: since?, log: log? })
}

/// Returns what is said when it takes too long.
pub fn late(place: &Path, within: Duration, waits: &[Waited]) -> String {
    let minutes = within.as_secs() / 60;
    if waits.is_empty() {
        return format!("the Shepherd at {} did not answer within {minutes} minutes", place.display());
    }
    let who = waits.iter().map(|Waited { service, pid, since, log }| {
        format!("`{service}`, begun at {since}, has not come to its end (pid {pid}, log {log})")
    });
    let who: Vec<String> = who.collect();
    let pids: Vec<&str> = waits.iter().map(|waited| waited.pid.as_str()).collect();
    format!(
        "waited {minutes} minutes, and {}; the Shepherd waits on, and starts those that wait for it when it has ended well: \
         `herd status capc` tells, and `kill {}` ends it",
        who.join("; "),
        pids.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_named_with_since_when_and_what_to_do() {
        let reply =
            Datum::read(r#"(("migrate" 812 "2026-11-29 18:00:51" "/var/log/capc/migrate.log"))"#).unwrap();
        let waits: Vec<Waited> = reply.list().iter().filter_map(waited).collect();
        let said = late(Path::new("/run/shepherd/socket"), Duration::from_secs(600), &waits);
        assert_eq!(
            said,
            "waited 10 minutes, and `migrate`, begun at 2026-11-29 18:00:51, has not come to its end (pid 812, log \
             /var/log/capc/migrate.log); the Shepherd waits on, and starts those that wait for it when it has ended well: \
             `herd status capc` tells, and `kill 812` ends it"
        );
        let said = late(Path::new("/run/shepherd/socket"), Duration::from_secs(600), &[]);
        assert_eq!(said, "the Shepherd at /run/shepherd/socket did not answer within 10 minutes");
    }
}
