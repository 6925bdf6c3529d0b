//! Signatures over a SEAL: made in memory for `capc up`, and verified as strictly as the launcher does.

use super::key::{Signers, fingerprint};
use capc_schemas::public_key::PublicKey;
use capc_schemas::seal::ScopeKind;
use capc_schemas::sshsig;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256, Sha512};
use std::fmt;

/// A key that signs one generation and is then forgotten.
pub struct MemoryKey(SigningKey);

impl MemoryKey {
    /// Makes a key from 32 random bytes, which the command line gets from the system.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::plain(self.0.verifying_key().to_bytes())
    }

    /// Returns an armoured OpenSSH signature over a SEAL.
    #[must_use]
    pub fn sign(&self, seal: &[u8]) -> String {
        let namespace = ScopeKind::System.namespace();
        let data = sshsig::signed_data(namespace, &Sha512::digest(seal).into());
        let signature = sshsig::Signature::plain(self.0.sign(data.bytes()).to_bytes());
        let mut armour = String::new();
        // INVARIANT: writing to a String cannot fail; an empty armour would be refused by `verify`.
        let _ = sshsig::write(&mut armour, namespace, &self.public(), &signature);
        armour
    }
}

/// Why a signature is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// It is no Ed25519 signature in the right namespace, in OpenSSH's exact form.
    NotOurs,
    /// It is one, but not over this SEAL.
    Bad,
    /// It is one of a FIDO key that nobody touched, or that says something of the moment that we do not know.
    Untouched,
    /// It is good, but nobody trusts this key.
    Stranger(PublicKey),
    /// A key signed twice, or the keys do not ascend.
    Order,
    /// Fewer keys signed than must.
    TooFew {
        /// How many did.
        signed: usize,
        /// How many must.
        threshold: u32,
    },
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("the signature is not of a trusted key in this namespace and form"),
            Self::Bad => f.write_str("the signature is not over this SEAL"),
            Self::Untouched => f.write_str("nobody touched the FIDO key that made the signature"),
            Self::Stranger(key) => {
                write!(f, "the signature is not of a trusted key, but of {}", fingerprint(key))
            }
            Self::Order => f.write_str("a key signed twice, or the signatures do not ascend by key"),
            Self::TooFew { signed, threshold } => {
                write!(f, "{signed} of its keys signed, and {threshold} must")
            }
        }
    }
}

impl std::error::Error for SignatureError {}

/// Returns who signed a SEAL, ascending: every signature in the file is good, in the one form that the launcher accepts,
/// and each is another key's.
///
/// # Errors
/// When one is not, when there is none, or when anything stands between, before or after them.
pub fn signed_by(seal: &[u8], armours: &[u8]) -> Result<Vec<PublicKey>, SignatureError> {
    let namespace = ScopeKind::System.namespace();
    let message = Sha512::digest(seal).into();
    let (mut rest, mut signers) = (armours, Vec::new());
    while !rest.is_empty() {
        let signer = sshsig::claimed_signer(rest, namespace).ok_or(SignatureError::NotOurs)?;
        let (signature, after) =
            sshsig::signature_of(rest, namespace, &signer).ok_or(SignatureError::NotOurs)?;
        let key = VerifyingKey::from_bytes(&signer.point).map_err(|_| SignatureError::NotOurs)?;
        let sha256 = |bytes: &[u8]| Sha256::digest(bytes).into();
        let data = sshsig::signed_data(namespace, &message);
        let data = sshsig::verified_bytes(&signer, &signature, data, sha256);
        let data = data.ok_or(SignatureError::Untouched)?;
        let verified = key.verify_strict(data.bytes(), &Signature::from_bytes(&signature.bytes));
        verified.map_err(|_| SignatureError::Bad)?;
        if signers.last().is_some_and(|last: &PublicKey| !last.is_before(&signer)) {
            return Err(SignatureError::Order);
        }
        signers.push(signer);
        rest = after;
    }
    if signers.is_empty() { Err(SignatureError::NotOurs) } else { Ok(signers) }
}

/// Verifies that some keys, and nobody else, signed a SEAL, as strictly as the launcher does.
///
/// # Errors
/// When a signature is not good or not of one of the keys, or too few are.
pub fn verify(seal: &[u8], armours: &[u8], signers: &Signers) -> Result<Vec<PublicKey>, SignatureError> {
    let signed = signed_by(seal, armours)?;
    if let Some(stranger) = signed.iter().find(|key| !signers.keys().contains(key)) {
        return Err(SignatureError::Stranger(*stranger));
    }
    if !signers.are_met_by(&signed) {
        return Err(SignatureError::TooFew { signed: signed.len(), threshold: signers.threshold() });
    }
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(armours: &str, keys: &[&MemoryKey], threshold: u32, expected: Result<usize, SignatureError>) {
        let signers = Signers::new(keys.iter().map(|key| key.public()), threshold).unwrap();
        assert_eq!(verify(b"one", armours.as_bytes(), &signers).map(|keys| keys.len()), expected);
    }

    #[test]
    fn a_signature_made_in_memory_verifies_and_no_other_does() {
        let (key, other) = (MemoryKey::new(&[7; 32]), MemoryKey::new(&[8; 32]));
        let armour = key.sign(b"one");
        check(&armour, &[&key], 1, Ok(1));
        check(&key.sign(b"two"), &[&key], 1, Err(SignatureError::Bad));
        check(&armour, &[&other], 1, Err(SignatureError::Stranger(key.public())));
        check(&format!("{armour}\n"), &[&key], 1, Err(SignatureError::NotOurs));
        check("", &[&key], 1, Err(SignatureError::NotOurs));
    }

    #[test]
    fn distinct_keys_are_counted() {
        let mut keys = [[1; 32], [2; 32], [3; 32]].map(|seed| MemoryKey::new(&seed));
        keys.sort_by_key(MemoryKey::public);
        let [a, b, c] = &keys;
        let all = [a, b, c].map(|key| key.sign(b"one"));
        check(&(all[0].clone() + &all[2]), &[a, b, c], 2, Ok(2));
        check(&all.concat(), &[a, b, c], 2, Ok(3));
        check(&all[1], &[a, b, c], 2, Err(SignatureError::TooFew { signed: 1, threshold: 2 }));
        check(&all[1].repeat(2), &[a, b, c], 2, Err(SignatureError::Order));
        check(&(all[1].clone() + &all[0]), &[a, b, c], 2, Err(SignatureError::Order));
        check(&all.concat(), &[a, b], 2, Err(SignatureError::Stranger(c.public())));
    }
}
