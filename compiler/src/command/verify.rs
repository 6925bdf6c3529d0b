//! `capc verify`: is a generation what was signed?

use super::generation::{CERTIFICATE, GRAPH, Sealed, Texts, graph_of};
use super::{Failure, signer};
use crate::certificate::{Certificate, confirm};
use crate::cli::{Exit, Verify};
use crate::emit::store::{self, Found, Link};
use crate::seal::{Signers, fingerprint};
use capc_schemas::public_key::PublicKey;
use std::path::Path;

/// Verifies one generation.
pub fn run(arguments: &Verify) -> Exit {
    let verified = match arguments.chain {
        true => chain(arguments),
        false => verify(arguments).map(|line| {
            super::say!("{line}");
            Exit::Clean
        }),
    };
    verified.unwrap_or_else(|failure| failure.report())
}

/// Verifies every generation of a store, and that each follows the one before.
fn chain(arguments: &Verify) -> Result<Exit, Failure> {
    let refused = |error: store::StoreError| Failure::refused(error.to_string());
    let path = super::compile::absolute(&arguments.store)?;
    let none = || Failure::usage(format!("the store `{}` has no generation", path.display()));
    let current = store::standing(&path).map_err(refused)?.ok_or_else(none)?;
    let introduced = keys(&arguments.keys)?;
    let (mut before, mut broken): (Option<Link>, usize) = (None, 0);
    for number in store::numbers(&path).map_err(refused)? {
        let link = match store::find(&path, number).and_then(Link::of) {
            Ok(link) => link,
            Err(error) => {
                super::say!("generation {number}: BROKEN: {error}");
                (before, broken) = (None, broken + 1);
                continue;
            }
        };
        let last = before.as_ref().map(|before| before.found.number);
        before = before.filter(|before| before.found.number.checked_add(1) == Some(number));
        let mut faults = link.faults(before.as_ref());
        let seal = link.found.seal().map_err(refused)?;
        faults.extend(store::differences(&link.found.path, &seal).map_err(refused)?);
        faults.extend(store::signed(&path, &link.found).err().map(|error| error.to_string()));
        if let (None, Ok(signed)) = (last, &link.signed)
            && let Some(missing) = introduced.iter().find(|key| !signed.contains(key))
        {
            faults.push(format!("{} did not sign it", fingerprint(missing)));
        }
        let follows = match &before {
            Some(before) if link.changes_keys(before) => {
                format!("follows {} and names new keys", before.found.number)
            }
            Some(before) => format!("follows {}", before.found.number),
            None if number == 1 => "introduces its keys".to_owned(),
            None => "those before are gone: it stands by its launcher alone".to_owned(),
        };
        match faults.as_slice() {
            [] => {
                let signed: Vec<String> = link.signed.iter().flatten().map(fingerprint).collect();
                super::say!(
                    "generation {number}: {follows}, signed by {}, {} files",
                    signed.join(", "),
                    seal.entries().count()
                );
            }
            faults => {
                super::say!(
                    "generation {number}: BROKEN: {}",
                    crate::emit::report::harmless(&faults.join("; "))
                );
                broken += 1;
            }
        }
        before = Some(link);
    }
    let count = super::check::count;
    match broken {
        0 => super::say!("every link holds; {} is current", current.number),
        broken => super::say!("{} broken; {} is current", count(broken, "generation"), current.number),
    }
    Ok(if broken == 0 { Exit::Clean } else { Exit::Refused })
}

fn keys(paths: &[std::path::PathBuf]) -> Result<Vec<PublicKey>, Failure> {
    paths.iter().map(|path| signer::read_public(path)).collect::<Result<_, _>>().map_err(Failure::usage)
}

fn verify(arguments: &Verify) -> Result<String, Failure> {
    let refused = |error: store::StoreError| Failure::refused(error.to_string());
    let found = match &arguments.generation {
        Some(path) if path.join("generations").is_dir() => {
            let path = path.display();
            return Err(Failure::usage(format!(
                "`{path}` is a store: say `--store {path}`, or name a generation in it"
            )));
        }
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
            let signers = Signers::all(&keys(paths)?).ok_or_else(|| Failure::usage("no key is named"))?;
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
