//! The records of a queue besides those of its messages, and what makes one valid.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::message::MessageId;
use super::settings::parse_integer;
use super::valid::{MAX_COUNT, is_sequence, is_timestamp};

/// How many messages of a group are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupCounts {
    /// They wait.
    pub waiting: u64,
    /// They are in flight.
    pub inflight: u64,
    /// They came back and wait for their retry.
    pub held: u64,
    /// The number of the next message that joins.
    pub next_sequence: u64,
}

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// How many of its messages are where.
    pub counts: GroupCounts,
    /// The first of those that wait, in their order: their numbers and ids. The others are in
    /// `Grouped`; while it is empty, all of them.
    pub head: Head,
    /// The stored record can't be read: it is to be set aside, the group begins anew.
    pub is_damaged: bool,
}

/// Numbers and ids, with room for one more than are to stay.
pub type Head = SmallVec<[(u64, MessageId); Group::HEAD + 1]>;

impl Group {
    /// The most messages in `head`.
    pub const HEAD: usize = 8;

    /// True if messages wait that `head` does not name.
    pub fn has_more(&self) -> bool {
        self.counts.waiting > self.head.len() as u64
    }
}

/// What is known of a deduplication key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// The message that was pushed with it.
    pub id: MessageId,
    /// How long it holds, unix ms; None: until that message is gone.
    pub until_ms: Option<u64>,
}

/// What is remembered of a queue besides its settings: each a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memo {
    /// Until when nothing is delivered, unix ms; 0: until it is resumed.
    PausedUntil,
    /// When the window of the rate began, unix ms.
    RateWindowStart,
    /// How much was delivered in it.
    RateWindowCount,
}

impl Memo {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PausedUntil, Self::RateWindowStart, Self::RateWindowCount];

    /// The field in which it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::PausedUntil => "paused_until",
            Self::RateWindowStart => "rate_window_start",
            Self::RateWindowCount => "rate_window_count",
        }
    }

    /// The number that a stored text is; None if this can't be it.
    pub fn parse(self, text: &[u8]) -> Option<u64> {
        let number = parse_integer(text).and_then(|number| u64::try_from(number).ok());
        number.filter(|number| self.accepts(*number))
    }

    fn accepts(self, number: u64) -> bool {
        match self {
            Self::PausedUntil | Self::RateWindowStart => is_timestamp(number),
            Self::RateWindowCount => number <= MAX_COUNT.unsigned_abs(),
        }
    }
}

impl Group {
    /// True if an op can have made it. Ids are looked at by whoever looks for their messages.
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
    /// True if an op can have made it.
    pub fn is_valid(&self) -> bool {
        self.id.is_valid() && self.until_ms.is_none_or(is_timestamp)
    }
}
