//! Valid ranges of everything that is stored or replicated (docs/storage.md).
//!
//! Used by decoding, the rules and MQ.CHECK. A record out of range is damaged, whoever wrote it, and no
//! rule writes one, whatever it reads.

/// Longest payload, bytes.
pub const MAX_PAYLOAD_BYTES: usize = 128 * 1024 * 1024;

/// Longest name of a group, a consumer, a header or a schedule, and longest deduplication key of a push, bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// Before the name of a schedule, the deduplication key of its messages.
pub const OVERLAP_PREFIX: &[u8] = b"mq-schedule:";

/// Longest deduplication key, bytes.
const MAX_DEDUP_BYTES: usize = MAX_NAME_BYTES + OVERLAP_PREFIX.len();

pub const MAX_HEADERS: usize = 64;

/// Longest payload of a schedule, bytes: it is written again with each tick.
pub const MAX_SCHEDULED_BYTES: usize = 1024 * 1024;

/// Longest cron expression, bytes.
pub const MAX_EXPRESSION_BYTES: usize = 256;

/// Longest name of a time zone, and of a version of the zone data, bytes.
pub const MAX_ZONE_BYTES: usize = 64;

/// The most schedules of a queue.
pub const MAX_SCHEDULES: u64 = 10_000;

/// The shortest EVERY, in milliseconds.
pub const MIN_EVERY_MS: u64 = 100;

/// All names and values of the headers of a message, bytes.
pub const MAX_HEADER_BYTES: usize = 65_536;

/// Longest error text that is kept, bytes.
pub const MAX_ERROR_BYTES: usize = 1_024;

pub const MAX_PRIORITY: u8 = 9;

/// Timestamps (unix ms) are below this, in the year 2248: ranks must stay exact.
pub const MAX_TIME_MS: u64 = 1 << 43;

/// Longest duration: 365 days, in milliseconds.
pub const MAX_DURATION_MS: u64 = 31_536_000_000;

/// The largest MAXRETRIES.
pub const MAX_RETRIES: i64 = 2_147_483_647;

/// The largest MAXLEN, MAXINFLIGHT, RATE and MAXDEDUP.
pub const MAX_COUNT: i64 = 2_147_483_647;

/// The largest GROUPINFLIGHT.
pub const MAX_GROUP_INFLIGHT: i64 = 10_000;

/// Ends of visibility and due times are below this: a timestamp and a duration.
pub const DEADLINES: u64 = MAX_TIME_MS + MAX_DURATION_MS;

/// Numbers in a group and the counts of its messages are below this: no member of `Grouped` has 0xff
/// behind the name.
pub const SEQUENCES: u64 = 1 << 56;

/// Tickets are below this, well within the exact range of a double.
pub const TICKETS: u64 = 1 << 52;

/// Unix ms.
pub const fn is_timestamp(ms: u64) -> bool {
    ms < MAX_TIME_MS
}

/// In milliseconds.
pub fn is_duration(ms: u64) -> bool {
    (1..=MAX_DURATION_MS).contains(&ms)
}

pub fn is_priority(priority: u8) -> bool {
    priority <= MAX_PRIORITY
}

/// For the name of a group, a consumer, a header or a schedule.
pub fn is_name(name: &[u8]) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

/// For a deduplication key: of a push, or of the messages of a schedule.
pub fn is_dedup_key(key: &[u8]) -> bool {
    (1..=MAX_DEDUP_BYTES).contains(&key.len())
}

/// For the number of a message in its group.
pub fn is_sequence(sequence: u64) -> bool {
    sequence < SEQUENCES
}

/// The next number or count of a group. It saturates: messages with the same number are in the order of
/// their ids.
pub fn next_sequence(sequence: u64) -> u64 {
    sequence.saturating_add(1).min(SEQUENCES - 1)
}

pub fn is_membership(name: &[u8], sequence: Option<u64>) -> bool {
    is_name(name) && sequence.is_none_or(is_sequence)
}

/// A score as a whole number below a limit.
pub fn whole(score: f64, limit: u64) -> Option<u64> {
    let number = score as u64;
    (score == number as f64 && number < limit).then_some(number)
}
