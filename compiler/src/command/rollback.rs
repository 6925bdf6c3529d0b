//! `capc rollback`: a new generation with the content of an old one.

use super::generation::{IDENTITIES, Sealed};
use super::question::Answerable;
use super::sealed_words::text_of;
use super::transaction::{self, Ground, Proposal};
use super::{Failure, compile, drift};
use crate::cli::{Exit, Rollback, Sealing};
use crate::emit::init;
use crate::emit::store::{self, Found};
use crate::seal::{Content, SealedSource, Signers};
use std::path::{Path, PathBuf};

/// Runs the transaction.
pub fn run(arguments: &Rollback) -> Exit {
    match transact(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

fn transact(arguments: &Rollback) -> Result<Exit, Failure> {
    back_to(&compile::absolute(&arguments.store)?, arguments.number, &arguments.sealing)
}

/// Seals the content of an old generation as a new one, and switches to it.
///
/// # Errors
/// When anything fails; and when it was switched to, and the init did not bring it up.
pub fn back_to(store: &Path, number: u64, sealing: &Sealing) -> Result<Exit, Failure> {
    let ground = Ground::open(store, None, sealing)?;
    let current = ground.current()?;
    if current.number == number {
        return Err(Failure::usage(format!("generation {number} is the current one")));
    }
    let refused = |error: store::StoreError| Failure::refused(error.to_string());
    let old = store::find(&ground.path, number).map_err(refused)?;
    store::signed(&ground.path, &old)
        .map_err(|error| Failure::refused(format!("generation {}: {error}", old.number)))?;
    let sealing = with_default_key(sealing, current)?;
    let mut proposal = again(&old, None)?;
    // A number that somebody has got since is nobody else's any more.
    let identities = Sealed::open(&current.path)?.need(IDENTITIES)?;
    proposal.content.insert(IDENTITIES.to_owned(), identities);
    let changed = drift::files(&Sealed::open(&old.path)?, &crate::machine::RealMachine::here())?;
    proposal.notes.extend(changed.iter().map(|file| {
        format!(
            "{} was {} since generation {} was sealed; {}",
            file.path,
            file.state,
            old.number,
            file.effect()
        )
    }));
    match transaction::run(ground, proposal, &sealing)? {
        Ok(done) => done.applied.map(|()| Exit::Clean),
        Err(exit) => Ok(exit),
    }
}

/// Returns the content of a generation as that of the next one.
///
/// # Errors
/// When it is not what was sealed.
pub fn again(found: &Found, next: Option<Signers>) -> Result<Proposal, Failure> {
    let sealed = Sealed::open(&found.path)?;
    let seal = found.seal().map_err(|error| Failure::refused(error.to_string()))?;
    let mut content = Content::new();
    for entry in seal.entries() {
        content.insert(entry.path.text().to_owned(), sealed.need(entry.path.text())?);
    }
    let init = init::take(&mut content);
    let sources =
        seal.sources().map(|source| SealedSource { name: text_of(source.name), digest: source.digest });
    let meaning = Answerable::sealed(&found.path)?.map_err(|_| {
        Failure::refused(format!("the sources of generation {} do not compile with this capc", found.number))
    })?;
    Ok(Proposal {
        content,
        sources: sources.collect(),
        meaning,
        host: seal.header.host,
        content_of: Some(seal.header.content_of.unwrap_or(found.number)),
        next,
        init,
        notes: Vec::new(),
    })
}

/// Returns how it is sealed, with the key that the current generation's configuration names if no other is.
///
/// # Errors
/// When that is not what was sealed.
pub fn with_default_key(sealing: &Sealing, current: &Found) -> Result<Sealing, Failure> {
    let keys = match sealing.keys.as_slice() {
        [] => match Answerable::sealed(&current.path)? {
            Ok(meaning) => vec![PathBuf::from(meaning.key())],
            Err(_) => return Err(Failure::usage("name the signing key with --key")),
        },
        keys => keys.to_vec(),
    };
    Ok(Sealing { keys, ..*sealing })
}
