//! What the rules need of the place where a queue is kept, in queue words.
//!
//! One value is one queue in one database. No verb reads a clock. After [`Store::require`] said
//! yes for a part, reading and writing it can't fail for its type.

use super::message::{Body, MessageId, NewMessage, Note, Rank, Receipt};
use super::name::QueueName;
use super::settings::{Setting, Settings};
use super::{Corruption, QueueError};

/// One of the things that a queue consists of. Each is one key, and exists only while it has
/// something in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// List: whole messages that wait and need no more than their place in line.
    Ready,
    /// Sorted set: every other waiting message, by rank.
    Ranked,
    /// Hash: the bodies of all messages that are not in `Ready`.
    Messages,
    /// Hash: the notes of the messages that have one.
    Notes,
    /// Sorted set: the deliveries that are running, newest first.
    Inflight,
    /// Sorted set: messages that become ready later, by that moment.
    Delayed,
    /// Sorted set: the messages that came back, by retry count.
    Retried,
    /// Hash: the settings that differ from their defaults.
    Config,
    /// List: records that could not be read. They are never delivered and never deleted.
    Damaged,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 9] = [
        Self::Ready,
        Self::Ranked,
        Self::Messages,
        Self::Notes,
        Self::Inflight,
        Self::Delayed,
        Self::Retried,
        Self::Config,
        Self::Damaged,
    ];
}

/// A member of a sorted set that is none of ours: its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub Vec<u8>);

/// The first entry of `Inflight` by deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Whose delivery it is.
    pub id: MessageId,
    /// Its receipt.
    pub receipt: Receipt,
}

/// See the top of this file.
pub trait Store: Sized {
    /// How this store holds a body that it read.
    type Body: Body;

    /// The queue.
    fn queue(&self) -> &QueueName;
    /// The store of another queue in the same database.
    fn other(&self, queue: &QueueName) -> Self;
    /// Says whether each of these parts is absent or of its type; to be asked before the first
    /// write. Error: [`QueueError::WrongType`].
    fn require(&mut self, parts: &[Part]) -> Result<(), QueueError>;
    /// The number of entries of a part.
    fn len(&mut self, part: Part) -> u64;

    /// Appends a new message to `Ready`.
    fn push_ready(&mut self, message: &NewMessage<'_>);
    /// The id of the first record of `Ready`. Error: [`Corruption::Ready`] when it is unreadable.
    fn first_ready(&mut self) -> Result<Option<MessageId>, Corruption>;
    /// Takes the first record out of `Ready`. Error: [`Corruption::Ready`] when it is unreadable;
    /// it is still there then.
    fn take_ready(&mut self) -> Result<Option<Self::Body>, Corruption>;
    /// Moves the first record of `Ready` to `Damaged`.
    fn set_ready_aside(&mut self);

    /// Adds the body of a new message to `Messages`.
    fn add_message(&mut self, message: &NewMessage<'_>);
    /// Adds a body that was read from `Ready` or from another queue to `Messages`.
    fn put_message(&mut self, body: &Self::Body);
    /// A body of `Messages`. Error: [`Corruption::Message`] when it is unreadable or another's.
    fn message(&mut self, id: MessageId) -> Result<Option<Self::Body>, Corruption>;
    /// True if `Messages` has this id.
    fn has_message(&mut self, id: MessageId) -> bool;
    /// Removes a body from `Messages`.
    fn remove_message(&mut self, id: MessageId);

    /// A message's note. Error: [`Corruption::Message`] when it is unreadable.
    fn note(&mut self, id: MessageId) -> Result<Option<Note>, Corruption>;
    /// Writes a message's note, and its retry count to `Retried`.
    fn put_note(&mut self, id: MessageId, note: &Note);
    /// Removes a message's note and its retry count, if there are any.
    fn remove_note(&mut self, id: MessageId);
    /// The highest retry count of all messages; 0 if none came back.
    fn highest_retry_count(&mut self) -> u32;

    /// Puts a message into `Ranked`.
    fn add_ranked(&mut self, id: MessageId, rank: Rank);
    /// Takes a message out of `Ranked`. True if it was there.
    fn remove_ranked(&mut self, id: MessageId) -> bool;
    /// True if the message is in `Ranked`.
    fn is_ranked(&mut self, id: MessageId) -> bool;
    /// The first of `Ranked`.
    fn first_ranked(&mut self) -> Option<(Result<MessageId, Unreadable>, Rank)>;

    /// Puts a message into `Delayed`.
    fn add_delayed(&mut self, id: MessageId, due_at_ms: u64);
    /// Takes a message out of `Delayed`. True if it was there.
    fn remove_delayed(&mut self, id: MessageId) -> bool;
    /// True if the message is in `Delayed`.
    fn is_delayed(&mut self, id: MessageId) -> bool;
    /// The first of `Delayed` and the moment when it is due, unix ms.
    fn first_delayed(&mut self) -> Option<(Result<MessageId, Unreadable>, u64)>;

    /// Notes a running delivery, or changes its end.
    fn put_inflight(&mut self, delivery: Delivery, until_ms: u64);
    /// Ends a delivery. True if it was running or waited for its end to be noticed.
    fn remove_inflight(&mut self, delivery: Delivery) -> bool;
    /// When a delivery ends, unix ms.
    fn inflight_until(&mut self, delivery: Delivery) -> Option<u64>;
    /// The delivery that ends first, and when, unix ms.
    fn first_inflight(&mut self) -> Option<(Result<Delivery, Unreadable>, u64)>;

    /// Moves an unreadable member of a sorted set to `Damaged`.
    fn set_member_aside(&mut self, part: Part, member: &Unreadable);
    /// Moves a message whose body or note is unreadable to `Damaged`: its body as it is. Its note
    /// goes; its place in the queue is left to the caller.
    fn set_message_aside(&mut self, id: MessageId);

    /// The effective settings. A stored value that is none counts as the default.
    fn settings(&mut self) -> Settings;
    /// The stored text of a setting; None if it has its default.
    fn setting(&mut self, setting: Setting) -> Option<Vec<u8>>;
    /// Stores a setting as text.
    fn put_setting(&mut self, setting: Setting, text: &[u8]);
    /// Sets a setting back to its default.
    fn remove_setting(&mut self, setting: Setting);
}
