//! Settings of a queue: names, defaults, ranges, and how values are parsed.
//!
//! Settings are data of the queue, stored as readable text; only what differs from its default is
//! stored. There are no settings of the process.

use serde::{Deserialize, Serialize};

use super::name::QueueName;
use super::rules::Rules;
use super::valid::{MAX_COUNT, MAX_DURATION_MS, MAX_GROUP_INFLIGHT, MAX_RETRIES};

/// The longest length of time as a setting, in milliseconds.
const MAX_MS: i64 = MAX_DURATION_MS as i64;

/// Defines the settings: a row for each, in the order in which they are shown. New ones are appended: their
/// numbers are stored.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $default:expr, $range:expr;)*) => {
        /// A setting of a queue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Setting {
            $($(#[$doc])* $name,)*
        }

        impl Setting {
            /// All settings, in the order in which they are shown.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// The name as it is stored and replied; as an option it is written in capitals.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The smallest and the largest value of a number; None for a name.
            pub const fn range(self) -> Option<(i64, i64)> {
                match self {
                    $(Self::$name => $range,)*
                }
            }

            /// The default of a number; for a name 0.
            const fn newest_default(self) -> i64 {
                match self {
                    $(Self::$name => $default,)*
                }
            }
        }
    };
}

settings! {
    /// Visibility of a pull that names none, in milliseconds.
    Visibility = "visibility", 30_000, Some((1, MAX_MS));
    /// How often a message may be returned before it dies; -1: it never dies.
    MaxRetries = "maxretries", 25, Some((-1, MAX_RETRIES));
    /// The queue that takes dead messages.
    DeadLetter = "deadletter", 0, None;
    /// The first delay after a counted return, in milliseconds; it doubles with each further one.
    Backoff = "backoff", 1_000, Some((0, MAX_MS));
    /// The longest such delay, in milliseconds.
    BackoffMax = "backoffmax", 3_600_000, Some((1, MAX_MS));
    /// Delay of a push that names none, in milliseconds.
    Delay = "delay", 0, Some((0, MAX_MS));
    /// Time to live of a message whose push names none, in milliseconds; 0: unlimited.
    Ttl = "ttl", 0, Some((0, MAX_MS));
    /// The most messages in all states together; 0: no limit.
    MaxLen = "maxlen", 0, Some((0, MAX_COUNT));
    /// The most messages in flight; 0: no limit.
    MaxInflight = "maxinflight", 0, Some((0, MAX_COUNT));
    /// The most deliveries in a period; 0: no limit.
    Rate = "rate", 0, Some((0, MAX_COUNT));
    /// That period, in milliseconds.
    RatePeriod = "rateperiod", 1_000, Some((1, MAX_MS));
    /// The wait after which a message is delivered regardless of priorities, in milliseconds; 0: never.
    Aging = "aging", 0, Some((0, MAX_MS));
    /// The most messages of one group in flight.
    GroupInflight = "groupinflight", 1, Some((1, MAX_GROUP_INFLIGHT));
    /// The deduplication window of a push that names none, in milliseconds.
    DedupWindow = "dedupwindow", 300_000, Some((1, MAX_MS));
    /// The most deduplication keys that are held; 0: no limit. Not in version 1 of ops.
    MaxDedup = "maxdedup", 0, Some((0, MAX_COUNT));
    /// How long the queue may be unused before it is dropped, in milliseconds; 0: for ever. Not in version 1 of
    /// ops.
    Expires = "expires", 0, Some((0, MAX_MS));
}

impl Setting {
    /// Finds a setting by name, case-insensitively.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| name.eq_ignore_ascii_case(setting.name().as_bytes()))
    }

    /// The default of a number under these rules.
    const fn default(self, rules: Rules) -> i64 {
        match (rules, self) {
            (Rules::V1, Self::Backoff) => 0,
            (Rules::V1, Self::MaxRetries) => -1,
            _ => self.newest_default(),
        }
    }

    /// As [`Settings::get`] of a queue without settings.
    pub const fn default_number(self, rules: Rules) -> u64 {
        without_limit(self.default(rules))
    }
}

/// Negative is MAXRETRIES without limit.
const fn without_limit(number: i64) -> u64 {
    if number < 0 { u64::MAX } else { number.unsigned_abs() }
}

/// The effective settings of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    numbers: [i64; Setting::ALL.len()],
    dead_letter: Option<QueueName>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::defaults(Rules::V2)
    }
}

impl Settings {
    /// Those of a queue without settings.
    pub fn defaults(rules: Rules) -> Self {
        Self { numbers: Setting::ALL.map(|setting| setting.default(rules)), dead_letter: None }
    }

    /// Parses a stored text. False, and nothing is set, if it is no valid value.
    pub fn set(&mut self, setting: Setting, text: &[u8]) -> bool {
        let Some((min, max)) = setting.range() else {
            let Ok(name) = QueueName::new(text) else { return false };
            self.dead_letter = Some(name);
            return true;
        };
        let number = parse_integer(text).filter(|number| (min..=max).contains(number));
        let (Some(number), Some(slot)) = (number, self.numbers.get_mut(setting as usize)) else {
            return false;
        };
        *slot = number;
        true
    }

    /// The number as it is stored and replied; None for a name.
    pub fn number(&self, setting: Setting) -> Option<i64> {
        setting.range()?;
        self.numbers.get(setting as usize).copied()
    }

    /// The number, or [`u64::MAX`] for a MAXRETRIES of -1; 0 for a name.
    pub fn get(&self, setting: Setting) -> u64 {
        without_limit(self.number(setting).unwrap_or(0))
    }

    /// The dead-letter queue of `queue`. None if none was named and the default name would be too long.
    pub fn dead_letter_of(&self, queue: &QueueName) -> Option<QueueName> {
        match &self.dead_letter {
            Some(named) if named != queue => Some(named.clone()),
            _ => queue.default_dead_letter(),
        }
    }

    /// The delay after the counted return that made the retry count `retry_count` (1 or more):
    /// min(backoff × 2^(retry_count − 1), backoff_max), saturating, in milliseconds.
    pub fn backoff_after(&self, retry_count: u32) -> u64 {
        let doublings = retry_count.saturating_sub(1);
        let factor = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
        self.get(Setting::Backoff).saturating_mul(factor).min(self.get(Setting::BackoffMax))
    }
}

/// Reads a decimal integer as Redis does: an optional minus sign and digits, nothing else, no
/// leading zeros.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_redis_reads_them() {
        let good: [(&str, i64); 5] = [
            ("0", 0),
            ("7", 7),
            ("-1", -1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, number) in good {
            assert_eq!(parse_integer(text.as_bytes()), Some(number), "{text}");
        }
        let bad =
            ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808"];
        for text in bad {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn backoff_doubles_and_saturates() {
        let mut settings = Settings::default();
        settings.set(Setting::Backoff, b"100");
        settings.set(Setting::BackoffMax, b"1000");
        let delays: Vec<u64> = (1..=6).map(|count| settings.backoff_after(count)).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(settings.backoff_after(u32::MAX), 1_000);
        settings.set(Setting::Backoff, b"0");
        assert_eq!(settings.backoff_after(u32::MAX), 0);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let mut settings = Settings::default();
        for (setting, text) in [
            (Setting::Visibility, "0"),
            (Setting::Visibility, "31536000001"),
            (Setting::MaxRetries, "-2"),
            (Setting::MaxRetries, "2147483648"),
            (Setting::Delay, "-1"),
            (Setting::BackoffMax, "0"),
            (Setting::DeadLetter, "{x}"),
        ] {
            assert!(!settings.set(setting, text.as_bytes()), "{setting:?} {text}");
        }
        assert_eq!(settings, Settings::default());
    }
}
