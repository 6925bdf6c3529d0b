//! Reading a calendar event; what systemd refuses is refused.

use super::{Calendar, Part, Parts};

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const EVERY_DAY: u8 = 0b111_1111;
const SECOND: i64 = 1_000_000;

impl Calendar {
    /// Reads a calendar event.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn parse(text: &str) -> Result<Calendar, &'static str> {
        if text.len() > 256 {
            return Err("this is too long for a day and a time");
        }
        let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
        let zone = words.pop_if(|last| is_zone(last)).map(str::to_owned);
        let mut words = words.into_iter().peekable();
        let Some(first) = words.peek() else { return Err("this is no day and no time") };
        let mut calendar = Calendar { text: text.to_owned(), zone, ..Calendar::midnight() };
        if calendar.whole(first) {
            words.next();
            return words.next().map_or(Ok(calendar), |_| Err("such a word stands by itself"));
        }
        if let Some(days) = words.next_if(|word| word.starts_with(char::is_alphabetic)) {
            calendar.weekdays = weekdays(days).ok_or("this is no day of the week")?;
        }
        if let Some(date) = words.next_if(|word| !word.contains(':')) {
            calendar.date(date).ok_or("this is no date of the calendar")?;
        }
        if let Some(time) = words.next() {
            calendar.time(time).ok_or("this is no time of the day")?;
        }
        words.next().map_or(Ok(calendar), |_| Err("something follows the time"))
    }

    fn midnight() -> Calendar {
        Calendar {
            text: String::new(),
            weekdays: EVERY_DAY,
            years: None,
            months: None,
            days: None,
            from_end: false,
            hours: exactly(&[0]),
            minutes: exactly(&[0]),
            micros: exactly(&[0]),
            zone: None,
        }
    }

    /// Takes a word that stands for a whole event, and tells whether it was one.
    fn whole(&mut self, word: &str) -> bool {
        match word.to_ascii_lowercase().as_str() {
            "minutely" => (self.hours, self.minutes) = (None, None),
            "hourly" => self.hours = None,
            "daily" => {}
            "weekly" => self.weekdays = 1,
            "monthly" => self.days = exactly(&[1]),
            "quarterly" => (self.months, self.days) = (exactly(&[1, 4, 7, 10]), exactly(&[1])),
            "semiannually" | "semi-annually" | "biannually" | "bi-annually" => {
                (self.months, self.days) = (exactly(&[1, 7]), exactly(&[1]));
            }
            "yearly" | "annually" => (self.months, self.days) = (exactly(&[1]), exactly(&[1])),
            _ => return false,
        }
        true
    }

    /// `YEAR-MONTH-DAY` or `MONTH-DAY`; `~` before the day counts from the month's end.
    fn date(&mut self, word: &str) -> Option<()> {
        let (before, days) = match word.rsplit_once('~') {
            Some(parts) => {
                self.from_end = true;
                parts
            }
            None => word.rsplit_once('-')?,
        };
        let months = match before.split_once('-') {
            Some((years, months)) => {
                self.years = parts(years, &Unit { least: 1970, most: 2199, number: year, ..Unit::PLAIN })?;
                months
            }
            None => before,
        };
        self.months = parts(months, &Unit { least: 1, most: 12, ..Unit::PLAIN })?;
        self.days = parts(days, &Unit { least: 1, most: 31, from_end: self.from_end, ..Unit::PLAIN })?;
        Some(())
    }

    /// `HOUR:MINUTE` or `HOUR:MINUTE:SECOND`; seconds may have a fraction.
    fn time(&mut self, word: &str) -> Option<()> {
        let mut words = word.split(':');
        self.hours = parts(words.next()?, &Unit { least: 0, most: 23, ..Unit::PLAIN })?;
        self.minutes = parts(words.next()?, &Unit { least: 0, most: 59, ..Unit::PLAIN })?;
        if let Some(seconds) = words.next() {
            let unit = Unit { least: 0, most: 60 * SECOND - 1, number: micros, size: SECOND, ..Unit::PLAIN };
            let every = || vec![Part { start: 0, stop: None, step: Some(SECOND) }];
            self.micros = parts(seconds, &unit)?.or_else(|| Some(every()));
        }
        words.next().is_none().then_some(())
    }
}

/// What the numbers of one part may be.
struct Unit {
    least: i64,
    most: i64,
    /// The step of a range.
    size: i64,
    number: fn(&str) -> Option<i64>,
    from_end: bool,
}

impl Unit {
    const PLAIN: Unit = Unit { least: 0, most: 0, size: 1, number: plain, from_end: false };
}

/// Reads `*`, or a list of numbers, ranges and steps.
fn parts(list: &str, unit: &Unit) -> Option<Parts> {
    if list == "*" {
        return Some(None);
    }
    list.split(',').map(|text| part(text, unit)).collect::<Option<Vec<Part>>>().map(Some)
}

fn part(text: &str, unit: &Unit) -> Option<Part> {
    let inside = |number: &i64| (unit.least..=unit.most).contains(number);
    let (numbers, step) = match text.split_once('/') {
        Some((numbers, step)) => {
            // A step is a length, and no year of two digits.
            let step = if unit.size == 1 { plain(step) } else { (unit.number)(step) };
            (numbers, Some(step.filter(|step| *step > 0)?))
        }
        None => (text, None),
    };
    let (start, stop) = match numbers.split_once("..") {
        Some((start, stop)) => (start, Some((unit.number)(stop).filter(inside)?)),
        None => (numbers, None),
    };
    let start = (unit.number)(start).filter(inside)?;
    let Some(stop) = stop else {
        let furthest = |step| if unit.from_end { start - step } else { start + step };
        return step.is_none_or(|step| inside(&furthest(step))).then_some(Part { start, stop, step });
    };
    let step = step.unwrap_or(unit.size);
    match stop - start {
        ..0 => None,
        // One that no step fits into is its beginning alone.
        length if length < step => Some(Part { start, stop: None, step: None }),
        length => Some(Part { start, stop: Some(stop - length % step), step: Some(step) }),
    }
}

fn exactly(numbers: &[i64]) -> Parts {
    Some(numbers.iter().map(|start| Part { start: *start, stop: None, step: None }).collect())
}

fn plain(text: &str) -> Option<i64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// A year of two digits is one from 1970 to 2069.
fn year(text: &str) -> Option<i64> {
    plain(text).map(|year| match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        _ => year,
    })
}

/// Reads seconds with at most six places behind the point.
fn micros(text: &str) -> Option<i64> {
    let Some((whole, places)) = text.split_once('.') else {
        return plain(text).map(|number| number * SECOND);
    };
    let is_number = (1..=6).contains(&places.len()) && places.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: i64 = is_number.then(|| format!("{places:0<6}").parse().ok())??;
    Some(plain(whole)? * SECOND + fraction)
}

/// A time zone: `UTC`, or a name like `Europe/Berlin`. A weekday is none.
fn is_zone(word: &str) -> bool {
    let letters = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte))
    };
    word == "UTC" || (word.contains('/') && word.split('/').all(letters))
}

fn weekdays(word: &str) -> Option<u8> {
    let mut days = 0;
    for part in word.strip_suffix(',').unwrap_or(word).split(',') {
        let (from, to) = part.split_once("..").or_else(|| part.split_once('-')).unwrap_or((part, part));
        let (from, to) = (weekday(from)?, weekday(to)?);
        if from > to {
            return None;
        }
        (from..=to).for_each(|day| days |= 1 << day);
    }
    Some(days)
}

fn weekday(word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    DAYS.iter().position(|day| *day == word || (word.len() == 3 && day.starts_with(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(events: &[&str], good: bool) {
        for event in events {
            assert_eq!(Calendar::parse(event).is_ok(), good, "{event:?}: {:?}", Calendar::parse(event));
        }
    }

    // The examples of systemd.time(7), "Calendar events", and others like them.
    #[test]
    fn what_the_manual_shows_is_a_calendar_event() {
        check(
            &[
                "hourly",
                "daily",
                "Weekly",
                "monthly",
                "yearly",
                "Mon,Sun 12-*-* 2,1:23",
                "Wed..Sat,Tue 12-10-15 1:2:3",
                "Mon 03:00",
                "*-*-01 04:00:00",
                "Sat,Thu,Mon..Wed,Sat..Sun",
                "Wed *-1",
                "Wed..Wed,Wed *-1",
                "Wed, 17:48",
                "*-*-7 0:0:0",
                "10-15",
                "monday *-12-* 17:00",
                "Mon,Fri *-*-3,1,2 *:30:45",
                "12,14,13,12:20,10,30",
                "12..14:10,20,30",
                "03-05 08:05:40",
                "08:05:40",
                "05:40",
                "Sat,Sun 12-05 08:05:40",
                "2003-03-05 05:40",
                "2003-02..04-05",
                "2003-03-05 05:40 UTC",
                "2003-03-05",
                "03-05",
                "daily UTC",
                "weekly Pacific/Auckland",
                "*:2/3",
                "*-02~03",
                "Mon *-05~07/1",
                "*:0/15",
            ],
            true,
        );
    }

    #[test]
    fn what_is_no_day_and_no_time_is_none() {
        check(
            &[
                "",
                " ",
                "dayly",
                "Mon Tue",
                "Mon 24:00",
                "03",
                "13-01",
                "*-*-32",
                "12:60",
                "Fri..Mon",
                "Mon 03:00 04:00",
                "daily 03:00",
                "*:0/0",
                "*:*/5",
                "*:0/60",
                "*:1,*",
                "1-2-3-4",
                "12:00:61",
                "12:00:00.",
                "12:00:0.1234567",
                "Moon",
                ":",
                "-",
                "~",
                "..",
                "/",
                ",",
                "Mon..",
                "UTC",
                "a/b",
                "99999-01-01",
            ],
            false,
        );
    }
}
