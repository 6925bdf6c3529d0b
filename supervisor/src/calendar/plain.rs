//! A calendar event as lists of numbers, for inits that know no more than those.

use super::{Calendar, Part, Parts};

/// What each part of a day and a time of the machine's own clocks may be; each list is full where anything may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainTimes {
    /// From Monday (0) to Sunday (6).
    pub weekdays: Vec<u8>,
    /// From 1.
    pub months: Vec<u8>,
    /// From 1.
    pub days: Vec<u8>,
    /// From 0.
    pub hours: Vec<u8>,
    /// From 0.
    pub minutes: Vec<u8>,
    /// From 0.
    pub seconds: Vec<u8>,
}

/// How many parts of a second there are.
const SECOND: i64 = 1_000_000;

impl Calendar {
    /// Returns it as lists of numbers; none where it names years, a zone, days from a month's end or parts of seconds.
    pub fn plain(&self) -> Option<PlainTimes> {
        let Calendar { text: _, weekdays, years, months, days, from_end, hours, minutes, micros, zone } =
            self;
        if years.is_some() || *from_end || zone.is_some() {
            return None;
        }
        let micros = numbers(micros, 0, 60 * SECOND - 1, SECOND);
        let is_whole = micros.iter().all(|micros| micros % SECOND == 0);
        let seconds: Vec<i64> = micros.iter().map(|micros| micros / SECOND).collect();
        is_whole.then(|| PlainTimes {
            weekdays: (0..7).filter(|day| weekdays >> day & 1 == 1).collect(),
            months: small(&numbers(months, 1, 12, 1)),
            days: small(&numbers(days, 1, 31, 1)),
            hours: small(&numbers(hours, 0, 23, 1)),
            minutes: small(&numbers(minutes, 0, 59, 1)),
            seconds: small(&seconds),
        })
    }
}

/// Returns all numbers of one part, sorted.
fn numbers(parts: &Parts, least: i64, most: i64, unit: i64) -> Vec<i64> {
    let anything = [Part { start: least, stop: None, step: Some(unit) }];
    let mut numbers = Vec::new();
    for Part { start, stop, step } in parts.as_deref().unwrap_or(&anything) {
        let last = match (stop, step) {
            (Some(stop), _) => *stop,
            (None, Some(_)) => most,
            (None, None) => *start,
        };
        let mut number = *start;
        while number <= last {
            numbers.push(number);
            number += step.unwrap_or(unit).max(1);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn small(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().filter_map(|number| u8::try_from(*number).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, weekdays: &[u8], days: usize, hours: &[u8], minutes: &[u8]) {
        let plain = Calendar::parse(text).unwrap().plain().unwrap();
        assert_eq!((plain.weekdays.as_slice(), plain.days.len()), (weekdays, days), "{text}");
        assert_eq!((plain.hours.as_slice(), plain.minutes.as_slice()), (hours, minutes), "{text}");
        assert_eq!(plain.seconds, [0], "{text}");
    }

    #[test]
    fn a_common_time_is_lists_of_numbers() {
        let week = [0, 1, 2, 3, 4, 5, 6];
        check("Mon..Fri 03:00", &[0, 1, 2, 3, 4], 31, &[3], &[0]);
        check("daily", &week, 31, &[0], &[0]);
        check("*-*-01 04:00:00", &week, 1, &[4], &[0]);
        check("8..10:0/15", &week, 31, &[8, 9, 10], &[0, 15, 30, 45]);
        let every = Calendar::parse("*:*:0/20").unwrap().plain().unwrap();
        assert_eq!(
            (every.seconds.as_slice(), every.minutes.len(), every.hours.len()),
            (&[0, 20, 40][..], 60, 24)
        );
    }

    #[test]
    fn what_needs_more_than_numbers_is_not_plain() {
        for text in ["2027-01-01", "*-*~01 23:00", "Sun 02:30 Europe/Berlin", "03:00 UTC", "00:00:00.5"] {
            assert_eq!(Calendar::parse(text).unwrap().plain(), None, "{text}");
        }
    }
}
