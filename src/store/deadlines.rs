//! The deliveries of `Flight` in the order of their ends: kept in memory, derived from that hash.
//!
//! A sorted set beside the hash would say the same, at the price of a lookup and a change of another key
//! in every pull and every acknowledgment. Nothing here is the truth: whatever does not fit the number of
//! fields in the hash is forgotten, and read anew from the hash when the order is needed next.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::flight::{self, Head};
use super::ordered::Ordered;
use crate::queue::message::{Delivery, MessageId, Receipt, Running};

/// A delivery in the order of ends: among equal ends those without cleanup first, then by receipt, as the
/// members of `Inflight` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Deadline {
    /// The end, unix ms, doubled; plus 1 with cleanup.
    until: u64,
    receipt: Receipt,
    id: Reverse<MessageId>,
}

impl Deadline {
    fn new(Delivery { id, receipt }: Delivery, running: Running) -> Self {
        let until = running.until_ms.saturating_mul(2).saturating_add(running.has_cleanup.into());
        Self { until, receipt, id: Reverse(id) }
    }

    fn delivery(self) -> (Delivery, u64) {
        (Delivery { id: self.id.0, receipt: self.receipt }, self.until / 2)
    }
}

/// How much is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Extent {
    #[default]
    All,
    /// The hash is being read; what changes meanwhile is noted.
    Some,
    Nothing,
}

/// See the top of this file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    order: Ordered<Deadline>,
    /// The messages whose records are damaged.
    damaged: BTreeSet<MessageId>,
    /// The number of fields that are no ids, or could not be read: only MQ.CHECK sets those aside.
    strangers: u64,
    extent: Extent,
}

impl Deadlines {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        order: Ordered::new(),
        damaged: BTreeSet::new(),
        strangers: 0,
        extent: Extent::Nothing,
    };

    fn len(&self) -> u64 {
        let ids = (self.order.len() as u64).saturating_add(self.damaged.len() as u64);
        ids.saturating_add(self.strangers)
    }

    /// True if it is known of a hash with this many fields.
    pub fn is_known(&self, fields: u64) -> bool {
        self.extent == Extent::All && self.len() == fields
    }

    /// A new field was written to the hash, which has this many fields now.
    #[inline]
    pub fn insert(&mut self, delivery: Delivery, running: Running, fields: u64) {
        if fields == 1 {
            *self = Self::default();
        }
        if self.extent == Extent::Nothing {
            return;
        }
        self.order.insert(Deadline::new(delivery, running));
        if self.extent == Extent::All && self.len() != fields {
            *self = Self::UNKNOWN;
        }
    }

    /// The record of a delivery was removed.
    #[inline]
    pub fn remove(&mut self, delivery: Delivery, running: Running) {
        self.order.remove(Deadline::new(delivery, running));
    }

    /// The end of a delivery was changed.
    pub fn change(&mut self, delivery: Delivery, [old, new]: [Running; 2]) {
        self.order.remove(Deadline::new(delivery, old));
        if self.extent != Extent::Nothing {
            self.order.insert(Deadline::new(delivery, new));
        }
    }

    /// A damaged record was removed.
    pub fn remove_damaged(&mut self, id: MessageId) {
        self.damaged.remove(&id);
    }

    /// Begins to [read](Self::read) the hash.
    pub fn begin(&mut self) {
        *self = Self { extent: Extent::Some, ..Self::default() };
    }

    /// True if the hash is being read.
    pub fn is_being_read(&self) -> bool {
        self.extent == Extent::Some
    }

    /// Adds a field as it is stored.
    pub fn read(&mut self, field: &[u8], record: &[u8]) {
        match (flight::id(field), Head::decode(record)) {
            (Some(id), Some(Head { receipt, running, .. })) => {
                self.order.insert(Deadline::new(Delivery { id, receipt }, running));
            }
            (Some(id), None) => {
                self.damaged.insert(id);
            }
            (None, _) => {}
        }
    }

    /// All of the hash was read, which has this many fields.
    pub fn end(&mut self, fields: u64) {
        self.extent = Extent::All;
        match fields.checked_sub(self.len()) {
            Some(strangers) => self.strangers = strangers,
            None => *self = Self::UNKNOWN,
        }
    }

    /// The messages whose records are damaged.
    pub fn damaged(&self) -> impl Iterator<Item = MessageId> {
        self.damaged.iter().copied()
    }

    /// The deliveries and their ends, unix ms, the earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (Delivery, u64)> {
        self.order.iter().map(Deadline::delivery)
    }

    /// The same, and those of another sequence in this order among them.
    pub fn merged(
        &self,
        others: Vec<(Delivery, Running)>,
    ) -> impl Iterator<Item = (Delivery, u64)> {
        let mut order = self.order.iter().peekable();
        let others = others.into_iter().map(|(delivery, running)| Deadline::new(delivery, running));
        let mut others = others.peekable();
        let next = std::iter::from_fn(move || match (order.peek(), others.peek()) {
            (Some(one), Some(other)) if one > other => others.next(),
            (None, _) => others.next(),
            _ => order.next(),
        });
        next.map(Deadline::delivery)
    }
}
