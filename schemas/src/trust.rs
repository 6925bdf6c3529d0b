//! What a launcher trusts: a record in its own image, written there when the trust root is introduced.
//!
//! The record is [`RECORD_BYTES`] long: [`MAGIC`], the text, then NULs.
//! A launcher without text in its record refuses everything.

use crate::line::{Field, Words, ascii, split_line, writes_line};
use crate::public_key::PublicKey;
use crate::seal::Scope;
use crate::token::{AbsPath, Digest};
use core::fmt::{self, Write as _};

/// The length of the record.
pub const RECORD_BYTES: usize = 4096;

/// What the record begins with; it stands once in a launcher's image.
pub const MAGIC: [u8; 16] = *b"CAPC-TRUST-REC1\n";

/// What stands once in a record.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Root<'a> {
    /// Whose generations it starts.
    pub scope: Scope<'a>,
    /// The digest of the machine.
    pub host: Digest,
    /// The file with the least number that may start.
    pub floor: AbsPath<'a>,
    /// The directory of facets.
    pub runtime: AbsPath<'a>,
    /// How many of the signers must have signed.
    pub threshold: u32,
}

/// What is wrong with a record.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no text in it.
    Empty,
    /// This line is none of a record, or is not where it belongs.
    Line(u32),
    /// The threshold is 0 or over the number of signers.
    Threshold,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Line(line) => write!(f, "line {line} is none of a record, or out of place"),
            Self::Threshold => f.write_str("its threshold is 0 or over the number of its signers"),
        }
    }
}

impl core::error::Error for Error {}

/// A whole record.
///
/// INVARIANT: made by [`Trust::parse`] alone, so the signers parse and ascend.
#[derive(Copy, Clone, Debug)]
pub struct Trust<'a> {
    /// What stands once.
    pub root: Root<'a>,
    signers: &'a str,
}

impl<'a> Trust<'a> {
    /// Reads the record; its magic is for those who search it in an image, and is not looked at.
    ///
    /// # Errors
    /// When its text is none; what is read would be written again byte for byte.
    pub fn parse(record: &'a [u8; RECORD_BYTES]) -> Result<Self, Error> {
        let text = record.get(MAGIC.len()..).unwrap_or(&[]);
        let length = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let (text, padding) = text.split_at_checked(length).ok_or(Error::Empty)?;
        if text.is_empty() || padding.iter().any(|byte| *byte != 0) {
            return Err(Error::Empty);
        }
        let (text, foreign) = ascii(text);
        let mut lines = Lines { rest: text, count: 0 };
        let root = Root {
            scope: lines.take("scope")?,
            host: lines.take("host")?,
            floor: lines.take("floor")?,
            runtime: lines.take("runtime")?,
            threshold: lines.take("threshold")?,
        };
        let signers = lines.rest;
        let mut before = None;
        while !lines.rest.is_empty() {
            let key: PublicKey = lines.take("signer")?;
            if before.is_some_and(|before: PublicKey| !before.is_before(&key)) {
                return Err(Error::Line(lines.count));
            }
            before = Some(key);
        }
        if !foreign.is_empty() {
            return Err(Error::Line(lines.count + 1));
        }
        let trust = Self { root, signers };
        let enough = root.threshold > 0 && root.threshold as usize <= trust.signers().count();
        if enough { Ok(trust) } else { Err(Error::Threshold) }
    }

    /// Returns the keys that may sign, ascending.
    pub fn signers(&self) -> impl Iterator<Item = PublicKey> + use<'a> {
        let mut lines = Lines { rest: self.signers, count: 0 };
        core::iter::from_fn(move || lines.take("signer").ok())
    }
}

/// Writes the text of a record; the signers must ascend.
///
/// # Errors
/// When `out` does.
pub fn write(
    out: &mut (impl fmt::Write + ?Sized),
    root: &Root<'_>,
    signers: impl IntoIterator<Item = PublicKey>,
) -> fmt::Result {
    let Root { scope, host, floor, runtime, threshold } = root;
    writeln!(out, "scope {scope}\nhost {host}\nfloor {floor}\nruntime {runtime}\nthreshold {threshold}")?;
    signers.into_iter().try_for_each(|key| writeln!(out, "signer {key}"))
}

/// Puts a text into a record; none if it does not fit.
#[must_use]
pub fn record_of(text: &str) -> Option<[u8; RECORD_BYTES]> {
    let mut record = [0; RECORD_BYTES];
    let (magic, rest) = record.split_at_mut_checked(MAGIC.len())?;
    magic.copy_from_slice(&MAGIC);
    // One NUL at least ends the text.
    let room = rest.split_last_mut()?.1;
    room.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(record)
}

/// The lines that are not read yet, and how many were.
struct Lines<'a> {
    rest: &'a str,
    count: u32,
}

impl<'a> Lines<'a> {
    fn take<F: Field<'a>>(&mut self, word: &str) -> Result<F, Error> {
        self.count += 1;
        let bad = Error::Line(self.count);
        let (line, after) = split_line(self.rest).ok_or(bad)?;
        let mut words = Words::new(line);
        if words.word() != Some(word) {
            return Err(bad);
        }
        let value: F = words.field().ok_or(bad)?;
        self.rest = after;
        if writes_line(line, |out| writeln!(out, "{word} {value}")) { Ok(value) } else { Err(bad) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    const WHOLE: &str = include_str!("../samples/v1/whole.trust");
    const FIDO: &str = include_str!("../samples/v1/fido.trust");

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let record = record_of(text).unwrap();
        let answer = Trust::parse(&record).map_or_else(|error| error.to_string(), |_| "read".to_string());
        assert!(answer.contains(expected), "{answer:?} does not say {expected:?}");
    }

    #[test]
    fn a_record_is_read_and_written_again_byte_for_byte() {
        for (text, signer_count) in [(WHOLE, 2), (FIDO, 3)] {
            let record = record_of(text).unwrap();
            let trust = Trust::parse(&record).unwrap();
            let mut written = String::new();
            write(&mut written, &trust.root, trust.signers()).unwrap();
            assert_eq!(written, text);
            assert_eq!(trust.signers().count(), signer_count);
        }
    }

    #[test]
    fn a_record_is_whole_or_refused() {
        check("", "empty");
        check(&WHOLE.replace("threshold 1", "threshold 3"), "threshold");
        check(&WHOLE.replace("threshold 1", "threshold 0"), "threshold");
        check(&WHOLE.replace("threshold 1", "threshold 01"), "line 5");
        check(&WHOLE.replace("floor /", "floor "), "line 3");
        check(&WHOLE[..WHOLE.len() - 1], "line 7");
        check(&(WHOLE.to_string() + "extra\n"), "line 8");
        let last = WHOLE.lines().last().unwrap();
        check(&(WHOLE.to_string() + last + "\n"), "line 8");
        check(&std::format!("{WHOLE}{last} ssh:\n"), "line 8");
        check(&FIDO.replace("ssh:root", "web:root"), "line 8");
        check(&FIDO.replace("ssh:root", "ssh: root"), "line 8");
        check(&FIDO.replace("ssh:\n", "ssh: \n"), "line 7");
        let mut record = record_of(WHOLE).unwrap();
        record[RECORD_BYTES - 1] = 1;
        assert!(Trust::parse(&record).is_err(), "nothing hides behind the padding");
        assert!(record_of(&"x".repeat(RECORD_BYTES - 16)).is_none());
    }
}
