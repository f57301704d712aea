//! The rules of a queue: what each op does to the stored state, and what comes of it.
//!
//! [`apply()`] is the one way in. Nothing here knows Redis, reads a clock, a random source or a
//! setting of the process, or walks anything in hash order: the same state and the same op give
//! the same new state on the master, on its replicas and when the append-only file is loaded.

mod acknowledge;
mod configure;
mod dead_letter;
mod dedup;
mod extend;
pub mod few;
pub mod finding;
mod group;
pub mod limits;
mod line;
pub mod look;
pub mod message;
pub mod name;
pub mod op;
mod pause;
mod place;
pub mod pull;
pub mod push;
pub mod redrive;
mod remove;
mod repair;
mod reschedule;
mod retry;
mod search;
mod seek;
pub mod settings;
pub mod store;
mod sweep;
pub mod valid;

use std::collections::BTreeMap;
use std::fmt;

use few::Few;
use finding::Finding;
use message::MessageId;
use name::QueueName;
use op::{Choice, Numbered, Op};
use pull::{Pull, Pulled};
use push::Pushed;
use redrive::{Redrive, Redriven};
use retry::GiveBack;
use store::Store;

/// What can go wrong with a request that was well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueError {
    /// A key of the queue holds another kind of value. Nothing was changed.
    WrongType,
    /// A stored record can't be read: which one. It was set aside, unless the sentence says else.
    Corrupt(Corruption),
    /// A dead letter can't die again. Nothing was changed.
    AlreadyDead,
    /// A peek would have to go past more than [`look::MAX_GROUPS`] groups.
    TooManyGroups,
}

/// Which stored record can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// An element of the list of ready messages of a priority.
    Ready(u8),
    /// A member of a sorted set.
    Place,
    /// A body, or the note that belongs to it.
    Message(MessageId),
    /// There is a place for a message, but no body.
    NoBody(MessageId),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: &MessageId| uuid::Uuid::from_bytes(id.0);
        match self {
            Self::Ready(_) => {
                f.write_str("a waiting record can't be read, it was moved to damaged")
            }
            Self::Place => f.write_str("a member is no message, it was moved to damaged"),
            Self::Message(message) => {
                write!(f, "message {} can't be read, it was moved to damaged", id(message))
            }
            Self::NoBody(message) => write!(f, "message {} has no body", id(message)),
        }
    }
}

impl From<Corruption> for QueueError {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}

/// What became of one claim of an acknowledgment, a return or an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done. An extension has the new end of visibility, unix ms; else 0.
    Done(u64),
    /// No message with this id is in flight or waits to be delivered again.
    NotFound,
    /// There is one, but this receipt is not its delivery's.
    BadReceipt,
}

/// What the queue's deadlines look like after an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextDue {
    /// No earlier one than before.
    NotEarlier,
    /// A new one at that moment, unix ms; others may be earlier.
    AtMost(u64),
    /// The earliest of all is at that moment, unix ms, or there is none.
    Exactly(Option<u64>),
}

impl NextDue {
    /// Adds a deadline.
    fn add(&mut self, at_ms: u64) {
        *self = match *self {
            Self::NotEarlier => Self::AtMost(at_ms),
            Self::AtMost(other) => Self::AtMost(other.min(at_ms)),
            Self::Exactly(other) => Self::Exactly(Some(other.map_or(at_ms, |o| o.min(at_ms)))),
        };
    }
}

/// How much of what happened, for the counters that operators see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// New messages.
    pub pushed: u64,
    /// Deliveries.
    pub pulled: u64,
    /// Acknowledgments that took effect.
    pub acked: u64,
    /// Those of them that came after the end of visibility.
    pub late_acks: u64,
    /// Deliveries given back.
    pub nacked: u64,
    /// Deliveries that ended by time.
    pub expired: u64,
    /// Messages that died.
    pub dead: u64,
    /// Claims refused for their receipt.
    pub bad_receipts: u64,
    /// Records set aside because they could not be read.
    pub damaged: u64,
    /// Messages that should have died, but their dead-letter queue can't take them.
    pub dead_letters_refused: u64,
    /// Dead letters that were discarded because their queue was full.
    pub dead_discarded: u64,
    /// Messages that were discarded because their time to live was over.
    pub ttl_expired: u64,
    /// Pushes that were answered with the id of an earlier one.
    pub deduplicated: u64,
    /// Dead letters that went back.
    pub redriven: u64,
    /// Messages that were not pushed because the queue was full.
    pub refused_full: u64,
    /// Messages that were removed on purpose.
    pub deleted: u64,
}

impl Counts {
    /// Adds what happened.
    pub fn add(&mut self, more: &Self) {
        for (total, more) in [
            (&mut self.pushed, more.pushed),
            (&mut self.pulled, more.pulled),
            (&mut self.acked, more.acked),
            (&mut self.late_acks, more.late_acks),
            (&mut self.nacked, more.nacked),
            (&mut self.expired, more.expired),
            (&mut self.dead, more.dead),
            (&mut self.bad_receipts, more.bad_receipts),
            (&mut self.damaged, more.damaged),
            (&mut self.dead_letters_refused, more.dead_letters_refused),
            (&mut self.dead_discarded, more.dead_discarded),
            (&mut self.ttl_expired, more.ttl_expired),
            (&mut self.deduplicated, more.deduplicated),
            (&mut self.redriven, more.redriven),
            (&mut self.refused_full, more.refused_full),
            (&mut self.deleted, more.deleted),
        ] {
            *total = total.wrapping_add(more);
        }
    }
}

/// What an op did, besides its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// The stored state is another than before: the op must be replicated.
    pub changed: bool,
    /// A message of this queue may be deliverable that was not before.
    pub became_ready: bool,
    /// A delivery ended: where there is a limit of messages in flight, another one may begin.
    pub delivery_ended: bool,
    /// The other queues in which something changed, and their deadlines: messages may have become ready
    /// there. Most ops change none, and an empty map costs them something when it is dropped.
    #[allow(clippy::box_collection, reason = "a pointer that is null costs nothing")]
    pub others: Option<Box<BTreeMap<QueueName, NextDue>>>,
    /// The queue's deadlines.
    pub next_due: NextDue,
    /// The greatest receipt that was given because of the op; what a message's note asked for is not
    /// counted, because the next op must not build on it.
    pub last_receipt: Option<message::Receipt>,
    /// For the counters.
    pub counts: Counts,
}

impl Effects {
    /// None yet.
    pub fn none() -> Self {
        Self {
            changed: false,
            became_ready: false,
            delivery_ended: false,
            others: None,
            next_due: NextDue::NotEarlier,
            last_receipt: None,
            counts: Counts::default(),
        }
    }

    /// Notes that something changed in another queue, and when something is due there.
    fn note_other(&mut self, queue: &QueueName, next_due: NextDue) {
        let others = self.others.get_or_insert_default();
        let known = match others.get_mut(queue) {
            Some(known) => known,
            None => others.entry(queue.clone()).or_insert(NextDue::NotEarlier),
        };
        if let NextDue::AtMost(at_ms) | NextDue::Exactly(Some(at_ms)) = next_due {
            known.add(at_ms);
        }
    }
}

/// What an op answers.
#[derive(Debug)]
pub enum Outcome<B> {
    /// Of a sweep, new settings, a pause: nothing to say.
    Done,
    /// Of a push.
    Pushed(Pushed),
    /// Of a pull.
    Pulled(Pulled<B>),
    /// Of an acknowledgment, a return or an extension: one per claim, in their order.
    Settled(Few<Settled>),
    /// Of what is done to messages by id or as a whole: their number.
    Count(u64),
    /// Of a slice of a redrive.
    Redriven(Redriven),
    /// Of a repair: what was found, and how often.
    Repaired(Vec<(Finding, u64)>),
}

/// Changes the stored state as `op` says, and adds to `effects` what it did. On an error nothing was
/// changed.
pub fn apply<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op: &Op<'_>,
) -> Result<Outcome<S::Body>, QueueError> {
    Ok(match op {
        Op::Push { id, due_at_ms, payload, with } => {
            let messages = [Numbered { id: *id, payload }];
            Outcome::Pushed(push::push(store, effects, &messages, *due_at_ms, with.as_ref())?)
        }
        Op::PushMany { messages, due_at_ms, with } => {
            Outcome::Pushed(push::push(store, effects, messages, *due_at_ms, with.as_ref())?)
        }
        Op::Pull { now_ms, count, delivery, base_receipt, sweep, acknowledged } => {
            let request = Pull {
                now_ms: *now_ms,
                count: *count,
                delivery: *delivery,
                base_receipt: *base_receipt,
                sweep: *sweep,
                acknowledged,
            };
            Outcome::Pulled(pull::pull(store, effects, &request)?)
        }
        Op::Sweep { now_ms, sweep } => {
            sweep::sweep(store, effects, *now_ms, *sweep)?;
            Outcome::Done
        }
        Op::Acknowledge { now_ms, deliveries } => {
            Outcome::Settled(acknowledge::acknowledge(store, effects, deliveries, *now_ms)?)
        }
        Op::GiveBack { now_ms, deliveries, delay_ms, same_slot, how, reason } => {
            let (now_ms, delay_ms, same_slot) = (*now_ms, *delay_ms, *same_slot);
            let rule = GiveBack { now_ms, delay_ms, same_slot, how: *how, reason: *reason };
            Outcome::Settled(retry::give_back(store, effects, deliveries, rule)?)
        }
        Op::Extend { now_ms, deliveries, visibility_ms } => {
            let end = extend::End::At(now_ms.saturating_add(*visibility_ms));
            Outcome::Settled(extend::extend(store, effects, deliveries, *now_ms, end)?)
        }
        Op::Prolong { now_ms, deliveries, visibility_ms } => {
            let end = extend::End::NotBefore(now_ms.saturating_add(*visibility_ms));
            Outcome::Settled(extend::extend(store, effects, deliveries, *now_ms, end)?)
        }
        Op::Configure { changes } => {
            configure::configure(store, effects, changes)?;
            Outcome::Done
        }
        Op::Delete { ids } => Outcome::Count(remove::delete(store, effects, ids)?),
        Op::Purge => Outcome::Count(remove::purge(store, effects)?),
        Op::Drop => Outcome::Count(remove::drop(store, effects)?),
        Op::Reschedule { now_ms, id, due_at_ms } => {
            let count = reschedule::reschedule(store, effects, *id, *due_at_ms, *now_ms)?;
            Outcome::Count(count)
        }
        Op::Redrive { now_ms, count, to, same_slot } => {
            let request = Redrive {
                now_ms: *now_ms,
                look: *count,
                count: *count,
                to: to.as_ref(),
                same_slot: *same_slot,
                choice: &Choice::ALL,
                from: None,
                reason: None,
                takes_others: false,
            };
            Outcome::Count(redrive::redrive(store, effects, &request)?.moved)
        }
        Op::Pause { until_ms } => {
            pause::pause(store, effects, *until_ms)?;
            Outcome::Done
        }
        Op::Resume => {
            pause::resume(store, effects)?;
            Outcome::Done
        }
        Op::RedriveSlice(slice) => {
            Outcome::Redriven(redrive::redrive(store, effects, &slice.into())?)
        }
        Op::Repair => Outcome::Repaired(repair::repair(store, effects)?),
    })
}
