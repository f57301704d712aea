//! Ops: each is a request together with everything that the stored state does not determine.
//!
//! An op is what the server that decides hands to [`Request::apply`](super::apply::Request::apply), and what
//! it sends to its replicas and its append-only file. Same state and same op give the same new state.

use serde::{Deserialize, Serialize};

use super::message::{Delivery, Died, Expiry, Header, MessageId, Receipt};
use super::name::QueueName;
use super::settings::{Setting, Settings};
use super::small_vec::{self, ShortVec};
use super::valid::{
    MAX_DURATION_MS, MAX_ERROR_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_PAYLOAD_BYTES,
    MAX_TIME_MS, is_duration, is_name, is_priority, is_timestamp,
};

/// The most messages that one push or pull takes, and the most ids that one command names.
pub const MAX_BATCH: u32 = 10_000;

/// The most messages that one redrive inspects.
pub const MAX_REDRIVE: u32 = 100_000;

/// A change of one queue. New variants are appended: their numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op<'a> {
    Push(#[serde(borrow)] Push<'a>),
    PushMany(#[serde(borrow)] PushMany<'a>),
    Pull(#[serde(borrow)] Pull<'a>),
    Sweep(Sweep),
    Acknowledge(Acknowledge),
    Nack(#[serde(borrow)] Nack<'a>),
    Extend(Extend),
    Configure(Configure),
    Delete(Delete),
    Purge,
    Drop,
    Reschedule(Reschedule),
    Redrive(Redrive),
    Pause(Pause),
    Resume,
    Repair,
    Prolong(Prolong),
    RedriveSlice(#[serde(borrow)] RedriveSlice<'a>),
    /// Has the number that stands before an op with [`Sweep::ended`].
    Ended(Never),
    PurgeState(PurgeState),
    Use(Use),
    Expire(Expire),
}

/// Has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

/// Adds a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push<'a> {
    pub id: MessageId,
    /// None: ready at once.
    pub due_at_ms: Option<u64>,
    #[serde(borrow, with = "serde_bytes")]
    pub payload: &'a [u8],
    pub options: Option<PushOptions<'a>>,
}

/// Adds messages: all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushMany<'a> {
    /// In the order of the command.
    #[serde(borrow)]
    pub messages: Vec<BatchMessage<'a>>,
    /// None: ready at once.
    pub due_at_ms: Option<u64>,
    /// Without a deduplication key.
    pub options: Option<PushOptions<'a>>,
}

/// Acknowledges deliveries, then moves what is due, then delivers up to `count` messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull<'a> {
    pub now_ms: u64,
    pub count: u32,
    #[serde(borrow)]
    pub mode: Mode<'a>,
    /// The smallest receipt to give.
    pub base_receipt: Receipt,
    pub sweep: SweepLimit,
    pub acknowledged: Vec<Delivery>,
    /// See [`Sweep::ended`].
    #[serde(skip)]
    pub ended: Vec<MessageId>,
}

/// Moves what is due: it becomes ready, dies or is discarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    pub now_ms: u64,
    pub sweep: SweepLimit,
    /// The messages in flight that are returned, within the limit, if their visibility has ended: the
    /// order in which they end is not stored. Not in version 1.
    #[serde(skip)]
    pub ended: Vec<MessageId>,
}

/// Removes messages that were processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// None if no delivery can have ended by then; one that has is counted as late.
    pub now_ms: Option<u64>,
    #[serde(with = "small_vec")]
    pub deliveries: ShortVec<Delivery>,
}

/// Returns deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nack<'a> {
    pub now_ms: u64,
    #[serde(with = "small_vec")]
    pub deliveries: ShortVec<Delivery>,
    /// None: the queue's backoff.
    pub delay_ms: Option<u64>,
    /// See [`SweepLimit::same_slot`].
    pub same_slot: bool,
    pub how: Return,
    #[serde(borrow, with = "serde_bytes")]
    pub reason: Option<&'a [u8]>,
}

/// Gives deliveries a new end of visibility. Under version 1 only those that run, later also those that
/// ended by themselves while nobody newer holds the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extend {
    pub now_ms: u64,
    #[serde(with = "small_vec")]
    pub deliveries: ShortVec<Delivery>,
    /// From `now_ms` on.
    pub visibility_ms: u64,
}

/// As [`Extend`], but no delivery ends earlier than it would have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prolong {
    pub now_ms: u64,
    #[serde(with = "small_vec")]
    pub deliveries: ShortVec<Delivery>,
    /// From `now_ms` on, at least.
    pub visibility_ms: u64,
}

/// Changes settings, in this order: a value as text, or None for the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configure {
    pub changes: Vec<(Setting, Option<Vec<u8>>)>,
}

/// Removes messages, whatever their state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    pub ids: Vec<MessageId>,
}

/// Removes all messages.
#[derive(Debug, Clone, Copy)]
pub struct Purge;

/// Somebody waits for messages: the queue is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    pub now_ms: u64,
}

/// Removes the queue if it was not used for EXPIRES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expire {
    pub now_ms: u64,
}

/// Removes messages of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeState {
    pub state: Waiting,
    /// The most messages to remove.
    pub limit: u32,
}

/// A state of messages that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    Ready,
    Delayed,
}

/// Removes the queue with its settings.
#[derive(Debug, Clone, Copy)]
pub struct Drop;

/// Gives a delayed message another due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reschedule {
    pub now_ms: u64,
    pub id: MessageId,
    /// Not after `now_ms`: ready at once.
    pub due_at_ms: u64,
}

/// Returns ready dead letters to the queue they died in. Of 0.1.0; see [`RedriveSlice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    pub now_ms: u64,
    pub count: u32,
    /// Another target.
    pub to: Option<QueueName>,
    /// See [`SweepLimit::same_slot`].
    pub same_slot: bool,
}

/// Stops deliveries until then; None: until [`Resume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub until_ms: Option<u64>,
}

/// Ends a pause.
#[derive(Debug, Clone, Copy)]
pub struct Resume;

/// Repairs what a check finds.
#[derive(Debug, Clone, Copy)]
pub struct Repair;

/// A part of a redrive: moves messages of a dead-letter queue back to the queue they died in, or to
/// another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveSlice<'a> {
    pub now_ms: u64,
    /// The most messages to inspect.
    pub inspect: u32,
    /// The most messages to try to move.
    pub count: u32,
    /// Another target. Without `from` and `reason`, messages that never died go there too.
    pub to: Option<QueueName>,
    /// See [`SweepLimit::same_slot`].
    pub same_slot: bool,
    pub choice: Choice,
    /// Only dead letters that died in this queue.
    pub from: Option<QueueName>,
    /// Only dead letters with this reason of death or this last error.
    #[serde(borrow, with = "serde_bytes")]
    pub reason: Option<&'a [u8]>,
}

/// Which messages a redrive inspects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// By id.
    Ids(Vec<MessageId>),
    /// The dead letters, oldest death first; then the messages that never died.
    Died {
        /// Only those behind this one.
        after: Option<Died>,
        /// Only those that died until then, unix ms.
        until_ms: u64,
    },
}

impl Choice {
    /// All there are.
    pub const ALL: Self = Self::Died { after: None, until_ms: MAX_TIME_MS };
}

/// What a push says besides payload and delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushOptions<'a> {
    pub expiry: Option<Expiry>,
    #[serde(borrow)]
    pub class: Class<'a>,
    pub dedup: Option<Dedup<'a>>,
    pub headers: Vec<Header<'a>>,
}

/// What decides the order of a message among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class<'a> {
    /// Its priority: 0 to [`MAX_PRIORITY`](super::valid::MAX_PRIORITY).
    Priority(u8),
    /// The turn of its group.
    Group(#[serde(borrow, with = "serde_bytes")] &'a [u8]),
}

/// A deduplication key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dedup<'a> {
    #[serde(borrow, with = "serde_bytes")]
    pub key: &'a [u8],
    pub now_ms: u64,
    /// End of the window, unix ms; None: until the message is removed.
    pub until_ms: Option<u64>,
}

/// One of several messages that are pushed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMessage<'a> {
    pub id: MessageId,
    #[serde(borrow, with = "serde_bytes")]
    pub payload: &'a [u8],
}

/// How messages are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode<'a> {
    /// With a receipt, to be acknowledged.
    AtLeastOnce {
        /// How long the messages stay invisible.
        visibility_ms: u64,
        /// The consumer's name, if it gave one.
        #[serde(borrow, with = "serde_bytes")]
        consumer: Option<&'a [u8]>,
    },
    /// NOACK: the message is removed by its delivery.
    AtMostOnce,
}

/// How a delivery is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Return {
    /// Counted as a retry; the message dies if that was one too many.
    Counted,
    /// Not counted.
    Uncounted,
    /// The message dies.
    Rejected,
    /// The consumer's connection closed: as if the visibility had ended.
    Disconnected,
    /// Not counted, and to its old place. Not in version 1.
    InFront,
    /// The consumer's connection closed, which is not counted. Not in version 1.
    Abandoned,
}

/// The limits of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepLimit {
    /// The most messages to move; 0: no sweep.
    pub limit: u32,
    /// Cluster mode: messages may move only to queues of the same slot.
    pub same_slot: bool,
}

/// What the server that decided on a return knew.
#[derive(Debug, Clone, Copy)]
pub struct Decided {
    pub now_ms: u64,
    /// See [`SweepLimit::same_slot`].
    pub same_slot: bool,
}

impl Op<'_> {
    /// Lets messages move only to queues of the same slot.
    pub fn keep_to_slot(&mut self) {
        match self {
            Op::Pull(Pull { sweep, .. }) | Op::Sweep(Sweep { sweep, .. }) => sweep.same_slot = true,
            Op::Nack(Nack { same_slot, .. })
            | Op::Redrive(Redrive { same_slot, .. })
            | Op::RedriveSlice(RedriveSlice { same_slot, .. }) => *same_slot = true,
            _ => {}
        }
    }

    /// Sets [`Sweep::ended`]; false if the op has none.
    pub fn set_ended(&mut self, ids: Vec<MessageId>) -> bool {
        match self {
            Op::Pull(Pull { ended, .. }) | Op::Sweep(Sweep { ended, .. }) => {
                *ended = ids;
                true
            }
            _ => false,
        }
    }

    /// True if the op, whose variant version 1 has, names nothing that this version doesn't have.
    pub fn is_in_version_1(&self) -> bool {
        match self {
            Op::Configure(Configure { changes }) => {
                const LATER: [Setting; 2] = [Setting::MaxDedup, Setting::Expires];
                changes.iter().all(|(setting, _)| !LATER.contains(setting))
            }
            Op::Push(Push { options, .. }) | Op::PushMany(PushMany { options, .. }) => {
                let expiry = options.as_ref().and_then(|options| options.expiry);
                !expiry.is_some_and(Expiry::is_death)
            }
            Op::Nack(Nack { how, .. }) => !matches!(how, Return::InFront | Return::Abandoned),
            _ => true,
        }
    }

    /// Checks what a decoded op from elsewhere claims. A server's own ops always pass.
    pub fn is_valid(&self) -> bool {
        match self {
            Op::Push(Push { id, due_at_ms, payload, options }) => {
                is_message(*id, payload)
                    && due_at_ms.is_none_or(is_timestamp)
                    && options.as_ref().is_none_or(PushOptions::is_valid)
            }
            Op::PushMany(PushMany { messages, due_at_ms, options }) => {
                (1..=MAX_BATCH as usize).contains(&messages.len())
                    && messages.iter().all(|message| is_message(message.id, message.payload))
                    && due_at_ms.is_none_or(is_timestamp)
                    && options
                        .as_ref()
                        .is_none_or(|options| options.is_valid() && options.dedup.is_none())
            }
            Op::Pull(Pull { now_ms, count, mode, base_receipt, .. }) => {
                is_timestamp(*now_ms)
                    && (1..=MAX_BATCH).contains(count)
                    && mode.is_valid()
                    && (*mode == Mode::AtMostOnce || are_receipts(*base_receipt, *count))
            }
            Op::Sweep(Sweep { now_ms, .. })
            | Op::Use(Use { now_ms })
            | Op::Expire(Expire { now_ms }) => is_timestamp(*now_ms),
            Op::Acknowledge(Acknowledge { now_ms, .. }) => now_ms.is_none_or(is_timestamp),
            Op::Nack(Nack { now_ms, delay_ms, reason, .. }) => {
                is_timestamp(*now_ms)
                    && delay_ms.is_none_or(|ms| ms <= MAX_DURATION_MS)
                    && reason.is_none_or(|reason| reason.len() <= MAX_ERROR_BYTES)
            }
            Op::Extend(Extend { now_ms, visibility_ms, .. })
            | Op::Prolong(Prolong { now_ms, visibility_ms, .. }) => {
                is_timestamp(*now_ms) && is_duration(*visibility_ms)
            }
            Op::Configure(Configure { changes }) => changes.iter().all(|(setting, text)| {
                text.as_ref().is_none_or(|text| Settings::default().set(*setting, text))
            }),
            Op::Reschedule(Reschedule { now_ms, due_at_ms, .. }) => {
                is_timestamp(*now_ms) && is_timestamp(*due_at_ms)
            }
            Op::Redrive(Redrive { now_ms, count, .. }) => {
                is_timestamp(*now_ms) && (1..=MAX_REDRIVE).contains(count)
            }
            Op::RedriveSlice(slice) => slice.is_valid(),
            Op::Pause(Pause { until_ms }) => until_ms.is_none_or(|ms| ms > 0 && is_timestamp(ms)),
            Op::Delete(Delete { .. })
            | Op::Purge
            | Op::Drop
            | Op::Resume
            | Op::Repair
            | Op::PurgeState(PurgeState { .. }) => true,
            Op::Ended(never) => match *never {},
        }
    }
}

macro_rules! ops {
    ($($name:ident),*) => {
        $(impl<'a> From<$name> for Op<'a> {
            fn from(op: $name) -> Self {
                Self::$name(op)
            }
        })*
    };
}

macro_rules! borrowing_ops {
    ($($name:ident),*) => {
        $(impl<'a> From<$name<'a>> for Op<'a> {
            fn from(op: $name<'a>) -> Self {
                Self::$name(op)
            }
        })*
    };
}

macro_rules! bare_ops {
    ($($name:ident),*) => {
        $(impl From<$name> for Op<'_> {
            fn from(_: $name) -> Self {
                Self::$name
            }
        })*
    };
}

borrowing_ops!(Push, PushMany, Pull, Nack, RedriveSlice);
ops!(
    Sweep,
    Acknowledge,
    Extend,
    Configure,
    Delete,
    Reschedule,
    Redrive,
    Pause,
    Prolong,
    PurgeState
);
ops!(Use, Expire);
bare_ops!(Purge, Drop, Resume, Repair);

impl RedriveSlice<'_> {
    fn is_valid(&self) -> bool {
        let bound = 1..=MAX_REDRIVE;
        is_timestamp(self.now_ms)
            && bound.contains(&self.inspect)
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

impl PushOptions<'_> {
    fn is_valid(&self) -> bool {
        let sizes = self.headers.iter().flat_map(|header| [header.name, header.value]);
        let bytes = sizes.fold(0usize, |sum, text| sum.saturating_add(text.len()));
        self.expiry.is_none_or(Expiry::is_valid)
            && match self.class {
                Class::Priority(priority) => is_priority(priority),
                Class::Group(name) => is_name(name),
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
            Self::AtLeastOnce { visibility_ms, consumer } => {
                is_duration(*visibility_ms) && consumer.is_none_or(is_name)
            }
            Self::AtMostOnce => true,
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
