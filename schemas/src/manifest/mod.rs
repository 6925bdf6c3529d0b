//! The text of one service's world: lines in a fixed order, from `capc-manifest 1` to `end`.
//!
//! Everything is decided when it is written; the launcher performs it line by line.

mod fields;
mod lines;

pub use fields::{
    Access, DescriptorKind, Execution, FacetRole, FileKind, FileMode, Groups, Integrity, Limit, Mode,
    Network, Owner, Ready, Rights,
};
pub use lines::{Kind, Line, SealedFile, Times};

use crate::line::{ascii, split_line};
use crate::token::RelPath;
use core::fmt;

/// The longest manifest that is read.
pub const MAX_BYTES: usize = 1 << 20;

/// The version of the format.
pub const VERSION: u32 = 1;

/// What is wrong with a manifest.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Over [`MAX_BYTES`].
    TooLong,
    /// A line that is no ASCII text with a newline at its end.
    NoLine,
    /// A first word that begins no line.
    UnknownWord,
    /// A value that is none, or is not written in the one way.
    BadValue(Kind),
    /// A version other than [`VERSION`].
    OtherVersion,
    /// A line after one of a later kind.
    OutOfOrder(Kind),
    /// A second line of a kind that stands once.
    Repeated(Kind),
    /// No line of a kind that must stand.
    Missing(Kind),
    /// A line without the one that it belongs to.
    Stray(Kind),
    /// Something that only root can do, for a plain user.
    RootOnly(Kind),
    /// Descriptors that are not ascending, or under 3.
    DescriptorOrder,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {MAX_BYTES} bytes"),
            Self::NoLine => f.write_str("no text with a newline at its end"),
            Self::UnknownWord => f.write_str("a word that begins no line of a manifest"),
            Self::BadValue(kind) => {
                write!(f, "`{}` has a value that is none or is not written in the one way", kind.word())
            }
            Self::OtherVersion => f.write_str("another version of the format"),
            Self::OutOfOrder(kind) => write!(f, "`{}` stands after a line that follows it", kind.word()),
            Self::Repeated(kind) => write!(f, "`{}` stands twice", kind.word()),
            Self::Missing(kind) => write!(f, "`{}` is missing", kind.word()),
            Self::Stray(kind) => write!(f, "`{}` stands without the line that it belongs to", kind.word()),
            Self::RootOnly(kind) => write!(f, "`{}` asks for what only root can do", kind.word()),
            Self::DescriptorOrder => f.write_str("descriptors do not ascend from 3"),
        }
    }
}

/// What is wrong with a manifest, and where.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line, counted from 1.
    pub line: u32,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl core::error::Error for Error {}

/// A whole manifest.
///
/// INVARIANT: made by [`Manifest::parse`] alone, so every line parses, in order, and the necessary ones are there.
#[derive(Copy, Clone, Debug)]
pub struct Manifest<'a> {
    text: &'a str,
    service: RelPath<'a>,
    counts: [u32; Kind::ALL.len()],
}

impl<'a> Manifest<'a> {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is none; what is read would be written again byte for byte.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        let mut order = Order::default();
        if text.len() > MAX_BYTES {
            return Err(Error { line: 1, problem: Problem::TooLong });
        }
        let (text, foreign) = ascii(text);
        let mut rest = text;
        let mut count = 0;
        let mut counts = [0; _];
        while !rest.is_empty() {
            count += 1;
            let at = |problem| Error { line: count, problem };
            let (line, after) = split_line(rest).ok_or(at(Problem::NoLine))?;
            let line = Line::parse(line).map_err(at)?;
            order.take(line).map_err(at)?;
            counts.get_mut(line.kind() as usize).into_iter().for_each(|count| *count += 1);
            rest = after;
        }
        let at_end = |problem| Error { line: count + 1, problem };
        if !foreign.is_empty() {
            return Err(at_end(Problem::NoLine));
        }
        order.skip_to(None).map_err(at_end)?;
        let service = order.service.ok_or(at_end(Problem::Missing(Kind::Service)))?;
        Ok(Self { text, service, counts })
    }

    /// Returns the object path of the service.
    #[must_use]
    pub const fn service(&self) -> RelPath<'a> {
        self.service
    }

    /// Returns its text.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Returns how many lines of a kind it has.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.counts.get(kind as usize).map_or(0, |count| *count as usize)
    }

    /// Returns its lines in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let mut rest = self.text;
        core::iter::from_fn(move || {
            let (line, after) = split_line(rest)?;
            rest = after;
            Line::read(line).ok()
        })
    }
}

/// The kinds seen so far, and what later lines are compared with.
#[derive(Default)]
struct Order<'a> {
    last: Option<Kind>,
    service: Option<RelPath<'a>>,
    mode: Option<Mode>,
    has_notify: bool,
    has_prepare: bool,
    descriptor: u16,
}

impl<'a> Order<'a> {
    fn take(&mut self, line: Line<'a>) -> Result<(), Problem> {
        let kind = line.kind();
        self.skip_to(Some(kind))?;
        let of_root = if self.mode == Some(Mode::Root) { Ok(()) } else { Err(Problem::RootOnly(kind)) };
        match line {
            Line::Format { version } if version != VERSION => return Err(Problem::OtherVersion),
            Line::Service { name } => self.service = Some(name),
            Line::Mode { mode } => self.mode = Some(mode),
            Line::Groups { .. } | Line::Keep { .. } | Line::Grant { owner: Owner::Mapped { .. }, .. } => {
                of_root?
            }
            Line::Notify { .. } => self.has_notify = true,
            Line::Prepare { .. } => self.has_prepare = true,
            Line::PrepareArg { .. } if !self.has_prepare => return Err(Problem::Stray(kind)),
            Line::Ready { ready } if (ready == Ready::Notify) != self.has_notify => {
                return Err(if self.has_notify {
                    Problem::Stray(Kind::Notify)
                } else {
                    Problem::Missing(Kind::Notify)
                });
            }
            Line::Descriptor { fd, .. } => {
                if fd < 3 || fd <= self.descriptor {
                    return Err(Problem::DescriptorOrder);
                }
                self.descriptor = fd;
            }
            Line::Env { name, .. } if name.byte_count() == 0 || name.has(b'=') || name.has(0) => {
                return Err(Problem::BadValue(kind));
            }
            Line::Env { value: text, .. }
            | Line::Arg { text }
            | Line::PrepareArg { text }
            | Line::Link { target: text, .. }
                if text.has(0) =>
            {
                return Err(Problem::BadValue(kind));
            }
            _ => {}
        }
        self.last = Some(kind);
        Ok(())
    }

    /// Checks that a line of this kind may come now (or that the manifest may end).
    fn skip_to(&self, next: Option<Kind>) -> Result<(), Problem> {
        if let (Some(last), Some(next)) = (self.last, next) {
            if next < last {
                return Err(Problem::OutOfOrder(next));
            }
            // Nothing is left out between two lines of one kind, as most are.
            if next == last {
                let may_repeat = next.times() == Times::Any;
                return if may_repeat { Ok(()) } else { Err(Problem::Repeated(next)) };
            }
        }
        let is_left_out = |kind: &&Kind| {
            kind.times() == Times::Once
                && self.last.is_none_or(|last| **kind > last)
                && next.is_none_or(|next| **kind < next)
        };
        Kind::ALL.iter().find(is_left_out).map_or(Ok(()), |kind| Err(Problem::Missing(*kind)))
    }
}

#[cfg(test)]
mod tests;
