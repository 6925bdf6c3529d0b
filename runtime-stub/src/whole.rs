//! Verifies a whole generation and starts nothing: what `reconfigure` asks of the launcher that will judge each start,
//! before it switches.
//!
//! Whether the generation is for here and now is asked at each start; another system's root may be checked too.

use crate::load::{self, Buffers, NO_LINKS, READ};
use crate::refusal::{Layer, OrRefuse, Reason, Refusal, Sentence, Subject};
use crate::sys::{self, At, Fd, FileType, RESOLVE_BENEATH, RESOLVE_NO_XDEV};
use capc_schemas::manifest::Manifest;
use capc_schemas::token::{Digest, RelPath};
use capc_schemas::trust::Trust;
use core::ffi::CStr;
use sha2::{Digest as _, Sha256};

/// Verifies the signatures, every file's digest, and that every manifest reads and has the name that it is sealed by.
///
/// # Errors
/// When anything is not as it was sealed.
pub fn verify<'m>(
    trust: &Trust<'m>,
    generation: &'m CStr,
    buffers: Buffers<'m>,
    scratch: &mut [u8],
) -> Result<(), Refusal<'m>> {
    let generation = load::directory(generation)?;
    let Buffers { seal, signature, manifest } = buffers;
    let text = load::file(&generation, Layer::Seal, c"SEAL", seal)?;
    let signature = load::file(&generation, Layer::Signature, c"SEAL.sig", signature)?;
    load::signed(trust, text, signature)?;
    for entry in load::sealed(trust, text)?.entries() {
        match entry.path.text().strip_prefix("manifests/").and_then(RelPath::new) {
            Some(name) => manifest_of(&generation, (entry.path, name), entry.digest, manifest)?,
            None => plain(&generation, entry.path, entry.digest, scratch)?,
        }
    }
    Ok(())
}

/// Refuses a file of the generation.
const fn refuse<'m>(path: RelPath<'m>, words: &'static str) -> Refusal<'m> {
    about(path, Refusal::of(Layer::Generation, words))
}

/// Says which file a refusal is about.
const fn about<'m>(path: RelPath<'m>, refusal: Refusal<'_>) -> Refusal<'m> {
    Refusal { layer: refusal.layer, subject: Subject::Name(path), reason: refusal.reason }
}

/// Checks one manifest.
fn manifest_of<'m>(
    generation: &Fd,
    (path, name): (RelPath<'m>, RelPath<'_>),
    digest: Digest,
    buffer: &mut [u8],
) -> Result<(), Refusal<'m>> {
    let file = Sentence::of(format_args!("{path}"));
    let text = load::file(generation, Layer::Manifest, file.c_str(), buffer)
        .map_err(|refusal| about(path, refusal))?;
    if load::sha256(text) != digest.0 {
        return Err(refuse(path, "its digest is not the sealed one"));
    }
    let manifest = Manifest::parse(text).map_err(|error| Refusal {
        layer: Layer::Manifest,
        subject: Subject::Name(path),
        reason: Reason::Manifest(error),
    })?;
    if manifest.service() == name { Ok(()) } else { Err(refuse(path, "it is that of another service")) }
}

/// Checks one file that is none of the launcher's to read.
fn plain<'m>(
    generation: &Fd,
    path: RelPath<'m>,
    digest: Digest,
    scratch: &mut [u8],
) -> Result<(), Refusal<'m>> {
    let layer = Layer::Generation;
    let name = Sentence::of(format_args!("{path}"));
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | NO_LINKS;
    let file = sys::open(At::Dir(generation), name.c_str(), READ, 0, resolve);
    let in_file = |refusal| about(path, refusal);
    let file = file.or_refuse(layer, "opening it").map_err(in_file)?;
    if sys::status(&file).or_refuse(layer, "looking at it").map_err(in_file)?.file_type != FileType::Regular {
        return Err(refuse(path, "it is no regular file"));
    }
    let mut hasher = Sha256::new();
    loop {
        let part = sys::read_all(&file, scratch).or_refuse(layer, "reading it").map_err(in_file)?;
        hasher.update(&*part);
        if part.is_empty() {
            break;
        }
    }
    if hasher.finalize().as_slice() == digest.0 {
        Ok(())
    } else {
        Err(refuse(path, "its digest is not the sealed one"))
    }
}
