//! Deliveries: `Flight`, its order in memory, and `Inflight`, where those are that began under version 1
//! of ops. Those go on where they are until they end.

use super::body::{StoredBody, take_head_off};
use super::deadlines::Deadlines;
use super::flight::{Head, PREFIX};
use super::keyspace::Keyspace;
use super::members::{delivery, inflight_member, inflight_score, readable, running, timestamp};
use super::records::Records;
use crate::queue::error::Corruption;
use crate::queue::message::{Body, Delivery, MessageId, Receipt, Running};
use crate::queue::part::Part;
use crate::queue::rules::Rules;

/// Of a hash with at most so many fields the order is read at once whenever it is needed.
pub const AT_ONCE: u64 = 1_000;

impl<K: Keyspace> Records<K> {
    pub(super) fn put_delivered(
        &mut self,
        body: &mut StoredBody<K::Bytes>,
        receipt: Receipt,
        running: Running,
        was_listed: bool,
    ) {
        let delivery = Delivery { id: body.id(), receipt };
        match running.began {
            Rules::V1 => {
                if was_listed {
                    self.0.put_read(Part::Messages, &delivery.id.0, &body.bytes);
                }
                self.0.add(Part::Inflight, &inflight_member(delivery), inflight_score(running));
            }
            Rules::V2 => {
                body.put_head_on(receipt, running);
                if !was_listed {
                    self.0.delete(Part::Messages, &delivery.id.0);
                }
                self.add_to_flight(delivery, running, &body.bytes);
            }
        }
    }

    fn add_to_flight(&mut self, delivery: Delivery, running: Running, record: &K::Bytes) {
        self.0.put_read(Part::Flight, &delivery.id.0, record);
        let fields = self.0.len(Part::Flight);
        self.0.deadlines(|deadlines| deadlines.insert(delivery, running, fields));
    }

    /// Moves a message from `Messages` to `Flight`.
    pub(super) fn resume_delivery(&mut self, delivery: Delivery, running: Running) {
        let Some(bytes) = self.0.get(Part::Messages, &delivery.id.0) else { return };
        if let Ok(mut body) = StoredBody::read_of(delivery.id, bytes) {
            self.put_delivered(&mut body, delivery.receipt, running, false);
        }
    }

    /// The record of a message in `Flight` and its head; None if there is none or it is damaged.
    fn in_flight(&mut self, id: MessageId) -> Option<(K::Bytes, Head)> {
        let record = self.0.get(Part::Flight, &id.0)?;
        let head = Head::decode(record.as_ref())?;
        Some((record, head))
    }

    pub(super) fn running_delivery(&mut self, delivery: Delivery) -> Option<Running> {
        if let Some((_, head)) = self.in_flight(delivery.id)
            && head.receipt == delivery.receipt
        {
            return Some(head.running);
        }
        if !delivery.receipt.is_valid() || self.0.len(Part::Inflight) == 0 {
            return None;
        }
        self.0.score(Part::Inflight, &inflight_member(delivery)).map(running)
    }

    pub(super) fn delivery_in_flight(
        &mut self,
        id: MessageId,
    ) -> Result<Option<(Delivery, Running)>, Corruption> {
        let Some(record) = self.0.get(Part::Flight, &id.0) else { return Ok(None) };
        let head = Head::decode(record.as_ref()).ok_or(Corruption::Message(id))?;
        Ok(Some((Delivery { id, receipt: head.receipt }, head.running)))
    }

    /// The body of a message in `Flight`.
    pub(super) fn body_in_flight(
        &mut self,
        id: MessageId,
    ) -> Result<Option<StoredBody<K::Bytes>>, Corruption> {
        let Some(mut record) = self.0.get(Part::Flight, &id.0) else { return Ok(None) };
        if !take_head_off(id, record.as_mut()) {
            return Err(Corruption::Message(id));
        }
        StoredBody::read_of(id, record).map(Some).map_err(|_| Corruption::Message(id))
    }

    pub(super) fn change_end(&mut self, delivery: Delivery, old: Running, new: Running) {
        match old.began {
            Rules::V1 => {
                self.0.add(Part::Inflight, &inflight_member(delivery), inflight_score(new));
            }
            Rules::V2 => {
                let Some((mut record, head)) = self.in_flight(delivery.id) else { return };
                let head = Head { running: new, ..head }.encode();
                if let Some(start) = record.as_mut().first_chunk_mut() {
                    *start = head;
                }
                self.0.put_read(Part::Flight, &delivery.id.0, &record);
                self.0.deadlines(|deadlines| deadlines.change(delivery, [old, new]));
            }
        }
    }

    pub(super) fn end_delivery(&mut self, delivery: Delivery) {
        match self.in_flight(delivery.id) {
            Some((mut record, head)) if head.receipt == delivery.receipt => {
                take_head_off(delivery.id, record.as_mut());
                self.0.put_read(Part::Messages, &delivery.id.0, &record);
                self.leave_flight(delivery, head.running);
            }
            _ => drop(self.0.remove(Part::Inflight, &inflight_member(delivery))),
        }
    }

    pub(super) fn end_with_message(&mut self, delivery: Delivery, running: Running) {
        match running.began {
            Rules::V1 => {
                self.0.remove(Part::Inflight, &inflight_member(delivery));
                self.0.delete(Part::Messages, &delivery.id.0);
            }
            Rules::V2 => self.leave_flight(delivery, running),
        }
    }

    fn leave_flight(&mut self, delivery: Delivery, running: Running) {
        self.0.delete(Part::Flight, &delivery.id.0);
        self.0.deadlines(|deadlines| deadlines.remove(delivery, running));
    }

    /// Reads the order of `Flight`, made anew if it is not known.
    fn in_order<T>(&mut self, read: impl FnOnce(&Deadlines) -> T) -> T {
        let fields = self.0.len(Part::Flight);
        if !self.0.deadlines(|deadlines| deadlines.is_known(fields)) {
            let mut anew = Deadlines::default();
            self.0.each_field(Part::Flight, |field, record| anew.read(field, record));
            anew.end(fields);
            self.0.deadlines(|deadlines| *deadlines = anew);
        }
        self.0.deadlines(|deadlines| read(deadlines))
    }

    pub(super) fn ended(&mut self, now_ms: u64, count: u32) -> Vec<MessageId> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        for _ in 0..2 {
            let (damaged, ended) = self.in_order(|deadlines| {
                let ended = deadlines.iter().take_while(|(_, until_ms)| *until_ms <= now_ms);
                (
                    deadlines.damaged().take(count).collect::<Vec<_>>(),
                    ended.take(count).collect::<Vec<_>>(),
                )
            });
            let is_there = |(delivery, until_ms): &(Delivery, u64)| {
                let head = self.in_flight(delivery.id).map(|(_, head)| head);
                head.is_some_and(|head| {
                    (head.receipt, head.running.until_ms) == (delivery.receipt, *until_ms)
                })
            };
            // Another client may have written the hash.
            if ended.iter().all(is_there) {
                let ids = damaged.into_iter().chain(ended.iter().map(|(delivery, _)| delivery.id));
                return ids.take(count).collect();
            }
            self.0.deadlines(|deadlines| *deadlines = Deadlines::UNKNOWN);
        }
        Vec::new()
    }

    pub(super) fn first_end(&mut self) -> Option<u64> {
        let fields = self.0.len(Part::Flight);
        let flight = if fields > AT_ONCE && !self.0.deadlines(|known| known.is_known(fields)) {
            Some(0)
        } else {
            self.in_order(|deadlines| {
                let is_damaged = deadlines.damaged().next().is_some();
                if is_damaged { Some(0) } else { deadlines.iter().next().map(|(_, ms)| ms) }
            })
        };
        let old = self.0.last(Part::Inflight).map(|(_, score)| timestamp(-score));
        flight.into_iter().chain(old).min()
    }

    pub(super) fn in_order_of_ends(&mut self, skip: u64, count: u64) -> Vec<(Delivery, u64)> {
        let end = skip.saturating_add(count);
        let [skip, count] =
            [skip, count].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let old = match self.0.len(Part::Inflight) {
            0 => Vec::new(),
            _ => self.0.range_down(Part::Inflight, 0, end),
        };
        let mut old = readable(old, |member| delivery(member).ok(), |score| timestamp(-score))
            .into_iter()
            .peekable();
        self.in_order(|deadlines| {
            let mut flight = deadlines.iter().peekable();
            let both = std::iter::from_fn(|| match (old.peek(), flight.peek()) {
                (Some(one), Some(other)) if one.1 > other.1 => flight.next(),
                (None, _) => flight.next(),
                _ => old.next(),
            });
            both.skip(skip).take(count).collect()
        })
    }

    pub(super) fn set_delivery_aside(&mut self, id: MessageId) {
        let Some(mut record) = self.0.get(Part::Flight, &id.0) else { return };
        let mut aside = [&id.0, record.as_ref()].concat();
        if !self.0.has(Part::Messages, &id.0) && take_head_off(id, record.as_mut()) {
            self.0.put_read(Part::Messages, &id.0, &record);
            aside.truncate(id.0.len().saturating_add(PREFIX));
        }
        self.0.push_back(Part::Damaged, &aside);
        self.0.delete(Part::Flight, &id.0);
        self.0.deadlines(|deadlines| deadlines.remove_damaged(id));
    }
}
