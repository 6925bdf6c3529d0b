//! Timetables held to what the turns of clocks mean, and to systemd's own reading of the same words.

use std::process::Command;

use jiff::Timestamp;

use super::{Calendar, Timetable};

/// Compares the next moments after a given one, in UTC.
#[track_caller]
fn check(event: &str, after: &str, expected: &[&str]) {
    let timetable = Timetable::new(&Calendar::parse(event).unwrap()).unwrap();
    let mut at: Timestamp = after.parse().unwrap();
    let mut found = Vec::new();
    for _ in expected {
        let Some(next) = timetable.next(at) else { break };
        found.push(next.to_string());
        at = next;
    }
    assert_eq!(found, expected, "{event} after {after}");
}

#[test]
fn the_next_time_is_always_a_later_one() {
    check("daily UTC", "2026-03-01T00:00:00Z", &["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"]);
    check("daily UTC", "2026-02-28T23:59:59.999999999Z", &["2026-03-01T00:00:00Z"]);
    check("*:*:0/0.5 UTC", "2026-03-01T00:00:00.1Z", &["2026-03-01T00:00:00.5Z", "2026-03-01T00:00:01Z"]);
    check("*-02-29 UTC", "2026-03-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    check("*-02~01 12:00 UTC", "2027-03-01T00:00:00Z", &["2028-02-29T12:00:00Z", "2029-02-28T12:00:00Z"]);
}

#[test]
fn what_is_past_or_on_no_calendar_never_comes() {
    for event in ["2003-03-05 UTC", "*-02-30 UTC", "2199-12-31 UTC", "Mon 2024-01-02 UTC"] {
        let timetable = Timetable::new(&Calendar::parse(event).unwrap()).unwrap();
        assert_eq!(timetable.next("2200-01-01T00:00:00Z".parse().unwrap()), None, "{event}");
    }
}

#[test]
fn a_time_that_a_turned_clock_skips_is_none() {
    check(
        "*-*-* 02:30 Europe/Berlin",
        "2026-03-28T12:00:00Z",
        &["2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"],
    );
    check(
        "*:0/30:0 Europe/Berlin",
        "2026-03-29T00:30:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
    );
    check("*:0/15 Australia/Lord_Howe", "2026-10-03T15:15:00Z", &["2026-10-03T15:30:00Z"]);
}

#[test]
fn a_time_that_comes_twice_counts_once_and_what_is_in_every_hour_goes_on() {
    check(
        "*-*-* 02:30 Europe/Berlin",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    );
    check("02..03:*:0/0.000001 Europe/Berlin", "2026-10-25T00:59:59.999999Z", &["2026-10-25T02:00:00Z"]);
    check("*:30 Europe/Berlin", "2026-10-25T00:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
}

const DAYS: [&str; 6] = ["", "Mon", "Sat,Sun", "Tue..Thu,Sun", "Fri", "Mon..Sun"];
const DATES: [&str; 16] = [
    "",
    "*-*-01",
    "*-*-31",
    "*-02-29",
    "02..04-05",
    "*-1,7-1..7",
    "*-*~01",
    "*-*~03..05",
    "*-02~07/1",
    "2026..2030/2-*-15",
    "26-12-*",
    "*-*-1..31/7",
    "*-3/4-10..31/10",
    "*-*-28..31/2",
    "2028-2-29",
    "*-*~1/9",
];
const TIMES: [&str; 14] = [
    "",
    "03:00",
    "00:00:00",
    "23:59:59",
    "1,13:05",
    "8..17:0/20",
    "0..23/5:30",
    "2:30:15,45",
    "12:*",
    "22..23:58..59:1/29",
    "2,3:10",
    "0..23/6:7",
    "*:0/15",
    "*:*:30",
];

/// Asks systemd for the next times of events, and compares each with ours; those that it refuses are to be refused.
#[track_caller]
fn compare(zone: &str, base: &str, events: &[String]) {
    const TIMES_EACH: usize = 5;
    let asked = Command::new("systemd-analyze")
        .args(["calendar", &format!("--iterations={TIMES_EACH}"), &format!("--base-time={base} UTC"), "--"])
        .args(events)
        .env("TZ", zone)
        .env("LC_ALL", "C.UTF-8")
        .output();
    let Ok(asked) = asked else { return };
    let (answer, refused) =
        (String::from_utf8(asked.stdout).unwrap(), String::from_utf8(asked.stderr).unwrap());
    let mut answers = answer.split("Normalized form: ").skip(1).map(|block| -> Vec<String> {
        let times = block.lines().filter_map(|line| line.trim_start().strip_prefix("(in UTC): "));
        times.map(|time| time.trim_end_matches(" UTC")[4..].replacen(' ', "T", 1) + "Z").collect()
    });
    for event in events {
        let is_refused = refused.contains(&format!("specification '{event}'"));
        assert_eq!(Calendar::parse(event).is_err(), is_refused, "{event}");
        let Ok(calendar) = Calendar::parse(event) else { continue };
        let timetable = Timetable { calendar, zone: jiff::tz::TimeZone::get(zone).unwrap() };
        let mut at: Timestamp = format!("{}Z", base.replacen(' ', "T", 1)).parse().unwrap();
        let mut ours = Vec::new();
        while let Some(next) = timetable.next(at).filter(|_| ours.len() < TIMES_EACH) {
            ours.push(next.to_string());
            at = next;
        }
        assert_eq!(ours, answers.next().unwrap(), "{event} in {zone} after {base}");
    }
}

// LANGUAGE.md: calendar words as in systemd.time(7).
#[test]
fn times_are_those_that_systemd_finds() {
    let mut events: Vec<String> = Calendar::WORDS.iter().map(|word| (*word).to_owned()).collect();
    for (index, day) in DAYS.iter().enumerate() {
        for date in DATES {
            for time in TIMES {
                let words: Vec<&str> =
                    [*day, date, time].into_iter().filter(|word| !word.is_empty()).collect();
                if !words.is_empty() && (words.len() < 3 || (date.len() + time.len()) % DAYS.len() == index) {
                    events.push(words.join(" "));
                }
            }
        }
    }
    assert!(events.len() > 400);
    // Hours and days by steps have an end here: without one, systemd 252 steps over the end of a month into the next,
    // and passes over what comes before.
    compare("Europe/Berlin", "2026-03-27 11:30:00", &events);
    compare("America/New_York", "2027-01-31 23:59:59", &events);
    compare("Australia/Lord_Howe", "2026-09-30 23:59:59", &events);
    // In the hour that comes twice ours are more.
    events.retain(|event| !["*:", "hourly", "minutely"].iter().any(|every| event.contains(every)));
    compare("Europe/Berlin", "2026-10-24 22:45:00", &events);
}

#[test]
fn what_systemd_refuses_is_refused() {
    let wrong = [
        "*:*/5",
        "*:1,*",
        "*:0/60",
        "*:59/1",
        "*-*-31/1",
        "*-*~1/1",
        "12:00:59.5/1",
        "Fri..Mon",
        "*-13-01",
        "1969-01-01",
        "2200-01-01",
        "24:00",
        "*-0-1",
        "*-*-0",
        "0:0:60",
        "Mon..",
        "1..3-1",
        "3..1-1",
        "*:5..1",
        "daily 03:00",
        "Mon 1",
    ];
    compare("Europe/Berlin", "2026-01-01 00:00:00", &wrong.map(str::to_owned));
}
