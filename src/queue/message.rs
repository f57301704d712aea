//! What a message is: its id, its body (written once), its note (what changes), its receipts.

use serde::{Deserialize, Serialize};

use super::name::QueueName;

/// The longest payload, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 128 * 1024 * 1024;

/// The most headers of a message.
pub const MAX_HEADERS: usize = 64;

/// The most bytes of a header's name; the fewest are 1.
pub const MAX_HEADER_NAME_BYTES: usize = 256;

/// The most bytes of the names and values of all headers of a message.
pub const MAX_HEADERS_BYTES: usize = 65_536;

/// A moment later than this (unix ms, in the year 2248) is refused: ranks must stay exact.
pub const MAX_TIME_MS: u64 = 1 << 43;

/// A message's id: a UUID of version 7, whose first 48 bits are the push time (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The push time, unix milliseconds.
    pub fn timestamp_ms(self) -> u64 {
        let [a, b, c, d, e, f, ..] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
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

    /// The smallest receipt of a delivery at that moment.
    pub fn at(now_ms: u64) -> Self {
        Self(now_ms.saturating_mul(1 << 20))
    }
}

/// A message as it was pushed. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// Made by the server that took the push.
    pub id: MessageId,
    /// Any bytes.
    pub payload: &'a [u8],
}

/// A stored body, decoded: cheap to hold and to hand back to the store.
pub trait Body {
    /// The message's id.
    fn id(&self) -> MessageId;
    /// The message's payload.
    fn payload(&self) -> &[u8];
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

/// What is known of a message besides its body. A message without a note has the default one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Note {
    /// How often it came back.
    pub retry_count: u32,
    /// The receipt of its last ended delivery, in whatever queue; 0 if none.
    pub last_receipt: u64,
    /// How that delivery ended, if it was in this queue.
    pub ended: Ended,
    /// Set if the message is dead and lies in a dead-letter queue.
    pub death: Option<Death>,
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
}

impl DeathReason {
    /// The word that a client sees.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retries => "retries",
        }
    }
}

/// The place of a waiting message in its queue: smaller is delivered first.
///
/// (9 − priority) × 2^43 + the moment (unix ms) since which it is ready: exact in a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub u64);

impl Rank {
    /// The rank of a message without priority that is ready since that moment.
    pub fn plain(ready_since_ms: u64) -> Self {
        let since = ready_since_ms.min(MAX_TIME_MS.saturating_sub(1));
        Self(MAX_TIME_MS.saturating_mul(9).saturating_add(since))
    }

    /// The moment since which it is ready, unix ms.
    pub fn ready_since_ms(self) -> u64 {
        self.0 & (MAX_TIME_MS.saturating_sub(1))
    }
}
