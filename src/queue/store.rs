//! What the rules need of the place where a queue is kept, in queue words.
//!
//! One value is one queue in one database. No verb reads a clock. After [`Store::require`] said
//! yes for a part, reading and writing it can't fail for its type.

use super::error::{Corruption, QueueError};
use super::few::Name;
use super::finding::Finding;
use super::message::{Body, Delivery, Died, MessageId, NewMessage, Note, Rank, Receipt, Running};
use super::name::QueueName;
use super::part::Part;
use super::records::{Duplicate, Group, Memo};
use super::rules::Rules;
use super::settings::{Setting, Settings};

/// A member of a sorted set that is none of ours: its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub Vec<u8>);

/// See the top of this file.
pub trait Store: Sized {
    /// How this store holds a body that it read.
    type Body: Body;

    /// The queue.
    fn queue(&self) -> &QueueName;
    /// The rules by which it is changed.
    fn rules(&self) -> Rules;
    /// The store of another queue in the same database, with the same rules.
    fn other(&self, queue: &QueueName) -> Self;
    /// Removes a part, whatever is in it; its memory is freed in the background.
    fn clear(&mut self, part: Part);
    /// Says whether each of these parts is absent or of its type; to be asked before the first
    /// write. Error: [`QueueError::WrongType`].
    fn require(&mut self, parts: &[Part]) -> Result<(), QueueError>;
    /// The number of entries of a part.
    fn len(&mut self, part: Part) -> u64;

    /// Appends a new message to the list of its priority.
    fn push_ready(&mut self, message: &NewMessage<'_>);
    /// The priorities whose list is not empty, the highest first; without 0.
    fn lanes(&mut self) -> Vec<u8>;
    /// The highest priority whose list is not empty.
    fn top_lane(&mut self) -> Option<u8>;
    /// The id of the first record of a list. Error: [`Corruption::Ready`] when it is unreadable.
    fn first_ready(&mut self, priority: u8) -> Result<Option<MessageId>, Corruption>;
    /// Takes the first record out of a list. Error, and it is still there: [`Corruption::Ready`] when
    /// it is unreadable; [`QueueError::WrongType`] when its push said more of it than the payload, and
    /// one of `parts` is of another type.
    fn take_ready(
        &mut self,
        priority: u8,
        parts: &[Part],
    ) -> Result<Option<Self::Body>, QueueError>;
    /// Moves the first record of a list to `Damaged`.
    fn set_ready_aside(&mut self, priority: u8);
    /// Up to `count` records of a list from the one at `start` on; None for an unreadable one.
    fn ready(&mut self, priority: u8, start: u64, count: u64) -> Vec<Option<Self::Body>>;
    /// The record of a list at an index: None behind its end, Some(None) for an unreadable one.
    fn ready_at(&mut self, priority: u8, index: u64) -> Option<Option<Self::Body>>;
    /// The last of all ids that the lists of ready messages end with.
    fn last_ready(&mut self) -> Option<MessageId>;
    /// Removes the records at these indexes, which rise, from the list of a priority.
    fn remove_ready(&mut self, priority: u8, indexes: &[u64]);

    /// Adds the body of a new message to `Messages`.
    fn add_message(&mut self, message: &NewMessage<'_>);
    /// Adds a body that was read from a list of ready messages or from another queue to `Messages`.
    fn put_message(&mut self, body: &Self::Body);
    /// The same of one that is delivered, with its receipt; the body may be in `Messages` already.
    fn put_delivered(&mut self, body: &mut Self::Body, receipt: Receipt);
    /// The last delivery of a message, as its body in `Messages` says: it may have ended. None if the body
    /// was not delivered, or by an op of version 1.
    fn last_delivery(&mut self, id: MessageId) -> Option<Delivery>;
    /// A body of `Messages`. Error: [`Corruption::Message`] when it is unreadable or another's.
    fn message(&mut self, id: MessageId) -> Result<Option<Self::Body>, Corruption>;
    /// True if `Messages` has this id.
    fn has_message(&mut self, id: MessageId) -> bool;
    /// Removes a body from `Messages`.
    fn remove_message(&mut self, id: MessageId);

    /// What is known of a message that is not in a list of ready ones: its note, or what its push
    /// said. Error: [`Corruption::Message`] when it is unreadable.
    fn note(&mut self, id: MessageId) -> Result<Option<Note>, Corruption>;
    /// A message's note, if one was written. Error: [`Corruption::Message`] when it is unreadable.
    fn written_note(&mut self, id: MessageId) -> Result<Option<Note>, Corruption>;
    /// Writes a message's note, and its retry count to `Retried`.
    fn put_note(&mut self, id: MessageId, note: &Note);
    /// Removes a message's note and its retry count, if there are any. `note` is that note; None if it
    /// could not be read or may not exist.
    fn remove_note(&mut self, id: MessageId, note: Option<&Note>);
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
    /// The first of `Ranked` with that priority.
    fn first_of_priority(&mut self, priority: u8) -> Option<(Result<MessageId, Unreadable>, Rank)>;
    /// The highest rank of a message with that priority that waits, in its list or in `Ranked`.
    fn last_of_priority(&mut self, priority: u8) -> Option<Rank>;
    /// How many members of `Ranked` have that priority.
    fn count_ranked(&mut self, priority: u8) -> u64;
    /// Up to `count` readable members of `Ranked` with that priority, without the first `skip`.
    fn ranked(&mut self, priority: u8, skip: u64, count: u64) -> Vec<(MessageId, Rank)>;

    /// Puts a message into `Delayed`.
    fn add_delayed(&mut self, id: MessageId, due_at_ms: u64);
    /// Takes a message out of `Delayed`. True if it was there.
    fn remove_delayed(&mut self, id: MessageId) -> bool;
    /// True if the message is in `Delayed`.
    fn is_delayed(&mut self, id: MessageId) -> bool;
    /// When a message of `Delayed` is due, unix ms.
    fn delayed_until(&mut self, id: MessageId) -> Option<u64>;
    /// The first of `Delayed` and the moment when it is due, unix ms.
    fn first_delayed(&mut self) -> Option<(Result<MessageId, Unreadable>, u64)>;
    /// Up to `count` readable members of `Delayed`, without the first `skip`.
    fn delayed(&mut self, skip: u64, count: u64) -> Vec<(MessageId, u64)>;

    /// Notes a running delivery, or changes its end.
    fn put_inflight(&mut self, delivery: Delivery, running: Running);
    /// Ends a delivery. True if it was running or waited for its end to be noticed.
    fn remove_inflight(&mut self, delivery: Delivery) -> bool;
    /// What is known of a delivery that is running, or waits for its end to be noticed; None if its receipt
    /// is out of range.
    fn running(&mut self, delivery: Delivery) -> Option<Running>;
    /// The delivery that ends first, and when, unix ms.
    fn first_inflight(&mut self) -> Option<(Result<Delivery, Unreadable>, u64)>;
    /// Shows readable deliveries and when they end, unix ms, in that order, while `visit` is true.
    fn each_inflight(&mut self, visit: impl FnMut(Delivery, u64) -> bool);
    /// Up to `count` readable deliveries without the first `skip`, in the order in which they end.
    fn inflight(&mut self, skip: u64, count: u64) -> Vec<(Delivery, u64)>;

    /// Notes the end of a message's time to live.
    fn add_expiring(&mut self, id: MessageId, at_ms: u64);
    /// Forgets it.
    fn remove_expiring(&mut self, id: MessageId);
    /// When it ends, unix ms, if it is noted.
    fn expiring_at(&mut self, id: MessageId) -> Option<u64>;
    /// The message whose time to live ends first, and when, unix ms.
    fn first_expiring(&mut self) -> Option<(Result<MessageId, Unreadable>, u64)>;

    /// What is known of a group; nothing if it has no messages or its record is unreadable.
    fn group(&mut self, name: &[u8]) -> Group;
    /// Moves the record of a group to [`Part::Damaged`].
    fn set_group_aside(&mut self, name: &[u8]);
    /// Notes what is known of a group, or removes it if it has no messages.
    fn put_group(&mut self, name: &[u8], group: &Group);
    /// Puts a message of a group into `Grouped`.
    fn add_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId);
    /// Takes a message of a group out of `Grouped`. True if it was there.
    fn remove_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) -> bool;
    /// True if a message of a group is in `Grouped`.
    fn is_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) -> bool;
    /// Up to `count` messages of a group that are in `Grouped`, without the first `skip`, in their
    /// order.
    fn grouped(&mut self, group: &[u8], skip: u64, count: u64) -> Vec<(u64, MessageId)>;

    /// A group's ticket in the line of turns; the ungrouped messages are the group without a name.
    fn turn(&mut self, group: &[u8]) -> Option<u64>;
    /// Puts a group into that line.
    fn put_turn(&mut self, group: &[u8], ticket: u64);
    /// Puts a group behind that line: it has no free slot.
    fn block(&mut self, group: &[u8]);
    /// Takes a group out of `Turns`.
    fn remove_turn(&mut self, group: &[u8]);
    /// The group whose turn it is.
    fn first_turn(&mut self) -> Option<Name>;
    /// The highest ticket; 0 if the line is empty.
    fn last_ticket(&mut self) -> u64;
    /// How many groups stand in the line.
    fn line_len(&mut self) -> u64;
    /// Up to `count` groups that have waiting messages, without the first `skip`: those in the line,
    /// with their tickets, then the blocked ones.
    fn groups(&mut self, skip: u64, count: u64) -> Vec<(Vec<u8>, Option<u64>)>;

    /// What is known of a deduplication key; None if it is free or its record is unreadable.
    fn duplicate(&mut self, key: &[u8]) -> Option<Duplicate>;
    /// Writes what is known of a deduplication key.
    fn put_duplicate(&mut self, key: &[u8], duplicate: &Duplicate);
    /// Frees a deduplication key.
    fn remove_duplicate(&mut self, key: &[u8]);
    /// Notes a deduplication key that holds until that moment, unix ms.
    fn add_deduped(&mut self, key: &[u8], until_ms: u64);
    /// Forgets that moment.
    fn remove_deduped(&mut self, key: &[u8]);
    /// The deduplication key whose time ends first, and when, unix ms.
    fn first_deduped(&mut self) -> Option<(Vec<u8>, u64)>;

    /// Notes a dead letter that waits, and when it died, unix ms.
    fn add_dead(&mut self, id: MessageId, at_ms: u64);
    /// Forgets that it waits.
    fn remove_dead(&mut self, id: MessageId);
    /// Up to `count` readable ones that died until that moment, unix ms, the oldest death first; only
    /// those behind `after`.
    fn dead(&mut self, after: Option<Died>, until_ms: u64, count: u64) -> Vec<Died>;

    /// Moves an unreadable member of a sorted set to `Damaged`.
    fn set_member_aside(&mut self, part: Part, member: &Unreadable);
    /// Moves a message whose body or note is unreadable to `Damaged`: its body as it is, and behind
    /// it its note, if it has one. Its place in the queue is left to the caller.
    fn set_message_aside(&mut self, id: MessageId);

    /// The effective values of these settings; the others have their defaults. A stored value that is
    /// none counts as the default.
    fn settings(&mut self, wanted: &[Setting]) -> Settings;
    /// The effective value of a setting that is a number and never negative.
    fn number(&mut self, setting: Setting) -> u64;

    /// As [`number`](Self::number), for a command that has not required `Config` yet.
    fn required_number(&mut self, setting: Setting) -> Result<u64, QueueError> {
        self.require(&[Part::Config])?;
        Ok(self.number(setting))
    }
    /// The stored text of a setting; None if it has its default.
    fn setting(&mut self, setting: Setting) -> Option<Vec<u8>>;
    /// Stores a setting as text.
    fn put_setting(&mut self, setting: Setting, text: &[u8]);
    /// Sets a setting back to its default.
    fn remove_setting(&mut self, setting: Setting);
    /// What is remembered; None if nothing is, or if it is out of range.
    fn memo(&mut self, memo: Memo) -> Option<u64>;
    /// Remembers.
    fn put_memo(&mut self, memo: Memo, number: u64);
    /// Forgets.
    fn remove_memo(&mut self, memo: Memo);

    /// What does not fit together, and how often, in the order of [`Finding`]. All parts were
    /// required.
    fn check(&mut self) -> Vec<(Finding, u64)>;
    /// Puts right what [`check`](Self::check) finds, and returns that. All parts were required.
    fn repair(&mut self) -> Vec<(Finding, u64)>;
}
