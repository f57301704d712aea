//! A queue's settings: their names, defaults and limits, and how a value is read from text.
//!
//! Settings are data of the queue, stored as readable text; only what differs from its default is
//! stored. There are no settings of the process.

use serde::{Deserialize, Serialize};

use super::name::QueueName;

/// The longest length of time that is accepted anywhere: 365 days, in milliseconds.
pub const MAX_DURATION_MS: u64 = 31_536_000_000;

/// The largest MAXRETRIES.
pub const MAX_RETRIES: i64 = 2_147_483_647;

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
}

impl Setting {
    /// All settings, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Visibility,
        Self::MaxRetries,
        Self::DeadLetter,
        Self::Backoff,
        Self::BackoffMax,
        Self::Delay,
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
        }
    }

    /// The setting of that name, in any case of letters.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| name.eq_ignore_ascii_case(setting.name().as_bytes()))
    }

    /// The smallest and the largest value of a number; None for a name.
    pub const fn range(self) -> Option<(i64, i64)> {
        const MAX_MS: i64 = MAX_DURATION_MS as i64;
        match self {
            Self::Visibility | Self::BackoffMax => Some((1, MAX_MS)),
            Self::Backoff | Self::Delay => Some((0, MAX_MS)),
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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_ms: 30_000,
            max_retries: None,
            dead_letter: None,
            backoff_ms: 0,
            backoff_max_ms: 3_600_000,
            delay_ms: 0,
        }
    }
}

impl Settings {
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
        // In range, so a length is not negative; a negative MAXRETRIES is no limit.
        let ms = number.unsigned_abs();
        match setting {
            Setting::Visibility => self.visibility_ms = ms,
            Setting::MaxRetries => self.max_retries = u32::try_from(number).ok(),
            Setting::Backoff => self.backoff_ms = ms,
            Setting::BackoffMax => self.backoff_max_ms = ms,
            Setting::Delay => self.delay_ms = ms,
            Setting::DeadLetter => {}
        }
        true
    }

    /// A number as it is stored and shown; None for the dead-letter queue.
    pub fn number(&self, setting: Setting) -> Option<i64> {
        let ms = |ms: u64| i64::try_from(ms).ok();
        match setting {
            Setting::Visibility => ms(self.visibility_ms),
            Setting::MaxRetries => Some(self.max_retries.map_or(-1, i64::from)),
            Setting::Backoff => ms(self.backoff_ms),
            Setting::BackoffMax => ms(self.backoff_max_ms),
            Setting::Delay => ms(self.delay_ms),
            Setting::DeadLetter => None,
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
