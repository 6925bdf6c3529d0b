//! systemd's units: what is started together, and whether its orders lead round.
//!
//! systemd finds such a circle only when it is to start the units. It leaves one of them out then, says so in the log, and
//! ends with status 0.

pub(super) mod file;
mod implied;
mod judge;
mod lacking;
pub(super) mod load;
pub(super) mod lookup;
pub(super) mod name;
mod set;
pub(super) mod settings;
pub(super) mod specifier;
mod standard;
mod unit;

use super::Foreign;
use crate::diag::{Code, Diagnostic, nearest};
use crate::machine::{FileType, Machine, last_name, parent, walk};
use crate::source::{SourceMap, Span};
use load::Loader;
use lookup::{Directory, Lookup, join_shown};
use name::UnitName;
use set::Set;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use unit::State;

/// What a person named.
#[derive(Clone, Debug)]
pub struct Named {
    /// As it was typed.
    pub shown: String,
    /// Its path on the machine, if it is one and no unit's name.
    pub path: Option<String>,
}

/// What a person named, looked at.
#[derive(Default)]
pub(super) struct Asked {
    /// The words that were typed, each with a place of its own.
    pub sources: SourceMap,
    /// Directories in which units are looked up.
    pub directories: Vec<Directory>,
    /// Units, with the words that stand for them.
    pub names: Vec<(String, Span)>,
    /// What stands for none.
    pub wrong: Vec<Diagnostic>,
    /// The words that name a directory.
    is_directory: HashSet<Span>,
}

/// Looks at what a person named.
pub(super) fn asked(machine: &dyn Machine, named: &[Named]) -> Asked {
    let mut asked = Asked::default();
    for one in named {
        let text: Arc<str> = Arc::from(one.shown.as_str());
        let file = asked.sources.add("the command line".to_owned(), PathBuf::from("/"), text);
        let span = Span { file, start: 0, end: one.shown.len() as u32 };
        match units_of(machine, one) {
            Ok((directory, found)) => {
                if directory.as_ref().is_some_and(|directory| directory.shown == one.shown) {
                    asked.is_directory.insert(span);
                }
                asked.directories.extend(directory);
                asked.names.extend(found.into_iter().map(|name| (name, span)));
            }
            Err(message) => {
                let unreadable = Diagnostic::new(Code::Syntax, message, span, "named here");
                let help = "name units, unit files, or directories with unit files";
                asked.wrong.push(unreadable.help(help));
            }
        }
    }
    asked
}

/// Reads units by file, directory or name with all that they pull in. `root` is told before the paths of the system.
#[must_use]
pub fn read(machine: &dyn Machine, named: &[Named], root: &str) -> Foreign {
    let Asked { sources, directories, names, mut wrong, is_directory } = asked(machine, named);
    let lookup = Lookup::new(machine, directories, root);
    let mut set = Set::new(Loader::new(machine, lookup, sources));
    let mut roots = Vec::new();
    for (name, span) in names {
        let name = instance(&name);
        let id = set.unit(&name, span);
        let state = id.and_then(|id| set.units.get(id as usize)).map(|unit| unit.state);
        match (id, state) {
            (Some(id), Some(State::Loaded | State::Running | State::Refused)) => roots.push(id),
            // In a directory lie links that systemd does not follow either.
            _ if is_directory.contains(&span) => {}
            _ => {
                let message = format!("there is no unit `{name}`");
                let missing = Diagnostic::new(Code::Unheld, message, span, "named here");
                let meant =
                    nearest(&name, set.loader.lookup.names()).map(|meant| format!("did you mean `{meant}`?"));
                wrong.push(missing.help(meant.unwrap_or_else(|| "name a unit that a file says".to_owned())));
            }
        }
    }
    let unreadable = !wrong.is_empty();
    set.follow(&roots);
    let (found, orders) = judge::circles(&mut set, &roots);
    wrong.extend(found);
    wrong.extend(lacking::check(&mut set));
    let services = set.units.iter().filter(|unit| unit.state == State::Loaded).count();
    let Loader { sources, diagnostics, .. } = set.loader;
    wrong.extend(diagnostics);
    crate::resolve::sort(&mut wrong);
    Foreign { sources, diagnostics: wrong, services, orders, unreadable }
}

/// Returns the unit that is looked at for a name: of a template an instance of its own.
fn instance(name: &str) -> String {
    match UnitName::parse(name).filter(UnitName::is_template) {
        Some(template) => template.with_instance("i"),
        None => name.to_owned(),
    }
}

/// Returns the units that one argument stands for, and the directory that they are in.
///
/// # Errors
/// Why it stands for none.
fn units_of(machine: &dyn Machine, one: &Named) -> Result<(Option<Directory>, Vec<String>), String> {
    let shown = &one.shown;
    let Some(path) = &one.path else {
        let name = if UnitName::parse(shown).is_some() { shown.clone() } else { format!("{shown}.service") };
        return match UnitName::parse(&name) {
            Some(_) => Ok((None, vec![name])),
            None => Err(format!("`{shown}` is no unit's name, and no file")),
        };
    };
    let found = walk(machine, path).map_err(|(_, error)| format!("cannot read `{shown}`: {error}"))?;
    let given = |path: &str, shown: &str| Directory {
        path: path.to_owned(),
        shown: shown.to_owned(),
        is_given: true,
    };
    match found.metadata.file_type {
        FileType::Directory => {
            let list = machine.list(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
            let units: Vec<String> = list
                .iter()
                .filter(|name| UnitName::parse(name).is_some())
                .filter(|name| {
                    let file = walk(machine, &join_shown(path, name)).ok();
                    file.is_some_and(|file| {
                        file.metadata.file_type == FileType::Regular && file.metadata.size > 0
                    })
                })
                .cloned()
                .collect();
            if units.is_empty() {
                return Err(format!("`{shown}` has no unit files"));
            }
            Ok((Some(given(path, shown)), units))
        }
        FileType::Regular | FileType::Device => {
            let name = last_name(path);
            if UnitName::parse(name).is_none() {
                return Err(format!("`{shown}` is no unit file: its name has no ending such as `.service`"));
            }
            let above =
                shown.rsplit_once('/').map_or("", |(above, _)| if above.is_empty() { "/" } else { above });
            Ok((Some(given(parent(path), above)), vec![name.to_owned()]))
        }
        FileType::Link | FileType::Socket | FileType::Other => {
            Err(format!("`{shown}` is {}, and no unit file", found.metadata.file_type.words()))
        }
    }
}
