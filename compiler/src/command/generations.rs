//! `capc generations`: what there is, what each changed, and who signed it.

use super::running::running;
use super::{Failure, compile, print_json};
use crate::cli::{AnswerFormat, Exit, Inspected};
use crate::emit::report::harmless;
use crate::emit::store::{self, Link, StoreError};
use crate::seal::fingerprint;
use capc_schemas::token::Digest;
use serde::Serialize;
use std::collections::BTreeMap;

/// `capc/generations/1`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GenerationsAnswer {
    format: &'static str,
    generations: Vec<GenerationAnswer>,
}

/// One generation.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct GenerationAnswer {
    number: u64,
    current: bool,
    /// Whether it may start: its number is not under the floor.
    startable: bool,
    /// Services that run from it now, sorted.
    running: Vec<String>,
    services: usize,
    /// Compared with the one before, if that is still there; sorted.
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    content_of: Option<u64>,
    /// Whether it changes who may sign.
    rotates: bool,
    /// Fingerprints.
    signed_by: Vec<String>,
}

/// Lists a store.
pub fn run(arguments: &Inspected) -> Exit {
    match listed(arguments) {
        Ok(()) => Exit::Clean,
        Err(failure) => failure.report(),
    }
}

fn listed(arguments: &Inspected) -> Result<(), Failure> {
    let refused = |error: StoreError| Failure::refused(error.to_string());
    let path = compile::absolute(&arguments.store)?;
    let current = store::current(&path).map_err(refused)?.map_or(0, |found| found.number);
    let floor = store::floor(&path).map_err(refused)?;
    let running = running(&path);
    let links = store::chain(&path).map_err(refused)?;
    let mut generations = Vec::new();
    let mut before: Option<&Link> = None;
    for link in &links {
        let number = link.found.number;
        before = before.filter(|before| before.found.number.checked_add(1) == Some(number));
        let services = services(link).map_err(refused)?;
        let old = before.map(self::services).transpose().map_err(refused)?;
        let [added, changed, removed] = changes(old.as_ref(), &services);
        generations.push(GenerationAnswer {
            number,
            current: number == current,
            startable: floor.is_some_and(|floor| number >= floor),
            running: running
                .iter()
                .filter(|one| one.generation == number)
                .map(|one| one.service.clone())
                .collect(),
            services: services.len(),
            added,
            changed,
            removed,
            content_of: link.content_of,
            rotates: before.is_some_and(|before| link.changes_keys(before)),
            signed_by: match &link.signed {
                Ok(keys) => keys.iter().map(fingerprint).collect(),
                Err(error) => vec![format!("nobody ({error})")],
            },
        });
        before = Some(link);
    }
    let answer = GenerationsAnswer { format: "capc/generations/1", generations };
    match arguments.format {
        AnswerFormat::Json => print_json(&answer),
        AnswerFormat::Human => {
            super::say_as_is!("{}", harmless(&answer.human()));
            Ok(())
        }
    }
}

fn services(link: &Link) -> Result<BTreeMap<String, Digest>, StoreError> {
    let seal = link.found.seal()?;
    let manifests = seal.entries().filter_map(|entry| {
        let name = entry.path.text().strip_prefix("manifests/")?;
        Some((name.to_owned(), entry.digest))
    });
    Ok(manifests.collect())
}

/// Returns what was added, changed and removed; nothing if there is nothing to compare with.
fn changes(old: Option<&BTreeMap<String, Digest>>, new: &BTreeMap<String, Digest>) -> [Vec<String>; 3] {
    let Some(old) = old else { return Default::default() };
    let names = |of: &BTreeMap<String, Digest>, keep: &dyn Fn(&String, &Digest) -> bool| {
        of.iter().filter(|(name, digest)| keep(name, digest)).map(|(name, _)| name.clone()).collect()
    };
    [
        names(new, &|name, _| !old.contains_key(name)),
        names(new, &|name, digest| old.get(name).is_some_and(|other| other != digest)),
        names(old, &|name, _| !new.contains_key(name)),
    ]
}

impl GenerationsAnswer {
    fn human(&self) -> String {
        if self.generations.is_empty() {
            return "the store has no generation\n".to_owned();
        }
        let rows: Vec<[String; 5]> = self.generations.iter().map(GenerationAnswer::row).collect();
        let mut widths = [0; 4];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths.iter().chain([&0])) {
                line.push_str(&format!("{cell:width$}  "));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

impl GenerationAnswer {
    fn row(&self) -> [String; 5] {
        let mut marks = Vec::new();
        if self.current {
            marks.push("current");
        }
        if !self.running.is_empty() {
            marks.push("running");
        }
        if !self.startable {
            marks.push("under the floor");
        }
        let mut what: Vec<String> = Vec::new();
        what.extend(self.content_of.map(|number| format!("content of {number}")));
        what.extend(self.rotates.then(|| "new keys".to_owned()));
        for (sign, names) in [('+', &self.added), ('~', &self.changed), ('-', &self.removed)] {
            let shown = names.iter().take(4).map(|name| format!("{sign}{name}"));
            what.extend(shown);
            if let Some(more) = names.len().checked_sub(4).filter(|more| *more > 0) {
                what.push(format!("{sign} {more} more"));
            }
        }
        [
            self.number.to_string(),
            marks.join(", "),
            super::check::count(self.services, "service"),
            what.join(" "),
            self.signed_by.join(" "),
        ]
    }
}
