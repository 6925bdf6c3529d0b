//! A calendar event in a time zone: when it comes true next.

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::Calendar;

const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);
/// More than two offsets from UTC differ.
const TWO_DAYS: SignedDuration = SignedDuration::from_hours(48);

/// A calendar event with the rules of its time zone.
#[derive(Clone, Debug)]
pub(crate) struct Timetable {
    pub(super) calendar: Calendar,
    pub(super) zone: TimeZone,
}

impl Timetable {
    /// Finds the zone that an event is in.
    pub(crate) fn new(calendar: &Calendar) -> Result<Timetable, jiff::Error> {
        let zone = match calendar.zone() {
            Some("UTC") => TimeZone::UTC,
            Some(name) => TimeZone::get(name)?,
            None => TimeZone::try_system()?,
        };
        Ok(Timetable { calendar: calendar.clone(), zone })
    }

    /// Returns the first moment after a given one at which the event is.
    ///
    /// A time that a turned clock skips is none. One that it shows twice counts the first time; only what is in every
    /// hour goes on through both.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = Timestamp::from_microsecond(after.as_microsecond()).ok()?;
        let mut from = after.checked_add(MICROSECOND).ok()?;
        loop {
            // Until its next turn the clock goes with the time.
            let offset = self.zone.to_offset(from);
            let found = self.calendar.first_from(offset.to_datetime(from))?;
            let at = offset.to_timestamp(found).ok()?;
            let turn = self.zone.following(from).next().map(|turn| turn.timestamp());
            if let Some(turn) = turn.filter(|turn| *turn <= at) {
                from = turn.max(at.checked_sub(TWO_DAYS).ok()?);
            } else if let Some(end) = self.end_of_repetition(at, offset) {
                from = end;
            } else {
                return Some(at);
            }
        }
    }

    /// Returns when the clock shows new times again, if at this moment it shows one for the second time that counted
    /// at the first.
    fn end_of_repetition(&self, at: Timestamp, offset: Offset) -> Option<Timestamp> {
        if self.calendar.is_in_every_hour() {
            return None;
        }
        match self.zone.to_ambiguous_timestamp(offset.to_datetime(at)).offset() {
            AmbiguousOffset::Fold { before, after } if after == offset && before != offset => {
                let turn = self.zone.preceding(at.checked_add(MICROSECOND).ok()?).next()?.timestamp();
                let length = i64::from(before.seconds()) - i64::from(after.seconds());
                turn.checked_add(SignedDuration::from_secs(length)).ok()
            }
            _ => None,
        }
    }

    /// Returns a moment as people of the zone write it.
    pub(crate) fn shown(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
    }
}
