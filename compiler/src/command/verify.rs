//! `capc verify`: is a generation what was signed?

use super::generation::{CERTIFICATE, GRAPH, Sealed, Texts, graph_of};
use super::{Failure, signer};
use crate::certificate::{Certificate, confirm};
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
        "generation {} of {}: signed by {}, {} files as sealed{}",
        seal.header.number,
        seal.header.scope,
        arguments.key.display(),
        seal.entries().count(),
        proved(&Sealed::open(&path)?)?
    ))
}

/// Confirms what a generation says of its own authority: that its graph is that of its index, and that its certificate proves
/// every assertion. Of one without an index, as they were sealed before there was one, there is nothing to say.
fn proved(sealed: &Sealed) -> Result<String, Failure> {
    let Some(restored) = sealed.restored(Texts::Left)? else { return Ok(String::new()) };
    let certificate: Certificate =
        serde_json::from_slice(&sealed.need(CERTIFICATE)?).map_err(|error| sealed.broken(error))?;
    confirm(&restored.model, &restored.holdings, &certificate).map_err(|doubt| {
        sealed.broken(format!("`{CERTIFICATE}` does not prove what the configuration asserts: {doubt}"))
    })?;
    if graph_of(restored).as_ref() != Some(&sealed.need(GRAPH)?) {
        return Err(sealed.broken(format!("`{GRAPH}` is not the graph of its index")));
    }
    let assertions: usize = certificate.views.iter().map(|view| view.assertions.len()).sum();
    Ok(match assertions {
        0 => String::new(),
        1 => ", 1 assertion proved".to_owned(),
        more => format!(", {more} assertions proved"),
    })
}
