//! The next day and time of a calendar event on a clock that is never turned.

use jiff::civil::{Date, DateTime, Time};

use super::{Calendar, Part, Parts};

const LAST_YEAR: i64 = 2199;
const MINUTE: i64 = 60_000_000;

impl Calendar {
    /// Returns the first day and time, not before a given one, at which the event is.
    pub(super) fn first_from(&self, from: DateTime) -> Option<DateTime> {
        let (mut date, mut time) = (from.date(), micros_of(from.time()));
        loop {
            let found = self.date_from(date)?;
            if found > date {
                time = 0;
            }
            if let Some(micros) = self.time_from(time) {
                return Some(found.to_datetime(time_of(micros)?));
            }
            (date, time) = (found.tomorrow().ok()?, 0);
        }
    }

    /// Tells whether it is in every hour, so that an hour that comes twice is meant twice.
    pub(super) fn is_in_every_hour(&self) -> bool {
        self.hours.is_none()
    }

    fn date_from(&self, from: Date) -> Option<Date> {
        let (mut year, mut month, mut day) =
            (i64::from(from.year()), i64::from(from.month()), i64::from(from.day()));
        loop {
            let found = first_of(&self.years, year).filter(|year| *year <= LAST_YEAR)?;
            if found > year {
                (year, month, day) = (found, 1, 1);
            }
            let Some(found) = first_of(&self.months, month).filter(|month| *month <= 12) else {
                (year, month, day) = (year + 1, 1, 1);
                continue;
            };
            if found > month {
                (month, day) = (found, 1);
            }
            let first = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
            let length = i64::from(first.days_in_month());
            let found = if self.from_end {
                first_of(&counted_back(&self.days, length), day)
            } else {
                first_of(&self.days, day)
            };
            let Some(found) = found.filter(|day| *day <= length) else {
                (month, day) = (month + 1, 1);
                continue;
            };
            let date = Date::new(first.year(), first.month(), i8::try_from(found).ok()?).ok()?;
            if self.weekdays >> date.weekday().to_monday_zero_offset() & 1 == 1 {
                return Some(date);
            }
            day = found + 1;
        }
    }

    /// Returns the first time of a day, not before a given one, in millionths of seconds.
    fn time_from(&self, from: i64) -> Option<i64> {
        let (mut hour, mut minute, mut micros) = (from / (60 * MINUTE), from / MINUTE % 60, from % MINUTE);
        loop {
            let found = first_of(&self.hours, hour).filter(|hour| *hour < 24)?;
            if found > hour {
                (hour, minute, micros) = (found, 0, 0);
            }
            let Some(found) = first_of(&self.minutes, minute).filter(|minute| *minute < 60) else {
                (hour, minute, micros) = (hour + 1, 0, 0);
                continue;
            };
            if found > minute {
                (minute, micros) = (found, 0);
            }
            if let Some(found) = first_of(&self.micros, micros).filter(|micros| *micros < MINUTE) {
                return Some((hour * 60 + minute) * MINUTE + found);
            }
            (minute, micros) = (minute + 1, 0);
        }
    }
}

/// Returns the least number, not below a given one, that a part may be.
fn first_of(parts: &Parts, from: i64) -> Option<i64> {
    let Some(parts) = parts else { return Some(from) };
    parts.iter().filter_map(|part| part.first_from(from)).min()
}

impl Part {
    fn first_from(&self, from: i64) -> Option<i64> {
        let found = match self.step {
            _ if self.start >= from => self.start,
            Some(step) => {
                self.start
                    + (from - self.start).div_euclid(step) * step
                    + if (from - self.start).rem_euclid(step) == 0 { 0 } else { step }
            }
            None => return None,
        };
        self.stop.is_none_or(|stop| found <= stop).then_some(found)
    }
}

/// Turns days from a month's end, of which 1 is the last, into days of a month of this length.
fn counted_back(days: &Parts, length: i64) -> Parts {
    let turned = |part: &Part| {
        let day = |number: i64| length + 1 - number;
        match part.stop {
            Some(stop) => Part { start: day(stop), stop: Some(day(part.start)), step: part.step },
            None => Part { start: day(part.start), stop: None, step: part.step },
        }
    };
    // What lies before the month's first day is not in it.
    let is_there = |part: &Part| part.step.is_some() || part.start >= 1;
    days.as_ref().map(|days| days.iter().map(turned).filter(is_there).collect())
}

fn micros_of(time: Time) -> i64 {
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * 1_000_000 + i64::from(time.subsec_nanosecond()) / 1000
}

fn time_of(micros: i64) -> Option<Time> {
    let part = |number: i64| i8::try_from(number).ok();
    let seconds = micros / 1_000_000;
    let nanoseconds = i32::try_from(micros % 1_000_000 * 1000).ok()?;
    Time::new(part(seconds / 3600)?, part(seconds / 60 % 60)?, part(seconds % 60)?, nanoseconds).ok()
}
