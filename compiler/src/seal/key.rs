//! Keys as OpenSSH writes them, and who may sign.

use capc_schemas::public_key::PublicKey;
use capc_schemas::seal::Seal;
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Some keys, and how many of them must sign.
///
/// INVARIANT: the keys ascend by their points, and the threshold is from 1 to their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    keys: Vec<PublicKey>,
    threshold: u32,
}

impl Signers {
    /// Returns keys of which so many must sign; none if there are not so many, or nobody must.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, threshold: u32) -> Option<Self> {
        let mut keys: Vec<PublicKey> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup_by_key(|key| key.point);
        (threshold > 0 && threshold as usize <= keys.len()).then_some(Self { keys, threshold })
    }

    /// Returns keys all of which must sign; none if there is no key.
    #[must_use]
    pub fn all(keys: &[PublicKey]) -> Option<Self> {
        let mut distinct = keys.to_vec();
        distinct.sort_unstable();
        distinct.dedup_by_key(|key| key.point);
        let threshold = u32::try_from(distinct.len()).ok()?;
        Self::new(distinct, threshold)
    }

    /// Returns who may sign what follows a SEAL.
    #[must_use]
    pub fn after(seal: &Seal<'_>) -> Option<Self> {
        Self::new(seal.signers(), seal.header.threshold)
    }

    /// Returns the keys, ascending.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Returns how many must sign.
    #[must_use]
    pub const fn threshold(&self) -> u32 {
        self.threshold
    }

    /// Returns whether enough of the keys are among those that signed.
    #[must_use]
    pub fn are_met_by(&self, signed: &[PublicKey]) -> bool {
        let good = self.keys.iter().filter(|key| signed.contains(key)).count();
        good >= self.threshold as usize
    }
}

/// Reads the key of an OpenSSH public key file (`ssh-ed25519 BASE64 comment`, or of a FIDO token
/// `sk-ssh-ed25519@openssh.com BASE64 comment`).
#[must_use]
pub fn public_key_of(text: &str) -> Option<PublicKey> {
    let mut words = text.trim_ascii_start().lines().next()?.split_ascii_whitespace();
    let (kind, base64) = (words.next()?, words.next()?);
    let key = PublicKey::of_blob(&decode(base64.trim_end_matches('='))?)?;
    // In the one spelling that OpenSSH takes, too.
    (line_of(&key).split_once(' ') == Some((kind, base64))).then_some(key)
}

/// Returns a key as OpenSSH writes it into files: its kind and BASE64.
#[must_use]
pub fn line_of(key: &PublicKey) -> String {
    let mut text = format!("{} {}", key.kind(), encode(key.blob().bytes()));
    // Padding (RFC 4648): four letters for three bytes.
    let padding = (3 - key.blob().bytes().len() % 3) % 3;
    text.extend(std::iter::repeat_n('=', padding));
    text
}

/// Returns a key's fingerprint as `ssh-keygen -l` prints it.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    format!("SHA256:{}", encode(&Sha256::digest(key.blob().bytes())))
}

/// Writes unpadded base64 (RFC 4648).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| group.get(index).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..=group.len() {
            let value = (bits >> (18 - 6 * index) & 63) as usize;
            text.extend(ALPHABET.get(value).copied().map(char::from));
        }
    }
    text
}

/// Reads unpadded base64.
fn decode(text: &str) -> Option<Vec<u8>> {
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
    use capc_schemas::wire::Blob;

    const TOKEN: &str = "sk-ssh-ed25519@openssh.com \
AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAILVJS0AZqyde8jfsIWLawE1iQJDevsSJiM78cAbaA1DqAAAABHNzaDo=";
    const TOKEN_PRINT: &str = "SHA256:GnIUM8ykawLRJLcJ5dBP1lSgtLF91dAsYYd+8j701DI";
    const GITHUB: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_public_key_file_of_openssh_is_read_and_written() {
        let key = public_key_of(&format!("{GITHUB} github\n")).unwrap();
        assert_eq!(line_of(&key), GITHUB);
        assert_eq!(public_key_of("ssh-rsa AAAA"), None);
        assert_eq!(public_key_of(&GITHUB.replace("ssh-", "sk-ssh-")), None);
        assert_eq!(public_key_of(&GITHUB.replace("GKJl", "GK")), None);
    }

    // As GitHub publishes it, and as `ssh-keygen -l` prints it.
    #[test]
    fn a_fingerprint_is_the_one_that_openssh_prints() {
        let key = public_key_of(GITHUB).unwrap();
        assert_eq!(fingerprint(&key), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
    }

    // As `ssh-keygen -t ed25519-sk` and `ssh-keygen -l` of OpenSSH 9.2 print them.
    #[test]
    fn a_fido_key_of_openssh_is_read_and_written() {
        let key = public_key_of(&format!("{TOKEN} token\n")).unwrap();
        assert_eq!(key.application.unwrap().text(), "ssh:");
        assert_eq!(line_of(&key), TOKEN);
        assert_eq!(fingerprint(&key), TOKEN_PRINT);
        assert_eq!(public_key_of(&TOKEN.replace("sk-ssh-ed25519@openssh.com", "ssh-ed25519")), None);
        for other in [TOKEN.replace('=', ""), format!("{TOKEN}="), TOKEN.replace(' ', "\n")] {
            assert_eq!(public_key_of(&other), None, "ssh-keygen does not read {other}");
        }
        let site = Blob::new().string(key.kind().as_bytes()).string(&key.point).string(b"https://a.example");
        assert_eq!(public_key_of(&format!("{} {}", key.kind(), encode(site.bytes()))), None);
    }

    #[test]
    fn a_threshold_is_met_by_distinct_keys_alone() {
        let [a, b, c] = [1, 2, 3].map(|byte| PublicKey::plain([byte; 32]));
        let signers = Signers::new([a, b, b], 2).unwrap();
        assert!(signers.are_met_by(&[a, b]));
        assert!(!signers.are_met_by(&[a, a]) && !signers.are_met_by(&[a, c]));
        assert_eq!((Signers::new([a], 0), Signers::new([a, a], 2), Signers::all(&[])), (None, None, None));
    }
}
