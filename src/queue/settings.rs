//! A queue's settings: their names, defaults and limits, and how a value is read from text.
//!
//! Settings are data of the queue, stored as readable text; only what differs from its default is
//! stored. There are no settings of the process.

use serde::{Deserialize, Serialize};

use super::name::QueueName;
use super::rules::Rules;
use super::valid::{MAX_COUNT, MAX_DURATION_MS, MAX_GROUP_INFLIGHT, MAX_RETRIES};

/// One setting's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// Visibility of a pull that names none, in milliseconds.
    Visibility,
    /// How often a message may come back before it dies; -1: it never dies.
    MaxRetries,
    /// The queue that takes dead messages.
    DeadLetter,
    /// The first delay after a counted return, in milliseconds; it doubles with each further one.
    Backoff,
    /// The longest such delay, in milliseconds.
    BackoffMax,
    /// Delay of a push that names none, in milliseconds.
    Delay,
    /// Time to live of a message whose push names none, in milliseconds; 0: for ever.
    Ttl,
    /// The most messages in all states together; 0: no limit.
    MaxLen,
    /// The most messages in flight; 0: no limit.
    MaxInflight,
    /// The most deliveries in a period; 0: no limit.
    Rate,
    /// That period, in milliseconds.
    RatePeriod,
    /// How long a message waits at most before its priority is not looked at, in milliseconds; 0: as
    /// long as it takes.
    Aging,
    /// The most messages of one group in flight.
    GroupInflight,
    /// How long a deduplication key holds whose push does not say it, in milliseconds.
    DedupWindow,
    /// The most deduplication keys that are held; 0: no limit. Not in version 1 of ops.
    MaxDedup,
}

impl Setting {
    /// All settings, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Visibility,
        Self::MaxRetries,
        Self::DeadLetter,
        Self::Backoff,
        Self::BackoffMax,
        Self::Delay,
        Self::Ttl,
        Self::MaxLen,
        Self::MaxInflight,
        Self::Rate,
        Self::RatePeriod,
        Self::Aging,
        Self::GroupInflight,
        Self::DedupWindow,
        Self::MaxDedup,
    ];

    /// The name as it is stored and replied; as an option it is written in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visibility => "visibility",
            Self::MaxRetries => "maxretries",
            Self::DeadLetter => "deadletter",
            Self::Backoff => "backoff",
            Self::BackoffMax => "backoffmax",
            Self::Delay => "delay",
            Self::Ttl => "ttl",
            Self::MaxLen => "maxlen",
            Self::MaxInflight => "maxinflight",
            Self::Rate => "rate",
            Self::RatePeriod => "rateperiod",
            Self::Aging => "aging",
            Self::GroupInflight => "groupinflight",
            Self::DedupWindow => "dedupwindow",
            Self::MaxDedup => "maxdedup",
        }
    }

    /// The setting of that name, in any case of letters.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| name.eq_ignore_ascii_case(setting.name().as_bytes()))
    }

    /// The default of a number that is never negative.
    pub const fn default_number(self, rules: Rules) -> u64 {
        match self {
            Self::Visibility => 30_000,
            Self::Backoff => match rules {
                Rules::V1 => 0,
                Rules::V2 => 1_000,
            },
            Self::BackoffMax => 3_600_000,
            Self::RatePeriod => 1_000,
            Self::GroupInflight => 1,
            Self::DedupWindow => 300_000,
            _ => 0,
        }
    }

    /// The smallest and the largest value of a number; None for a name.
    pub const fn range(self) -> Option<(i64, i64)> {
        const MAX_MS: i64 = MAX_DURATION_MS as i64;
        match self {
            Self::Visibility | Self::BackoffMax | Self::RatePeriod | Self::DedupWindow => {
                Some((1, MAX_MS))
            }
            Self::Backoff | Self::Delay | Self::Ttl | Self::Aging => Some((0, MAX_MS)),
            Self::MaxLen | Self::MaxInflight | Self::Rate | Self::MaxDedup => Some((0, MAX_COUNT)),
            Self::GroupInflight => Some((1, MAX_GROUP_INFLIGHT)),
            Self::MaxRetries => Some((-1, MAX_RETRIES)),
            Self::DeadLetter => None,
        }
    }
}

/// The effective settings of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// See [`Setting::Visibility`].
    pub visibility_ms: u64,
    /// See [`Setting::MaxRetries`]; None: never dies.
    pub max_retries: Option<u32>,
    /// The dead-letter queue if one was named.
    pub dead_letter: Option<QueueName>,
    /// See [`Setting::Backoff`].
    pub backoff_ms: u64,
    /// See [`Setting::BackoffMax`].
    pub backoff_max_ms: u64,
    /// See [`Setting::Delay`].
    pub delay_ms: u64,
    /// See [`Setting::Ttl`].
    pub ttl_ms: u64,
    /// See [`Setting::MaxLen`].
    pub max_len: u64,
    /// See [`Setting::MaxInflight`].
    pub max_inflight: u64,
    /// See [`Setting::Rate`].
    pub rate: u64,
    /// See [`Setting::RatePeriod`].
    pub rate_period_ms: u64,
    /// See [`Setting::Aging`].
    pub aging_ms: u64,
    /// See [`Setting::GroupInflight`].
    pub group_inflight: u64,
    /// See [`Setting::DedupWindow`].
    pub dedup_window_ms: u64,
    /// See [`Setting::MaxDedup`].
    pub max_dedup: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self::defaults(Rules::V2)
    }
}

impl Settings {
    /// The defaults.
    pub const fn defaults(rules: Rules) -> Self {
        Self {
            visibility_ms: Setting::Visibility.default_number(rules),
            max_retries: match rules {
                Rules::V1 => None,
                Rules::V2 => Some(25),
            },
            dead_letter: None,
            backoff_ms: Setting::Backoff.default_number(rules),
            backoff_max_ms: Setting::BackoffMax.default_number(rules),
            delay_ms: Setting::Delay.default_number(rules),
            ttl_ms: Setting::Ttl.default_number(rules),
            max_len: Setting::MaxLen.default_number(rules),
            max_inflight: Setting::MaxInflight.default_number(rules),
            rate: Setting::Rate.default_number(rules),
            rate_period_ms: Setting::RatePeriod.default_number(rules),
            aging_ms: Setting::Aging.default_number(rules),
            group_inflight: Setting::GroupInflight.default_number(rules),
            dedup_window_ms: Setting::DedupWindow.default_number(rules),
            max_dedup: Setting::MaxDedup.default_number(rules),
        }
    }

    /// Sets one setting from its stored text. False, and nothing set, if the text is no value of it.
    pub fn set(&mut self, setting: Setting, text: &[u8]) -> bool {
        let Some((min, max)) = setting.range() else {
            let Ok(name) = QueueName::new(text) else { return false };
            self.dead_letter = Some(name);
            return true;
        };
        let Some(number) = parse_integer(text).filter(|n| (min..=max).contains(n)) else {
            return false;
        };
        // In range, so only MAXRETRIES can be negative: that is no limit.
        match setting {
            Setting::MaxRetries => self.max_retries = u32::try_from(number).ok(),
            _ => {
                if let Some(value) = self.value(setting) {
                    *value = number.unsigned_abs();
                }
            }
        }
        true
    }

    /// A number as it is stored and shown; None for the dead-letter queue.
    pub fn number(&self, setting: Setting) -> Option<i64> {
        if setting == Setting::MaxRetries {
            return Some(self.max_retries.map_or(-1, i64::from));
        }
        let value = *self.clone().value(setting)?;
        i64::try_from(value).ok()
    }

    /// The place of a number that is never negative; None for the other settings.
    pub fn value(&mut self, setting: Setting) -> Option<&mut u64> {
        match setting {
            Setting::Visibility => Some(&mut self.visibility_ms),
            Setting::Backoff => Some(&mut self.backoff_ms),
            Setting::BackoffMax => Some(&mut self.backoff_max_ms),
            Setting::Delay => Some(&mut self.delay_ms),
            Setting::Ttl => Some(&mut self.ttl_ms),
            Setting::MaxLen => Some(&mut self.max_len),
            Setting::MaxInflight => Some(&mut self.max_inflight),
            Setting::Rate => Some(&mut self.rate),
            Setting::RatePeriod => Some(&mut self.rate_period_ms),
            Setting::Aging => Some(&mut self.aging_ms),
            Setting::GroupInflight => Some(&mut self.group_inflight),
            Setting::DedupWindow => Some(&mut self.dedup_window_ms),
            Setting::MaxDedup => Some(&mut self.max_dedup),
            Setting::MaxRetries | Setting::DeadLetter => None,
        }
    }

    /// Where dead messages of `queue` go. None if none was named and the default name is too long.
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
        self.backoff_ms.saturating_mul(factor).min(self.backoff_max_ms)
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
        let settings = Settings { backoff_ms: 100, backoff_max_ms: 1_000, ..Settings::default() };
        let delays: Vec<u64> = (1..=6).map(|count| settings.backoff_after(count)).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(settings.backoff_after(u32::MAX), 1_000);
        let none = Settings { backoff_ms: 0, ..settings };
        assert_eq!(none.backoff_after(u32::MAX), 0);
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
