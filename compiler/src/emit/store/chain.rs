//! The chain: each generation is signed by whom the one before names, and names that one by its digest.

use super::{Found, StoreError, numbers, read};
use crate::seal::{self, Signers};
use capc_schemas::public_key::PublicKey;
use capc_schemas::seal::Previous;
use capc_schemas::token::Digest;
use std::path::Path;

/// One generation as a link of the chain.
pub struct Link {
    /// The generation.
    pub found: Found,
    /// Who signed it, if the signatures are good.
    pub signed: Result<Vec<PublicKey>, String>,
    /// The generation whose content it has.
    pub content_of: Option<u64>,
    /// Who may sign the next.
    pub next: Signers,
    previous: Option<(u64, Digest)>,
    host: Digest,
    scope: String,
}

impl Link {
    /// Reads a generation as a link; its files are not looked at.
    ///
    /// # Errors
    /// When its SEAL or signature cannot be read.
    pub fn of(found: Found) -> Result<Self, StoreError> {
        let armours = read(&found.path.join("SEAL.sig"))?;
        let signed = seal::signed_by(&found.text, &armours).map_err(|error| error.to_string());
        let next = found.next_signers()?;
        let header = found.seal()?.header;
        let previous = match header.previous {
            Previous::First => None,
            Previous::Generation { number, digest } => Some((number, digest)),
        };
        let scope = header.scope.to_string();
        Ok(Self { signed, content_of: header.content_of, next, previous, host: header.host, scope, found })
    }

    /// Returns what is wrong with it as the successor of another, or as the first that is left.
    #[must_use]
    pub fn faults(&self, before: Option<&Self>) -> Vec<String> {
        let signed = match &self.signed {
            Ok(signed) => signed,
            Err(error) => return vec![error.clone()],
        };
        let number = self.found.number;
        let mut faults = Vec::new();
        if let Some(before) = before {
            if self.previous != Some((before.found.number, before.found.digest)) {
                faults
                    .push(format!("it does not follow generation {} as that lies here", before.found.number));
            }
            if (self.host, &self.scope) != (before.host, &before.scope) {
                faults.push("it is for another machine or scope".to_owned());
            }
            if !before.next.are_met_by(signed) {
                faults.push(format!(
                    "generation {} says that {} of its keys must sign, and they did not",
                    before.found.number,
                    before.next.threshold()
                ));
            }
        }
        // A change of keys is signed by the new ones too, which shows that somebody has them. So is the first.
        let is_change = before.is_none_or(|before| before.next != self.next);
        if is_change && !self.next.are_met_by(signed) {
            faults.push(format!("the keys that it names for {} did not sign it", number.saturating_add(1)));
        }
        let known = |key: &&PublicKey| {
            self.next.keys().contains(key) || before.is_some_and(|before| before.next.keys().contains(key))
        };
        // The first that is left may be a change from keys that nothing here names any more.
        if before.is_some() && !signed.iter().all(|key| known(&key)) {
            faults.push("a key signed it that may not".to_owned());
        }
        faults
    }

    /// Returns whether it changes who may sign.
    #[must_use]
    pub fn changes_keys(&self, before: &Self) -> bool {
        self.next != before.next
    }
}

/// Returns every generation of a store as a link, by number.
///
/// # Errors
/// When one cannot be read.
pub fn chain(store: &Path) -> Result<Vec<Link>, StoreError> {
    numbers(store)?.into_iter().map(|number| super::find(store, number).and_then(Link::of)).collect()
}
