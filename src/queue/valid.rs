//! The valid range of everything that is stored or replicated (docs/storage.md).
//!
//! Decoding, applying and MQ.CHECK ask here. A record out of range is damaged, whoever wrote it; and no
//! rule writes one, whatever the records say that it reads.

/// The longest payload, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 128 * 1024 * 1024;

/// The longest name of a group, a consumer or a header, and the longest deduplication key, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// The most headers of a message.
pub const MAX_HEADERS: usize = 64;

/// The most bytes of all names and values of a message's headers.
pub const MAX_HEADER_BYTES: usize = 65_536;

/// The longest text that is kept of an error, in bytes.
pub const MAX_ERROR_BYTES: usize = 1_024;

/// The highest priority.
pub const MAX_PRIORITY: u8 = 9;

/// A moment later than this (unix ms, in the year 2248) is refused: ranks must stay exact.
pub const MAX_TIME_MS: u64 = 1 << 43;

/// The longest length of time that is accepted anywhere: 365 days, in milliseconds.
pub const MAX_DURATION_MS: u64 = 31_536_000_000;

/// The largest MAXRETRIES.
pub const MAX_RETRIES: i64 = 2_147_483_647;

/// The largest MAXLEN, MAXINFLIGHT, RATE and MAXDEDUP.
pub const MAX_COUNT: i64 = 2_147_483_647;

/// The largest GROUPINFLIGHT.
pub const MAX_GROUP_INFLIGHT: i64 = 10_000;

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

/// The whole number from 0 on and below a limit that a score is.
pub fn whole(score: f64, limit: u64) -> Option<u64> {
    let number = score as u64;
    (score == number as f64 && number < limit).then_some(number)
}
