//! `capc verify`: is a generation what was signed?

use super::{Failure, signer};
use crate::cli::{Exit, Verify};
use crate::emit::store;
use capc_schemas::seal::Seal;

/// Verifies one generation.
pub fn run(arguments: &Verify) -> Exit {
    match verify(arguments) {
        Ok(line) => {
            super::say!("{line}");
            Exit::Clean
        }
        Err(failure) => failure.report(),
    }
}

fn verify(arguments: &Verify) -> Result<String, Failure> {
    let path = match &arguments.generation {
        Some(path) => path.clone(),
        None => {
            let current =
                store::current(&arguments.store).map_err(|error| Failure::refused(error.to_string()))?;
            let none =
                || Failure::usage(format!("the store `{}` has no generation", arguments.store.display()));
            current.ok_or_else(none)?.path
        }
    };
    let key = signer::read_public(&arguments.key).map_err(Failure::usage)?;
    let seal_text = store::verify(&path, &[key])
        .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
    let seal = Seal::parse(&seal_text).map_err(|error| Failure::refused(error.to_string()))?;
    Ok(format!(
        "generation {} of {}: signed by {}, {} files as sealed",
        seal.header.number,
        seal.header.scope,
        arguments.key.display(),
        seal.entries().count()
    ))
}
