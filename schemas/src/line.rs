//! Lines that are read field by field and then compared with their own re-emission.
//!
//! Comparing makes strictness hold by construction: leading zeros, doubled blanks and other second spellings
//! differ from what would be written, so no reader of a field needs to think of them.

use crate::public_key::PublicKey;
use crate::token::{AbsPath, Digest, Key, RelPath, Token};
use core::fmt;

/// The words of one line that are not read yet.
pub struct Words<'a>(Option<&'a str>);

impl<'a> Words<'a> {
    /// Returns the words of a line without its newline.
    #[must_use]
    pub const fn new(line: &'a str) -> Self {
        Self(Some(line))
    }

    /// Returns the next word.
    pub fn word(&mut self) -> Option<&'a str> {
        let line = self.0?;
        // Words are short, so looking at byte after byte is faster than `split_once`.
        let end = line.bytes().position(|byte| byte == b' ').unwrap_or(line.len());
        self.0 = line.get(end + 1..);
        line.get(..end)
    }

    /// Returns everything that is left.
    pub fn rest(&mut self) -> Option<&'a str> {
        self.0.take()
    }

    /// Reads the next field.
    pub fn field<F: Field<'a>>(&mut self) -> Option<F> {
        F::read(self)
    }
}

/// One value in a line; `write` writes what `read` reads.
pub trait Field<'a>: Sized + fmt::Display {
    /// Reads it; none if it is no such value.
    fn read(words: &mut Words<'a>) -> Option<Self>;

    /// Writes it.
    ///
    /// # Errors
    /// When `out` does.
    fn write(&self, out: &mut (impl fmt::Write + ?Sized)) -> fmt::Result {
        write!(out, "{self}")
    }
}

macro_rules! fields {
    ($($type:ty = $read:expr),* $(,)?) => {$(
        impl<'a> Field<'a> for $type {
            fn read(words: &mut Words<'a>) -> Option<Self> {
                words.word().and_then($read)
            }
        }
    )*};
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl<'a> Field<'a> for $type {
            fn read(words: &mut Words<'a>) -> Option<Self> {
                words.word()?.parse().ok()
            }

            fn write(&self, out: &mut (impl fmt::Write + ?Sized)) -> fmt::Result {
                write_number(u64::from(*self), out)
            }
        }
    )*};
}

numbers! { u8, u16, u32, u64 }

fields! {
    Token<'a> = Token::parse,
    AbsPath<'a> = |word| AbsPath::from_token(Token::parse(word)?),
    RelPath<'a> = RelPath::new,
    Key<'a> = Key::new,
    Digest = Digest::parse,
}

/// It takes the rest of a line: a plain key is one word, a FIDO key two.
impl<'a> Field<'a> for PublicKey {
    fn read(words: &mut Words<'a>) -> Option<Self> {
        Self::parse(words.word()?, words.rest())
    }
}

/// Writes a number as `Display` does, at a third of its time: most of a manifest is the numbers of its filter.
fn write_number(number: u64, out: &mut (impl fmt::Write + ?Sized)) -> fmt::Result {
    let mut digits = [b'0'; 20];
    let (mut first, mut rest) = (digits.len(), number);
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
        first -= 1;
        if rest == 0 {
            break;
        }
    }
    let digits = digits.get(first..).and_then(|digits| core::str::from_utf8(digits).ok());
    out.write_str(digits.ok_or(fmt::Error)?)
}

/// Returns a text up to the first byte that is not ASCII, and whatever comes from there on.
///
/// Lines are taken off the first; where the second is not empty, the last of them is none.
#[must_use]
pub fn ascii(text: &[u8]) -> (&str, &[u8]) {
    let length =
        if text.is_ascii() { text.len() } else { text.iter().take_while(|byte| byte.is_ascii()).count() };
    let (ascii, rest) = text.split_at_checked(length).unwrap_or((&[], text));
    core::str::from_utf8(ascii).map_or(("", text), |ascii| (ascii, rest))
}

/// Takes the first line off a text; none at its end or if the line has no newline.
#[must_use]
pub fn split_line(text: &str) -> Option<(&str, &str)> {
    let length = text.bytes().position(|byte| byte == b'\n')?;
    Some((text.get(..length)?, text.get(length + 1..)?))
}

/// Returns whether `write` writes exactly this line and a newline.
#[must_use]
pub fn writes_line(line: &str, write: impl FnOnce(&mut Expected<'_>) -> fmt::Result) -> bool {
    let mut expected = Expected { rest: line.as_bytes(), newline: true };
    write(&mut expected).is_ok() && !expected.newline
}

/// What is still to be written: the rest of the line, then one newline.
pub struct Expected<'a> {
    rest: &'a [u8],
    newline: bool,
}

impl fmt::Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(rest) = self.rest.strip_prefix(text.as_bytes()) {
            self.rest = rest;
            return Ok(());
        }
        let ends_here = self.newline && text.as_bytes().strip_prefix(self.rest) == Some(b"\n");
        (self.rest, self.newline) = (&[], false);
        if ends_here { Ok(()) } else { Err(fmt::Error) }
    }

    // Without a comparison of texts, which costs more than the rest for one byte.
    fn write_char(&mut self, char: char) -> fmt::Result {
        match (u8::try_from(char), self.rest.split_first()) {
            (Ok(byte), Some((first, rest))) if byte == *first && byte.is_ascii() => {
                self.rest = rest;
                Ok(())
            }
            _ => self.write_str(char.encode_utf8(&mut [0; 4])),
        }
    }
}

/// Defines an enum of words with `word`, `Display` and [`Field`].
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// Every one, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the word for it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Returns what the word stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl<'a> $crate::line::Field<'a> for $name {
            fn read(words: &mut $crate::line::Words<'a>) -> Option<Self> {
                words.word().and_then(Self::from_word)
            }

            fn write(&self, out: &mut (impl core::fmt::Write + ?Sized)) -> core::fmt::Result {
                out.write_str(self.word())
            }
        }
    )*};
}
