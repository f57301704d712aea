//! What the rules need of the storage of a queue, in terms of queues.
//!
//! A store is one queue in one database. No method reads a clock. After [`Store::require`] succeeded for
//! a part, reading and writing it cannot fail because of its type.

use super::error::{Corruption, QueueError};
use super::finding::Finding;
use super::message::{
    Body, Delivery, Died, MessageId, NewDelivery, NewMessage, Rank, Running, StateRecord,
};
use super::name::QueueName;
use super::part::Part;
use super::records::{Duplicate, Group, StoredNumber};
use super::rules::Rules;
use super::schedule::Schedule;
use super::settings::{Setting, Settings};
use super::small_vec::NameBytes;

/// The bytes of an invalid member of a sorted set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub Vec<u8>);

/// The schedules of a queue: records in `Schedules`, their next ticks in `Ticks`.
pub trait Schedules {
    /// Error: [`Corruption::Schedule`] when it is unreadable.
    fn schedule(&mut self, name: &[u8]) -> Result<Option<Schedule>, Corruption>;
    /// Writes a schedule and its next tick; false if they are so already.
    fn put_schedule(&mut self, name: &[u8], schedule: &Schedule) -> bool;
    /// True if there was one.
    fn remove_schedule(&mut self, name: &[u8]) -> bool;
    /// Moves an unreadable schedule to `Damaged`: its name, then its record.
    fn set_schedule_aside(&mut self, name: &[u8]);
    /// When the first tick is due, unix ms.
    fn first_tick(&mut self) -> Option<u64>;
    /// Up to `count` names of schedules with ticks that are due at this time, unix ms, the earliest first.
    fn due_ticks(&mut self, now_ms: u64, count: u64) -> Vec<Vec<u8>>;
    /// Up to `count` names without the first `skip`: the next tick first, paused ones last.
    fn schedules(&mut self, skip: u64, count: u64) -> Vec<Vec<u8>>;
}

/// See the top of this file.
pub trait Store: Schedules + Sized {
    /// A body as the store holds it.
    type Body: Body;

    fn queue(&self) -> &QueueName;
    /// The rules that apply to the current op.
    fn rules(&self) -> Rules;
    /// The store of another queue in the same database, with the same rules.
    fn other(&self, queue: &QueueName) -> Self;
    /// Removes a part, whatever its type; its memory is freed in the background.
    fn clear(&mut self, part: Part);
    /// Succeeds if each part is absent or of its type; called before the first write. Error:
    /// [`QueueError::WrongType`].
    fn require(&mut self, parts: &[Part]) -> Result<(), QueueError>;
    /// The number of entries of a part.
    fn len(&mut self, part: Part) -> u64;

    /// Appends a new message to the ready list of its priority.
    fn push_ready(&mut self, message: &NewMessage<'_>);
    /// The priorities above 0 whose ready list is not empty, highest first.
    fn ready_priorities(&mut self) -> Vec<u8>;
    /// The highest priority whose ready list is not empty.
    fn top_priority(&mut self) -> Option<u8>;
    /// The id of the first record of a ready list. Error: [`Corruption::Ready`] when it is unreadable.
    fn first_ready(&mut self, priority: u8) -> Result<Option<MessageId>, Corruption>;
    /// Hands records from the front of a ready list to `take`, up to `count`, until it returns one: that one
    /// stays, the others are removed. On an error the next one stays too: [`Corruption::Ready`] when it is
    /// unreadable; [`QueueError::WrongType`] when it holds more than a payload and one of `parts` has
    /// another type.
    fn take_ready(
        &mut self,
        priority: u8,
        count: u64,
        parts: &[Part],
        take: impl FnMut(Self::Body) -> Option<Self::Body>,
    ) -> Result<(), QueueError>;
    /// Moves the first record of a ready list to `Damaged`.
    fn set_ready_aside(&mut self, priority: u8);
    /// Up to `count` records of a ready list from index `start` on; None for an unreadable one.
    fn ready(&mut self, priority: u8, start: u64, count: u64) -> Vec<Option<Self::Body>>;
    /// The record at an index: None behind the end, Some(None) for an unreadable one.
    fn ready_at(&mut self, priority: u8, index: u64) -> Option<Option<Self::Body>>;
    /// The greatest of the last ids of all ready lists.
    fn last_ready(&mut self) -> Option<MessageId>;
    /// Removes the records at these ascending indexes.
    fn remove_ready(&mut self, priority: u8, indexes: &[u64]);

    /// Adds the body of a new message to `Messages`.
    fn add_message(&mut self, message: &NewMessage<'_>);
    /// Adds a body that was read from a ready list or from another queue to `Messages`.
    fn put_message(&mut self, body: &Self::Body);
    /// The body of a message that is not in a ready list. Error: [`Corruption::Message`] when it is
    /// unreadable or another message's.
    fn message(&mut self, id: MessageId) -> Result<Option<Self::Body>, Corruption>;
    /// True if there is such a message.
    fn has_message(&mut self, id: MessageId) -> bool;
    /// Removes a body from `Messages`.
    fn remove_message(&mut self, id: MessageId);

    /// The state record of a message, if one was written. Error: [`Corruption::Message`] when it is
    /// unreadable.
    fn stored_record(&mut self, id: MessageId) -> Result<Option<StateRecord>, Corruption>;
    /// Writes the state record of a message; a retry count that differs is [changed](Self::change_retry_count).
    fn put_record(&mut self, id: MessageId, record: &StateRecord);
    /// Counts a message with another retry count than before; 0: one that was never returned.
    fn change_retry_count(&mut self, id: MessageId, from: u32, to: u32);
    /// Removes the state record and the retry count of a message. `record` is that record; None if it
    /// was unreadable or may not exist.
    fn remove_record(&mut self, id: MessageId, record: Option<&StateRecord>);
    /// The highest retry count of all messages.
    fn highest_retry_count(&mut self) -> u32;

    fn add_ranked(&mut self, id: MessageId, rank: Rank);
    /// True if it was there.
    fn remove_ranked(&mut self, id: MessageId) -> bool;
    fn is_ranked(&mut self, id: MessageId) -> bool;
    fn first_ranked(&mut self) -> Option<(Result<MessageId, Unreadable>, Rank)>;
    /// The first with this priority.
    fn first_of_priority(&mut self, priority: u8) -> Option<(Result<MessageId, Unreadable>, Rank)>;
    /// The highest rank of a ready message with this priority, in its ready list or in `Ranked`.
    fn last_of_priority(&mut self, priority: u8) -> Option<Rank>;
    /// The number of members of `Ranked` with this priority.
    fn count_ranked(&mut self, priority: u8) -> u64;
    /// Up to `count` readable members of `Ranked` with this priority, without the first `skip`.
    fn ranked(&mut self, priority: u8, skip: u64, count: u64) -> Vec<(MessageId, Rank)>;

    /// Adds an id to `Delayed`, `Expiring` or `Dead`, or changes its timestamp, unix ms.
    fn add_timed(&mut self, part: Part, id: MessageId, at_ms: u64);
    /// True if it was there.
    fn remove_timed(&mut self, part: Part, id: MessageId) -> bool;
    fn time_of(&mut self, part: Part, id: MessageId) -> Option<u64>;
    fn first_timed(&mut self, part: Part) -> Option<(Result<MessageId, Unreadable>, u64)>;
    /// Up to `count` readable ones without the first `skip`, the earliest first.
    fn timed(&mut self, part: Part, skip: u64, count: u64) -> Vec<(MessageId, u64)>;

    /// Stores a delivery and the body of its message, which was taken out of a ready list
    /// (`was_listed`), or else is in `Messages`.
    fn put_delivered(&mut self, body: &mut Self::Body, delivery: NewDelivery, was_listed: bool);
    /// The same for a message that was returned, with a delivery that has ended.
    fn resume(&mut self, id: MessageId, delivery: NewDelivery);
    /// A delivery that is running, or whose end was not processed yet. None for an invalid receipt.
    fn running(&mut self, delivery: Delivery) -> Option<Running>;
    /// The delivery of a message in `Flight`. Error: [`Corruption::Message`] when it is unreadable.
    fn delivery_of(&mut self, id: MessageId) -> Result<Option<(Delivery, Running)>, Corruption>;
    /// Changes the end of a delivery.
    fn change_end(&mut self, delivery: Delivery, running: Running, until_ms: u64);
    /// Ends a delivery; the body is in `Messages` then. False if another readable body was there: that one
    /// stays, and the delivery was set aside.
    fn end_delivery(&mut self, delivery: Delivery) -> bool;
    /// Ends a delivery and removes the body.
    fn end_with_message(&mut self, delivery: Delivery, running: Running);
    /// The messages in `Flight` whose visibility has ended at this time, unix ms, or whose records are
    /// unreadable, up to `count`, the earliest end first. For who decides on an op: it is no stored order.
    fn ended(&mut self, now_ms: u64, count: u32) -> Vec<MessageId>;
    /// The delivery that ends first, if that is known.
    fn first_to_end(&mut self) -> Option<Delivery>;
    /// When the first delivery ends, unix ms; 0 if that is not known.
    fn first_end(&mut self) -> Option<u64>;
    /// Of the deliveries that began under version 1 of ops the one that ends first.
    fn first_old_delivery(&mut self) -> Option<(Result<Delivery, Unreadable>, Running)>;
    /// Visits readable deliveries that began under version 1 of ops in the order of their ends, while
    /// `visit` returns true.
    fn each_old_delivery(&mut self, visit: impl FnMut(Delivery, Running) -> bool);
    /// Up to `count` readable deliveries without the first `skip`, in the order of their ends, unix ms.
    fn inflight(&mut self, skip: u64, count: u64) -> Vec<(Delivery, u64)>;

    /// The record of a group; an empty one if it has no messages or is unreadable.
    fn group(&mut self, name: &[u8]) -> Group;
    fn set_group_aside(&mut self, name: &[u8]);
    /// Writes the record of a group, or removes it if it has no messages.
    fn put_group(&mut self, name: &[u8], group: &Group);
    fn add_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId);
    /// True if it was there.
    fn remove_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) -> bool;
    fn is_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) -> bool;
    /// Up to `count` messages of a group in `Grouped`, without the first `skip`, in order.
    fn grouped(&mut self, group: &[u8], skip: u64, count: u64) -> Vec<(u64, MessageId)>;

    /// The ticket of a scheduled group. The messages without a group are the group with the empty name.
    fn ticket(&mut self, group: &[u8]) -> Option<u64>;
    /// Schedules a group, or, without a ticket, blocks it: it has no free slot.
    fn put_ticket(&mut self, group: &[u8], ticket: Option<u64>);
    /// Removes a group from `Turns`.
    fn remove_ticket(&mut self, group: &[u8]);
    /// The scheduled group with the lowest ticket.
    fn first_group(&mut self) -> Option<NameBytes>;
    /// 0 if no group is scheduled.
    fn last_ticket(&mut self) -> u64;
    fn scheduled_groups(&mut self) -> u64;
    /// Up to `count` groups with ready messages, without the first `skip`: scheduled ones with their
    /// tickets, then blocked ones.
    fn groups(&mut self, skip: u64, count: u64) -> Vec<(Vec<u8>, Option<u64>)>;

    /// The record of a deduplication key; None if it is free or unreadable.
    fn duplicate(&mut self, key: &[u8]) -> Option<Duplicate>;
    fn put_duplicate(&mut self, key: &[u8], duplicate: &Duplicate);
    fn remove_duplicate(&mut self, key: &[u8]);
    /// Adds a deduplication key to `Deduped`: the end of its window, unix ms.
    fn add_deduped(&mut self, key: &[u8], until_ms: u64);
    fn remove_deduped(&mut self, key: &[u8]);
    /// The deduplication key whose window ends first, and when, unix ms.
    fn first_deduped(&mut self) -> Option<(Vec<u8>, u64)>;

    /// Up to `count` readable dead letters behind `after` that died until then, unix ms, oldest death
    /// first.
    fn dead(&mut self, after: Option<Died>, until_ms: u64, count: u64) -> Vec<Died>;

    /// Moves the unreadable head of a delivery in `Flight` to `Damaged`, behind the id; the body goes to
    /// `Messages`, or to `Damaged` too if it is unreadable.
    fn set_delivery_aside(&mut self, id: MessageId);
    /// Moves an unreadable member of a sorted set to `Damaged`.
    fn set_member_aside(&mut self, part: Part, member: &Unreadable);
    /// Moves an unreadable message to `Damaged`: the body as it is, then the state record. The caller
    /// removes it from its place.
    fn set_message_aside(&mut self, id: MessageId);

    /// What `read` makes of the text of a field of `Config`; None if there is none.
    fn config<T>(&mut self, field: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T>;
    fn put_config(&mut self, field: &str, text: &[u8]);
    fn remove_config(&mut self, field: &str);

    /// Repairs what is inconsistent. Returns the findings in the order of [`Finding`] and how often each
    /// occurred. All parts were required.
    fn repair(&mut self) -> Vec<(Finding, u64)>;

    // Made of the methods above.

    /// The number of messages in flight.
    fn count_inflight(&mut self) -> u64 {
        self.len(Part::Flight).saturating_add(self.len(Part::Inflight))
    }

    /// The state of a message that is not in a ready list: its state record, or what its push said.
    /// Error: [`Corruption::Message`] when it is unreadable.
    fn record(&mut self, id: MessageId) -> Result<Option<StateRecord>, Corruption> {
        if let Some(written) = self.stored_record(id)? {
            return Ok(Some(written));
        }
        let body = self.message(id)?;
        Ok(body.and_then(|mut body| body.take_record()).map(|record| *record))
    }

    /// The effective values of these settings; the others have their defaults, and so has one whose
    /// stored value is invalid.
    fn settings(&mut self, wanted: &[Setting]) -> Settings {
        let mut settings = Settings::defaults(self.rules());
        if self.len(Part::Config) > 0 {
            for setting in wanted {
                self.config(setting.name(), |text| settings.set(*setting, text));
            }
        }
        settings
    }

    /// As [`Settings::get`].
    fn number(&mut self, setting: Setting) -> u64 {
        if self.len(Part::Config) == 0 {
            return setting.default_number(self.rules());
        }
        self.settings(&[setting]).get(setting)
    }

    /// As [`number`](Self::number), for a command that has not required `Config` yet.
    fn required_number(&mut self, setting: Setting) -> Result<u64, QueueError> {
        self.require(&[Part::Config])?;
        Ok(self.number(setting))
    }

    /// The stored text of a setting; None if it has its default.
    fn setting(&mut self, setting: Setting) -> Option<Vec<u8>> {
        self.config(setting.name(), <[u8]>::to_vec)
    }

    /// A stored number of the queue; None if it is absent or invalid.
    fn stored_number(&mut self, which: StoredNumber) -> Option<u64> {
        if self.len(Part::Config) == 0 {
            return None;
        }
        self.config(which.name(), |text| which.parse(text))?
    }

    fn put_stored_number(&mut self, which: StoredNumber, number: u64) {
        self.put_config(which.name(), number.to_string().as_bytes());
    }
}
