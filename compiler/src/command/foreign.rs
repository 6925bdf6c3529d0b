//! `capc check --from`: the services of another init, looked at for circles.

use super::check::{count, print};
use super::{Failure, compile};
use crate::cli::{self, Check, Exit};
use crate::emit::diagnostics::Summary;
use crate::emit::found::{counted, found};
use crate::foreign::systemd::{self, Named};
use crate::foreign::{Foreign, shepherd};
use crate::lint::Terms;
use crate::machine::RealMachine;
use crate::source::RealFiles;
use std::path::{Path, PathBuf};

/// Checks what is named as one set.
///
/// # Errors
/// When the current directory is gone, or the options do not go together.
pub fn check(arguments: &Check, init: cli::Foreign, terms: &Terms) -> Result<Exit, Failure> {
    let mut foreign = match init {
        cli::Foreign::Shepherd => from_shepherd(arguments)?,
        cli::Foreign::Systemd => from_systemd(arguments)?,
    };
    for diagnostic in foreign.diagnostics.iter_mut().filter(|diagnostic| !diagnostic.is_error()) {
        diagnostic.severity = terms.lints.get(&diagnostic.code).copied().unwrap_or(terms.others);
    }
    let all = found([(&*foreign.diagnostics, &foreign.sources)]);
    let [(errors, _), (warnings, _)] = counted(&all);
    let summary = Summary { errors, warnings, services: foreign.services, holdings: 0 };
    let line = (errors == 0).then(|| good_news(init, &foreign));
    print(arguments.format, &all, summary, &mut line.into_iter())?;
    Ok(match (errors, foreign.unreadable) {
        (0, _) => Exit::Clean,
        (_, true) => Exit::Usage,
        (_, false) => Exit::Errors,
    })
}

fn from_shepherd(arguments: &Check) -> Result<Foreign, Failure> {
    if arguments.root.is_some() {
        return Err(Failure::usage("--root goes with --from systemd: Scheme files are named themselves"));
    }
    let named = |path: &PathBuf| Ok((compile::absolute(path)?, path.to_string_lossy().into_owned()));
    let paths = arguments.files.iter().map(named).collect::<Result<Vec<_>, Failure>>()?;
    Ok(shepherd::read(&RealFiles, &paths))
}

/// Returns one line that says what was looked at.
fn good_news(init: cli::Foreign, foreign: &Foreign) -> String {
    let noun = match init {
        cli::Foreign::Shepherd => "service",
        cli::Foreign::Systemd => "unit",
    };
    let (services, orders) = (count(foreign.services, noun), count(foreign.orders, "order"));
    format!("{services}, {orders} between them: no circle")
}

fn from_systemd(arguments: &Check) -> Result<Foreign, Failure> {
    let machine = machine_of(arguments.root.as_deref())?;
    let (named, shown_root) = named_units(&arguments.files, arguments.root.as_deref())?;
    Ok(systemd::read(&machine, &named, &shown_root))
}

/// Returns the machine whose units are looked up.
///
/// # Errors
/// When the current directory is gone.
pub fn machine_of(root: Option<&Path>) -> Result<RealMachine, Failure> {
    Ok(match absolute_root(root)? {
        Some(root) => RealMachine::below(root),
        None => RealMachine::here(),
    })
}

/// Returns what a person named, and the root as it is told before paths of the system.
///
/// # Errors
/// When the current directory is gone, or a path lies outside of the root.
pub fn named_units(units: &[PathBuf], root: Option<&Path>) -> Result<(Vec<Named>, String), Failure> {
    let absolute = absolute_root(root)?;
    let mut named = Vec::new();
    for argument in units {
        let shown = argument.to_string_lossy().into_owned();
        let is_path = shown.contains('/') || argument.symlink_metadata().is_ok();
        let path = if is_path { Some(on_machine(argument, absolute.as_deref())?) } else { None };
        named.push(Named { shown, path });
    }
    let shown = root.filter(|_| absolute.is_some()).map(Path::to_string_lossy);
    Ok((named, shown.as_deref().unwrap_or_default().trim_end_matches('/').to_owned()))
}

/// Returns another system's root as an absolute path, if it is another's.
fn absolute_root(root: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let root = root.map(compile::absolute).transpose()?;
    Ok(root.filter(|root| root != Path::new("/")))
}

/// Returns a path as it is on the machine whose root was named.
fn on_machine(path: &Path, root: Option<&Path>) -> Result<String, Failure> {
    let absolute = compile::absolute(path)?;
    let within = match root {
        Some(root) => absolute.strip_prefix(root).ok().map(|rest| Path::new("/").join(rest)),
        None => Some(absolute),
    };
    let Some(within) = within else {
        return Err(Failure::usage(format!("`{}` does not lie in the directory of --root", path.display())));
    };
    let text = within.into_os_string().into_string();
    text.map_err(|_| Failure::usage(format!("`{}` is not UTF-8", path.display())))
}
