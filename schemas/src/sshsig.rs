//! OpenSSH signatures (SSHSIG) of Ed25519 keys over SHA-512, as `ssh-keygen -Y sign` prints them.
//!
//! All but the 64 signature bytes, and the 5 in which a FIDO token speaks of the moment, is known in advance to whoever
//! knows the key, so nothing is parsed: the armour is rebuilt around those bytes and compared.
//! The format is OpenSSH's PROTOCOL.sshsig, and for FIDO keys PROTOCOL.u2f.

use crate::public_key::PublicKey;
use crate::wire::{Blob, MAX_BLOB_BYTES, split_string};
use core::fmt;

/// The longest signature file that is read.
pub const MAX_BYTES: usize = 1 << 14;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const COLUMNS: usize = 70;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What of a signature is not known in advance.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The signature itself.
    pub bytes: [u8; 64],
    /// What a FIDO token says of the moment; of no other key anything.
    pub moment: Option<Moment>,
}

impl Signature {
    /// Returns the signature of a key that no token holds.
    #[must_use]
    pub const fn plain(bytes: [u8; 64]) -> Self {
        Self { bytes, moment: None }
    }
}

/// What a FIDO token says, and signs, of the moment in which it signed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Whether somebody was there, and what else is so.
    pub flags: u8,
    /// How often it has signed, if it counts.
    pub counter: u32,
}

impl Moment {
    /// Somebody touched the token (UP).
    const PRESENT: u8 = 0x01;
    /// Who it is was verified, by a PIN or a finger (UV); the key can be, or is, kept in several places (BE, BS).
    const HARMLESS: u8 = 0x04 | 0x08 | 0x10;

    /// Returns whether somebody touched the token, and it says nothing that we do not know: the other flags announce data
    /// that no such signature has, or mean nothing yet (WebAuthn level 3, 6.1).
    #[must_use]
    pub const fn is_touched(self) -> bool {
        self.flags & !Self::HARMLESS == Self::PRESENT
    }

    fn bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.counter.to_be_bytes();
        [self.flags, a, b, c, d]
    }

    const fn of_bytes([flags, a, b, c, d]: [u8; 5]) -> Self {
        Self { flags, counter: u32::from_be_bytes([a, b, c, d]) }
    }
}

/// Returns what is to be signed: the message's SHA-512 digest with the names around it.
#[must_use]
pub fn signed_data(namespace: &str, message_sha512: &[u8; 64]) -> Blob {
    let blob = Blob::new().raw(b"SSHSIG").string(namespace.as_bytes());
    blob.string(b"").string(b"sha512").string(message_sha512)
}

/// Returns the bytes that a signature of this key over this data must verify over; none of a FIDO token that nobody touched.
///
/// A token signs the digests of application and data, with what it says of the moment between them.
#[must_use]
pub fn verified_bytes(
    key: &PublicKey,
    signature: &Signature,
    data: Blob,
    sha256: impl Fn(&[u8]) -> [u8; 32],
) -> Option<Blob> {
    match (&key.application, signature.moment) {
        (None, None) => Some(data),
        (Some(application), Some(moment)) if moment.is_touched() => {
            let blob = Blob::new().raw(&sha256(application.text().as_bytes())).raw(&moment.bytes());
            Some(blob.raw(&sha256(data.bytes())))
        }
        (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) => None,
    }
}

/// Writes the armoured signature.
///
/// # Errors
/// When `out` does, or the signature is not of the key's kind.
pub fn write(
    out: &mut (impl fmt::Write + ?Sized),
    namespace: &str,
    key: &PublicKey,
    signature: &Signature,
) -> fmt::Result {
    let signature_blob = Blob::new().string(key.kind().as_bytes()).string(&signature.bytes);
    let signature_blob = match (key.application, signature.moment) {
        (None, None) => signature_blob,
        (Some(_), Some(moment)) => signature_blob.raw(&moment.bytes()),
        (None, Some(_)) | (Some(_), None) => return Err(fmt::Error),
    };
    let blob = Blob::new().raw(b"SSHSIG").raw(&1_u32.to_be_bytes()).string(key.blob().bytes());
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

/// Returns the signature in an armour if it is this key's in this namespace, and what follows the armour.
///
/// Whether the signature is good is for the caller to verify.
#[must_use]
pub fn signature_of<'a>(text: &'a [u8], namespace: &str, key: &PublicKey) -> Option<(Signature, &'a [u8])> {
    let (body, rest) = split_armour(text)?;
    let mut blob = [0; MAX_BLOB_BYTES];
    let length = decode(body, &mut blob)?;
    let blob = blob.get(..length)?;
    let (blob, moment) = match key.application {
        None => (blob, None),
        Some(_) => {
            let (blob, moment) = blob.split_last_chunk()?;
            (blob, Some(Moment::of_bytes(*moment)))
        }
    };
    let signature = Signature { bytes: *blob.last_chunk()?, moment };
    let mut expected = Rest(text);
    write(&mut expected, namespace, key, &signature).ok()?;
    (expected.0.len() == rest.len()).then_some((signature, rest))
}

/// Returns whose signature an armour claims to be in this namespace; [`signature_of`] says whether it is one.
#[must_use]
pub fn claimed_signer(text: &[u8], namespace: &str) -> Option<PublicKey> {
    let (body, _) = split_armour(text)?;
    let mut blob = [0; MAX_BLOB_BYTES];
    let length = decode(body, &mut blob)?;
    let before = Blob::new().raw(b"SSHSIG").raw(&1_u32.to_be_bytes());
    let (key, rest) = split_string(blob.get(..length)?.strip_prefix(before.bytes())?)?;
    let after = Blob::new().string(namespace.as_bytes());
    if rest.starts_with(after.bytes()) { PublicKey::of_blob(key) } else { None }
}

/// Returns what stands between the first line of an armour and its last, and what follows that.
fn split_armour(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let body = text.strip_prefix(BEGIN.as_bytes())?;
    let length = body.windows(END.len()).position(|window| window == END.as_bytes())?;
    Some((body.get(..length)?, body.get(length + END.len()..)?))
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
    use crate::public_key::Application;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const SPACE: &str = "capc.system.v1";

    fn armours() -> [(PublicKey, Signature, String); 2] {
        let bytes = core::array::from_fn(|index| index as u8 * 3);
        let application = Application::new("ssh:root");
        let moment = Some(Moment { flags: 5, counter: 0x0102_0304 });
        [
            (PublicKey::plain([7; 32]), Signature::plain(bytes)),
            (PublicKey { point: [7; 32], application }, Signature { bytes, moment }),
        ]
        .map(|(key, signature)| {
            let mut text = String::new();
            write(&mut text, SPACE, &key, &signature).unwrap();
            (key, signature, text)
        })
    }

    #[test]
    fn an_armour_gives_back_its_signature() {
        for (key, signature, text) in armours() {
            let two = text.repeat(2);
            assert_eq!(signature_of(two.as_bytes(), SPACE, &key), Some((signature, text.as_bytes())));
            assert!(text.lines().all(|line| line.len() <= 70));
            assert_eq!(claimed_signer(two.as_bytes(), SPACE), Some(key));
        }
    }

    #[test]
    fn another_key_or_namespace_is_none() {
        let [plain, token] = armours();
        let other = PublicKey { application: Application::new("ssh:other"), ..token.0 };
        for ((key, _, text), [stranger, kin]) in [
            (&plain, [PublicKey::plain([8; 32]), token.0]),
            (&token, [PublicKey { point: [8; 32], ..token.0 }, plain.0]),
            (&token, [other, PublicKey::plain([8; 32])]),
        ] {
            assert_eq!(signature_of(text.as_bytes(), "capc.home.v1", key), None);
            assert_eq!(signature_of(text.as_bytes(), SPACE, &stranger), None);
            assert_eq!(signature_of(text.as_bytes(), SPACE, &kin), None);
            assert_eq!(claimed_signer(text.as_bytes(), "capc.home.v1"), None);
        }
    }

    #[test]
    fn a_changed_byte_is_another_signature_or_none() {
        for (key, signature, text) in armours() {
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

    #[test]
    fn a_token_is_believed_when_somebody_touched_it_and_it_says_nothing_unknown() {
        let known = |flags: &u8| Moment { flags: *flags, counter: 0 }.is_touched();
        let good: Vec<u8> = (0..=255).filter(known).collect();
        assert_eq!(good, [0x01, 0x05, 0x09, 0x0d, 0x11, 0x15, 0x19, 0x1d]);
        let [plain, token] = armours();
        let bytes = |key: &PublicKey, signature: &Signature| {
            let sha256 = |bytes: &[u8]| [bytes.len() as u8; 32];
            verified_bytes(key, signature, Blob::new().raw(b"data"), sha256).map(|blob| blob.bytes().to_vec())
        };
        assert_eq!(bytes(&plain.0, &plain.1).unwrap(), b"data");
        let signed = [&[8; 32][..], &[5, 1, 2, 3, 4], &[4; 32]].concat();
        assert_eq!(bytes(&token.0, &token.1).unwrap(), signed);
        let absent = Signature { moment: Some(Moment { flags: 4, counter: 1 }), ..token.1 };
        assert_eq!(bytes(&token.0, &absent), None);
        assert_eq!((bytes(&plain.0, &token.1), bytes(&token.0, &plain.1)), (None, None));
        let mut out = String::new();
        assert!(write(&mut out, SPACE, &plain.0, &token.1).is_err());
        assert!(write(&mut out, SPACE, &token.0, &plain.1).is_err());
    }

    #[test]
    fn the_longest_names_have_room() {
        let application = Application::new(&("ssh:".to_string() + &"x".repeat(60)));
        let key = PublicKey { point: [7; 32], application };
        let signature = Signature { bytes: [9; 64], moment: Some(Moment { flags: 1, counter: 7 }) };
        let mut text = String::new();
        write(&mut text, SPACE, &key, &signature).unwrap();
        assert_eq!(signature_of(text.as_bytes(), SPACE, &key), Some((signature, &b""[..])));
    }
}
