//! When a service that ended may start again, and when it has failed too often.

use std::time::Duration;

/// A service that was ready for so long has shown that it works: its next pause is the shortest again.
pub(crate) const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// More than so many failures within [`WINDOW`] are not tried.
pub(crate) const FAILURES: usize = 5;
/// The time within which failures count together.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is remembered of one service's ends.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    streak: u32,
    failures: Vec<Duration>,
}

impl Restarts {
    /// Records that it had been ready for [`HEALTHY_AFTER`].
    pub(crate) fn was_healthy(&mut self) {
        self.streak = 0;
    }

    /// Records an end that is no failure, and returns the pause before the next start.
    pub(crate) fn ended(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.streak)).min(LONGEST_PAUSE);
        self.streak = self.streak.saturating_add(1);
        pause
    }

    /// Records a failure, and returns the pause before the next start, or `None` when there is to be none.
    pub(crate) fn failed(&mut self, now: Duration) -> Option<Duration> {
        self.failures.retain(|failure| now.saturating_sub(*failure) < WINDOW);
        self.failures.push(now);
        if self.failures.len() >= FAILURES { None } else { Some(self.ended()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_100_ms_to_30_s() {
        let mut restarts = Restarts::default();
        let pauses: Vec<u128> = (0..12).map(|_| restarts.ended().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
        restarts.was_healthy();
        assert_eq!(restarts.ended().as_millis(), 100);
    }

    #[test]
    fn the_fifth_failure_within_a_minute_is_the_last() {
        let mut restarts = Restarts::default();
        let verdicts: Vec<bool> =
            (0..5).map(|n| restarts.failed(Duration::from_secs(14 * n)).is_some()).collect();
        assert_eq!(verdicts, [true, true, true, true, false]);
    }

    #[test]
    fn failures_spread_over_more_than_a_minute_never_end_it() {
        let mut restarts = Restarts::default();
        assert!((0..50).all(|n| restarts.failed(Duration::from_secs(15 * n)).is_some()));
    }
}
