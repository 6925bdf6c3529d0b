//! `schedule`: calendar words as in systemd.time(7), and when they come true next.
//!
//! `[WEEKDAYS] [DATE] [TIME] [ZONE]`, or one of a few words; each part of a date or a time is `*`, or a list of numbers,
//! ranges (`8..17`) and steps (`0/15`).

mod parse;
mod plain;
mod days;
mod timetable;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use plain::PlainTimes;
pub(crate) use timetable::Timetable;

/// A calendar event: which days and which times of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Calendar {
    text: String,
    /// Monday is the lowest bit; all of them where no day is named.
    weekdays: u8,
    years: Parts,
    months: Parts,
    days: Parts,
    /// Whether days count back from the month's end.
    from_end: bool,
    hours: Parts,
    minutes: Parts,
    /// Millionths of seconds within a minute.
    micros: Parts,
    zone: Option<String>,
}

/// What one part of a date or a time may be; none means anything.
type Parts = Option<Vec<Part>>;

/// Some numbers: one alone, or from it on by steps, to the end of what there is or to `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: i64,
    stop: Option<i64>,
    step: Option<i64>,
}

impl Calendar {
    /// Words that stand for a whole calendar event.
    pub const WORDS: [&str; 12] = [
        "minutely",
        "hourly",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "semiannually",
        "semi-annually",
        "biannually",
        "bi-annually",
        "yearly",
        "annually",
    ];

    /// Returns the name of the time zone that it is in; without one, the machine's counts.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }
}

impl TryFrom<String> for Calendar {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Calendar, &'static str> {
        Calendar::parse(&text)
    }
}

impl From<Calendar> for String {
    fn from(calendar: Calendar) -> String {
        calendar.text
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
