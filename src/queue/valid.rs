//! The valid range of everything that is stored or replicated (docs/storage.md).
//!
//! Decoding, applying and MQ.CHECK ask here. A record out of range is damaged, whoever wrote it; and no
//! rule writes one, whatever the records say that it reads.

use super::message::{
    MAX_ERROR_BYTES, MAX_NAME_BYTES, MAX_PRIORITY, MAX_TIME_MS, Membership, Note, Receipt,
};
use super::settings::{MAX_COUNT, MAX_DURATION_MS};
use super::store::{Duplicate, Group, GroupCounts, Memo};

/// Ends of visibility and of delays are below this: a timestamp and a duration.
pub const DEADLINES: u64 = MAX_TIME_MS + MAX_DURATION_MS;

/// Numbers in a group are below this, and so are the counts of its messages: no member of `Grouped`
/// has a 0xff behind the name.
pub const SEQUENCES: u64 = 1 << 56;

/// Tickets are below this, far from where a double is not exact any more.
pub const TICKETS: u64 = 1 << 52;

/// True for a timestamp, unix ms: before the year 2248.
pub const fn is_timestamp(ms: u64) -> bool {
    ms < MAX_TIME_MS
}

/// True for a length of time, in milliseconds.
pub fn is_duration(ms: u64) -> bool {
    (1..=MAX_DURATION_MS).contains(&ms)
}

/// True for the receipt of a delivery.
pub fn is_receipt(receipt: Receipt) -> bool {
    (Receipt::NONE.next()..Receipt::LIMIT).contains(&receipt)
}

/// True for a priority.
pub fn is_priority(priority: u8) -> bool {
    priority <= MAX_PRIORITY
}

/// True for the name of a group, a consumer or a header, and for a deduplication key.
pub fn is_name(name: &[u8]) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

/// True for the number of a message in its group.
pub fn is_sequence(sequence: u64) -> bool {
    sequence < SEQUENCES
}

/// The next number in a group, or its next higher count. The last one is not exceeded: messages with
/// the same number are in the order of their ids.
pub fn next_sequence(sequence: u64) -> u64 {
    sequence.saturating_add(1).min(SEQUENCES - 1)
}

/// True for the name and the number of a message in its group.
pub fn is_membership(name: &[u8], sequence: Option<u64>) -> bool {
    is_name(name) && sequence.is_none_or(is_sequence)
}

/// True for what may be remembered of a queue.
pub fn is_memo(memo: Memo, number: u64) -> bool {
    match memo {
        Memo::PausedUntil | Memo::RateWindowStart => is_timestamp(number),
        Memo::RateWindowCount => number <= MAX_COUNT.unsigned_abs(),
    }
}

/// The whole number from 0 on and below a limit that a score is.
pub fn whole(score: f64, limit: u64) -> Option<u64> {
    let number = score as u64;
    (score == number as f64 && number < limit).then_some(number)
}

impl Note {
    /// True if an op can have made it.
    pub fn is_valid(&self) -> bool {
        is_priority(self.priority)
            && (self.last_receipt == 0 || is_receipt(Receipt(self.last_receipt)))
            && self.expires_at_ms.is_none_or(is_timestamp)
            && self.death.as_ref().is_none_or(|death| is_timestamp(death.at_ms))
            && self.group.as_ref().is_none_or(Membership::is_valid)
            && self.dedup.as_ref().is_none_or(|key| is_name(key))
            && self.consumer.as_ref().is_none_or(|name| is_name(name))
            && self.deliveries.is_none_or(|all| all.count > 0 && is_timestamp(all.first_at_ms))
            && self.last_error.as_ref().is_none_or(|error| error.len() <= MAX_ERROR_BYTES)
    }
}

impl Membership {
    fn is_valid(&self) -> bool {
        is_membership(&self.name, self.sequence)
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
