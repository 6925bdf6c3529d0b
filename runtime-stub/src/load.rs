//! Verifies a generation: from the record in this program's image down to the bytes of one manifest.
//!
//! Every file is opened by descriptor beneath the generation, follows no link, must be a regular file, and is read once.

use crate::refusal::{Layer, OrRefuse, Reason, Refusal, Subject};
use crate::sys::{
    self, At, Fd, FileType, O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use capc_schemas::manifest::Manifest;
use capc_schemas::public_key::PublicKey;
use capc_schemas::seal::{HOST_PREFIX, Seal};
use capc_schemas::sshsig;
use capc_schemas::token::{Digest, RelPath};
use capc_schemas::trust::{RECORD_BYTES, Trust};
use core::ffi::CStr;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256, Sha512};

/// The flags for reading a file that must not keep us waiting, whatever it is.
pub const READ: u32 = O_RDONLY | O_NONBLOCK | O_NOCTTY;

/// Takes no link of any sort.
pub const NO_LINKS: u32 = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

/// The three buffers that a generation is read into.
pub struct Buffers<'m> {
    /// For SEAL.
    pub seal: &'m mut [u8],
    /// For its signature.
    pub signature: &'m mut [u8],
    /// For the manifest.
    pub manifest: &'m mut [u8],
}

/// Reads the trust record.
///
/// # Errors
/// When it is empty, or none.
pub fn trust(record: &[u8; RECORD_BYTES]) -> Result<Trust<'_>, Refusal<'_>> {
    Trust::parse(record).map_err(|error| Refusal {
        layer: Layer::Trust,
        subject: Subject::Itself,
        reason: Reason::Trust(error),
    })
}

/// Verifies a generation for this machine and returns the manifest of a service.
///
/// # Errors
/// When anything is not as it was sealed, or not for here and now.
pub fn manifest<'m>(
    trust: &Trust<'m>,
    generation: &'m CStr,
    service: RelPath<'m>,
    buffers: Buffers<'m>,
) -> Result<Manifest<'m>, Refusal<'m>> {
    if host()? != trust.root.host {
        return Err(Refusal::of(Layer::Host, "this launcher was made for another machine"));
    }
    let generation = directory(generation)?;
    let text = file(&generation, Layer::Seal, c"SEAL", buffers.seal)?;
    let signature = file(&generation, Layer::Signature, c"SEAL.sig", buffers.signature)?;
    signed(trust, text, signature)?;
    let seal = sealed(trust, text)?;
    floor(trust, seal.header.number)?;
    let (path, name) = (crate::refusal::Sentence::of(format_args!("manifests/{service}")), service);
    let path_in_seal = core::str::from_utf8(path.bytes()).ok().and_then(RelPath::new);
    let digest = path_in_seal.and_then(|path| seal.digest_of(path));
    let Some(digest) = digest else {
        return Err(Refusal::of(Layer::Manifest, "no service of this name is sealed"));
    };
    let text = file(&generation, Layer::Manifest, path.c_str(), buffers.manifest)?;
    if sha256(text) != digest.0 {
        return Err(Refusal::of(Layer::Manifest, "its digest is not the sealed one"));
    }
    let manifest = Manifest::parse(text).map_err(|error| Refusal {
        layer: Layer::Manifest,
        subject: Subject::Itself,
        reason: Reason::Manifest(error),
    })?;
    if manifest.service() != name {
        return Err(Refusal::of(Layer::Manifest, "it is that of another service"));
    }
    Ok(manifest)
}

/// Opens a generation's directory.
///
/// # Errors
/// When it is none, or a link is on the way.
pub fn directory<'m>(generation: &'m CStr) -> Result<Fd, Refusal<'m>> {
    sys::open(At::Here, generation, O_PATH | O_DIRECTORY, 0, NO_LINKS).or_refuse_at(
        Layer::Generation,
        "opening it",
        generation,
    )
}

/// Checks that enough of the trusted keys signed the SEAL, and that nothing else is in the signature file.
///
/// # Errors
/// When it is otherwise.
pub fn signed<'m>(trust: &Trust<'_>, text: &[u8], signature: &[u8]) -> Result<(), Refusal<'m>> {
    let namespace = trust.root.scope.kind.namespace();
    let message: [u8; 64] = Sha512::digest(text).into();
    let (mut rest, mut good, mut last) = (signature, 0, None);
    while !rest.is_empty() {
        let found = trust.signers().find_map(|key| Some((key, sshsig::signature_of(rest, namespace, &key)?)));
        let Some((key, (signature, after))) = found else {
            return Err(Refusal::of(
                Layer::Signature,
                "it is none of a trusted key in this scope's namespace",
            ));
        };
        if last.is_some_and(|last: PublicKey| !last.is_before(&key)) {
            return Err(Refusal::of(Layer::Signature, "its signers do not ascend"));
        }
        let data = sshsig::signed_data(namespace, &message);
        let Some(data) = sshsig::verified_bytes(&key, &signature, data, sha256) else {
            return Err(Refusal::of(Layer::Signature, "nobody touched the FIDO key that made it"));
        };
        let verified = VerifyingKey::from_bytes(&key.point).and_then(|verifier| {
            verifier.verify_strict(data.bytes(), &Signature::from_bytes(&signature.bytes))
        });
        if verified.is_err() {
            return Err(Refusal::of(Layer::Signature, "it does not verify"));
        }
        (rest, good, last) = (after, good + 1, Some(key));
    }
    if good < trust.root.threshold {
        return Err(Refusal::of(Layer::Signature, "fewer signed than the threshold asks for"));
    }
    Ok(())
}

/// Returns the SHA-256 digest of some bytes; in one place, for the program is to be small.
#[inline(never)]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Reads the SEAL and checks that it is for this scope and machine.
///
/// # Errors
/// When it is not.
pub fn sealed<'m>(trust: &Trust<'_>, text: &'m [u8]) -> Result<Seal<'m>, Refusal<'m>> {
    let seal = Seal::parse(text).map_err(|error| Refusal {
        layer: Layer::Seal,
        subject: Subject::Itself,
        reason: Reason::Seal(error),
    })?;
    if seal.header.scope != trust.root.scope {
        return Err(Refusal::of(Layer::Seal, "it is of another scope"));
    }
    if seal.header.host != trust.root.host {
        return Err(Refusal::of(Layer::Seal, "it is for another machine"));
    }
    Ok(seal)
}

/// Checks that the generation is not older than the least one that may start.
fn floor<'m>(trust: &Trust<'m>, number: u64) -> Result<(), Refusal<'m>> {
    let mut path = [0; 4096];
    trust.root.floor.token().copy_to(&mut path);
    let path = CStr::from_bytes_until_nul(&path).unwrap_or(c"");
    let refuse = |words| Refusal::of(Layer::Floor, words);
    let fd = sys::open(At::Here, path, READ, 0, NO_LINKS).or_refuse(Layer::Floor, "opening it")?;
    let status = sys::status(&fd).or_refuse(Layer::Floor, "looking at it")?;
    if status.file_type != FileType::Regular {
        return Err(refuse("it is no regular file"));
    }
    if status.uid != sys::user() || status.mode & 0o022 != 0 {
        return Err(refuse("others than its owner, who must start the launcher, could write to it"));
    }
    let mut buffer = [0; 32];
    let text = sys::read_all(&fd, &mut buffer).or_refuse(Layer::Floor, "reading it")?;
    let digits = text.strip_suffix(b"\n").and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or("");
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    let Some(least) = digits.parse().ok().filter(|_| plain) else {
        return Err(refuse("it holds no decimal number and newline"));
    };
    if number < least {
        let reason = Reason::Least { found: number, least };
        return Err(Refusal {
            layer: Layer::Floor,
            subject: Subject::Word("the generation's number"),
            reason,
        });
    }
    Ok(())
}

/// Returns the digest of this machine.
fn host<'m>() -> Result<Digest, Refusal<'m>> {
    let mut buffer = [0; 256];
    let mut length = 0;
    for path in [c"/etc/machine-id", c"/proc/sys/kernel/random/boot_id"] {
        if let Ok(fd) = sys::open(At::Here, path, READ, 0, 0) {
            length = sys::read_all(&fd, &mut buffer)
                .or_refuse_at(Layer::Host, "reading it", path)?
                .trim_ascii()
                .len();
        }
        if length > 0 {
            break;
        }
    }
    let text = buffer.trim_ascii_start();
    let Some(text) = text.get(..length).filter(|text| !text.is_empty()) else {
        return Err(Refusal::of(Layer::Host, "it has neither a machine id nor a boot id"));
    };
    Ok(Digest(Sha256::new().chain_update(HOST_PREFIX).chain_update(text).finalize().into()))
}

/// Reads a regular file beneath the generation; the buffer is one byte longer than the file may be.
///
/// # Errors
/// When it is none, or too long.
pub fn file<'m>(
    generation: &Fd,
    layer: Layer,
    path: &CStr,
    buffer: &'m mut [u8],
) -> Result<&'m [u8], Refusal<'m>> {
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | NO_LINKS;
    let fd = sys::open(At::Dir(generation), path, READ, 0, resolve).or_refuse(layer, "opening it")?;
    let status = sys::status(&fd).or_refuse(layer, "looking at it")?;
    if status.file_type != FileType::Regular {
        return Err(Refusal::of(layer, "it is no regular file"));
    }
    let most = buffer.len() - 1;
    if status.size > most as u64 {
        return Err(Refusal::of(layer, "it is too long"));
    }
    let text = sys::read_all(&fd, buffer).or_refuse(layer, "reading it")?;
    if text.len() as u64 != status.size {
        return Err(Refusal::of(layer, "it changed while it was read"));
    }
    Ok(text)
}
