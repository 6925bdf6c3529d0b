//! `capc reconfigure`: the transaction that makes a generation and switches to it.

use super::{Failure, compile, generation, signer};
use crate::cli::{Exit, Init, Reconfigure};
use crate::emit::store::{self, Store};
use crate::lower;
use crate::machine::RealMachine;
use crate::seal::{self, Heading, TrustRoot, launcher_with};
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

/// Where a system's services find their facets.
const RUNTIME: &str = "/run/capc";

/// Runs the transaction.
pub fn run(arguments: &Reconfigure) -> Exit {
    match transact(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

fn transact(arguments: &Reconfigure) -> Result<Exit, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
    let mut compilation = compile::named(&arguments.file)?;
    let complaint = compile::complain(&compilation);
    let (Exit::Clean, Some(model), Some(holdings), Some(checked)) =
        (complaint, &compilation.model, &compilation.holdings, &compilation.checked)
    else {
        return Ok(complaint);
    };
    let store_path = arguments.store.clone().unwrap_or_else(|| Path::new(&*model.root.store.path).to_owned());
    let store_path = compile::absolute(&store_path)?;
    let key = arguments.key.clone().unwrap_or_else(|| Path::new(&*model.root.key.path).to_owned());
    let public = signer::read_public(&signer::public_half(&key)).map_err(Failure::refused)?;
    let keys = [public];
    // The lock comes before anything is looked at; a dry run takes none and makes nothing.
    let store = match arguments.dry_run {
        true => None,
        false => Some(Store::open(&store_path).map_err(|error| refused(&error))?),
    };
    let current = store::current(&store_path).map_err(|error| refused(&error))?;
    let previous = match &current {
        None => BTreeMap::new(),
        Some(found) => {
            store::verify(&found.path, &keys).map_err(|error| {
                Failure::refused(format!("the current generation {}: {error}", found.number))
            })?;
            generation::identities(&found.path)?
        }
    };
    let options = lower::Options { mode: generation::mode(), state_root: None, previous };
    let lowered = match lower::lower(model, holdings, checked, &RealMachine::default(), &options) {
        Ok(lowered) => lowered,
        Err(refusals) => {
            compilation.diagnostics = refusals;
            compile::complain(&compilation);
            return Ok(Exit::Refused);
        }
    };
    let (mut content, sources) = generation::content(&compilation, &lowered)?;
    if arguments.init == Init::None {
        content.remove("init/plan.json");
    }
    let scope = model.name.to_string();
    let number = current.as_ref().map_or(1, |found| found.number + 1);
    let heading = Heading {
        scope: &scope,
        host: generation::host()?,
        number,
        previous: current.as_ref().map(|found| (found.number, found.digest)),
        signers: &keys,
    };
    let text = seal::seal(&heading, &sources, &content)
        .map_err(|path| Failure::refused(format!("`{path}` cannot be a file of a generation")))?;
    announce(current.as_ref(), &content, number, &generation::summary_line(compilation.summary()));
    for note in &lowered.notes {
        super::say!("note: {note}");
    }
    super::say!("to be signed by {}: sha256 {}", key.display(), seal::digest(text.as_bytes()));
    let Some(store) = store else {
        super::say!("nothing was written (--dry-run)");
        return Ok(Exit::Clean);
    };
    if !arguments.yes && !agreed()? {
        super::say!("nothing was changed");
        return Ok(Exit::Refused);
    }
    let floor = store.floor();
    let trust = TrustRoot {
        scope: &scope,
        host: heading.host,
        floor: &floor.to_string_lossy(),
        runtime: RUNTIME,
        signers: &keys,
    };
    let image = launcher_with(Some(&trust)).map_err(|error| refused(&error))?;
    let launcher = store.write_launcher(&image).map_err(|error| refused(&error))?;
    let place = store
        .publish(number, &content, &text, |seal| signer::sign(&key, seal), &keys)
        .map_err(|error| refused(&error))?;
    super::say!("generation {number} is current: {}", place.display());
    match arguments.init {
        Init::None => super::say!("start a service with: {} {} SERVICE", launcher.display(), place.display()),
        Init::Capc => super::say!("start it with: capc up {}", place.display()),
    }
    Ok(Exit::Clean)
}

/// Says what the new generation has that the current one has not, service by service.
fn announce(current: Option<&store::Found>, content: &seal::Content, number: u64, summary: &str) {
    super::say!("generation {number}: {summary}");
    let mut changes = 0;
    for (path, bytes) in content {
        let Some(name) = path.strip_prefix("manifests/") else { continue };
        let old = current.and_then(|found| std::fs::read(found.path.join(path)).ok());
        match old {
            None => super::say!("  + {name}"),
            Some(old) if old != *bytes => super::say!("  ~ {name}"),
            Some(_) => continue,
        }
        changes += 1;
    }
    if let Some(found) = current {
        let gone = sealed_services(&found.path)
            .into_iter()
            .filter(|name| !content.contains_key(&format!("manifests/{name}")));
        for name in gone {
            super::say!("  - {name}");
            changes += 1;
        }
        if changes == 0 {
            super::say!("  no service differs from generation {}", found.number);
        }
    }
}

fn sealed_services(generation: &Path) -> Vec<String> {
    let Ok(text) = store::read(&generation.join("SEAL")) else { return Vec::new() };
    let Ok(seal) = capc_schemas::seal::Seal::parse(&text) else { return Vec::new() };
    seal.entries()
        .filter_map(|entry| entry.path.text().strip_prefix("manifests/").map(str::to_owned))
        .collect()
}

/// Asks on the terminal; without one there is nobody to ask.
fn agreed() -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage("there is no terminal to ask on: look with --dry-run, then say --yes"));
    }
    super::say_as_is!("seal it and switch to it? [y/N] ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = stdin.lock().read_line(&mut answer);
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
