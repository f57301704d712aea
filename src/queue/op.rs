//! Ops: each is a request together with everything that the stored state does not determine.
//!
//! An op is what the server that decides hands to [`apply`](super::apply()), and what it sends to
//! its replicas and its append-only file. Same state and same op give the same new state.

use serde::{Deserialize, Serialize};

use super::few::{self, Few};
use super::message::{Delivery, Died, Header, MessageId, Receipt};
use super::name::QueueName;
use super::settings::{Setting, Settings};
use super::valid::{
    MAX_DURATION_MS, MAX_ERROR_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_PAYLOAD_BYTES,
    MAX_TIME_MS, is_duration, is_name, is_priority, is_timestamp,
};

/// The most messages that one push or pull takes, and the most ids that one command names.
pub const MAX_BATCH: u32 = 10_000;

/// The most dead letters that one redrive looks at.
pub const MAX_REDRIVE: u32 = 100_000;

/// A change of one queue. New variants are added at the end: their numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op<'a> {
    /// A new message.
    Push {
        /// Its id.
        id: MessageId,
        /// When it becomes ready, unix ms; None: at once.
        due_at_ms: Option<u64>,
        /// Its payload.
        #[serde(borrow, with = "serde_bytes")]
        payload: &'a [u8],
        /// What else its push says.
        with: Option<With<'a>>,
    },
    /// New messages: all or none.
    PushMany {
        /// In their order.
        #[serde(borrow)]
        messages: Vec<Numbered<'a>>,
        /// When they become ready, unix ms; None: at once.
        due_at_ms: Option<u64>,
        /// What else their push says; no deduplication key.
        with: Option<With<'a>>,
    },
    /// First the end of deliveries, then what is due, then a delivery of up to `count` messages.
    Pull {
        /// The moment.
        now_ms: u64,
        /// The most messages to deliver.
        count: u32,
        /// How they are delivered.
        #[serde(borrow)]
        delivery: Mode<'a>,
        /// The smallest receipt to give.
        base_receipt: Receipt,
        /// How much of what is due is moved first.
        sweep: Sweep,
        /// Deliveries that were worked off.
        acknowledged: Vec<Delivery>,
    },
    /// What is due becomes ready, dies or is discarded.
    Sweep {
        /// The moment.
        now_ms: u64,
        /// How much is moved.
        sweep: Sweep,
    },
    /// The end of deliveries that were worked off.
    Acknowledge {
        /// The moment, if a delivery may be over by then: it is counted as late. None: none is.
        now_ms: Option<u64>,
        /// Whose.
        #[serde(with = "few")]
        deliveries: Few<Delivery>,
    },
    /// Deliveries that are given back.
    GiveBack {
        /// The moment.
        now_ms: u64,
        /// Whose.
        #[serde(with = "few")]
        deliveries: Few<Delivery>,
        /// How long until the messages are ready again; None: as the queue's backoff says.
        delay_ms: Option<u64>,
        /// See [`Sweep::same_slot`].
        same_slot: bool,
        /// What it means for the messages.
        how: Return,
        /// What went wrong.
        #[serde(borrow, with = "serde_bytes")]
        reason: Option<&'a [u8]>,
    },
    /// A new end of visibility for deliveries. Under version 1 for those that run, later also for those
    /// that ended by themselves while nobody newer holds the message.
    Extend {
        /// The moment.
        now_ms: u64,
        /// Whose.
        #[serde(with = "few")]
        deliveries: Few<Delivery>,
        /// How long they stay invisible from that moment.
        visibility_ms: u64,
    },
    /// Settings: a value as text, or None for the default.
    Configure {
        /// In this order.
        changes: Vec<(Setting, Option<Vec<u8>>)>,
    },
    /// Messages are removed, wherever they are.
    Delete {
        /// Which.
        ids: Vec<MessageId>,
    },
    /// All messages are removed.
    Purge,
    /// The queue is removed, with its settings.
    Drop,
    /// A delayed message becomes ready at another moment.
    Reschedule {
        /// The moment of the request.
        now_ms: u64,
        /// Which.
        id: MessageId,
        /// When it becomes ready, unix ms; if that is not after `now_ms`, at once.
        due_at_ms: u64,
    },
    /// Dead letters that wait go back to where they died.
    Redrive {
        /// The moment.
        now_ms: u64,
        /// The most to look at.
        count: u32,
        /// Where they go instead.
        to: Option<QueueName>,
        /// See [`Sweep::same_slot`].
        same_slot: bool,
    },
    /// Nothing is delivered until that moment, unix ms; None: until it is resumed.
    Pause {
        /// The moment.
        until_ms: Option<u64>,
    },
    /// Deliveries go on.
    Resume,
    /// What a check finds is put right where it can be.
    Repair,
    /// As [`Op::Extend`], but no delivery ends earlier than it would have ended.
    Prolong {
        /// The moment.
        now_ms: u64,
        /// Whose.
        #[serde(with = "few")]
        deliveries: Few<Delivery>,
        /// How long they stay invisible at least from that moment.
        visibility_ms: u64,
    },
    /// Messages of a dead-letter queue go back to where they died, or elsewhere: some of those that a
    /// redrive asks for.
    RedriveSlice(#[serde(borrow)] RedriveSlice<'a>),
}

/// See [`Op::RedriveSlice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveSlice<'a> {
    /// The moment.
    pub now_ms: u64,
    /// The most messages to look at.
    pub look: u32,
    /// The most messages to try to move.
    pub count: u32,
    /// Where they go instead. Without `from` and `reason`, messages that never died go there, too.
    pub to: Option<QueueName>,
    /// See [`Sweep::same_slot`].
    pub same_slot: bool,
    /// Which are looked at.
    pub choice: Choice,
    /// Only dead letters that died in this queue.
    pub from: Option<QueueName>,
    /// Only dead letters that died for this reason, or whose last error this is.
    #[serde(borrow, with = "serde_bytes")]
    pub reason: Option<&'a [u8]>,
}

/// Which messages a redrive looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// These.
    Ids(Vec<MessageId>),
    /// The dead letters, the oldest death first; then the messages that never died.
    Died {
        /// Only those behind this one.
        after: Option<Died>,
        /// Only those that died until that moment, unix ms.
        until_ms: u64,
    },
}

impl Choice {
    /// All there are.
    pub const ALL: Self = Self::Died { after: None, until_ms: MAX_TIME_MS };
}

/// What a push says besides the message and its delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct With<'a> {
    /// From when on the message is not delivered any more, unix ms.
    pub expires_at_ms: Option<u64>,
    /// Where it waits.
    #[serde(borrow)]
    pub line: Line<'a>,
    /// Its deduplication key.
    pub dedup: Option<Dedup<'a>>,
    /// Its headers.
    pub headers: Vec<Header<'a>>,
}

/// Where a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line<'a> {
    /// Among all that have no group, by priority: 0 to [`MAX_PRIORITY`].
    Priority(u8),
    /// In a group.
    Group(#[serde(borrow, with = "serde_bytes")] &'a [u8]),
}

/// A deduplication key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dedup<'a> {
    /// The key.
    #[serde(borrow, with = "serde_bytes")]
    pub key: &'a [u8],
    /// The moment of the push, unix ms.
    pub now_ms: u64,
    /// How long the key holds, unix ms; None: until the message is gone.
    pub until_ms: Option<u64>,
}

/// A message of several that are pushed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered<'a> {
    /// Its id.
    pub id: MessageId,
    /// Its payload.
    #[serde(borrow, with = "serde_bytes")]
    pub payload: &'a [u8],
}

/// How messages are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode<'a> {
    /// At least once: to be acknowledged.
    Receipt {
        /// How long they stay invisible.
        visibility_ms: u64,
        /// Who takes them, if it has a name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: Option<&'a [u8]>,
    },
    /// At most once: gone with the delivery.
    Final,
}

/// What giving back means for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Return {
    /// It is counted, and dies if that was too often.
    Counted,
    /// It is not counted.
    Uncounted,
    /// It dies.
    Rejected,
    /// The consumer's connection closed: as if the visibility had ended.
    Disconnected,
}

/// The bounds of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The most messages to move; 0: no sweep.
    pub limit: u32,
    /// Dead messages may go to a queue of the same slot only: so in cluster mode.
    pub same_slot: bool,
}

/// What the server that decided knew.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Its clock, unix ms.
    pub now_ms: u64,
    /// See [`Sweep::same_slot`].
    pub same_slot: bool,
}

impl Op<'_> {
    /// Lets messages go to another queue only if it is of the same slot.
    pub fn keep_to_slot(&mut self) {
        match self {
            Op::Pull { sweep, .. } | Op::Sweep { sweep, .. } => sweep.same_slot = true,
            Op::GiveBack { same_slot, .. } | Op::Redrive { same_slot, .. } => *same_slot = true,
            Op::RedriveSlice(slice) => slice.same_slot = true,
            _ => {}
        }
    }

    /// True if the op, whose variant version 1 has, names nothing that this version doesn't have.
    pub fn is_in_version_1(&self) -> bool {
        match self {
            Op::Configure { changes } => {
                changes.iter().all(|(setting, _)| *setting != Setting::MaxDedup)
            }
            _ => true,
        }
    }

    /// Checks what a decoded op from elsewhere claims. A server's own ops always pass.
    pub fn is_valid(&self) -> bool {
        match self {
            Op::Push { id, due_at_ms, payload, with } => {
                is_message(*id, payload)
                    && due_at_ms.is_none_or(is_timestamp)
                    && with.as_ref().is_none_or(With::is_valid)
            }
            Op::PushMany { messages, due_at_ms, with } => {
                (1..=MAX_BATCH as usize).contains(&messages.len())
                    && messages.iter().all(|message| is_message(message.id, message.payload))
                    && due_at_ms.is_none_or(is_timestamp)
                    && with.as_ref().is_none_or(|with| with.is_valid() && with.dedup.is_none())
            }
            Op::Pull { now_ms, count, delivery, base_receipt, .. } => {
                is_timestamp(*now_ms)
                    && (1..=MAX_BATCH).contains(count)
                    && delivery.is_valid()
                    && (*delivery == Mode::Final || are_receipts(*base_receipt, *count))
            }
            Op::Sweep { now_ms, .. } => is_timestamp(*now_ms),
            Op::Acknowledge { now_ms, .. } => now_ms.is_none_or(is_timestamp),
            Op::GiveBack { now_ms, delay_ms, reason, .. } => {
                is_timestamp(*now_ms)
                    && delay_ms.is_none_or(|ms| ms <= MAX_DURATION_MS)
                    && reason.is_none_or(|reason| reason.len() <= MAX_ERROR_BYTES)
            }
            Op::Extend { now_ms, visibility_ms, .. }
            | Op::Prolong { now_ms, visibility_ms, .. } => {
                is_timestamp(*now_ms) && is_duration(*visibility_ms)
            }
            Op::Configure { changes } => changes.iter().all(|(setting, text)| {
                text.as_ref().is_none_or(|text| Settings::default().set(*setting, text))
            }),
            Op::Reschedule { now_ms, due_at_ms, .. } => {
                is_timestamp(*now_ms) && is_timestamp(*due_at_ms)
            }
            Op::Redrive { now_ms, count, .. } => {
                is_timestamp(*now_ms) && (1..=MAX_REDRIVE).contains(count)
            }
            Op::RedriveSlice(slice) => slice.is_valid(),
            Op::Pause { until_ms } => until_ms.is_none_or(|ms| ms > 0 && is_timestamp(ms)),
            Op::Delete { .. } | Op::Purge | Op::Drop | Op::Resume | Op::Repair => true,
        }
    }
}

impl RedriveSlice<'_> {
    fn is_valid(&self) -> bool {
        let bound = 1..=MAX_REDRIVE;
        is_timestamp(self.now_ms)
            && bound.contains(&self.look)
            && bound.contains(&self.count)
            && self.reason.is_none_or(|reason| reason.len() <= MAX_ERROR_BYTES)
            && match &self.choice {
                Choice::Ids(ids) => ids.len() <= MAX_BATCH as usize,
                Choice::Died { after, until_ms } => {
                    after.is_none_or(|after| is_timestamp(after.at_ms)) && *until_ms <= MAX_TIME_MS
                }
            }
    }
}

impl With<'_> {
    fn is_valid(&self) -> bool {
        let sizes = self.headers.iter().flat_map(|header| [header.name, header.value]);
        let bytes = sizes.fold(0usize, |sum, text| sum.saturating_add(text.len()));
        self.expires_at_ms.is_none_or(is_timestamp)
            && match self.line {
                Line::Priority(priority) => is_priority(priority),
                Line::Group(name) => is_name(name),
            }
            && self.dedup.is_none_or(|dedup| {
                is_name(dedup.key)
                    && is_timestamp(dedup.now_ms)
                    && dedup.until_ms.is_none_or(is_timestamp)
            })
            && self.headers.len() <= MAX_HEADERS
            && bytes <= MAX_HEADER_BYTES
            && self.headers.iter().all(|header| is_name(header.name))
    }
}

impl Mode<'_> {
    fn is_valid(&self) -> bool {
        match self {
            Self::Receipt { visibility_ms, consumer } => {
                is_duration(*visibility_ms) && consumer.is_none_or(is_name)
            }
            Self::Final => true,
        }
    }
}

/// True for so many receipts from this one on.
fn are_receipts(first: Receipt, count: u32) -> bool {
    let last = first.0.saturating_add(u64::from(count).saturating_sub(1));
    first.is_valid() && Receipt(last).is_valid()
}

fn is_message(id: MessageId, payload: &[u8]) -> bool {
    id.is_valid() && payload.len() <= MAX_PAYLOAD_BYTES
}
