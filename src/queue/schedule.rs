//! Schedules: what is pushed and when, and what became of it so far. When the next tick is, whoever decides
//! on an op computes: nothing here knows calendars or time zones.

use serde::{Deserialize, Serialize};

use super::message::{Header, own};
use super::valid::{
    MAX_COUNT, MAX_EXPRESSION_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_SCHEDULED_BYTES,
    MAX_ZONE_BYTES, MIN_EVERY_MS, is_duration, is_name, is_priority, is_timestamp,
};

/// The header that names the schedule of a message.
pub const NAME_HEADER: &[u8] = b"mq-schedule";
/// The header with the tick that the message is for, unix ms.
pub const TICK_HEADER: &[u8] = b"mq-tick";
/// The header with the number of ticks since the last message that have none of their own.
pub const MISSED_HEADER: &[u8] = b"mq-missed";

/// Headers that a schedule adds to its own, and more bytes than they have together.
pub const ADDED_HEADERS: usize = 3;
pub const ADDED_HEADER_BYTES: usize = 512;

/// A schedule as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub definition: Definition,
    pub history: History,
}

/// What MQ.SCHEDULE said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    pub timing: Timing,
    pub catch_up: CatchUp,
    pub overlap: Overlap,
    /// Its ticks pass without a message, and are not missed.
    pub is_paused: bool,
    pub message: Template,
}

/// What decides when the ticks are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    pub rhythm: Rhythm,
    /// No tick is earlier, unix ms. EVERY counts from here.
    pub start_ms: Option<u64>,
    /// No tick is later, unix ms.
    pub end_ms: Option<u64>,
    /// With so many messages the schedule ends.
    pub limit: Option<u32>,
    /// Messages are later than their ticks by less than this, in milliseconds.
    pub jitter_ms: u64,
}

/// How ticks follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rhythm {
    Every {
        ms: u64,
    },
    Cron {
        /// Five fields, or a name such as `@daily`.
        #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
        expression: Vec<u8>,
        /// The name of a time zone.
        #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
        zone: Vec<u8>,
    },
}

/// What becomes of ticks that are late: the server was down, or busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatchUp {
    /// They have no message.
    None,
    /// The newest of them has one.
    One,
    /// Each has one.
    All,
}

/// What becomes of a tick while the message of an earlier one is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlap {
    /// It has a message too.
    Allow,
    /// It is skipped.
    Skip,
}

/// What the messages of a schedule carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub payload: Vec<u8>,
    /// None: the queue's setting.
    pub life: Option<Life>,
    pub priority: u8,
    pub group: Option<Text>,
    /// Names and values.
    pub headers: Vec<(Text, Text)>,
}

/// A time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// 0: for ever.
    pub ttl_ms: u64,
    /// Then the message dies instead of being discarded.
    pub ends_in_death: bool,
}

/// Bytes, most of the time a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")] pub Vec<u8>,
);

/// What became of a schedule so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// When it was set, unix ms: EVERY without a start counts from here.
    pub phase_ms: u64,
    /// None: it is paused.
    pub next: Option<Tick>,
    /// The last tick that had a message, or was skipped; unix ms.
    pub last_tick_ms: Option<u64>,
    /// Ticks since then that have no message, and that the next one stands for.
    pub behind: u64,
    /// Ticks with a message.
    pub runs: u64,
    /// Ticks that were too late for a message of their own.
    pub missed: u64,
    /// Ticks without a message: overlap, or a full queue.
    pub skipped: u64,
    /// Messages besides those of ticks.
    pub triggered: u64,
    /// The version of the zone data that `next` was computed with.
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub zones: Vec<u8>,
}

/// A moment that a schedule defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Unix ms.
    pub at_ms: u64,
    /// When its message is pushed, unix ms: not earlier.
    pub due_ms: u64,
}

impl Schedule {
    /// True if an op can have written it.
    pub fn is_valid(&self) -> bool {
        let History { phase_ms, next, last_tick_ms, zones, .. } = &self.history;
        self.definition.is_valid()
            && is_timestamp(*phase_ms)
            && next.is_none_or(Tick::is_valid)
            && next.is_none() == self.definition.is_paused
            && last_tick_ms.is_none_or(is_timestamp)
            && zones.len() <= MAX_ZONE_BYTES
    }

    /// The score in `Ticks`: when it is due, unix ms; None if it is paused.
    pub fn due_ms(&self) -> Option<u64> {
        self.history.next.map(|tick| tick.due_ms)
    }

    /// True if the schedule ends: it had all its messages.
    pub fn is_over(&self) -> bool {
        self.definition.timing.limit.is_some_and(|limit| self.history.runs >= limit.into())
    }
}

impl Definition {
    pub fn is_valid(&self) -> bool {
        let Timing { rhythm, start_ms, end_ms, limit, jitter_ms } = &self.timing;
        let is_rhythm = match rhythm {
            Rhythm::Every { ms } => is_duration(*ms) && *ms >= MIN_EVERY_MS,
            Rhythm::Cron { expression, zone } => {
                expression.len() <= MAX_EXPRESSION_BYTES && zone.len() <= MAX_ZONE_BYTES
            }
        };
        is_rhythm
            && start_ms.is_none_or(is_timestamp)
            && end_ms.is_none_or(is_timestamp)
            && limit.is_none_or(|limit| (1..=MAX_COUNT).contains(&limit.into()))
            && (*jitter_ms == 0 || is_duration(*jitter_ms))
            && self.message.is_valid()
    }
}

impl Template {
    fn is_valid(&self) -> bool {
        let texts = self.headers.iter().flat_map(|(name, value)| [name, value]);
        let bytes = texts.fold(ADDED_HEADER_BYTES, |sum, text| sum.saturating_add(text.0.len()));
        self.payload.len() <= MAX_SCHEDULED_BYTES
            && self.life.is_none_or(|life| life.ttl_ms == 0 || is_duration(life.ttl_ms))
            && is_priority(self.priority)
            && self.group.as_ref().is_none_or(|group| is_name(&group.0))
            && self.headers.len().saturating_add(ADDED_HEADERS) <= MAX_HEADERS
            && bytes <= MAX_HEADER_BYTES
            && self.headers.iter().all(|(name, _)| is_name(&name.0))
    }

    /// The headers, with room for those that are added.
    pub fn headers(&self) -> Vec<Header<'_>> {
        let mut headers = Vec::with_capacity(self.headers.len().saturating_add(ADDED_HEADERS));
        let pairs = self.headers.iter();
        headers.extend(pairs.map(|(name, value)| Header { name: &name.0, value: &value.0 }));
        headers
    }
}

impl Tick {
    /// True if an op can have named it.
    pub fn is_valid(self) -> bool {
        is_timestamp(self.at_ms) && self.at_ms <= self.due_ms && is_timestamp(self.due_ms)
    }
}
