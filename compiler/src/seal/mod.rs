//! What a generation is sealed with: digests of all its files, a signature, and a launcher that trusts that key.
//!
//! Nothing here reads or writes files; `emit::write` does.

mod key;
mod launcher;
mod signature;

pub use key::{Signers, fingerprint, line_of, public_key_of};
pub use launcher::{LauncherError, Record, TrustRoot, launcher_with};
pub use signature::{MemoryKey, SignatureError, signed_by, verify};

use capc_schemas::seal::{self, Entry, Header, Previous, ScopeKind, Source};
use capc_schemas::token::{Digest, RelPath, Token};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Every file of a generation but `SEAL` and its signature, by path.
pub type Content = BTreeMap<String, Vec<u8>>;

/// The digests of those files, by path.
pub type Digests = BTreeMap<String, Digest>;

/// Returns the digests of files.
#[must_use]
pub fn digests(content: &Content) -> Digests {
    content.iter().map(|(path, bytes)| (path.clone(), digest(bytes))).collect()
}

/// A configuration file that was compiled: its name and its bytes' digest.
pub struct SealedSource {
    /// Relative to the first one's directory.
    pub name: String,
    /// Of its bytes.
    pub digest: Digest,
}

/// What stands at the top of a SEAL.
pub struct Heading<'a> {
    /// The name of the system.
    pub scope: &'a str,
    /// The digest of the machine that it is for.
    pub host: Digest,
    /// Its number.
    pub number: u64,
    /// The generation before, with the digest of its SEAL.
    pub previous: Option<(u64, Digest)>,
    /// The generation whose content it restores or keeps.
    pub content_of: Option<u64>,
    /// Who may sign the next generation.
    pub signers: &'a Signers,
}

/// Returns the digest of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Returns the digest that stands for a machine, from its machine id or boot id.
#[must_use]
pub fn host_digest(id: &str) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(seal::HOST_PREFIX);
    hasher.update(id.trim().as_bytes());
    Digest(hasher.finalize().into())
}

/// Returns the SEAL over a generation's files: the same bytes for the same arguments.
///
/// # Errors
/// Names a path that cannot be a file of a generation.
pub fn seal(heading: &Heading<'_>, sources: &[SealedSource], files: &Digests) -> Result<String, String> {
    let mut sources: Vec<Source<'_>> = sources
        .iter()
        .map(|source| Source { digest: source.digest, name: Token::new(source.name.as_bytes()) })
        .collect();
    sources.sort_unstable_by_key(|source| source.name);
    sources.dedup_by_key(|source| source.name);
    let mut entries = Vec::with_capacity(files.len());
    for (path, digest) in files {
        let path = RelPath::new(path).ok_or_else(|| path.clone())?;
        entries.push(Entry { digest: *digest, path });
    }
    entries.sort_unstable_by_key(|entry| entry.path);
    let header = Header {
        scope: seal::Scope { kind: ScopeKind::System, name: Token::new(heading.scope.as_bytes()) },
        host: heading.host,
        number: heading.number,
        previous: match heading.previous {
            None => Previous::First,
            Some((number, digest)) => Previous::Generation { number, digest },
        },
        content_of: heading.content_of,
        threshold: heading.signers.threshold(),
        compiler: Token::new(env!("CARGO_PKG_VERSION").as_bytes()),
    };
    let mut text = String::new();
    let signers = heading.signers.keys().iter().copied();
    seal::write(&mut text, &header, signers, sources, entries).map_err(|_| "SEAL".to_owned())?;
    Ok(text)
}
