//! Days of the calendar, as waivers end on.

use std::fmt;

/// A day of the proleptic Gregorian calendar, of the years 1 to 9999.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
            let part = parts.next().filter(|part| part.len() == digits)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let known = year >= 1 && (1..=12).contains(&month) && (1..=length(year, month)).contains(&day);
        (known && parts.next().is_none()).then_some(Self { year, month, day })
    }

    /// Returns the day that is so many days after 1970-01-01; what lies past the calendar is its last day.
    #[must_use]
    pub fn of_day(mut days: u64) -> Self {
        let last = Self { year: 9999, month: 12, day: 31 };
        let mut year = 1970;
        loop {
            let of_year = if is_leap(year) { 366 } else { 365 };
            if days < of_year {
                break;
            }
            if year == last.year {
                return last;
            }
            days -= of_year;
            year += 1;
        }
        let mut month = 1;
        while days >= u64::from(length(year, month)) {
            days -= u64::from(length(year, month));
            month += 1;
        }
        Self { year, month, day: days as u8 + 1 }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

const fn length(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(Date::parse(text).map(|date| date.to_string()), expected.then(|| text.to_owned()));
    }

    #[test]
    fn a_day_that_the_calendar_does_not_have_is_none() {
        check("2027-01-31", true);
        check("2024-02-29", true);
        check("2000-02-29", true);
        for none in
            ["2023-02-29", "1900-02-29", "2027-04-31", "2027-13-01", "2027-00-10", "2027-01-00", "0000-01-01"]
        {
            check(none, false);
        }
        for none in ["2027-1-31", "2027-01-31-", "2027-01", "+027-01-31", "", "20270131", "２027-01-31"] {
            check(none, false);
        }
    }

    #[test]
    fn days_count_from_the_epoch() {
        for (days, date) in
            [(0, "1970-01-01"), (58, "1970-02-28"), (11_016, "2000-02-29"), (20_783, "2026-11-26")]
        {
            assert_eq!(Date::of_day(days).to_string(), date);
        }
        assert_eq!(Date::of_day(u64::MAX).to_string(), "9999-12-31");
    }
}
