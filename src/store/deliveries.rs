//! Deliveries: `Flight`, its order in memory, and `Inflight`, where those are that began under version 1
//! of ops. Those go on where they are until they end.

use super::body::{StoredBody, take_head_off};
use super::deadlines::Deadlines;
use super::flight::{Format, Head, PREFIX};
use super::keyspace::Keyspace;
use super::members::{delivery, inflight_member, inflight_score, readable, running, timestamp};
use super::records::Records;
use crate::queue::error::Corruption;
use crate::queue::message::{Body, Delivery, Kept, MessageId, NewDelivery, Running};
use crate::queue::part::Part;
use crate::queue::rules::Rules;
use crate::queue::store::Store;

/// A body of more bytes stands beside its delivery, so that an acknowledgment, which reads the delivery,
/// does not copy it.
pub const LARGE: usize = 4_096;

/// Of a hash with at most so many fields the order is read at once whenever it is needed.
pub const AT_ONCE: u64 = 1_000;

impl<K: Keyspace> Records<K> {
    pub(super) fn put_delivered(
        &mut self,
        body: &mut StoredBody<K::Bytes>,
        NewDelivery { receipt, until_ms, has_cleanup }: NewDelivery,
        was_listed: bool,
    ) {
        let (id, is_large) = (body.id(), body.bytes.as_ref().len() > LARGE);
        let delivery = Delivery { id, receipt };
        let kept = match self.rules() {
            Rules::V1 => Kept::Old,
            Rules::V2 if is_large && self.0.has_its_type(Part::Bodies) => Kept::Apart,
            Rules::V2 => Kept::Whole,
        };
        let running = Running { until_ms, has_cleanup, kept };
        match kept {
            Kept::Old => {
                if was_listed {
                    self.0.put_read(Part::Messages, &id.0, &body.bytes);
                }
                let score = inflight_score(running);
                return self.0.add(Part::Inflight, &inflight_member(delivery), score);
            }
            Kept::Apart => {
                self.0.put_read(Part::Bodies, &id.0, &body.bytes);
                let head = Head { receipt, running, format: Format::Payload };
                self.0.put(Part::Flight, &id.0, &head.encode());
            }
            Kept::Whole => {
                body.put_head_on(receipt, running);
                self.0.put_read(Part::Flight, &id.0, &body.bytes);
            }
        }
        if !was_listed {
            self.0.delete(Part::Messages, &id.0);
        }
        let fields = self.0.len(Part::Flight);
        self.0.deadlines(|deadlines| deadlines.insert(delivery, running, fields));
    }

    /// Moves a message from `Messages` to `Flight`.
    pub(super) fn resume_delivery(&mut self, id: MessageId, delivery: NewDelivery) {
        let Some(bytes) = self.0.get(Part::Messages, &id.0) else { return };
        if let Ok(mut body) = StoredBody::read_of(id, bytes) {
            self.put_delivered(&mut body, delivery, false);
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

    /// The body of a message in flight.
    pub(super) fn body_in_flight(
        &mut self,
        id: MessageId,
    ) -> Result<Option<StoredBody<K::Bytes>>, Corruption> {
        if self.0.len(Part::Flight) == 0 {
            return Ok(None);
        }
        let body = match self.0.get(Part::Bodies, &id.0) {
            Some(body) => body,
            None => {
                let Some(mut record) = self.0.get(Part::Flight, &id.0) else { return Ok(None) };
                if !take_head_off(id, record.as_mut()) {
                    return Err(Corruption::Message(id));
                }
                record
            }
        };
        StoredBody::read_of(id, body).map(Some).map_err(|_| Corruption::Message(id))
    }

    pub(super) fn change_end(&mut self, delivery: Delivery, old: Running, until_ms: u64) {
        let running = Running { until_ms, ..old };
        if old.kept == Kept::Old {
            let score = inflight_score(running);
            return self.0.add(Part::Inflight, &inflight_member(delivery), score);
        }
        let Some((mut record, head)) = self.in_flight(delivery.id) else { return };
        if let Some(start) = record.as_mut().first_chunk_mut() {
            *start = Head { running, ..head }.encode();
        }
        self.0.put_read(Part::Flight, &delivery.id.0, &record);
        self.0.deadlines(|deadlines| deadlines.change(delivery, [old, running]));
    }

    pub(super) fn end_delivery(&mut self, delivery: Delivery) -> bool {
        let Delivery { id, receipt } = delivery;
        match self.in_flight(id) {
            Some((mut record, head)) if head.receipt == receipt => {
                if head.running.kept == Kept::Apart {
                    self.move_large_body(id);
                } else if self.is_another_body(id, record.as_ref()) {
                    self.0.push_back(Part::Damaged, &[&id.0, record.as_ref()].concat());
                    self.leave_flight(delivery, head.running);
                    return false;
                } else {
                    take_head_off(id, record.as_mut());
                    self.0.put_read(Part::Messages, &id.0, &record);
                }
                self.leave_flight(delivery, head.running);
            }
            _ => drop(self.0.remove(Part::Inflight, &inflight_member(delivery))),
        }
        true
    }

    /// True if `Messages` has a body of this id, and it is not the one in this record of `Flight`: another
    /// client wrote one of the two.
    fn is_another_body(&mut self, id: MessageId, record: &[u8]) -> bool {
        let Some(there) = self.0.get(Part::Messages, &id.0) else { return false };
        StoredBody::read_of(id, there)
            .is_ok_and(|body| body.bytes.as_ref().get(PREFIX..) != record.get(PREFIX..))
    }

    /// Moves a body from `Bodies` to `Messages`.
    fn move_large_body(&mut self, id: MessageId) {
        if let Some(body) = self.0.get(Part::Bodies, &id.0) {
            self.0.put_read(Part::Messages, &id.0, &body);
            self.0.delete(Part::Bodies, &id.0);
        }
    }

    pub(super) fn end_with_message(&mut self, delivery: Delivery, running: Running) {
        let field = &delivery.id.0;
        match running.kept {
            Kept::Old => {
                self.0.remove(Part::Inflight, &inflight_member(delivery));
                return self.0.delete(Part::Messages, field);
            }
            Kept::Apart => self.0.delete(Part::Bodies, field),
            Kept::Whole => {}
        }
        self.leave_flight(delivery, running);
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
            if !self.knows_order() {
                break;
            }
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

    /// True if the order of `Flight` is known, or can be read at once.
    fn knows_order(&mut self) -> bool {
        let fields = self.0.len(Part::Flight);
        fields <= AT_ONCE || self.0.deadlines(|deadlines| deadlines.is_known(fields))
    }

    pub(super) fn first_to_end(&mut self) -> Option<Delivery> {
        if !self.knows_order() {
            return None;
        }
        self.in_order_of_ends(0, 1).pop().map(|(delivery, _)| delivery)
    }

    pub(super) fn first_end(&mut self) -> Option<u64> {
        let flight = if !self.knows_order() {
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
        let old = readable(old, |member| delivery(member).ok(), running);
        self.in_order(|deadlines| deadlines.merged(old).skip(skip).take(count).collect())
    }

    pub(super) fn set_delivery_aside(&mut self, id: MessageId) {
        let Some(mut record) = self.0.get(Part::Flight, &id.0) else { return };
        let mut aside = [&id.0, record.as_ref()].concat();
        if self.0.has(Part::Bodies, &id.0) {
            self.move_large_body(id);
        } else if !self.0.has(Part::Messages, &id.0) && take_head_off(id, record.as_mut()) {
            self.0.put_read(Part::Messages, &id.0, &record);
            aside.truncate(id.0.len().saturating_add(PREFIX));
        }
        self.0.push_back(Part::Damaged, &aside);
        self.0.delete(Part::Flight, &id.0);
        self.0.deadlines(|deadlines| deadlines.remove_damaged(id));
    }
}
