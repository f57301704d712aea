//! The records of groups and deduplication keys and the stored numbers of a queue, with their valid
//! ranges.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::message::MessageId;
use super::settings::parse_integer;
use super::valid::{MAX_COUNT, is_sequence, is_timestamp};

/// The messages of a group by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupCounts {
    /// Ready.
    pub waiting: u64,
    pub inflight: u64,
    /// Returned and delayed.
    pub held: u64,
    /// The number of the next message that joins.
    pub next_sequence: u64,
}

/// The record of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    pub counts: GroupCounts,
    /// The next ready messages in order: numbers and ids. The others are in `Grouped`.
    pub head: Head,
    /// The stored record is unreadable: it is to be set aside, and the group starts over.
    pub is_damaged: bool,
}

/// Numbers and ids, with room for one more than are kept.
pub type Head = SmallVec<[(u64, MessageId); Group::HEAD + 1]>;

impl Group {
    pub const HEAD: usize = 8;

    /// True if `Grouped` has more ready messages.
    pub fn has_more(&self) -> bool {
        self.counts.waiting > self.head.len() as u64
    }
}

/// The record of a deduplication key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// The message that holds it.
    pub id: MessageId,
    /// End of the window, unix ms; None: until the message is removed (UNTILDONE).
    pub until_ms: Option<u64>,
}

/// A number in `Config` that is no setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredNumber {
    /// End of the pause, unix ms; 0: until MQ.RESUME.
    PausedUntil,
    /// Start of the rate window, unix ms.
    RateWindowStart,
    /// Deliveries in the rate window.
    RateWindowCount,
    /// When the queue was last used, unix ms: see [`unused`](super::unused).
    UsedAt,
}

impl StoredNumber {
    pub const ALL: [Self; 4] =
        [Self::PausedUntil, Self::RateWindowStart, Self::RateWindowCount, Self::UsedAt];

    /// The field of `Config`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PausedUntil => "paused_until",
            Self::RateWindowStart => "rate_window_start",
            Self::RateWindowCount => "rate_window_count",
            Self::UsedAt => "used_at",
        }
    }

    /// Parses a stored text; None if it is invalid or out of range.
    pub fn parse(self, text: &[u8]) -> Option<u64> {
        let number = parse_integer(text).and_then(|number| u64::try_from(number).ok());
        number.filter(|number| self.accepts(*number))
    }

    fn accepts(self, number: u64) -> bool {
        match self {
            Self::PausedUntil | Self::RateWindowStart | Self::UsedAt => is_timestamp(number),
            Self::RateWindowCount => number <= MAX_COUNT.unsigned_abs(),
        }
    }
}

impl Group {
    /// True if an op can have written it. Ids are checked by whoever reads their messages.
    pub fn is_valid(&self) -> bool {
        let GroupCounts { waiting, inflight, held, next_sequence } = self.counts;
        let numbers = [waiting, inflight, held, next_sequence];
        self.head.len() <= Self::HEAD
            && self.head.is_sorted()
            && numbers
                .into_iter()
                .chain(self.head.iter().map(|(number, _)| *number))
                .all(is_sequence)
    }
}

impl Duplicate {
    /// True if an op can have written it.
    pub fn is_valid(&self) -> bool {
        self.id.is_valid() && self.until_ms.is_none_or(is_timestamp)
    }
}
