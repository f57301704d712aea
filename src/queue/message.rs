//! What a message is: its id, its body (written once), its note (what changes), its receipts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::Bytes;

use super::few::Name;
use super::name::QueueName;
use super::valid::{
    MAX_ERROR_BYTES, MAX_PRIORITY, MAX_TIME_MS, is_membership, is_name, is_priority, is_timestamp,
};

/// A message's id: a UUID of version 7, whose first 48 bits are the push time (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The push time, unix milliseconds.
    pub fn timestamp_ms(self) -> u64 {
        let [a, b, c, d, e, f, ..] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// This id with a later timestamp, so that it is greater than `other`; None if there is no such
    /// timestamp.
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

    /// True if it is a UUID of version 7 with a moment that is accepted.
    pub fn is_valid(self) -> bool {
        let [.., version, _, variant, _, _, _, _, _, _, _] = self.0;
        version & 0xf0 == 0x70 && variant & 0xc0 == 0x80 && self.timestamp_ms() < MAX_TIME_MS
    }
}

/// A delivery's fencing token. Each delivery of a message has a greater one than all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Receipt(pub u64);

impl Receipt {
    /// The receipt of no delivery.
    pub const NONE: Self = Self(0);

    /// Receipts from a clock stay below this (2^63); greater ones in an op are refused.
    pub const LIMIT: Self = Self(MAX_TIME_MS << 20);

    /// The next receipt.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// True for the receipt of a delivery.
    pub fn is_valid(self) -> bool {
        (Self::NONE.next()..Self::LIMIT).contains(&self)
    }

    /// The moment of the delivery, unix ms; later, if the clock was set back before it.
    pub fn timestamp_ms(self) -> u64 {
        self.0 >> 20
    }

    /// The smallest receipt of a delivery at that moment.
    pub fn at(now_ms: u64) -> Self {
        Self(now_ms.saturating_mul(1 << 20))
    }
}

/// One delivery of a message, as its receipt names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delivery {
    /// One that can't exist if a client's text was no UUID.
    pub id: MessageId,
    /// [`Receipt::NONE`] if a client's text was no receipt.
    pub receipt: Receipt,
}

/// What is known of a running delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// When its visibility ends, unix ms.
    pub until_ms: u64,
    /// True if the message's body says what ends with it; see [`Note::binds`].
    pub binds: bool,
}

/// An entry of `Dead`, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Died {
    /// When it died, unix ms.
    pub at_ms: u64,
    /// The dead letter.
    pub id: MessageId,
}

/// A name and a value that travel with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header<'a> {
    /// 1 to [`MAX_NAME_BYTES`] bytes; no two headers of a message have the same.
    #[serde(borrow, with = "serde_bytes")]
    pub name: &'a [u8],
    /// Any bytes.
    #[serde(borrow, with = "serde_bytes")]
    pub value: &'a [u8],
}

/// A message as it was pushed. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// Made by the server that took the push.
    pub id: MessageId,
    /// What its push says of it, if anything: priority, end, group, deduplication key.
    pub note: Option<&'a Note>,
    /// In the order of the push.
    pub headers: &'a [Header<'a>],
    /// Any bytes.
    pub payload: &'a [u8],
}

/// A stored body, decoded: cheap to hold and to hand back to the store.
pub trait Body {
    /// The message's id.
    fn id(&self) -> MessageId;
    /// The message's headers.
    fn headers(&self) -> Vec<Header<'_>>;
    /// Takes out what its push said of it; None if nothing, or if it was taken out before.
    fn take_note(&mut self) -> Option<Box<Note>>;
    /// The message's payload.
    fn payload(&self) -> &[u8];
    /// How many bytes payload, headers and what else its push said have together.
    fn size(&self) -> usize;
}

/// How the last delivery that ended, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ended {
    /// None has ended in this queue.
    #[default]
    Never,
    /// Its visibility ran out: its receipt still acknowledges while nobody newer holds the message.
    ByTime,
    /// It was given back: its receipt is used up.
    GivenBack,
}

/// What is known of a message besides headers and payload. It begins as what the push said, which
/// stands in the body, and is written down by itself when more is to be known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Note {
    /// How often it came back.
    pub retry_count: u32,
    /// The receipt of its last ended delivery, in whatever queue, or a greater one that no delivery has;
    /// 0 if none has ended.
    pub last_receipt: u64,
    /// How that delivery ended, if it was in this queue.
    pub ended: Ended,
    /// Set if the message is dead and lies in a dead-letter queue. Priority and group have no effect
    /// then.
    pub death: Option<Death>,
    /// 0 to [`MAX_PRIORITY`].
    pub priority: u8,
    /// From when on it is not delivered any more, unix ms.
    pub expires_at_ms: Option<u64>,
    /// Its group.
    pub group: Option<Membership>,
    /// The deduplication key that is released when the message is gone.
    #[serde(serialize_with = "name_if_any", deserialize_with = "own_if_any")]
    pub dedup: Option<Name>,
    /// Who has it, while it is in flight, if that consumer gave a name.
    #[serde(serialize_with = "name_if_any", deserialize_with = "own_if_any")]
    pub consumer: Option<Name>,
    /// What the last consumer that gave it back said of it.
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own_if_any")]
    pub last_error: Option<Vec<u8>>,
    /// Its deliveries that have ended, in whatever queue; None if none has. In version 2 of notes only.
    #[serde(skip)]
    pub deliveries: Option<Deliveries>,
}

/// Deliveries of a message that have ended, whether they count as retries or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// How many: 1 or more.
    pub count: u32,
    /// When the first of them began, unix ms.
    pub first_at_ms: u64,
}

impl Note {
    /// True if an op can have made it.
    pub fn is_valid(&self) -> bool {
        is_priority(self.priority)
            && (self.last_receipt == 0 || Receipt(self.last_receipt).is_valid())
            && self.expires_at_ms.is_none_or(is_timestamp)
            && self.death.as_ref().is_none_or(|death| is_timestamp(death.at_ms))
            && self.group.as_ref().is_none_or(Membership::is_valid)
            && self.dedup.as_ref().is_none_or(|key| is_name(key))
            && self.consumer.as_ref().is_none_or(|name| is_name(name))
            && self.deliveries.is_none_or(|all| all.count > 0 && is_timestamp(all.first_at_ms))
            && self.last_error.as_ref().is_none_or(|error| error.len() <= MAX_ERROR_BYTES)
    }
    /// True if it says what ends with the message: a place in a group, a deduplication key.
    pub fn binds(&self) -> bool {
        self.group.is_some() || self.dedup.is_some()
    }

    /// The group in which the message has its place; None for a dead letter.
    pub fn active_group(&self) -> Option<&Membership> {
        self.group.as_ref().filter(|_| self.death.is_none())
    }

    /// The smallest receipt of its next delivery.
    pub fn next_receipt(&self) -> Receipt {
        Receipt(self.last_receipt).next()
    }

    /// Notes that a delivery with that receipt ended, before the other fields say so. Of deliveries under
    /// 0.1.0 only those are known that were counted as retries, and when the last of them began.
    pub fn add_delivery(&mut self, receipt: Receipt) {
        let first = if self.retry_count == 0 { receipt } else { Receipt(self.last_receipt) };
        let known = Deliveries { count: self.retry_count, first_at_ms: first.timestamp_ms() };
        let deliveries = self.deliveries.get_or_insert(known);
        deliveries.count = deliveries.count.saturating_add(1);
    }

    /// Notes that the last delivery has not ended.
    pub fn remove_delivery(&mut self) {
        if let Some(deliveries) = &mut self.deliveries {
            deliveries.count = deliveries.count.saturating_sub(1);
        }
        self.deliveries = self.deliveries.filter(|deliveries| deliveries.count > 0);
    }

    /// True if the message is not delivered any more at that moment, unix ms.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// The moment since which the message counts as ready when it returns to its old place, unix ms.
    pub fn old_place_ms(&self, id: MessageId) -> u64 {
        self.death.as_ref().map_or(id.timestamp_ms(), |death| death.at_ms)
    }

    /// The rank of the message if it is ready since that moment, unix ms.
    pub fn rank(&self, ready_since_ms: u64) -> Rank {
        Rank::new(self.active_priority(), ready_since_ms)
    }

    /// The priority by which the message is delivered.
    pub fn active_priority(&self) -> u8 {
        if self.death.is_none() { self.priority } else { 0 }
    }
}

/// A message's place in its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The group.
    #[serde(serialize_with = "name", deserialize_with = "own")]
    pub name: Name,
    /// Its number in the order of the group; None until it was ready for the first time.
    pub sequence: Option<u64>,
}

impl Membership {
    fn is_valid(&self) -> bool {
        is_membership(&self.name, self.sequence)
    }
}

/// Where, when and why a message died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The queue it died in.
    pub from: QueueName,
    /// When, unix ms.
    pub at_ms: u64,
    /// Why.
    pub reason: DeathReason,
    /// Its last retry count there.
    pub retries: u32,
}

/// Why a message died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeathReason {
    /// It came back more often than its queue allows.
    Retries,
    /// A consumer gave it back as one that can't be worked off.
    Rejected,
}

impl DeathReason {
    /// The word that a client sees.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retries => "retries",
            Self::Rejected => "rejected",
        }
    }
}

/// The place of a waiting message in its queue: smaller is delivered first.
///
/// In 64ths of a millisecond: ((9 − priority) × 2^43 + the timestamp (unix ms) since which it is ready)
/// × 64. Below 2^53, so that milliseconds with their 64ths are exact in a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u64);

/// The ranks of a millisecond.
const GRAIN: u64 = 64;

/// The ranks of a priority.
const LANE: u64 = MAX_TIME_MS * GRAIN;

impl Rank {
    /// The rank of a message of that priority that is ready since that timestamp.
    pub fn new(priority: u8, ready_since_ms: u64) -> Self {
        let since_ms = ready_since_ms.min(MAX_TIME_MS.saturating_sub(1));
        let lane = MAX_PRIORITY.saturating_sub(priority);
        Self(LANE.saturating_mul(lane.into()).saturating_add(since_ms.saturating_mul(GRAIN)))
    }

    /// The last rank of a priority.
    pub fn last(priority: u8) -> Self {
        Self(Self::new(priority, 0).0.saturating_add(LANE.saturating_sub(1)))
    }

    /// The next rank, or this one if it is the last of its priority.
    pub fn next(self) -> Self {
        let next = self.0.saturating_add(1);
        if next.is_multiple_of(LANE) { self } else { Self(next) }
    }

    /// The timestamp since which it is ready, unix ms.
    pub fn ready_since_ms(self) -> u64 {
        self.0 % LANE / GRAIN
    }

    /// As a score of a sorted set: in milliseconds.
    pub fn score(self) -> f64 {
        self.0 as f64 / GRAIN as f64
    }

    /// From such a score; one that is none counts as the nearest.
    pub fn from_score(score: f64) -> Self {
        Self((score * GRAIN as f64) as u64)
    }
}

fn name<S: Serializer>(name: &Name, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(name)
}

fn name_if_any<S: Serializer>(name: &Option<Name>, to: S) -> Result<S::Ok, S::Error> {
    name.as_deref().map(Bytes::new).serialize(to)
}

/// Reads bytes that are there, and copies them: read as a `Vec`, a length in a damaged record would
/// make room for 129 MiB first.
fn own<'de, T: From<&'de [u8]>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    serde_bytes::deserialize::<&[u8], D>(from).map(T::from)
}

/// As [`own`].
fn own_if_any<'de, T: From<&'de [u8]>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_bytes::deserialize::<Option<&[u8]>, D>(from)?.map(T::from))
}
