//! The keys that generations are signed by: Ed25519, held in a file or an agent, or by a FIDO token.

use crate::token::{read_hex, write_hex};
use crate::wire::{Blob, split_string};
use core::fmt;

/// The longest name of what a FIDO token signs for.
pub const MAX_APPLICATION_BYTES: usize = 64;

/// What OpenSSH calls a key that no token holds.
pub const PLAIN: &str = "ssh-ed25519";
/// What it calls one in a FIDO token (PROTOCOL.u2f).
pub const FIDO: &str = "sk-ssh-ed25519@openssh.com";

/// A public key; in order of its point.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    /// The 32 bytes that verify, wherever the private half is.
    pub point: [u8; 32],
    /// What a FIDO token signs for with it; none of a key that no token holds.
    pub application: Option<Application>,
}

impl PublicKey {
    /// Returns the key that no token holds.
    #[must_use]
    pub const fn plain(point: [u8; 32]) -> Self {
        Self { point, application: None }
    }

    /// Returns whether it stands before another one in a list of signers: by their points alone, so that one point, under
    /// two kinds or applications, never counts twice.
    #[must_use]
    pub fn is_before(&self, next: &Self) -> bool {
        self.point < next.point
    }

    /// Returns what OpenSSH calls a key of its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.application {
            None => PLAIN,
            Some(_) => FIDO,
        }
    }

    /// Returns the key as SSH sends it.
    #[must_use]
    pub fn blob(&self) -> Blob {
        let blob = Blob::new().string(self.kind().as_bytes()).string(&self.point);
        match &self.application {
            None => blob,
            Some(application) => blob.string(application.text().as_bytes()),
        }
    }

    /// Reads a key as SSH sends it, from its first byte to its last.
    #[must_use]
    pub fn of_blob(blob: &[u8]) -> Option<Self> {
        let (kind, rest) = split_string(blob)?;
        let (point, rest) = split_string(rest)?;
        let (application, rest) = match (kind == FIDO.as_bytes(), kind == PLAIN.as_bytes()) {
            (true, _) => {
                let (name, rest) = split_string(rest)?;
                (Some(Application::new(core::str::from_utf8(name).ok()?)?), rest)
            }
            (_, true) => (None, rest),
            (false, false) => return None,
        };
        let key = Self { point: point.try_into().ok()?, application };
        rest.is_empty().then_some(key)
    }

    /// Reads a key as it stands in a line: 64 hexadecimal digits, and of a FIDO key its application after a blank.
    #[must_use]
    pub fn parse(point: &str, application: Option<&str>) -> Option<Self> {
        let application = match application {
            None => None,
            Some(name) => Some(Application::new(name)?),
        };
        Some(Self { point: read_hex(point)?, application })
    }
}

/// Writes it as it stands in a line.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.point, f)?;
        match &self.application {
            None => Ok(()),
            Some(application) => {
                f.write_str(" ")?;
                f.write_str(application.text())
            }
        }
    }
}

/// What a FIDO token signs for with a key, as it was named when the key was made: `ssh:` and up to 60 more of the bytes
/// `!` to `~`.
///
/// OpenSSH makes keys for nothing else than `ssh:`; what a token signs for a web site begins otherwise.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Application {
    // INVARIANT: NUL behind the length.
    bytes: [u8; MAX_APPLICATION_BYTES],
    length: u8,
}

impl Application {
    /// Returns the application, if it is one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; MAX_APPLICATION_BYTES];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        let is_one = name.starts_with("ssh:") && name.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then_some(Self { bytes, length: name.len() as u8 })
    }

    /// Returns its name.
    #[must_use]
    pub fn text(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn fido(name: &str) -> PublicKey {
        PublicKey { point: [7; 32], application: Application::new(name) }
    }

    #[track_caller]
    fn parsed(line: &str) -> Option<PublicKey> {
        let (point, application) =
            line.split_once(' ').map_or((line, None), |(point, rest)| (point, Some(rest)));
        PublicKey::parse(point, application)
    }

    #[test]
    fn both_kinds_are_written_and_read_back() {
        for key in [PublicKey::plain([7; 32]), fido("ssh:"), fido(&("ssh:".to_string() + &"x".repeat(60)))] {
            assert_eq!(parsed(&key.to_string()), Some(key));
            let blob = key.blob();
            assert_eq!(PublicKey::of_blob(blob.bytes()), Some(key));
            for cut in 0..blob.bytes().len() {
                assert_ne!(PublicKey::of_blob(&blob.bytes()[..cut]), Some(key));
            }
            assert_eq!(PublicKey::of_blob(&[blob.bytes(), &[0]].concat()), None);
        }
        assert_eq!(PublicKey::plain([0xf0; 32]).to_string(), "f0".repeat(32));
        assert_eq!(fido("ssh:root").to_string(), "07".repeat(32) + " ssh:root");
    }

    #[test]
    fn an_application_is_short_printable_and_of_ssh() {
        for name in ["", "ssh", "https://example.org", "ssh: ", "ssh:\n", "ssh:\u{e9}", "ssh:\0", "SSH:"] {
            assert_eq!(Application::new(name), None, "{name}");
        }
        let long: String = "ssh:".to_string() + &"x".repeat(61);
        assert_eq!(Application::new(&long), None);
        let hex = "07".repeat(32);
        for line in [" ", " ssh: ", " ssh: ssh:", " web:", "  ssh:"] {
            assert_eq!(parsed(&(hex.clone() + line)), None, "{line:?}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_none() {
        let blob = |kind: &[u8], point: &[u8]| {
            let blob = Blob::new().string(kind).string(point).string(b"ssh:");
            PublicKey::of_blob(blob.bytes())
        };
        assert!(blob(FIDO.as_bytes(), &[7; 32]).is_some());
        assert_eq!(blob(PLAIN.as_bytes(), &[7; 32]), None);
        assert_eq!(blob(b"sk-ecdsa-sha2-nistp256@openssh.com", &[7; 32]), None);
        assert_eq!(blob(b"sk-ssh-ed25519-cert-v01@openssh.com", &[7; 32]), None);
        assert_eq!(blob(FIDO.as_bytes(), &[7; 31]), None);
    }

    #[test]
    fn one_point_does_not_stand_twice_in_a_list() {
        let (plain, token) = (PublicKey::plain([7; 32]), fido("ssh:"));
        assert!(!plain.is_before(&token) && !token.is_before(&plain) && !token.is_before(&fido("ssh:b")));
        assert!(PublicKey::plain([6; 32]).is_before(&token));
    }
}
