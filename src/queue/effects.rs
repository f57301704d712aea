//! What an op did, besides its reply.

use std::collections::BTreeMap;

use super::message::Receipt;
use super::name::QueueName;

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
    pub(super) fn add(&mut self, at_ms: u64) {
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
    pub last_receipt: Option<Receipt>,
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
    pub(super) fn note_other(&mut self, queue: &QueueName, next_due: NextDue) {
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
