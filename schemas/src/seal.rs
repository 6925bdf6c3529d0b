//! The index of a generation: a header that says whose it is and what it follows, then a digest for every file.
//!
//! It is a valid SHA256SUMS file, so that `sha256sum --strict -c SEAL` checks a generation without capc.

use crate::line::{Field, Words, ascii, split_line, writes_line};
use crate::public_key::PublicKey;
use crate::token::{Digest, RelPath, Token};
use crate::words;
use core::fmt::{self, Write as _};

/// The longest SEAL that is read.
pub const MAX_BYTES: usize = 1 << 20;

/// The version of the format.
pub const VERSION: u32 = 1;

/// What the host digest is taken over, before the machine id.
pub const HOST_PREFIX: &[u8] = b"capc-host\n";

words! {
    /// Whose machine part a generation rules.
    ScopeKind {
        /// The whole machine.
        System = "system",
        /// One person's services.
        Home = "home",
    }
}

impl ScopeKind {
    /// Returns the namespace that signatures of the scope are made in.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::System => "capc.system.v1",
            Self::Home => "capc.home.v1",
        }
    }
}

/// Whose generation it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// System or home.
    pub kind: ScopeKind,
    /// The name after that word.
    pub name: Token<'a>,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl<'a> Field<'a> for Scope<'a> {
    fn read(words: &mut Words<'a>) -> Option<Self> {
        Some(Self { kind: words.field()?, name: words.field()? })
    }
}

/// The generation before.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Previous {
    /// There is none; this is number 1.
    First,
    /// The one before.
    Generation {
        /// Its number, one less than this one's.
        number: u64,
        /// The digest of its SEAL.
        digest: Digest,
    },
}

impl fmt::Display for Previous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("0 -"),
            Self::Generation { number, digest } => write!(f, "{number} {digest}"),
        }
    }
}

impl<'a> Field<'a> for Previous {
    fn read(words: &mut Words<'a>) -> Option<Self> {
        match (words.field()?, words.word()?) {
            (0, "-") => Some(Self::First),
            (number, word) => Some(Self::Generation { number, digest: Digest::parse(word)? }),
        }
    }
}

/// What stands once at the top of a SEAL.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Whose generation it is.
    pub scope: Scope<'a>,
    /// The digest of the machine that it is for.
    pub host: Digest,
    /// Its number, from 1.
    pub number: u64,
    /// The generation before.
    pub previous: Previous,
    /// The generation whose content a rollback restores.
    pub content_of: Option<u64>,
    /// How many of the signers must sign the next generation.
    pub threshold: u32,
    /// The version of the compiler.
    pub compiler: Token<'a>,
}

/// A configuration file that was compiled.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its name relative to the first one's directory.
    pub name: Token<'a>,
}

/// A file of the generation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its path beneath the generation.
    pub path: RelPath<'a>,
}

/// What is wrong with a SEAL.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Over [`MAX_BYTES`].
    TooLong,
    /// This line is none of a SEAL, or is not where it belongs.
    Line(u32),
    /// The number does not follow the previous one.
    Number,
    /// The threshold is 0 or over the number of signers.
    Threshold,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {MAX_BYTES} bytes"),
            Self::Line(line) => write!(f, "line {line} is none of a SEAL, or out of place"),
            Self::Number => f.write_str("its number does not follow the previous one"),
            Self::Threshold => f.write_str("its threshold is 0 or over the number of its signers"),
        }
    }
}

impl core::error::Error for Error {}

/// A whole SEAL.
///
/// INVARIANT: made by [`Seal::parse`] alone, so signers, sources and entries all parse, and ascend without repetition.
#[derive(Copy, Clone, Debug)]
pub struct Seal<'a> {
    /// What stands once.
    pub header: Header<'a>,
    signers: &'a str,
    sources: &'a str,
    entries: &'a str,
}

impl<'a> Seal<'a> {
    /// Reads a SEAL.
    ///
    /// # Errors
    /// When it is none; what is read would be written again byte for byte.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(Error::TooLong);
        }
        let (text, foreign) = ascii(text);
        let mut lines = Lines { rest: text, count: 0 };
        let version: u32 = lines.header("capc-seal")?;
        if version != VERSION {
            return Err(Error::Line(1));
        }
        let scope = lines.header("scope")?;
        let host = lines.header("host")?;
        let number = lines.header("number")?;
        let previous = lines.header("previous")?;
        let content_of = lines.optional("content-of")?;
        let threshold = lines.header("threshold")?;
        let (signers, signer_count) = lines.ascending(read_signer)?;
        let compiler = lines.header("compiler")?;
        let (sources, source_count) = lines.ascending(read_source)?;
        let (entries, _) = lines.ascending(read_entry)?;
        if !lines.rest.is_empty() || !foreign.is_empty() || source_count == 0 {
            return Err(Error::Line(lines.count + 1));
        }
        let follows = match previous {
            Previous::First => number == 1,
            Previous::Generation { number: before, .. } => {
                before > 0 && before.checked_add(1) == Some(number)
            }
        };
        if !follows {
            return Err(Error::Number);
        }
        if threshold == 0 || threshold > signer_count {
            return Err(Error::Threshold);
        }
        let header = Header { scope, host, number, previous, content_of, threshold, compiler };
        Ok(Self { header, signers, sources, entries })
    }

    /// Returns the keys that may sign the next generation, ascending.
    pub fn signers(&self) -> impl Iterator<Item = PublicKey> + use<'a> {
        each(self.signers, read_signer)
    }

    /// Returns the configuration files, by name.
    pub fn sources(&self) -> impl Iterator<Item = Source<'a>> + use<'a> {
        each(self.sources, read_source)
    }

    /// Returns the files of the generation, by path.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        each(self.entries, read_entry)
    }

    /// Returns what the file at this path beneath the generation must hold.
    #[must_use]
    pub fn digest_of(&self, path: RelPath<'_>) -> Option<Digest> {
        // Text first, so that a thousand digests need not be read to find one.
        let mut rest = self.entries;
        while let Some((line, after)) = split_line(rest) {
            if line.split_once("  ").is_some_and(|(_, name)| name == path.text()) {
                return read_entry(line).map(|entry| entry.digest);
            }
            rest = after;
        }
        None
    }
}

/// Writes a SEAL; signers, sources and entries must ascend by key, name and path.
///
/// # Errors
/// When `out` does.
pub fn write<'a>(
    out: &mut (impl fmt::Write + ?Sized),
    header: &Header<'_>,
    signers: impl IntoIterator<Item = PublicKey>,
    sources: impl IntoIterator<Item = Source<'a>>,
    entries: impl IntoIterator<Item = Entry<'a>>,
) -> fmt::Result {
    let Header { scope, host, number, previous, content_of, threshold, compiler } = header;
    writeln!(
        out,
        "# capc-seal {VERSION}\n# scope {scope}\n# host {host}\n# number {number}\n# previous {previous}"
    )?;
    if let Some(number) = content_of {
        writeln!(out, "# content-of {number}")?;
    }
    writeln!(out, "# threshold {threshold}")?;
    signers.into_iter().try_for_each(|key| write_signer(&mut *out, &key))?;
    writeln!(out, "# compiler {compiler}")?;
    sources.into_iter().try_for_each(|source| write_source(&mut *out, &source))?;
    entries.into_iter().try_for_each(|entry| write_entry(&mut *out, &entry))
}

fn write_signer(out: &mut (impl fmt::Write + ?Sized), key: &PublicKey) -> fmt::Result {
    writeln!(out, "# signer {key}")
}

fn write_source(out: &mut (impl fmt::Write + ?Sized), source: &Source<'_>) -> fmt::Result {
    writeln!(out, "# source {} {}", source.digest, source.name)
}

fn write_entry(out: &mut (impl fmt::Write + ?Sized), entry: &Entry<'_>) -> fmt::Result {
    writeln!(out, "{}  {}", entry.digest, entry.path)
}

fn read_signer(line: &str) -> Option<PublicKey> {
    let key = Words::new(line.strip_prefix("# signer ")?).field()?;
    writes_line(line, |out| write_signer(out, &key)).then_some(key)
}

fn read_source(line: &str) -> Option<Source<'_>> {
    let mut words = Words::new(line.strip_prefix("# source ")?);
    let source = Source { digest: words.field()?, name: words.field()? };
    writes_line(line, |out| write_source(out, &source)).then_some(source)
}

fn read_entry(line: &str) -> Option<Entry<'_>> {
    // Not compared with its re-emission, for there are many: a digest is written in one way, and the path is its own text.
    let (digest, path) = line.split_at_checked(64)?;
    Some(Entry { digest: Digest::parse(digest)?, path: RelPath::new(path.strip_prefix("  ")?)? })
}

/// What a run of lines ascends by.
trait Rank: Copy {
    fn is_before(self, next: Self) -> bool;
}
impl Rank for PublicKey {
    fn is_before(self, next: Self) -> bool {
        PublicKey::is_before(&self, &next)
    }
}
impl Rank for Source<'_> {
    fn is_before(self, next: Self) -> bool {
        self.name < next.name
    }
}
impl Rank for Entry<'_> {
    fn is_before(self, next: Self) -> bool {
        self.path < next.path
    }
}

fn each<'a, T>(text: &'a str, read: impl Fn(&'a str) -> Option<T>) -> impl Iterator<Item = T> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (line, after) = split_line(rest)?;
        rest = after;
        read(line)
    })
}

/// The lines that are not read yet, and how many were.
struct Lines<'a> {
    rest: &'a str,
    count: u32,
}

impl<'a> Lines<'a> {
    fn header<F: Field<'a>>(&mut self, word: &str) -> Result<F, Error> {
        self.optional(word)?.ok_or(Error::Line(self.count + 1))
    }

    fn optional<F: Field<'a>>(&mut self, word: &str) -> Result<Option<F>, Error> {
        let bad = Error::Line(self.count + 1);
        let (line, after) = split_line(self.rest).ok_or(bad)?;
        let mut words = Words::new(line);
        if words.word() != Some("#") || words.word() != Some(word) {
            return Ok(None);
        }
        let value: F = words.field().ok_or(bad)?;
        if !writes_line(line, |out| writeln!(out, "# {word} {value}")) {
            return Err(bad);
        }
        (self.rest, self.count) = (after, self.count + 1);
        Ok(Some(value))
    }

    /// Takes the lines that `read` reads, which must ascend; returns them and their number.
    fn ascending<T: Rank>(&mut self, read: impl Fn(&'a str) -> Option<T>) -> Result<(&'a str, u32), Error> {
        let (start, mut before, mut taken) = (self.rest, None, 0);
        while let Some((line, after)) = split_line(self.rest) {
            let Some(item) = read(line) else { break };
            if before.is_some_and(|before: T| !before.is_before(item)) {
                return Err(Error::Line(self.count + 1));
            }
            before = Some(item);
            taken += 1;
            (self.rest, self.count) = (after, self.count + 1);
        }
        let run = start.get(..start.len() - self.rest.len()).ok_or(Error::Line(self.count + 1))?;
        Ok((run, taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const WHOLE: &str = include_str!("../samples/v1/whole.seal");
    const FIDO: &str = include_str!("../samples/v1/fido.seal");

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let answer =
            Seal::parse(text.as_bytes()).map_or_else(|error| error.to_string(), |_| "read".to_string());
        assert!(answer.contains(expected), "{answer:?} does not say {expected:?}");
    }

    fn rewritten(seal: &Seal) -> String {
        let mut written = String::new();
        write(&mut written, &seal.header, seal.signers(), seal.sources(), seal.entries()).unwrap();
        written
    }

    #[test]
    fn a_seal_is_read_and_written_again_byte_for_byte() {
        let seal = Seal::parse(WHOLE.as_bytes()).unwrap();
        assert_eq!(rewritten(&seal), WHOLE);
        assert_eq!(seal.header.scope.name, *b"alpha".as_slice());
        assert_eq!((seal.signers().count(), seal.sources().count(), seal.entries().count()), (2, 2, 3));
        let path = RelPath::new("manifests/shop/nginx").unwrap();
        assert_eq!(seal.digest_of(path).unwrap().to_string(), "44".repeat(32));
        assert_eq!(seal.digest_of(RelPath::new("manifests/shop").unwrap()), None);
    }

    #[test]
    fn a_seal_names_fido_keys_and_others_in_one_order() {
        let seal = Seal::parse(FIDO.as_bytes()).unwrap();
        assert_eq!(rewritten(&seal), FIDO);
        let applications: Vec<bool> = seal.signers().map(|key| key.application.is_some()).collect();
        assert_eq!(applications, [false, true, true]);
        // The same point twice is no second signer.
        let point = "33".repeat(32);
        check(&FIDO.replace(&"34".repeat(32), &point), "line 9");
        check(&FIDO.replace("ssh:root", "web:root"), "line 10");
    }

    #[test]
    fn no_changed_byte_reads_as_the_same_seal() {
        let mut text = FIDO.as_bytes().to_vec();
        for at in 0..text.len() {
            for flip in [1, 2, 0x20, 0x80] {
                text[at] ^= flip;
                if let Ok(seal) = Seal::parse(&text) {
                    assert_eq!(rewritten(&seal).as_bytes(), text);
                }
                text[at] ^= flip;
            }
        }
        let whole_lines = |length: usize| text[..length].ends_with(b"\n") && text[..length].contains(&b'c');
        let cuts: Vec<usize> = (0..text.len()).filter(|cut| Seal::parse(&text[..*cut]).is_ok()).collect();
        assert!(
            cuts.iter().all(|cut| whole_lines(*cut)),
            "only whole entries can be cut off, which the signature sees"
        );
    }

    #[test]
    fn order_numbers_and_thresholds_hold() {
        check(&WHOLE.replace("# number 7", "# number 8"), "does not follow");
        check(&WHOLE.replace("# number 7", "# number 07"), "line 4");
        check(&WHOLE.replace("# threshold 1", "# threshold 0"), "threshold");
        check(&WHOLE.replace("# threshold 1", "# threshold 3"), "threshold");
        check(&WHOLE.replace("# threshold 1", "# threshold 2"), "read");
        check(&WHOLE.replace("# content-of 3\n", ""), "read");
        check(&WHOLE.replace("capc-seal 1", "capc-seal 2"), "line 1");
        check(&WHOLE.replace("init/plan.json", "manifests/zzz"), "line 14");
        check(&WHOLE.replace("init/plan.json", "init/../plan.json"), "line 13");
        check(&WHOLE.replace("init/plan.json", "manifests/shop/nginx"), "line 14");
        check(&WHOLE.replace("# host", "# owner"), "line 3");
        check(&(WHOLE.to_string() + "x"), "line 16");
        check("", "line 1");
        let first = WHOLE.replace(&std::format!("# previous 6 {}", "22".repeat(32)), "# previous 0 -");
        check(&first, "does not follow");
        check(&first.replace("# number 7", "# number 1"), "read");
    }
}
