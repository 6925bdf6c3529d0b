//! `capc verify`: is a generation what was signed?

use super::generation::{CERTIFICATE, GRAPH, Sealed, Texts, graph_of};
use super::{Failure, signer};
use crate::certificate::{Certificate, confirm};
use crate::cli::{Exit, Verify};
use crate::emit::store::{self, Found};
use crate::seal::{Signers, fingerprint};
use std::path::Path;

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
    let refused = |error: store::StoreError| Failure::refused(error.to_string());
    let found = match &arguments.generation {
        Some(path) => Found::at(path).map_err(refused)?,
        None => {
            let none =
                || Failure::usage(format!("the store `{}` has no generation", arguments.store.display()));
            store::standing(&arguments.store).map_err(refused)?.ok_or_else(none)?
        }
    };
    let broken = |error: store::StoreError| Failure::refused(format!("{}: {error}", found.path.display()));
    let signed = match arguments.keys.as_slice() {
        [] => {
            let path = found.path.canonicalize().unwrap_or_else(|_| found.path.clone());
            let store = path.parent().and_then(Path::parent).unwrap_or(&arguments.store);
            store::signed(store, &found).map_err(broken)?
        }
        paths => {
            let keys: Vec<_> = paths
                .iter()
                .map(|path| signer::read_public(path))
                .collect::<Result<_, _>>()
                .map_err(Failure::usage)?;
            let signers = Signers::all(&keys).ok_or_else(|| Failure::usage("no key is named"))?;
            store::verify(&found.path, &signers).map_err(broken)?
        }
    };
    let seal = found.seal().map_err(broken)?;
    if let Some(difference) = store::differences(&found.path, &seal).map_err(broken)?.first() {
        return Err(Failure::refused(format!("{}: {difference}", found.path.display())));
    }
    let signed: Vec<String> = signed.iter().map(fingerprint).collect();
    Ok(format!(
        "generation {} of {}: signed by {}, {} files as sealed{}",
        seal.header.number,
        seal.header.scope,
        signed.join(", "),
        seal.entries().count(),
        proved(&Sealed::open(&found.path)?)?
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
