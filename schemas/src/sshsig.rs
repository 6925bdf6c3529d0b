//! OpenSSH signatures (SSHSIG) of Ed25519 keys over SHA-512, as `ssh-keygen -Y sign` prints them.
//!
//! All but the 64 signature bytes is known in advance to whoever knows the key, so nothing is parsed: the armour
//! is rebuilt around the signature bytes and compared.
//! The format is OpenSSH's PROTOCOL.sshsig.

use crate::token::PublicKey;
use core::fmt;

/// The longest signature file that is read.
pub const MAX_BYTES: usize = 1 << 14;

/// The length of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Room for a signature with its key and names around it.
pub const MAX_BLOB_BYTES: usize = 256;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const COLUMNS: usize = 70;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in a fixed room, written from the front.
pub struct Blob {
    bytes: [u8; MAX_BLOB_BYTES],
    length: usize,
}

impl Blob {
    const fn new() -> Self {
        Self { bytes: [0; MAX_BLOB_BYTES], length: 0 }
    }

    /// Returns what was written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Adds bytes; what does not fit is none of a signature's names, and is left out so that nothing compares equal.
    fn raw(mut self, bytes: &[u8]) -> Self {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
        self
    }

    /// Adds a string with its length before it.
    fn string(self, bytes: &[u8]) -> Self {
        self.raw(&(bytes.len() as u32).to_be_bytes()).raw(bytes)
    }
}

/// Returns what the key signs: the message's SHA-512 digest with the names around it.
#[must_use]
pub fn signed_data(namespace: &str, message_sha512: &[u8; 64]) -> Blob {
    let blob = Blob::new().raw(b"SSHSIG").string(namespace.as_bytes());
    blob.string(b"").string(b"sha512").string(message_sha512)
}

/// Writes the armoured signature.
///
/// # Errors
/// When `out` does.
pub fn write(
    out: &mut (impl fmt::Write + ?Sized),
    namespace: &str,
    key: &PublicKey,
    signature: &[u8; SIGNATURE_BYTES],
) -> fmt::Result {
    let key_blob = Blob::new().string(b"ssh-ed25519").string(&key.0);
    let signature_blob = Blob::new().string(b"ssh-ed25519").string(signature);
    let blob = Blob::new().raw(b"SSHSIG").raw(&1_u32.to_be_bytes()).string(key_blob.bytes());
    let blob = blob.string(namespace.as_bytes()).string(b"").string(b"sha512").string(signature_blob.bytes());
    out.write_str(BEGIN)?;
    // Of 70 columns, 52 and a half bytes fill one line; so letters are counted, not bytes.
    let mut column = 0;
    for group in blob.bytes().chunks(3) {
        for letter in letters(group) {
            if column == COLUMNS {
                out.write_char('\n')?;
                column = 0;
            }
            out.write_char(char::from(letter))?;
            column += 1;
        }
    }
    out.write_char('\n')?;
    out.write_str(END)
}

/// Returns the signature bytes of an armour if it is this key's in this namespace, and what follows the armour.
///
/// Whether the signature is good is for the caller to verify.
#[must_use]
pub fn signature_of<'a>(
    text: &'a [u8],
    namespace: &str,
    key: &PublicKey,
) -> Option<([u8; SIGNATURE_BYTES], &'a [u8])> {
    let body = text.strip_prefix(BEGIN.as_bytes())?;
    let length = body.windows(END.len()).position(|window| window == END.as_bytes())?;
    let (body, rest) = (body.get(..length)?, body.get(length + END.len()..)?);
    let signature = last_bytes(body)?;
    let mut expected = Rest(text);
    write(&mut expected, namespace, key, &signature).ok()?;
    (expected.0.len() == rest.len()).then_some((signature, rest))
}

/// Returns whose signature an armour claims to be in this namespace; [`signature_of`] says whether it is one.
#[must_use]
pub fn claimed_signer(text: &[u8], namespace: &str) -> Option<PublicKey> {
    let body = text.strip_prefix(BEGIN.as_bytes())?;
    let length = body.windows(END.len()).position(|window| window == END.as_bytes())?;
    let mut blob = [0; MAX_BLOB_BYTES];
    let length = decode(body.get(..length)?, &mut blob)?;
    // Every key's blob is as long, and the key stands at its end.
    let before =
        Blob::new().raw(b"SSHSIG").raw(&1_u32.to_be_bytes()).raw(&[0, 0, 0, 51]).string(b"ssh-ed25519");
    let before = before.raw(&32_u32.to_be_bytes());
    let (key, rest) = blob.get(..length)?.strip_prefix(before.bytes())?.split_first_chunk()?;
    let after = Blob::new().string(namespace.as_bytes());
    rest.starts_with(after.bytes()).then_some(PublicKey(*key))
}

/// Returns the last 64 bytes of base64 text.
fn last_bytes(text: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let mut blob = [0; MAX_BLOB_BYTES];
    let length = decode(text, &mut blob)?;
    blob.get(..length)?.last_chunk().copied()
}

/// Decodes base64 text and returns the length; anything that is not base64 is skipped, the comparison sees it.
fn decode(text: &[u8], blob: &mut [u8; MAX_BLOB_BYTES]) -> Option<usize> {
    let mut room = blob.iter_mut();
    let (mut bits, mut count, mut length) = (0_u32, 0, 0);
    for letter in text {
        let Some(value) = ALPHABET.iter().position(|other| other == letter) else { continue };
        (bits, count) = ((bits << 6 | value as u32) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            *room.next()? = (bits >> count & 0xff) as u8;
            length += 1;
        }
    }
    Some(length)
}

fn letters(group: &[u8]) -> [u8; 4] {
    let byte = |index: usize| group.get(index).copied().map_or(0, u32::from);
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let letter = |index: usize| {
        if index > group.len() {
            return b'=';
        }
        ALPHABET.get((bits >> (18 - 6 * index) & 63) as usize).copied().unwrap_or(b'=')
    };
    [letter(0), letter(1), letter(2), letter(3)]
}

/// What is still to be written.
struct Rest<'a>(&'a [u8]);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    const SPACE: &str = "capc.system.v1";

    fn armour() -> (PublicKey, [u8; 64], String) {
        let (key, signature) = (PublicKey([7; 32]), core::array::from_fn(|index| index as u8 * 3));
        let mut text = String::new();
        write(&mut text, SPACE, &key, &signature).unwrap();
        (key, signature, text)
    }

    #[test]
    fn an_armour_gives_back_its_signature() {
        let (key, signature, text) = armour();
        let two = text.repeat(2);
        assert_eq!(signature_of(two.as_bytes(), SPACE, &key), Some((signature, text.as_bytes())));
        assert!(text.lines().all(|line| line.len() <= 70));
        assert_eq!(claimed_signer(two.as_bytes(), SPACE), Some(key));
    }

    #[test]
    fn another_key_or_namespace_is_none() {
        let (key, _, text) = armour();
        assert_eq!(signature_of(text.as_bytes(), "capc.home.v1", &key), None);
        assert_eq!(signature_of(text.as_bytes(), SPACE, &PublicKey([8; 32])), None);
        assert_eq!(claimed_signer(text.as_bytes(), "capc.home.v1"), None);
    }

    #[test]
    fn a_changed_byte_is_another_signature_or_none() {
        let (key, signature, text) = armour();
        let mut text: Vec<u8> = text.into_bytes();
        for at in 0..text.len() {
            for flip in [1, 0x20, 0x80] {
                text[at] ^= flip;
                assert_ne!(
                    signature_of(&text, SPACE, &key).map(|found| found.0),
                    Some(signature),
                    "byte {at}"
                );
                text[at] ^= flip;
            }
            let cut = signature_of(&text[..at], SPACE, &key);
            assert_eq!(cut, None);
        }
        let spaced = String::from_utf8(text).unwrap().replacen('\n', " \n", 2);
        assert_eq!(signature_of(spaced.as_bytes(), SPACE, &key), None);
    }
}
