//! The settings of a queue of the fake.

use std::collections::BTreeMap;

/// Those that are numbers, by the server's names.
pub const DEFAULTS: [(&str, i64); 15] = [
    ("visibility", 30_000),
    ("maxretries", 25),
    ("backoff", 1_000),
    ("backoffmax", 3_600_000),
    ("delay", 0),
    ("ttl", 0),
    ("maxlen", 0),
    ("maxinflight", 0),
    ("rate", 0),
    ("rateperiod", 1_000),
    ("aging", 0),
    ("groupinflight", 1),
    ("dedupwindow", 300_000),
    ("maxdedup", 0),
    ("expires", 0),
];

/// What differs from the defaults.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub numbers: BTreeMap<&'static str, i64>,
    pub dead_letter: Option<String>,
}

impl Settings {
    pub fn are_defaults(&self) -> bool {
        self.numbers.is_empty() && self.dead_letter.is_none()
    }

    pub fn number(&self, name: &str) -> i64 {
        let default = DEFAULTS.iter().find(|(other, _)| *other == name);
        let set = self.numbers.get(name);
        set.or(default.map(|(_, value)| value)).copied().unwrap_or(0)
    }

    /// The dead-letter queue of a queue with these settings.
    pub fn dead_letter_of(&self, queue: &str) -> String {
        let tag = queue.split_once('{').and_then(|(_, rest)| rest.find('}'));
        let default = match tag {
            Some(1..) => format!("{queue}:dead"),
            _ => format!("{{{queue}}}:dead"),
        };
        self.dead_letter.clone().unwrap_or(default)
    }
}
