//! Words: byte strings written without blanks, absolute and relative paths, digests.
//!
//! A byte outside `!`..`~`, and `%` itself, is written `%XX`; the empty string is a lone `%`.

use core::fmt;

/// The longest path, as the kernel has it without the final NUL.
pub const MAX_PATH_BYTES: usize = 4095;

/// A byte string, either raw or as it stands in a line; equal if the bytes are.
#[derive(Copy, Clone)]
pub struct Token<'a>(Form<'a>);

#[derive(Copy, Clone)]
enum Form<'a> {
    Raw(&'a [u8]),
    // INVARIANT: made by `parse` alone, so every `%` has two upper-case hexadecimal digits after it.
    Written(&'a str),
}

impl<'a> Token<'a> {
    /// Returns the token that stands for these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(Form::Raw(bytes))
    }

    /// Reads a token as it stands in a line; none if it is not written in the one way.
    #[must_use]
    pub fn parse(word: &'a str) -> Option<Self> {
        if word == "%" {
            return Some(Self(Form::Raw(&[])));
        }
        if word.is_empty() {
            return None;
        }
        let mut rest = word.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            rest = match *first {
                b'%' => {
                    let (high, low) = (nibble(*tail.first()?)?, nibble(*tail.get(1)?)?);
                    if is_plain(high << 4 | low) {
                        return None;
                    }
                    tail.get(2..)?
                }
                byte if is_plain(byte) => tail,
                _ => return None,
            };
        }
        Some(Self(Form::Written(word)))
    }

    /// Returns the bytes it stands for.
    pub fn bytes(self) -> impl Iterator<Item = u8> + Clone + 'a {
        let (text, escapes) = match self.0 {
            Form::Raw(bytes) => (bytes, false),
            Form::Written(text) => (text.as_bytes(), true),
        };
        let mut rest = text.iter().copied();
        core::iter::from_fn(move || match rest.next()? {
            b'%' if escapes => Some(nibble(rest.next()?)? << 4 | nibble(rest.next()?)?),
            byte => Some(byte),
        })
    }

    /// Returns how many bytes it stands for.
    #[must_use]
    pub fn byte_count(self) -> usize {
        match self.0 {
            Form::Raw(bytes) => bytes.len(),
            Form::Written(text) => text.len() - 2 * text.bytes().filter(|byte| *byte == b'%').count(),
        }
    }

    /// Writes the bytes to the front of `buffer` and returns them; none if they do not fit.
    pub fn copy_to(self, buffer: &mut [u8]) -> Option<&mut [u8]> {
        let place = buffer.get_mut(..self.byte_count())?;
        place.iter_mut().zip(self.bytes()).for_each(|(to, byte)| *to = byte);
        Some(place)
    }

    /// Returns whether a byte is among those it stands for.
    #[must_use]
    pub fn has(self, byte: u8) -> bool {
        self.bytes().any(|other| other == byte)
    }
}

impl PartialEq for Token<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}
impl Eq for Token<'_> {}
impl PartialEq<[u8]> for Token<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.bytes().eq(other.iter().copied())
    }
}
impl PartialOrd for Token<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Token<'_> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.bytes().cmp(other.bytes())
    }
}
impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// Writes it as it stands in a line.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self.0 {
            Form::Written(text) => return f.write_str(text),
            Form::Raw([]) => return f.write_str("%"),
            Form::Raw(bytes) => bytes,
        };
        for run in bytes.split_inclusive(|byte| !is_plain(*byte)) {
            match run.split_last() {
                Some((last, plain)) if !is_plain(*last) => {
                    f.write_str(core::str::from_utf8(plain).map_err(|_| fmt::Error)?)?;
                    write!(f, "%{last:02X}")?;
                }
                _ => f.write_str(core::str::from_utf8(run).map_err(|_| fmt::Error)?)?,
            }
        }
        Ok(())
    }
}

/// Returns whether a byte stands for itself.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'%'
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// An absolute path in its shortest form: no empty, `.` or `..` component, no NUL, no final slash but in `/` itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbsPath<'a>(Token<'a>);

impl<'a> AbsPath<'a> {
    /// Returns the path, if it is one.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        Self::from_token(Token::new(bytes))
    }

    /// Returns the path that a token stands for, if it is one.
    #[must_use]
    pub fn from_token(token: Token<'a>) -> Option<Self> {
        if token.byte_count() > MAX_PATH_BYTES {
            return None;
        }
        let mut bytes = token.bytes();
        if bytes.next()? != b'/' {
            return None;
        }
        if token.byte_count() == 1 {
            return Some(Self(token));
        }
        // Length of the component so far, and whether it is dots alone.
        let (mut length, mut dots) = (0_usize, true);
        for byte in bytes.chain(core::iter::once(b'/')) {
            match byte {
                0 => return None,
                b'/' if length == 0 || (dots && length <= 2) => return None,
                b'/' => (length, dots) = (0, true),
                byte => (length, dots) = (length + 1, dots && byte == b'.'),
            }
        }
        Some(Self(token))
    }

    /// Returns the token that it is.
    #[must_use]
    pub const fn token(self) -> Token<'a> {
        self.0
    }
}

impl fmt::Display for AbsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A path beneath a generation, and the path of an object: of `A-Z a-z 0-9 . _ + - /` alone, relative, with no empty,
/// `.` or `..` component.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelPath<'a>(&'a str);

impl<'a> RelPath<'a> {
    /// Returns the path, if it is one.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-/".contains(&byte);
        let fits = text.len() <= MAX_PATH_BYTES && text.bytes().all(plain);
        (fits && text.split('/').all(|part| !matches!(part, "" | "." | ".."))).then_some(Self(text))
    }

    /// Returns its text.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for RelPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A [`RelPath`] of one component, so that no two of them lie inside each other.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// Returns the key, if it is one.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let path = RelPath::new(text)?;
        (!path.text().contains('/')).then_some(Self(text))
    }

    /// Returns its text.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A SHA-256 digest.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        read_hex(word).map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// Reads 64 lower-case hexadecimal digits.
pub(crate) fn read_hex(word: &str) -> Option<[u8; 32]> {
    // Without a branch, for no processor foresees which digits a digest has.
    let mut are_digits = 1;
    let mut digit = |byte: u8| {
        let (number, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
        let (is_number, is_letter) = (u8::from(number < 10), u8::from(letter < 6));
        are_digits &= is_number | is_letter;
        number.wrapping_mul(is_number) | letter.wrapping_add(10).wrapping_mul(is_letter)
    };
    let (pairs, rest) = word.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high) << 4 | digit(*low);
    }
    (are_digits == 1).then_some(bytes)
}

/// Writes 64 lower-case hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    f.write_str(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn every_byte_string_is_written_and_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&b""[..], b"a", b"%", b"a b", b"%20", b"\n", &all] {
            let written = Token::new(bytes).to_string();
            assert!(written.bytes().all(|byte| matches!(byte, 0x21..=0x7e)));
            let read = Token::parse(&written).unwrap();
            assert_eq!(read.bytes().collect::<Vec<_>>(), bytes);
            assert_eq!(read.byte_count(), bytes.len());
            assert_eq!(read, Token::new(bytes));
            assert_eq!(read.to_string(), written);
        }
    }

    #[test]
    fn a_token_written_in_a_second_way_is_refused() {
        for word in ["", "%41", "%2f", "%2", "a%", "%%", "%0a", "a b", "%7E", "\u{e9}", "\u{7f}"] {
            assert_eq!(Token::parse(word), None, "{word}");
        }
        assert!(Token::parse("%25").is_some() && Token::parse("%7F").is_some());
    }

    #[test]
    fn only_shortest_paths_are_paths() {
        for path in ["/", "/a", "/a/b c", "/...", "/.a", "/a/..b"] {
            assert!(AbsPath::new(path.as_bytes()).is_some(), "{path}");
        }
        for path in ["", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/./b", "/a/..", "/a\0"] {
            assert!(AbsPath::new(path.as_bytes()).is_none(), "{path}");
        }
        let long = [b"/".as_slice(), &[b'a'; 4095]].concat();
        assert!(AbsPath::new(&long).is_none() && AbsPath::new(&long[..4095]).is_some());
        for path in ["a", "shop/nginx", "a+b_c-1.0"] {
            assert!(RelPath::new(path).is_some(), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", ".", "a/..", "a b", "a%20", "\u{e9}"] {
            assert!(RelPath::new(path).is_none(), "{path}");
        }
        assert!(Key::new("greeter.hello").is_some() && Key::new("a/b").is_none());
    }

    #[test]
    fn digests_are_lower_case_and_of_one_length() {
        let word = "00ff".repeat(16);
        assert_eq!(Digest::parse(&word).unwrap().to_string(), word);
        for wrong in ["", &word[1..], &word.to_uppercase(), &(word.clone() + "0")] {
            assert_eq!(Digest::parse(wrong), None);
        }
    }
}
