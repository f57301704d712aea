//! Records over keys: what each part of a queue holds, member by member and byte by byte. Implements
//! [`Store`] over a [`Keyspace`].
//!
//! The layout is described in docs/storage.md. No rules, no clock, no server.

use super::body::{StoredBody, decode_body, encode_body};
use super::deadlines::Deadlines;
use super::keyspace::Keyspace;
use super::members::{
    ALL_SCORES, BLOCKED, Mark, TICKET_SCORES, delivery, group_prefix, grouped, grouped_member,
    message_id, rank_scores, readable, running, timestamp,
};
use super::{check, record};
use crate::queue::error::{Corruption, QueueError};
use crate::queue::finding::Finding;
use crate::queue::message::{
    Body, Delivery, Died, MessageId, NewDelivery, NewMessage, Rank, Running, StateRecord,
};
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::records::{Duplicate, Group};
use crate::queue::rules::Rules;
use crate::queue::small_vec::NameBytes;
use crate::queue::store::{Store, Unreadable};

/// The records of one queue, and the rules that apply to the current op.
pub struct Records<K>(pub K, Rules);

impl<K: Keyspace> Records<K> {
    /// For ops that this module decides.
    pub fn new(keyspace: K) -> Self {
        Self(keyspace, Rules::V2)
    }

    /// For ops under these rules.
    pub fn with_rules(keyspace: K, rules: Rules) -> Self {
        Self(keyspace, rules)
    }

    /// What is inconsistent, and how often, in the order of [`Finding`]. All parts were required.
    pub fn check(&mut self) -> Vec<(Finding, u64)> {
        check::check(&mut self.0)
    }
}

impl<K: Keyspace> Store for Records<K> {
    type Body = StoredBody<K::Bytes>;

    fn queue(&self) -> &QueueName {
        self.0.queue()
    }

    fn rules(&self) -> Rules {
        self.1
    }

    fn other(&self, queue: &QueueName) -> Self {
        Self(self.0.other(queue), self.1)
    }

    fn clear(&mut self, part: Part) {
        self.0.unlink(part);
        if part == Part::Flight {
            self.0.deadlines(|deadlines| *deadlines = Deadlines::default());
        }
    }

    fn require(&mut self, parts: &[Part]) -> Result<(), QueueError> {
        if parts.iter().all(|part| self.0.has_its_type(*part)) {
            Ok(())
        } else {
            Err(QueueError::WrongType)
        }
    }

    fn len(&mut self, part: Part) -> u64 {
        self.0.len(part)
    }

    fn push_ready(&mut self, message: &NewMessage<'_>) {
        let priority = message.record.map_or(0, |record| record.priority);
        let list = Part::ready(priority);
        encode_body(message, |body| self.0.push_back_joined(list, body));
        if priority > 0 {
            self.add_mark(list, Mark(priority));
        }
    }

    fn ready_priorities(&mut self) -> Vec<u8> {
        self.marked_priorities()
    }

    fn top_priority(&mut self) -> Option<u8> {
        self.highest_mark()
    }

    fn first_ready(&mut self, priority: u8) -> Result<Option<MessageId>, Corruption> {
        let Some(bytes) = self.0.front(Part::ready(priority)) else { return Ok(None) };
        match decode_body(bytes.as_ref()) {
            Ok(body) => Ok(Some(body.id)),
            Err(_) => Err(Corruption::Ready(priority)),
        }
    }

    fn take_ready(
        &mut self,
        priority: u8,
        count: u64,
        parts: &[Part],
        mut take: impl FnMut(Self::Body) -> Option<Self::Body>,
    ) -> Result<(), QueueError> {
        let required = self.require(parts);
        let mut result = Ok(());
        self.0.take_front(Part::ready(priority), count, |bytes| match StoredBody::read(bytes) {
            Ok(body) if required.is_ok() || body.says_only_payload() => {
                take(body).map(|body| body.bytes)
            }
            Ok(body) => {
                result = required;
                Some(body.bytes)
            }
            Err(bytes) => {
                result = Err(Corruption::Ready(priority).into());
                Some(bytes)
            }
        });
        self.close_list(priority);
        result
    }

    fn set_ready_aside(&mut self, priority: u8) {
        if let Some(bytes) = self.0.pop_front(Part::ready(priority)) {
            self.0.push_back(Part::Damaged, bytes.as_ref());
            self.close_list(priority);
        }
    }

    fn ready(&mut self, priority: u8, start: u64, count: u64) -> Vec<Option<Self::Body>> {
        let bytes = self.0.list(Part::ready(priority), start, count);
        bytes.into_iter().map(|bytes| StoredBody::read(bytes).ok()).collect()
    }

    fn ready_at(&mut self, priority: u8, index: u64) -> Option<Option<Self::Body>> {
        let bytes = self.0.element(Part::ready(priority), index)?;
        Some(StoredBody::read(bytes).ok())
    }

    fn last_ready(&mut self) -> Option<MessageId> {
        let lists = self.ready_priorities().into_iter().chain([0]).map(Part::ready);
        let last = lists.filter_map(|list| {
            let bytes = self.0.has_its_type(list).then(|| self.0.back(list))??;
            decode_body(bytes.as_ref()).ok().map(|body| body.id)
        });
        last.max()
    }

    fn remove_ready(&mut self, priority: u8, indexes: &[u64]) {
        self.0.remove_elements(Part::ready(priority), indexes);
        self.close_list(priority);
    }

    fn add_message(&mut self, message: &NewMessage<'_>) {
        let field = &message.id.0;
        encode_body(message, |body| self.0.put_joined(Part::Messages, field, body));
    }

    fn put_message(&mut self, body: &Self::Body) {
        self.0.put_read(Part::Messages, &body.id().0, &body.bytes);
    }

    fn message(&mut self, id: MessageId) -> Result<Option<Self::Body>, Corruption> {
        let Some(bytes) = self.0.get(Part::Messages, &id.0) else {
            return self.body_in_flight(id);
        };
        StoredBody::read_of(id, bytes).map(Some).map_err(|_| Corruption::Message(id))
    }

    fn has_message(&mut self, id: MessageId) -> bool {
        self.0.has(Part::Messages, &id.0) || self.0.has(Part::Flight, &id.0)
    }

    fn remove_message(&mut self, id: MessageId) {
        self.0.delete(Part::Messages, &id.0);
    }

    fn stored_record(&mut self, id: MessageId) -> Result<Option<StateRecord>, Corruption> {
        let Some(bytes) = self.0.get(Part::Notes, &id.0) else { return Ok(None) };
        match record::decode_state(bytes.as_ref()) {
            Ok(record) => Ok(Some(record)),
            Err(_) => Err(Corruption::Message(id)),
        }
    }

    fn put_record(&mut self, id: MessageId, record: &StateRecord) {
        self.0.put(Part::Notes, &id.0, &record::encode_state(record));
    }

    fn change_retry_count(&mut self, id: MessageId, from: u32, to: u32) {
        if from != to {
            self.uncount(id, Some(from));
            self.count(to);
        }
    }

    fn remove_record(&mut self, id: MessageId, record: Option<&StateRecord>) {
        if self.0.len(Part::Notes) > 0 {
            let retry_count = match record {
                Some(record) => Some(record.retry_count),
                None => self
                    .0
                    .get(Part::Notes, &id.0)
                    .and_then(|bytes| record::retry_count(bytes.as_ref())),
            };
            self.0.delete(Part::Notes, &id.0);
            self.uncount(id, retry_count);
        }
    }

    fn highest_retry_count(&mut self) -> u32 {
        self.highest_counted()
    }

    fn add_ranked(&mut self, id: MessageId, rank: Rank) {
        self.0.add(Part::Ranked, &id.0, rank.score());
        self.add_mark(Part::Ranked, Mark::RANKED);
    }

    fn remove_ranked(&mut self, id: MessageId) -> bool {
        let was_there = self.0.remove(Part::Ranked, &id.0);
        if was_there {
            self.remove_mark(Part::Ranked, Mark::RANKED);
        }
        was_there
    }

    fn is_ranked(&mut self, id: MessageId) -> bool {
        self.0.score(Part::Ranked, &id.0).is_some()
    }

    fn first_ranked(&mut self) -> Option<(Result<MessageId, Unreadable>, Rank)> {
        let (member, score) = self.0.first(Part::Ranked)?;
        Some((message_id(member.as_ref()), Rank::from_score(score)))
    }

    fn first_of_priority(&mut self, priority: u8) -> Option<(Result<MessageId, Unreadable>, Rank)> {
        let (member, score) = self.0.range(Part::Ranked, rank_scores(priority), 0, 1).pop()?;
        Some((message_id(member.as_ref()), Rank::from_score(score)))
    }

    fn last_of_priority(&mut self, priority: u8) -> Option<Rank> {
        let listed = self.0.back(Part::ready(priority));
        let listed = listed.and_then(|bytes| {
            let body = decode_body(bytes.as_ref()).ok()?;
            Some(Rank::new(priority, body.id.timestamp_ms()))
        });
        let ranked = self.0.last_within(Part::Ranked, rank_scores(priority));
        listed.max(ranked.map(|(_, score)| Rank::from_score(score)))
    }

    fn count_ranked(&mut self, priority: u8) -> u64 {
        self.0.count(Part::Ranked, rank_scores(priority))
    }

    fn ranked(&mut self, priority: u8, skip: u64, count: u64) -> Vec<(MessageId, Rank)> {
        let members = self.0.range(Part::Ranked, rank_scores(priority), skip, count);
        readable(members, |member| message_id(member).ok(), Rank::from_score)
    }

    fn add_timed(&mut self, part: Part, id: MessageId, at_ms: u64) {
        self.0.add(part, &id.0, at_ms as f64);
    }

    fn remove_timed(&mut self, part: Part, id: MessageId) -> bool {
        self.0.remove(part, &id.0)
    }

    fn time_of(&mut self, part: Part, id: MessageId) -> Option<u64> {
        self.0.score(part, &id.0).map(timestamp)
    }

    fn first_timed(&mut self, part: Part) -> Option<(Result<MessageId, Unreadable>, u64)> {
        let (member, score) = self.0.first(part)?;
        Some((message_id(member.as_ref()), timestamp(score)))
    }

    fn timed(&mut self, part: Part, skip: u64, count: u64) -> Vec<(MessageId, u64)> {
        let members = self.0.range(part, ALL_SCORES, skip, count);
        readable(members, |member| message_id(member).ok(), timestamp)
    }

    fn put_delivered(&mut self, body: &mut Self::Body, delivery: NewDelivery, was_listed: bool) {
        Self::put_delivered(self, body, delivery, was_listed);
    }

    fn resume(&mut self, id: MessageId, delivery: NewDelivery) {
        self.resume_delivery(id, delivery);
    }

    fn running(&mut self, delivery: Delivery) -> Option<Running> {
        self.running_delivery(delivery)
    }

    fn delivery_of(&mut self, id: MessageId) -> Result<Option<(Delivery, Running)>, Corruption> {
        self.delivery_in_flight(id)
    }

    fn change_end(&mut self, delivery: Delivery, running: Running, until_ms: u64) {
        Self::change_end(self, delivery, running, until_ms);
    }

    fn end_delivery(&mut self, delivery: Delivery) -> bool {
        Self::end_delivery(self, delivery)
    }

    fn end_with_message(&mut self, delivery: Delivery, running: Running) {
        Self::end_with_message(self, delivery, running);
    }

    fn ended(&mut self, now_ms: u64, count: u32) -> Vec<MessageId> {
        Self::ended(self, now_ms, count)
    }

    fn first_to_end(&mut self) -> Option<Delivery> {
        Self::first_to_end(self)
    }

    fn first_end(&mut self) -> Option<u64> {
        Self::first_end(self)
    }

    fn first_old_delivery(&mut self) -> Option<(Result<Delivery, Unreadable>, Running)> {
        let (member, score) = self.0.last(Part::Inflight)?;
        Some((delivery(member.as_ref()), running(score)))
    }

    fn each_old_delivery(&mut self, mut visit: impl FnMut(Delivery, Running) -> bool) {
        self.0.each_member_down(Part::Inflight, |member, score| {
            delivery(member).map_or(true, |delivery| visit(delivery, running(score)))
        });
    }

    fn inflight(&mut self, skip: u64, count: u64) -> Vec<(Delivery, u64)> {
        self.in_order_of_ends(skip, count)
    }

    fn group(&mut self, name: &[u8]) -> Group {
        let Some(bytes) = self.0.get(Part::Groups, name) else { return Group::default() };
        // 0.1.0 overwrote it.
        let is_damaged = self.1 != Rules::V1;
        let anew = Group { is_damaged, ..Group::default() };
        record::decode_group(bytes.as_ref()).unwrap_or(anew)
    }

    fn set_group_aside(&mut self, name: &[u8]) {
        if let Some(bytes) = self.0.get(Part::Groups, name) {
            self.0.push_back(Part::Damaged, bytes.as_ref());
            self.0.delete(Part::Groups, name);
        }
    }

    fn put_group(&mut self, name: &[u8], group: &Group) {
        let counts = &group.counts;
        let is_empty = (counts.waiting, counts.inflight, counts.held) == (0, 0, 0);
        if is_empty && group.head.is_empty() {
            self.0.delete(Part::Groups, name);
        } else {
            self.0.put(Part::Groups, name, &record::encode_group(group));
        }
    }

    fn add_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) {
        self.0.add(Part::Grouped, &grouped_member(group, sequence, id), 0.0);
    }

    fn remove_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) -> bool {
        self.0.remove(Part::Grouped, &grouped_member(group, sequence, id))
    }

    fn is_grouped(&mut self, group: &[u8], sequence: u64, id: MessageId) -> bool {
        self.0.score(Part::Grouped, &grouped_member(group, sequence, id)).is_some()
    }

    fn grouped(&mut self, group: &[u8], skip: u64, count: u64) -> Vec<(u64, MessageId)> {
        let members = self.0.range_from(Part::Grouped, &group_prefix(group), skip, count);
        let of_group = members.iter().map_while(|member| {
            let (name, sequence, id) = grouped(member.as_ref())?;
            (name == group).then_some((sequence, id))
        });
        of_group.collect()
    }

    fn ticket(&mut self, group: &[u8]) -> Option<u64> {
        self.0.score(Part::Turns, group).filter(|score| *score < BLOCKED).map(|score| score as u64)
    }

    fn put_ticket(&mut self, group: &[u8], ticket: Option<u64>) {
        self.0.add(Part::Turns, group, ticket.map_or(BLOCKED, |ticket| ticket as f64));
        if self.0.len(Part::Turns) == 1 {
            self.mark_schedule();
        }
    }

    fn remove_ticket(&mut self, group: &[u8]) {
        self.0.remove(Part::Turns, group);
        self.remove_mark(Part::Turns, Mark::TURNS);
    }

    fn first_group(&mut self) -> Option<NameBytes> {
        let (group, score) = self.0.first(Part::Turns)?;
        (score < BLOCKED).then(|| group.as_ref().into())
    }

    fn last_ticket(&mut self) -> u64 {
        self.0.last_within(Part::Turns, TICKET_SCORES).map_or(0, |(_, ticket)| ticket as u64)
    }

    fn scheduled_groups(&mut self) -> u64 {
        self.0.count(Part::Turns, TICKET_SCORES)
    }

    fn groups(&mut self, skip: u64, count: u64) -> Vec<(Vec<u8>, Option<u64>)> {
        let members = self.0.range(Part::Turns, ALL_SCORES, skip, count);
        let ticket = |score: f64| (score < BLOCKED).then_some(score as u64);
        members.iter().map(|(name, score)| (name.as_ref().to_vec(), ticket(*score))).collect()
    }

    fn duplicate(&mut self, key: &[u8]) -> Option<Duplicate> {
        let bytes = self.0.get(Part::Dedup, key)?;
        record::decode_duplicate(bytes.as_ref()).ok()
    }

    fn put_duplicate(&mut self, key: &[u8], duplicate: &Duplicate) {
        self.0.put(Part::Dedup, key, &record::encode_duplicate(duplicate));
    }

    fn remove_duplicate(&mut self, key: &[u8]) {
        self.0.delete(Part::Dedup, key);
    }

    fn add_deduped(&mut self, key: &[u8], until_ms: u64) {
        self.0.add(Part::Deduped, key, until_ms as f64);
    }

    fn remove_deduped(&mut self, key: &[u8]) {
        self.0.remove(Part::Deduped, key);
    }

    fn first_deduped(&mut self) -> Option<(Vec<u8>, u64)> {
        let (key, score) = self.0.first(Part::Deduped)?;
        Some((key.as_ref().to_vec(), timestamp(score)))
    }

    fn dead(&mut self, after: Option<Died>, until_ms: u64, count: u64) -> Vec<Died> {
        self.dead_letters(after, until_ms, count)
    }

    fn set_delivery_aside(&mut self, id: MessageId) {
        Self::set_delivery_aside(self, id);
    }

    fn set_member_aside(&mut self, part: Part, member: &Unreadable) {
        self.0.remove(part, &member.0);
        if part == Part::Ranked {
            self.remove_mark(part, Mark::RANKED);
        }
        self.0.push_back(Part::Damaged, &member.0);
    }

    fn set_message_aside(&mut self, id: MessageId) {
        if let Some(bytes) = self.0.get(Part::Messages, &id.0) {
            self.0.push_back(Part::Damaged, bytes.as_ref());
            self.0.delete(Part::Messages, &id.0);
            if let Some(bytes) = self.0.get(Part::Notes, &id.0) {
                self.0.push_back(Part::Damaged, bytes.as_ref());
            }
        }
        self.remove_record(id, None);
        self.remove_timed(Part::Expiring, id);
        self.remove_timed(Part::Dead, id);
    }

    fn config<T>(&mut self, field: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.0.get(Part::Config, field.as_bytes()).map(|text| read(text.as_ref()))
    }

    fn put_config(&mut self, field: &str, text: &[u8]) {
        self.0.put(Part::Config, field.as_bytes(), text);
    }

    fn remove_config(&mut self, field: &str) {
        self.0.delete(Part::Config, field.as_bytes());
    }

    fn repair(&mut self) -> Vec<(Finding, u64)> {
        check::repair(&mut self.0, self.1)
    }
}
