//! When a schedule ticks.

use super::cron::Cron;
use super::ticks;
use super::zone::Zone;

/// Times are below this, unix ms.
const END_MS: u64 = 1 << 43;

/// What determines the ticks of a schedule.
#[derive(Debug, Clone)]
pub enum Rhythm {
    /// Elapsed time, whatever clocks show.
    Every {
        /// From a tick to the next.
        ms: u64,
        /// The first tick, unix ms.
        start_ms: u64,
    },
    /// The minutes that an expression selects.
    Cron {
        /// The expression.
        cron: Cron,
        /// Whose clocks it means.
        zone: Zone,
    },
}

/// The ticks of a time that has passed; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// How many.
    pub count: u64,
    /// The newest of them, unix ms.
    pub newest_ms: u64,
}

impl Rhythm {
    /// The first tick that is strictly later than a moment, both unix ms. None if there is none before 2^43.
    pub fn next_after(&self, after_ms: u64) -> Option<u64> {
        let tick_ms = match self {
            Self::Every { start_ms, .. } if after_ms < *start_ms => *start_ms,
            Self::Every { ms, start_ms } => {
                let passed = after_ms.checked_sub(*start_ms)?.checked_div(*ms)?;
                passed.checked_add(1)?.checked_mul(*ms)?.checked_add(*start_ms)?
            }
            Self::Cron { cron, zone } => ticks::next(cron, zone, after_ms.min(END_MS))?,
        };
        Some(tick_ms).filter(|tick_ms| *tick_ms < END_MS)
    }

    /// The ticks later than `after_ms` and not later than `until_ms`, both unix ms. Of an expression at most the first
    /// `most`: it takes as many searches. None if there is none.
    pub fn passed(&self, after_ms: u64, until_ms: u64, most: u64) -> Option<Passed> {
        let first_ms = self.next_after(after_ms).filter(|tick_ms| *tick_ms <= until_ms)?;
        if let Self::Every { ms, .. } = self {
            let until_ms = until_ms.min(END_MS.saturating_sub(1));
            let more = until_ms.checked_sub(first_ms)?.checked_div(*ms)?;
            let newest_ms = more.checked_mul(*ms)?.checked_add(first_ms)?;
            return Some(Passed { count: more.checked_add(1)?, newest_ms });
        }
        let mut passed = Passed { count: 1, newest_ms: first_ms };
        while passed.count < most {
            let next_ms = self.next_after(passed.newest_ms);
            let Some(newest_ms) = next_ms.filter(|tick_ms| *tick_ms <= until_ms) else { break };
            passed = Passed { count: passed.count.saturating_add(1), newest_ms };
        }
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 1_767_268_800_000;
    const EVERY_MINUTE: Rhythm = Rhythm::Every { ms: 60_000, start_ms: NOON_MS };

    fn cron(expression: &str) -> Rhythm {
        Rhythm::Cron { cron: Cron::parse(expression.as_bytes()).unwrap(), zone: Zone::utc() }
    }

    #[test]
    fn an_interval_counts_from_its_start() {
        for (after_ms, expected) in [
            (0, Some(NOON_MS)),
            (NOON_MS - 1, Some(NOON_MS)),
            (NOON_MS, Some(NOON_MS + 60_000)),
            (NOON_MS + 59_999, Some(NOON_MS + 60_000)),
            (NOON_MS + 60_000, Some(NOON_MS + 120_000)),
            (END_MS - 1, None),
            (u64::MAX, None),
        ] {
            assert_eq!(EVERY_MINUTE.next_after(after_ms), expected, "after {after_ms}");
        }
    }

    #[test]
    fn what_was_missed_is_counted_without_walking() {
        for (after_ms, until_ms, expected) in [
            (NOON_MS, NOON_MS + 59_999, None),
            (NOON_MS, NOON_MS + 60_000, Some((1, NOON_MS + 60_000))),
            (0, NOON_MS, Some((1, NOON_MS))),
            (0, NOON_MS + 180_001, Some((4, NOON_MS + 180_000))),
            (NOON_MS + 1, NOON_MS, None),
            (NOON_MS, NOON_MS + 60_000_000_000, Some((1_000_000, NOON_MS + 60_000_000_000))),
        ] {
            let passed = EVERY_MINUTE.passed(after_ms, until_ms, 1);
            let expected = expected.map(|(count, newest_ms)| Passed { count, newest_ms });
            assert_eq!(passed, expected, "from {after_ms} to {until_ms}");
        }
        let to_the_end = EVERY_MINUTE.passed(0, u64::MAX, 1).unwrap();
        assert_eq!(EVERY_MINUTE.next_after(to_the_end.newest_ms), None);
    }

    #[test]
    fn what_an_expression_missed_is_counted_up_to_the_most() {
        let hourly = cron("@hourly");
        let day_ms = NOON_MS + 86_400_000;
        for (most, count) in [(1, 1), (10, 10), (24, 24), (1_000, 24)] {
            let expected = Passed { count, newest_ms: NOON_MS + count * 3_600_000 };
            assert_eq!(hourly.passed(NOON_MS, day_ms, most), Some(expected), "at most {most}");
        }
        assert_eq!(hourly.passed(NOON_MS, NOON_MS + 3_599_999, 10), None);
    }

    #[test]
    fn a_time_of_day_is_that_of_the_zone() {
        let cron = Cron::parse(b"0 9 * * *").unwrap();
        for (zone, expected_ms) in [
            ("utc", NOON_MS + 21 * 3_600_000),
            ("Asia/Kolkata", NOON_MS + 15 * 3_600_000 + 1_800_000),
            ("america/new_york", NOON_MS + 2 * 3_600_000),
        ] {
            let zone = Zone::named(zone.as_bytes()).unwrap();
            assert_eq!(Rhythm::Cron { cron, zone }.next_after(NOON_MS), Some(expected_ms));
        }
    }

    #[test]
    fn no_tick_is_beyond_the_valid_times() {
        let last_ms = cron("* * * * *").next_after(END_MS - 60_000).unwrap();
        assert!((END_MS - 60_000..END_MS).contains(&last_ms), "{last_ms}");
        for rhythm in [cron("* * * * *"), EVERY_MINUTE] {
            for after_ms in [last_ms, END_MS - 1, END_MS, u64::MAX] {
                assert_eq!(rhythm.next_after(after_ms), None, "{rhythm:?} after {after_ms}");
            }
        }
    }

    #[test]
    fn the_last_valid_millisecond_may_be_a_tick() {
        let rhythm = Rhythm::Every { ms: 1, start_ms: 0 };
        assert_eq!(rhythm.next_after(END_MS - 2), Some(END_MS - 1));
        assert_eq!(rhythm.next_after(END_MS - 1), None);
        let passed = Passed { count: END_MS - 1, newest_ms: END_MS - 1 };
        assert_eq!(rhythm.passed(0, u64::MAX, 1), Some(passed));
    }

    #[test]
    fn no_interval_panics() {
        for (ms, start_ms) in [(0, 0), (0, 5), (1, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
            let rhythm = Rhythm::Every { ms, start_ms };
            for moment_ms in [0, 1, 5, END_MS, u64::MAX] {
                assert!(rhythm.next_after(moment_ms).is_none_or(|tick_ms| tick_ms > moment_ms));
                rhythm.passed(0, moment_ms, u64::MAX);
            }
        }
    }
}
