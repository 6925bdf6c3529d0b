//! Signatures over a SEAL: made in memory for `capc up`, and verified as strictly as the launcher does.

use capc_schemas::seal::ScopeKind;
use capc_schemas::sshsig;
use capc_schemas::token::PublicKey;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha512};
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
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Returns an armoured OpenSSH signature over a SEAL.
    #[must_use]
    pub fn sign(&self, seal: &[u8]) -> String {
        let namespace = ScopeKind::System.namespace();
        let data = sshsig::signed_data(namespace, &Sha512::digest(seal).into());
        let signature = self.0.sign(data.bytes()).to_bytes();
        let mut armour = String::new();
        // INVARIANT: writing to a String cannot fail; an empty armour would be refused by `verify`.
        let _ = sshsig::write(&mut armour, namespace, &self.public(), &signature);
        armour
    }
}

/// Why a signature is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// It is not an Ed25519 signature of any of the trusted keys in the right namespace, in OpenSSH's exact form.
    NotOurs,
    /// It is of a trusted key, but not over this SEAL.
    Bad,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOurs => "the signature is not of a trusted key",
            Self::Bad => "the signature is not over this SEAL",
        })
    }
}

impl std::error::Error for SignatureError {}

/// Verifies an armoured signature over a SEAL by one of some keys, as strictly as the launcher does.
///
/// # Errors
/// When it is not good, or anything stands before or after it.
pub fn verify(seal: &[u8], armour: &[u8], keys: &[PublicKey]) -> Result<(), SignatureError> {
    let namespace = ScopeKind::System.namespace();
    for key in keys {
        let Some((signature, rest)) = sshsig::signature_of(armour, namespace, key) else { continue };
        if !rest.is_empty() {
            return Err(SignatureError::NotOurs);
        }
        let data = sshsig::signed_data(namespace, &Sha512::digest(seal).into());
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| SignatureError::NotOurs)?;
        return key
            .verify_strict(data.bytes(), &Signature::from_bytes(&signature))
            .map_err(|_| SignatureError::Bad);
    }
    Err(SignatureError::NotOurs)
}

/// Reads the Ed25519 key of an OpenSSH public key file (`ssh-ed25519 BASE64 comment`).
#[must_use]
pub fn public_key_of(text: &str) -> Option<PublicKey> {
    let mut words = text.split_ascii_whitespace();
    if words.next()? != "ssh-ed25519" {
        return None;
    }
    let blob = base64(words.next()?)?;
    // Two strings with their lengths before them: the algorithm and the 32 bytes of the key (RFC 8709).
    let key = blob.strip_prefix(b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice())?;
    key.try_into().ok().map(PublicKey)
}

/// Reads unpadded base64 (RFC 4648); a key's 51 bytes need no padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|other| *other == letter)? as u32;
        bits = (bits << 6 | value) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_made_in_memory_verifies_and_no_other_does() {
        let key = MemoryKey::new(&[7; 32]);
        let armour = key.sign(b"one");
        assert_eq!(verify(b"one", armour.as_bytes(), &[key.public()]), Ok(()));
        assert_eq!(verify(b"two", armour.as_bytes(), &[key.public()]), Err(SignatureError::Bad));
        let other = MemoryKey::new(&[8; 32]);
        assert_eq!(verify(b"one", armour.as_bytes(), &[other.public()]), Err(SignatureError::NotOurs));
        let trailing = format!("{armour}\n");
        assert_eq!(verify(b"one", trailing.as_bytes(), &[key.public()]), Err(SignatureError::NotOurs));
    }

    #[test]
    fn a_public_key_file_of_openssh_is_read() {
        let text =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github\n";
        assert!(public_key_of(text).is_some());
        assert_eq!(public_key_of("ssh-rsa AAAA"), None);
        assert_eq!(public_key_of(&text.replace("GKJl", "GK")), None);
    }
}
