//! `schedule`: calendar words as in systemd.time(7), checked where they are written.
//!
//! `[WEEKDAYS] [DATE] [TIME] [ZONE]`, or one of a few words; each part of a date or a time is `*`, or a list of numbers,
//! ranges (`8..17`) and steps (`0/15`).

use super::words::{Reader, Word};
use crate::diag::{Code, Diagnostic, nearest};

/// Words that stand for a whole calendar event.
const WHOLE: [&str; 11] = [
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "semi-annually",
    "biannually",
    "yearly",
    "annually",
];

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Returns whether a word is a calendar event; reports it otherwise.
pub fn check(reader: &mut Reader<'_>, word: &Word) -> bool {
    let Some(problem) = problem(&word.text) else { return true };
    let shown: String = word.text.chars().take(60).collect();
    let wrong = Diagnostic::new(Code::BadValue, format!("`{shown}`: {problem}"), word.span, problem);
    reader.report(match nearest(&word.text, WHOLE) {
        Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
        None => wrong.help("write for example \"daily\", \"Mon 03:00\" or \"*-*-01 04:00:00\""),
    });
    false
}

/// Returns what is wrong with a calendar event, if anything is.
fn problem(text: &str) -> Option<&'static str> {
    if text.len() > 256 {
        return Some("this is too long for a day and a time");
    }
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.last().is_some_and(|last| is_zone(last)) {
        words.pop();
    }
    let mut words = words.into_iter().peekable();
    if words.peek().is_none() {
        return Some("this is no day and no time");
    }
    if let Some(whole) = words.peek()
        && WHOLE.iter().any(|known| known.eq_ignore_ascii_case(whole))
    {
        words.next();
        return words.next().map(|_| "such a word stands by itself");
    }
    let has_days = words.peek().is_some_and(|word| word.starts_with(|letter: char| letter.is_alphabetic()));
    if has_days && !words.next().is_some_and(are_days) {
        return Some("this is no day of the week");
    }
    if let Some(date) = words.next_if(|word| !word.contains(':'))
        && !is_date(date)
    {
        return Some("this is no date of the calendar");
    }
    if let Some(time) = words.next()
        && !is_time(time)
    {
        return Some("this is no time of the day");
    }
    words.next().map(|_| "something follows the time")
}

/// A time zone: `UTC`, or a name like `Europe/Berlin`. A weekday is none.
fn is_zone(word: &str) -> bool {
    let letters = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte))
    };
    word == "UTC" || (word.contains('/') && word.split('/').all(letters))
}

fn day(word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    DAYS.iter().position(|day| *day == word || (word.len() == 3 && day.starts_with(&word)))
}

fn are_days(word: &str) -> bool {
    let word = word.strip_suffix(',').unwrap_or(word);
    word.split(',').all(|days| match days.split_once("..").or_else(|| days.split_once('-')) {
        Some((from, to)) => matches!((day(from), day(to)), (Some(from), Some(to)) if from <= to),
        None => day(days).is_some(),
    })
}

/// `YEAR-MONTH-DAY` or `MONTH-DAY`; `~` before the day counts from the month's end.
fn is_date(word: &str) -> bool {
    let (before, days) = match word.rsplit_once('~') {
        Some(parts) => parts,
        None => match word.rsplit_once('-') {
            Some(parts) => parts,
            None => return false,
        },
    };
    let months = match before.split_once('-') {
        Some((years, months)) => {
            // systemd reads a year of two digits as one from 1970 to 2069.
            let is_short = years.len() == 2 && numbers(years, 0, 99);
            if !is_short && !numbers(years, 1970, 2199) {
                return false;
            }
            months
        }
        None => before,
    };
    numbers(months, 1, 12) && numbers(days, 1, 31)
}

/// `HOUR:MINUTE` or `HOUR:MINUTE:SECOND`; seconds may have a fraction.
fn is_time(word: &str) -> bool {
    let mut parts = word.split(':');
    let (Some(hours), Some(minutes)) = (parts.next(), parts.next()) else { return false };
    let seconds = parts.next();
    parts.next().is_none()
        && numbers(hours, 0, 23)
        && numbers(minutes, 0, 59)
        && seconds.is_none_or(|seconds| numbers(&whole_seconds(seconds), 0, 59))
}

/// Leaves out the fractions of seconds (a point between two digits), which are of at most six digits.
fn whole_seconds(seconds: &str) -> String {
    let mut whole = String::new();
    let mut rest = seconds;
    while let Some(at) = rest.find('.') {
        let (before, after) = rest.split_at(at);
        whole.push_str(before);
        if after.starts_with("..") {
            whole.push_str("..");
            rest = after.get(2..).unwrap_or("");
            continue;
        }
        let after = after.get(1..).unwrap_or("");
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=6).contains(&digits) || before.is_empty() {
            return "none".to_owned();
        }
        rest = after.get(digits..).unwrap_or("");
    }
    whole.push_str(rest);
    whole
}

/// `*`, or a list of numbers between two bounds, of ranges and steps of them.
fn numbers(list: &str, least: u32, most: u32) -> bool {
    let number = |text: &str| {
        let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let inside = |text: &str| number(text).filter(|number| (least..=most).contains(number));
    list.split(',').all(|part| {
        let (start, step) = match part.split_once('/') {
            Some((start, step)) => (start, Some(step)),
            None => (part, None),
        };
        let has_step = step.is_none_or(|step| number(step).is_some_and(|step| step > 0));
        let has_start = match start.split_once("..") {
            _ if start == "*" => true,
            Some((from, to)) => matches!((inside(from), inside(to)), (Some(from), Some(to)) if from <= to),
            None => inside(start).is_some(),
        };
        has_step && has_start
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(events: &[&str], good: bool) {
        for event in events {
            assert_eq!(problem(event).is_none(), good, "{event:?}: {:?}", problem(event));
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
                "1-2-3-4",
                "12:00:61",
                "12:00:00.",
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
