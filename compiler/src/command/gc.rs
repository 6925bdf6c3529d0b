//! `capc gc`: removes old generations, and never what is current or what anything runs from.

use super::running::running;
use super::{Failure, check::count, compile};
use crate::cli::{Exit, Gc};
use crate::emit::store::{self, Garbage, Store, StoreError};

/// Removes, and says what.
pub fn run(arguments: &Gc) -> Exit {
    match collect(arguments) {
        Ok(lines) => {
            super::say!("{}", lines.join("\n"));
            Exit::Clean
        }
        Err(failure) => failure.report(),
    }
}

fn collect(arguments: &Gc) -> Result<Vec<String>, Failure> {
    let refused = |error: StoreError| Failure::refused(error.to_string());
    let path = compile::absolute(&arguments.store)?;
    let none = || Failure::usage(format!("the store `{}` has no generation", path.display()));
    let current = store::standing(&path).map_err(refused)?.ok_or_else(none)?;
    let store = match arguments.dry_run {
        true => None,
        false => Some(Store::open(&path).map_err(refused)?),
    };
    // Under the lock once more: somebody may have switched meanwhile.
    let current = store::standing(&path).map_err(refused)?.map_or(current.number, |found| found.number);
    let runs: Vec<u64> = running(&path).iter().map(|running| running.generation).collect();
    let garbage = store::garbage(&path, current, usize::from(arguments.keep), &runs).map_err(refused)?;
    let Garbage { generations, launchers, kept } = &garbage;
    if let Some(store) = &store {
        store.clear().map_err(refused)?;
        store.remove(&garbage).map_err(refused)?;
    }
    let word = if arguments.dry_run { "would remove" } else { "removed" };
    let mut lines: Vec<String> =
        generations.iter().map(|number| format!("{word} generation {number}")).collect();
    if !launchers.is_empty() {
        lines.push(format!("{word} {} that none of the rest needs", count(launchers.len(), "launcher")));
    }
    if lines.is_empty() {
        lines.push("nothing to remove".to_owned());
    }
    let kept: Vec<String> = kept
        .iter()
        .map(|number| match (*number == current, runs.contains(number)) {
            (true, _) => format!("{number} (current)"),
            (false, true) => format!("{number} (something runs from it)"),
            (false, false) => number.to_string(),
        })
        .collect();
    lines.push(format!("kept {}", kept.join(", ")));
    Ok(lines)
}
