//! What an op did, besides its reply.

use std::collections::BTreeMap;

use super::message::Receipt;
use super::name::QueueName;

/// How an op changed the queue's deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextDue {
    /// No deadline is earlier than before.
    NotEarlier,
    /// There is a new one at this time, unix ms; others may be earlier.
    AtMost(u64),
    /// The earliest of all, unix ms, if there is one.
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

/// Counters for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub pushed: u64,
    pub pulled: u64,
    pub acked: u64,
    /// Acknowledgments after the end of visibility, which are counted in `acked` too.
    pub late_acks: u64,
    pub nacked: u64,
    /// Deliveries whose visibility ended.
    pub expired: u64,
    pub dead: u64,
    pub bad_receipts: u64,
    /// Records that were set aside as unreadable.
    pub damaged: u64,
    /// Deaths that the dead-letter queue could not accept.
    pub dead_letters_refused: u64,
    /// Dead letters discarded at MAXLEN.
    pub dead_discarded: u64,
    pub ttl_expired: u64,
    /// Pushes answered with the id of an earlier one.
    pub deduplicated: u64,
    pub redriven: u64,
    /// Messages refused at MAXLEN or MAXDEDUP.
    pub refused_full: u64,
    pub deleted: u64,
    /// Ticks of schedules with a message.
    pub ticks: u64,
    /// Ticks too late for a message of their own.
    pub ticks_missed: u64,
    /// Ticks without a message: overlap, or a full queue.
    pub ticks_skipped: u64,
}

impl Counts {
    /// Adds other counts.
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
            (&mut self.ticks, more.ticks),
            (&mut self.ticks_missed, more.ticks_missed),
            (&mut self.ticks_skipped, more.ticks_skipped),
        ] {
            *total = total.wrapping_add(more);
        }
    }
}

/// What an op did, besides its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// The stored state changed: the op must be replicated.
    pub changed: bool,
    /// A message of this queue may have become deliverable.
    pub became_ready: bool,
    /// A delivery ended: a limit of messages in flight may allow another.
    pub delivery_ended: bool,
    /// Other queues that changed, and their deadlines: messages may have become ready there. Most ops
    /// change none, and dropping an empty map is not free.
    #[allow(clippy::box_collection, reason = "a pointer that is null costs nothing")]
    pub others: Option<Box<BTreeMap<QueueName, NextDue>>>,
    pub next_due: NextDue,
    /// The greatest receipt that was given on behalf of the op. One that exceeds it because of a stored
    /// record does not count: later ops must not build on it.
    pub last_receipt: Option<Receipt>,
    pub counts: Counts,
}

impl Effects {
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

    /// Another queue changed and may have a new deadline.
    pub(super) fn add_other(&mut self, queue: &QueueName, next_due: NextDue) {
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
