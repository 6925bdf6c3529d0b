//! What a configuration asserts of its own authority, whom it trusts with the root, and which lints it waives.

use super::{CapId, ObjectId, Rights};
use crate::source::Span;
use std::sync::Arc;

/// A level of authority.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What a subject could come to hold.
    Hold,
    /// What it could come to learn or effect.
    Reach,
}

/// `never SUBJECT holds|reaches CAPABILITY [RIGHTS]`.
#[derive(Clone, Debug)]
pub struct Never {
    /// The scope that asserts; decides whose trust counts.
    pub scope: ObjectId,
    /// Who.
    pub subject: ObjectId,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: CapId,
    /// Any of these; all of the kind when none is named.
    pub rights: Rights,
    /// The statement.
    pub span: Span,
    /// The words that name the subject.
    pub subject_span: Span,
    /// The words that name the capability.
    pub capability_span: Span,
}

/// `only SUBJECT… hold|reach CAPABILITY [RIGHTS]`: `never` for every other subject.
#[derive(Clone, Debug)]
pub struct Only {
    /// The scope that asserts; decides whose trust counts.
    pub scope: ObjectId,
    /// Who may, each with the words that name it.
    pub subjects: Vec<(ObjectId, Span)>,
    /// At which level.
    pub level: Level,
    /// What.
    pub capability: CapId,
    /// Any of these; all of the kind when none is named.
    pub rights: Rights,
    /// The statement.
    pub span: Span,
    /// The words that name the capability.
    pub capability_span: Span,
}

/// `trust SUBJECT reason=…`: lets it control `reconfigure`, and makes it trusted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Who.
    pub subject: ObjectId,
    /// The statement.
    pub span: Span,
    /// The words that name the subject.
    pub subject_span: Span,
}

/// A day of the Gregorian calendar: year, month from 1, day from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: u16,
    /// The month, from 1.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
}

impl Date {
    /// Returns the day that `YYYY-MM-DD` names, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| {
            let part = parts.next()?;
            let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse::<u16>().ok()).flatten()
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        if parts.next().is_some() {
            return None;
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (1..=days).contains(&day).then_some(Self { year, month: month as u8, day: day as u8 })
    }
}

/// `allow CODE on=NAME reason=… until=…`: a lint that is known and accepted for a while.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The code of the lint, as written.
    pub code: (Arc<str>, Span),
    /// What it is waived for; everything when nothing is named.
    pub on: Option<Waived>,
    /// The last day on which it counts, with its place.
    pub until: Option<(Date, Span)>,
    /// The statement.
    pub span: Span,
}

/// What a lint is waived for: the object or the capability of the name after `on=`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Waived {
    /// An object.
    Object(ObjectId, Span),
    /// A capability.
    Capability(CapId, Span),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_that_there_is() {
        let day = |year, month, day| Some(Date { year, month, day });
        assert_eq!(Date::parse("2027-01-31"), day(2027, 1, 31));
        assert_eq!(Date::parse("2024-02-29"), day(2024, 2, 29));
        for none in [
            "2023-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-1-31",
            "2027-01-32",
            "27-01-31",
            "",
            "2027-01-31-",
            "+027-01-31",
        ] {
            assert_eq!(Date::parse(none), None, "{none}");
        }
    }
}
