//! What a new generation gives and takes, for the person who is to sign it.

use super::question::Answerable;
use super::running::Running;
use crate::query::{self, Detail, DiffAnswer, Side};
use crate::source::Files;
use crate::{Compilation, compile_to_compare};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;

/// What a new generation gives and takes.
pub struct Review {
    /// None where there is nothing to compare with, which there always is.
    diff: Option<DiffAnswer>,
    /// Why it is compared with nothing, if it should not be.
    pub note: Option<String>,
}

/// A system without anything.
struct Nothing(String);

impl Files for Nothing {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(format!("system {}\n", self.0).into_bytes())
    }
}

impl Review {
    /// Compares what the current generation was compiled from with what the new one is compiled from.
    #[must_use]
    pub fn of(old: Option<Result<Answerable, Box<Compilation>>>, new: &mut Answerable) -> Self {
        let note = matches!(old, Some(Err(_))).then(|| {
            "the current generation's sources do not compile with this capc any more, so all is shown as gained"
                .to_owned()
        });
        let nothing = || {
            let nothing = Nothing(new.name().to_owned());
            Answerable::of(compile_to_compare(&nothing, Path::new("/nothing"), "nothing", &[])).ok()
        };
        let old = old.and_then(Result::ok).or_else(nothing);
        let diff = old.map(|mut old| {
            let drawn = (old.drawn.take(), new.drawn.take());
            let (before, after) = thread::scope(|scope| {
                let before = scope.spawn(|| old.authority(drawn.0));
                let after = new.authority(drawn.1);
                (before.join(), after)
            });
            // What died drawing is drawn again here, to die where it is told.
            let before = before.unwrap_or_else(|_| old.authority(None));
            let (before, after) = (Side::new(&before, &old.sources), Side::new(&after, &new.sources));
            query::diff(&before, &after, Detail::Groups)
        });
        Self { diff, note }
    }

    /// Returns what is given and taken, for people.
    #[must_use]
    pub fn human(&self) -> String {
        self.diff.as_ref().map(DiffAnswer::human).unwrap_or_default()
    }

    /// Returns what is revoked, and which processes hold it until they restart.
    #[must_use]
    pub fn revocations(&self, running: &[Running]) -> Option<String> {
        let mut lost: BTreeMap<&str, usize> = BTreeMap::new();
        for (object, _) in self.diff.iter().flat_map(DiffAnswer::revoked) {
            *lost.entry(object).or_default() += 1;
        }
        let all: usize = lost.values().sum();
        if all == 0 {
            return None;
        }
        let holders: Vec<String> = running
            .iter()
            .filter_map(|running| {
                let count = lost.get(running.service.as_str())?;
                let what = match (*count == all, all) {
                    (true, 1) => "it".to_owned(),
                    (true, 2) => "both".to_owned(),
                    (true, _) => "all of them".to_owned(),
                    (false, _) if *count == 1 => "one of them".to_owned(),
                    (false, _) => format!("{count} of them"),
                };
                let Running { service, generation, pid } = running;
                Some(format!(
                    "pid {pid} ({service}, from generation {generation}) holds {what} until it restarts"
                ))
            })
            .collect();
        let revoked = format!("{} revoked", super::check::count(all, "grant"));
        Some(match holders.as_slice() {
            [] => format!("{revoked}; no process that runs holds any of it"),
            holders => format!("{revoked}; {}", holders.join(", ")),
        })
    }
}
