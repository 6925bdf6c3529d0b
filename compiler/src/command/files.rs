//! `capc files`: what a configuration needs of this machine, for the root of another that holds nothing else.

use super::{Failure, compile, drift, reconfigure};
use crate::cli::{Exit, Files};
use crate::lower;
use crate::machine::{Over, RealMachine};
use std::collections::{BTreeMap, BTreeSet};

/// Prints what is lacking, a path a line.
pub fn run(arguments: &Files) -> Exit {
    match listed(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

fn listed(arguments: &Files) -> Result<Exit, Failure> {
    let root = compile::absolute(&arguments.root)?;
    let mut compilation = reconfigure::below(&root, &arguments.file)?;
    let complaint = compile::complain(&compilation);
    let (Exit::Clean, Some(model), Some(holdings), Some(checked)) =
        (complaint, &compilation.model, &compilation.holdings, &compilation.checked)
    else {
        return Ok(complaint);
    };
    let machine = Over::new(RealMachine::below(root), RealMachine::here());
    let options = lower::Options {
        mode: lower::Mode::Root,
        state_root: None,
        previous: BTreeMap::new(),
        groups: lower::Groups::AT_START,
    };
    let lowered = match lower::lower(model, holdings, checked, &machine, &options) {
        Ok(lowered) => lowered,
        Err(refusals) => return Ok(compile::refuse(&mut compilation, refusals)),
    };
    let mut files = BTreeSet::new();
    for (name, text) in &lowered.manifests {
        files.extend(drift::taken_from(text).map_err(|error| {
            let message =
                format!("the manifest of `{name}` cannot be read again: {error}; please report this");
            Failure { exit: Exit::Internal, message }
        })?);
    }
    for program in &arguments.programs {
        let needed = lower::files_of(&machine, program).map_err(Failure::refused)?;
        files.extend(needed);
    }
    files.retain(|path| machine.is_lacking(path));
    files.append(&mut machine.noted());
    for path in files {
        super::say!("{path}");
    }
    Ok(Exit::Clean)
}
