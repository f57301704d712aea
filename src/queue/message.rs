//! A message: its id, its body (written once), its state record (what changes), its deliveries.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::Bytes;

use super::name::QueueName;
use super::small_vec::NameBytes;
use super::valid::{
    MAX_ERROR_BYTES, MAX_PRIORITY, MAX_TIME_MS, is_dedup_key, is_membership, is_name, is_priority,
    is_timestamp,
};

/// A message's id: a UUID of version 7, whose first 48 bits are the push time (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// Unix ms.
    pub fn timestamp_ms(self) -> u64 {
        let [a, b, c, d, e, f, ..] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// This id with the first later timestamp that makes it greater than `other`; None if there is none.
    pub fn moved_behind(self, other: Self) -> Option<Self> {
        let at = |ms: u64| {
            let mut id = self.0;
            let [_, _, timestamp @ ..] = ms.to_be_bytes();
            id.get_mut(..6)?.copy_from_slice(&timestamp);
            Some(Self(id)).filter(|id| *id > other && id.is_valid())
        };
        let ms = other.timestamp_ms();
        at(ms).or_else(|| at(ms.saturating_add(1)))
    }

    /// True for a UUID of version 7 with a valid timestamp.
    pub fn is_valid(self) -> bool {
        let [.., version, _, variant, _, _, _, _, _, _, _] = self.0;
        version & 0xf0 == 0x70 && variant & 0xc0 == 0x80 && self.timestamp_ms() < MAX_TIME_MS
    }
}

/// A delivery's fencing token: greater than those of all earlier deliveries of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Receipt(pub u64);

impl Receipt {
    /// No delivery has this one.
    pub const NONE: Self = Self(0);

    /// Receipts from a clock stay below this (2^63); greater ones in an op are refused.
    pub const LIMIT: Self = Self(MAX_TIME_MS << 20);

    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// True for the receipt of a delivery.
    pub fn is_valid(self) -> bool {
        (Self::NONE.next()..Self::LIMIT).contains(&self)
    }

    /// The time of the delivery, unix ms; later than that if the clock was set back before it.
    pub fn timestamp_ms(self) -> u64 {
        self.0 >> 20
    }

    /// The smallest receipt of a delivery at this time, unix ms.
    pub fn at(now_ms: u64) -> Self {
        Self(now_ms.saturating_mul(1 << 20))
    }
}

/// A delivery, as its receipt names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delivery {
    /// An impossible one if a client's text was no UUID.
    pub id: MessageId,
    /// [`Receipt::NONE`] if a client's text was no receipt.
    pub receipt: Receipt,
}

/// A delivery that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDelivery {
    pub receipt: Receipt,
    /// End of visibility, unix ms.
    pub until_ms: u64,
    /// See [`StateRecord::has_cleanup`].
    pub has_cleanup: bool,
}

/// A running delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// End of visibility, unix ms.
    pub until_ms: u64,
    /// See [`StateRecord::has_cleanup`].
    pub has_cleanup: bool,
    pub kept: Kept,
}

/// How the store keeps a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In `Flight`, with the body.
    Whole,
    /// In `Flight`; the body is large, and in `Bodies`.
    Apart,
    /// In `Inflight`, as version 1 of ops does; the body is in `Messages`.
    Old,
}

/// An entry of `Dead`. Ordered as that set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Died {
    /// Unix ms.
    pub at_ms: u64,
    pub id: MessageId,
}

/// A header of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header<'a> {
    /// 1 to [`MAX_NAME_BYTES`](super::valid::MAX_NAME_BYTES) bytes, unique in the message.
    #[serde(borrow, with = "serde_bytes")]
    pub name: &'a [u8],
    /// Binary-safe.
    #[serde(borrow, with = "serde_bytes")]
    pub value: &'a [u8],
}

/// A message as it is pushed. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// Made by the server that accepted the push.
    pub id: MessageId,
    /// Priority, TTL, group and deduplication key, if the push named one.
    pub record: Option<&'a StateRecord>,
    pub headers: &'a [Header<'a>],
    /// Binary-safe.
    pub payload: &'a [u8],
}

/// A stored body, decoded: cheap to keep and to write back.
pub trait Body {
    fn id(&self) -> MessageId;
    fn headers(&self) -> Vec<Header<'_>>;
    /// Takes out what the push said besides headers and payload; None if nothing, or if it was taken
    /// before.
    fn take_record(&mut self) -> Option<Box<StateRecord>>;
    fn payload(&self) -> &[u8];
    /// Bytes of payload, headers and the other push options.
    fn size(&self) -> usize;
}

/// How the last delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ended {
    /// No delivery has ended in this queue.
    #[default]
    Never,
    /// Its visibility ended or its consumer disconnected: its receipt still acknowledges until the next
    /// delivery.
    ByTime,
    /// Nacked: its receipt is used up.
    Nacked,
    /// Its consumer disconnected, as [`ByTime`](Self::ByTime), but that was not counted as a retry.
    Uncounted,
}

impl Ended {
    /// True if the receipt still counts until the next delivery.
    pub fn is_by_itself(self) -> bool {
        matches!(self, Self::ByTime | Self::Uncounted)
    }
}

/// What is known of a message besides headers and payload. Until anything changes it is what the push
/// said, which is part of the body; then it is written as a record of its own, which is complete.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateRecord {
    /// How often it was returned and counted.
    pub retry_count: u32,
    /// The receipt of the last delivery that ended, in whatever queue, or a greater one that no delivery
    /// has; 0 if none has ended.
    pub last_receipt: u64,
    /// How that delivery ended, if it was in this queue.
    pub ended: Ended,
    /// Set in a dead letter. Priority and group have no effect then.
    pub death: Option<Death>,
    /// 0 to [`MAX_PRIORITY`].
    pub priority: u8,
    pub expiry: Option<Expiry>,
    pub group: Option<Membership>,
    /// The UNTILDONE key, which is released when the message is removed.
    #[serde(serialize_with = "name_if_any", deserialize_with = "own_if_any")]
    pub dedup: Option<NameBytes>,
    /// The consumer that holds it, if that gave a name.
    #[serde(serialize_with = "name_if_any", deserialize_with = "own_if_any")]
    pub consumer: Option<NameBytes>,
    /// The REASON of the last nack.
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own_if_any")]
    pub last_error: Option<Vec<u8>>,
    /// Ended deliveries, in whatever queue. Stored since version 2.
    #[serde(skip)]
    pub deliveries: Option<Deliveries>,
}

/// The deliveries of a message that have ended, counted as retries or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// 1 or more.
    pub count: u32,
    /// When the first of them began, unix ms.
    pub first_at_ms: u64,
}

impl StateRecord {
    /// True if an op can have written it.
    pub fn is_valid(&self) -> bool {
        is_priority(self.priority)
            && (self.last_receipt == 0 || Receipt(self.last_receipt).is_valid())
            && self.expiry.is_none_or(Expiry::is_valid)
            && self.death.as_ref().is_none_or(|death| is_timestamp(death.at_ms))
            && self.group.as_ref().is_none_or(Membership::is_valid)
            && self.dedup.as_ref().is_none_or(|key| is_dedup_key(key))
            && self.consumer.as_ref().is_none_or(|name| is_name(name))
            && self.deliveries.is_none_or(|all| all.count > 0 && is_timestamp(all.first_at_ms))
            && self.last_error.as_ref().is_none_or(|error| error.len() <= MAX_ERROR_BYTES)
    }
    /// True if removing the message must also release a group slot or a deduplication key.
    pub fn has_cleanup(&self) -> bool {
        self.group.is_some() || self.dedup.is_some()
    }

    /// The group in which the message is ordered; None for a dead letter.
    pub fn active_group(&self) -> Option<&Membership> {
        self.group.as_ref().filter(|_| self.death.is_none())
    }

    pub fn next_receipt(&self) -> Receipt {
        Receipt(self.last_receipt).next()
    }

    /// Counts a delivery that ended, before the other fields change. Of deliveries under 0.1.0 only
    /// those are known that counted as retries, and when the last one began.
    pub fn add_delivery(&mut self, receipt: Receipt) {
        let first = if self.retry_count == 0 { receipt } else { Receipt(self.last_receipt) };
        let known = Deliveries { count: self.retry_count, first_at_ms: first.timestamp_ms() };
        let deliveries = self.deliveries.get_or_insert(known);
        deliveries.count = deliveries.count.saturating_add(1);
    }

    /// Takes back the count of the last delivery.
    pub fn remove_delivery(&mut self) {
        if let Some(deliveries) = &mut self.deliveries {
            deliveries.count = deliveries.count.saturating_sub(1);
        }
        self.deliveries = self.deliveries.filter(|deliveries| deliveries.count > 0);
    }

    /// The end of the time to live, unix ms.
    pub fn expires_at_ms(&self) -> Option<u64> {
        self.expiry.map(Expiry::at_ms)
    }

    /// True if the time to live is over at this time, unix ms.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// True if the message dies at the end of its time to live. A dead letter never dies again.
    pub fn dies_at_end(&self) -> bool {
        self.death.is_none() && self.expiry.is_some_and(Expiry::is_death)
    }

    /// The time since which the message counts as ready when it returns to its old place, unix ms.
    pub fn old_place_ms(&self, id: MessageId) -> u64 {
        self.death.as_ref().map_or(id.timestamp_ms(), |death| death.at_ms)
    }

    /// Its rank if it is ready since this time, unix ms.
    pub fn rank(&self, ready_since_ms: u64) -> Rank {
        Rank::new(self.active_priority(), ready_since_ms)
    }

    /// The effective priority.
    pub fn active_priority(&self) -> u8 {
        if self.death.is_none() { self.priority } else { 0 }
    }
}

/// The end of a message's time to live, and what becomes of it then. One number, in which the highest bit
/// says that it dies instead of being discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry(u64);

impl Expiry {
    const DEATH: u64 = 1 << 63;

    /// The message is discarded then, unix ms.
    pub fn discards(at_ms: u64) -> Self {
        Self(at_ms)
    }

    /// The message dies then, unix ms.
    pub fn kills(at_ms: u64) -> Self {
        Self(at_ms | Self::DEATH)
    }

    /// Unix ms.
    pub fn at_ms(self) -> u64 {
        self.0 & !Self::DEATH
    }

    pub fn is_death(self) -> bool {
        self.0 & Self::DEATH != 0
    }

    pub fn is_valid(self) -> bool {
        is_timestamp(self.at_ms())
    }
}

/// A message's membership in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    #[serde(serialize_with = "name", deserialize_with = "own")]
    pub name: NameBytes,
    /// Its number in the order of the group; None until it is ready for the first time.
    pub sequence: Option<u64>,
}

impl Membership {
    fn is_valid(&self) -> bool {
        is_membership(&self.name, self.sequence)
    }
}

/// The death of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    pub from: QueueName,
    /// Unix ms.
    pub at_ms: u64,
    pub reason: DeathReason,
    /// Its retry count at death.
    pub retries: u32,
}

/// Why a message died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeathReason {
    /// More than MAXRETRIES returns.
    Retries,
    /// MQ.NACK ... DEAD.
    Rejected,
    /// The end of a TTL with DEAD.
    Expired,
}

impl DeathReason {
    /// As replied.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retries => "retries",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// The order of ready messages without a group: the smallest is delivered first.
///
/// In 64ths of a millisecond: ((9 − priority) × 2^43 + the timestamp (unix ms) since which it is ready)
/// × 64. Below 2^53, so that milliseconds with their 64ths are exact in a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u64);

const RANKS_PER_MS: u64 = 64;

const RANKS_PER_PRIORITY: u64 = MAX_TIME_MS * RANKS_PER_MS;

impl Rank {
    /// Of a message of this priority that is ready since this time, unix ms.
    pub fn new(priority: u8, ready_since_ms: u64) -> Self {
        let since_ms = ready_since_ms.min(MAX_TIME_MS.saturating_sub(1));
        let level = MAX_PRIORITY.saturating_sub(priority);
        Self(
            RANKS_PER_PRIORITY
                .saturating_mul(level.into())
                .saturating_add(since_ms.saturating_mul(RANKS_PER_MS)),
        )
    }

    /// The last rank of a priority.
    pub fn last(priority: u8) -> Self {
        Self(Self::new(priority, 0).0.saturating_add(RANKS_PER_PRIORITY.saturating_sub(1)))
    }

    /// The next rank, or this one if it is the last of its priority.
    pub fn next(self) -> Self {
        let next = self.0.saturating_add(1);
        if next.is_multiple_of(RANKS_PER_PRIORITY) { self } else { Self(next) }
    }

    /// Unix ms.
    pub fn ready_since_ms(self) -> u64 {
        self.0 % RANKS_PER_PRIORITY / RANKS_PER_MS
    }

    /// As a score: milliseconds, with a fraction.
    pub fn score(self) -> f64 {
        self.0 as f64 / RANKS_PER_MS as f64
    }

    /// From a score; an invalid one counts as the nearest.
    pub fn from_score(score: f64) -> Self {
        Self((score * RANKS_PER_MS as f64) as u64)
    }
}

fn name<S: Serializer>(name: &NameBytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(name)
}

fn name_if_any<S: Serializer>(name: &Option<NameBytes>, to: S) -> Result<S::Ok, S::Error> {
    name.as_deref().map(Bytes::new).serialize(to)
}

/// Copies borrowed bytes: reading a `Vec` would first allocate up to 129 MiB for a length in a damaged
/// record.
pub(super) fn own<'de, T: From<&'de [u8]>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    serde_bytes::deserialize::<&[u8], D>(from).map(T::from)
}

/// As [`own`].
fn own_if_any<'de, T: From<&'de [u8]>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_bytes::deserialize::<Option<&[u8]>, D>(from)?.map(T::from))
}
