//! An existing machine's units as a configuration to start from.
//!
//! Units are looked up and read as for `check --from`; each becomes a service between the two languages, and what that lacks
//! is told beside it, with the file and line of every key. Nothing is granted that the unit did not have, and nothing is made
//! up: what a program uses, only a trace can tell.

mod accounts;
mod advice;
mod credentials;
mod environment;
mod exec;
mod given;
mod mapping;
mod names;
mod order;
mod places;
mod rules;
mod select;
mod service;
mod sockets;
mod statement;
mod unit;
mod words;
mod write;

pub use write::{StatementId, Written};

use super::systemd::load::Loader;
use super::systemd::lookup::Lookup;
use super::systemd::name::{UnitName, unescape};
use super::systemd::{Asked, Named, asked};
use crate::diag::Diagnostic;
use crate::machine::Machine;
use crate::source::SourceMap;
use service::Service;
use std::collections::BTreeMap;

/// Units on their way to a configuration.
pub struct Imported {
    /// The files.
    pub sources: SourceMap,
    /// What of the units was not read, or is not there.
    pub diagnostics: Vec<Diagnostic>,
    system: String,
    services: Vec<Service>,
    others: Vec<(String, String)>,
}

/// Reads units by file, directory or name. `root` is told before the paths of the system.
#[must_use]
pub fn import(machine: &dyn Machine, named: &[Named], root: &str) -> Imported {
    let Asked { sources, directories, names, wrong: mut diagnostics, .. } = asked(machine, named);
    let mut loader = Loader::new(machine, Lookup::new(machine, directories, root), sources);
    let mut selection = select::select(&mut loader, names);
    let mut given = names::Names::default();
    let imported: BTreeMap<String, String> =
        selection.services.iter().map(|unit| (unit.id.clone(), given.unique(&wanted(&unit.id)))).collect();
    let mut services: Vec<Service> = Vec::new();
    let mut others = std::mem::take(&mut selection.others);
    for unit in std::mem::take(&mut selection.services) {
        let id = unit.id.clone();
        match mapping::service(machine, unit, &mut selection, &imported) {
            Ok(service) => services.push(service),
            Err(why) => others.push((id, why)),
        }
    }
    let Loader { sources, diagnostics: found, .. } = loader;
    diagnostics.extend(found);
    crate::resolve::sort(&mut diagnostics);
    Imported { sources, diagnostics, system: host_name(machine), services, others }
}

impl Imported {
    /// Writes the configuration down. What is withdrawn becomes a comment that says why.
    #[must_use]
    pub fn write(&self, withdrawn: &BTreeMap<StatementId, String>) -> Written {
        write::write(&self.system, &self.services, &self.others, withdrawn)
    }

    /// Returns how many services there are.
    #[must_use]
    pub fn services(&self) -> usize {
        self.services.len()
    }
}

/// Returns what a service is to be called.
fn wanted(id: &str) -> String {
    let stem = UnitName::parse(id).and_then(|name| id.strip_suffix(name.unit_type.word()));
    unescape(stem.unwrap_or(id).trim_end_matches('.'))
}

/// Returns the machine's name, as far as its files tell.
fn host_name(machine: &dyn Machine) -> String {
    let text = machine.read("/etc/hostname").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let name = line.unwrap_or_default().split('.').next().unwrap_or_default();
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}
