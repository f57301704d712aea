//! Ops: each is a request together with everything that the stored state does not determine.
//!
//! An op is what the server that decides hands to [`Request::apply`](super::apply::Request::apply), and what
//! it sends to its replicas and its append-only file. Same state and same op give the same new state.

use serde::{Deserialize, Serialize};

use super::message::{Delivery, Died, Expiry, Header, MessageId, Receipt, own};
use super::name::QueueName;
use super::schedule::{Definition, Tick};
use super::settings::Setting;
use super::small_vec::{self, ShortVec};
use super::valid::MAX_TIME_MS;

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
    Schedule(Schedule),
    Unschedule(Unschedule),
    Ticks(Ticks),
    Trigger(Trigger),
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

/// Sets a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub name: Vec<u8>,
    pub definition: Definition,
    /// See [`History::phase_ms`](super::schedule::History::phase_ms).
    pub phase_ms: u64,
    /// None: it is paused.
    pub next: Option<Tick>,
    /// See [`History::zones`](super::schedule::History::zones).
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub zones: Vec<u8>,
}

/// Removes a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unschedule {
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub name: Vec<u8>,
}

/// Goes on with schedules that are due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticks {
    pub now_ms: u64,
    /// In this order; a schedule can have several.
    pub ticks: Vec<TickOf>,
    /// See [`History::zones`](super::schedule::History::zones).
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub zones: Vec<u8>,
}

/// What becomes of a tick of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickOf {
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub name: Vec<u8>,
    pub step: Step,
    /// None: there is no other, and the schedule ends.
    pub next: Option<Tick>,
}

/// See [`TickOf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Its message is pushed; so many ticks before it are missed.
    Push { id: MessageId, tick: Tick, missed: u64 },
    /// So many ticks are missed.
    Pass { missed: u64 },
    /// It is skipped, for lack of memory; so many ticks before it are missed.
    Skip { tick: Tick, missed: u64 },
    /// None: `Ticks` and the record disagree, or the record is unreadable.
    Mend,
}

/// Pushes a message of a schedule besides its ticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub now_ms: u64,
    pub id: MessageId,
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "own")]
    pub name: Vec<u8>,
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
    PurgeState,
    Use,
    Expire,
    Schedule,
    Unschedule,
    Ticks,
    Trigger
);
bare_ops!(Purge, Drop, Resume, Repair);
