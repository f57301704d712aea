//! A queue's records over its keys: what each part holds, member by member and byte by byte.
//!
//! The layout is described in docs/storage.md. No rules here, no clock, no server.

use super::body::{StoredBody, as_pushed, decode_body, decode_body_of, encode_body, last_delivery};
use super::keyspace::Keyspace;
use super::members::{
    ALL_SCORES, BLOCKED, LINE, Mark, delivery, group_prefix, grouped, grouped_member,
    inflight_member, inflight_score, lane, message_id, moment, readable, running,
};
use super::{check, record};
use crate::queue::error::{Corruption, QueueError};
use crate::queue::few::Name;
use crate::queue::finding::Finding;
use crate::queue::message::{
    Body, Delivery, Died, MessageId, NewMessage, Note, Rank, Receipt, Running,
};
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::records::{Duplicate, Group, Memo};
use crate::queue::rules::Rules;
use crate::queue::settings::{Setting, Settings};
use crate::queue::store::{Store, Unreadable};
use crate::queue::valid::MAX_PRIORITY;

/// The records of one queue, and the rules by which they are changed.
pub struct Records<K>(pub K, Rules);

impl<K: Keyspace> Records<K> {
    /// To be changed by what this module decides.
    pub fn new(keyspace: K) -> Self {
        Self(keyspace, Rules::V2)
    }

    /// To be changed by an op with these rules.
    pub fn with_rules(keyspace: K, rules: Rules) -> Self {
        Self(keyspace, rules)
    }

    /// Something was added to a part that has this mark in `Lanes`.
    fn open_lane(&mut self, part: Part, mark: Mark) {
        // Somebody may have removed the marks, also that of the line of groups.
        let is_first = self.0.len(Part::Lanes) == 0;
        if self.0.len(part) == 1 || is_first {
            self.0.add(Part::Lanes, &[mark.0], mark.score());
        }
        if is_first && self.0.len(Part::Turns) > 0 {
            self.mark_line();
        }
    }

    /// The line of groups is there.
    fn mark_line(&mut self) {
        self.0.add(Part::Lanes, &[Mark::TURNS.0], Mark::TURNS.score());
    }

    /// Something was taken out of a part that has this mark in `Lanes`.
    fn close_lane(&mut self, part: Part, mark: Mark) {
        if self.0.len(part) == 0 {
            self.0.remove(Part::Lanes, &[mark.0]);
        }
    }

    /// A group gets its score in `Turns`.
    fn stand(&mut self, group: &[u8], score: f64) {
        self.0.add(Part::Turns, group, score);
        if self.0.len(Part::Turns) == 1 {
            self.mark_line();
        }
    }

    /// A record was taken out of the list of a priority.
    fn close_list(&mut self, priority: u8) {
        if priority > 0 {
            self.close_lane(Part::ready(priority), Mark(priority));
        }
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
        let priority = message.note.map_or(0, |note| note.priority);
        let list = Part::ready(priority);
        self.0.push_back(list, &encode_body(message));
        if priority > 0 {
            self.open_lane(list, Mark(priority));
        }
    }

    fn lanes(&mut self) -> Vec<u8> {
        if self.0.len(Part::Lanes) == 0 {
            return Vec::new();
        }
        let members = self.0.range_down(Part::Lanes, 0, MAX_PRIORITY.into());
        let priorities = members.iter().filter_map(|(member, _)| match member.as_ref() {
            [priority @ 1..=MAX_PRIORITY] => Some(*priority),
            _ => None,
        });
        priorities.collect()
    }

    fn top_lane(&mut self) -> Option<u8> {
        let highest = self.0.last(Part::Lanes).map_or(0, |(_, score)| score as u8);
        let highest = highest.min(MAX_PRIORITY);
        if self.0.len(Part::ready(highest)) > 0 {
            return Some(highest);
        }
        // Somebody may have removed that list.
        (0..highest).rev().find(|lower| self.0.len(Part::ready(*lower)) > 0)
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
        parts: &[Part],
    ) -> Result<Option<Self::Body>, QueueError> {
        let list = Part::ready(priority);
        let Some(bytes) = self.0.pop_front(list) else { return Ok(None) };
        let (bytes, error) = match StoredBody::read(bytes) {
            Ok(body) if body.says_only_payload() || self.require(parts).is_ok() => {
                self.close_list(priority);
                return Ok(Some(body));
            }
            Ok(body) => (body.bytes, QueueError::WrongType),
            Err(bytes) => (bytes, Corruption::Ready(priority).into()),
        };
        self.0.push_front(list, &bytes);
        Err(error)
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
        let lists = self.lanes().into_iter().chain([0]).map(Part::ready);
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
        self.0.put(Part::Messages, &message.id.0, &encode_body(message));
    }

    fn put_message(&mut self, body: &Self::Body) {
        self.0.put_read(Part::Messages, &body.id().0, &body.bytes);
    }

    fn put_delivered(&mut self, body: &mut Self::Body, receipt: Receipt) {
        body.set_last_delivery(receipt);
        self.put_message(body);
    }

    fn last_delivery(&mut self, id: MessageId) -> Option<Delivery> {
        let bytes = self.0.get(Part::Messages, &id.0)?;
        last_delivery(id, bytes.as_ref()).map(|receipt| Delivery { id, receipt })
    }

    fn message(&mut self, id: MessageId) -> Result<Option<Self::Body>, Corruption> {
        let Some(bytes) = self.0.get(Part::Messages, &id.0) else { return Ok(None) };
        StoredBody::read_of(id, bytes).map(Some).map_err(|_| Corruption::Message(id))
    }

    fn has_message(&mut self, id: MessageId) -> bool {
        self.0.has(Part::Messages, &id.0)
    }

    fn remove_message(&mut self, id: MessageId) {
        self.0.delete(Part::Messages, &id.0);
    }

    fn note(&mut self, id: MessageId) -> Result<Option<Note>, Corruption> {
        if let Some(written) = self.written_note(id)? {
            return Ok(Some(written));
        }
        let Some(bytes) = self.0.get(Part::Messages, &id.0) else { return Ok(None) };
        match decode_body_of(id, bytes.as_ref()) {
            Ok(body) => Ok(body.terms.note()),
            Err(_) => Err(Corruption::Message(id)),
        }
    }

    fn written_note(&mut self, id: MessageId) -> Result<Option<Note>, Corruption> {
        let Some(bytes) = self.0.get(Part::Notes, &id.0) else { return Ok(None) };
        match record::decode_note(bytes.as_ref()) {
            Ok(note) => Ok(Some(note)),
            Err(_) => Err(Corruption::Message(id)),
        }
    }

    fn put_note(&mut self, id: MessageId, note: &Note) {
        self.0.put(Part::Notes, &id.0, &record::encode_note(note));
        if note.retry_count > 0 {
            self.0.add(Part::Retried, &id.0, f64::from(note.retry_count));
        }
    }

    fn remove_note(&mut self, id: MessageId, note: Option<&Note>) {
        if self.0.len(Part::Notes) > 0 {
            self.0.delete(Part::Notes, &id.0);
            if note.is_none_or(|note| note.retry_count > 0) {
                self.0.remove(Part::Retried, &id.0);
            }
        }
    }

    fn highest_retry_count(&mut self) -> u32 {
        self.0.last(Part::Retried).map_or(0, |(_, count)| count as u32)
    }

    fn add_ranked(&mut self, id: MessageId, rank: Rank) {
        self.0.add(Part::Ranked, &id.0, rank.score());
        self.open_lane(Part::Ranked, Mark::RANKED);
    }

    fn remove_ranked(&mut self, id: MessageId) -> bool {
        let was_there = self.0.remove(Part::Ranked, &id.0);
        if was_there {
            self.close_lane(Part::Ranked, Mark::RANKED);
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
        let (member, score) = self.0.range(Part::Ranked, lane(priority), 0, 1).pop()?;
        Some((message_id(member.as_ref()), Rank::from_score(score)))
    }

    fn last_of_priority(&mut self, priority: u8) -> Option<Rank> {
        let listed = self.0.back(Part::ready(priority));
        let listed = listed.and_then(|bytes| {
            let body = decode_body(bytes.as_ref()).ok()?;
            Some(Rank::new(priority, body.id.timestamp_ms()))
        });
        let ranked = self.0.last_within(Part::Ranked, lane(priority));
        listed.max(ranked.map(|(_, score)| Rank::from_score(score)))
    }

    fn count_ranked(&mut self, priority: u8) -> u64 {
        self.0.count(Part::Ranked, lane(priority))
    }

    fn ranked(&mut self, priority: u8, skip: u64, count: u64) -> Vec<(MessageId, Rank)> {
        let members = self.0.range(Part::Ranked, lane(priority), skip, count);
        readable(members, |member| message_id(member).ok(), Rank::from_score)
    }

    fn add_delayed(&mut self, id: MessageId, due_at_ms: u64) {
        self.0.add(Part::Delayed, &id.0, due_at_ms as f64);
    }

    fn remove_delayed(&mut self, id: MessageId) -> bool {
        self.0.remove(Part::Delayed, &id.0)
    }

    fn is_delayed(&mut self, id: MessageId) -> bool {
        self.0.score(Part::Delayed, &id.0).is_some()
    }

    fn first_delayed(&mut self) -> Option<(Result<MessageId, Unreadable>, u64)> {
        let (member, score) = self.0.first(Part::Delayed)?;
        Some((message_id(member.as_ref()), moment(score)))
    }

    fn delayed_until(&mut self, id: MessageId) -> Option<u64> {
        self.0.score(Part::Delayed, &id.0).map(moment)
    }

    fn delayed(&mut self, skip: u64, count: u64) -> Vec<(MessageId, u64)> {
        let members = self.0.range(Part::Delayed, ALL_SCORES, skip, count);
        readable(members, |member| message_id(member).ok(), moment)
    }

    fn put_inflight(&mut self, delivery: Delivery, running: Running) {
        self.0.add(Part::Inflight, &inflight_member(delivery), inflight_score(running));
    }

    fn remove_inflight(&mut self, delivery: Delivery) -> bool {
        self.0.remove(Part::Inflight, &inflight_member(delivery))
    }

    fn running(&mut self, delivery: Delivery) -> Option<Running> {
        if !delivery.receipt.is_valid() {
            return None;
        }
        self.0.score(Part::Inflight, &inflight_member(delivery)).map(running)
    }

    fn first_inflight(&mut self) -> Option<(Result<Delivery, Unreadable>, u64)> {
        let (member, score) = self.0.last(Part::Inflight)?;
        Some((delivery(member.as_ref()), moment(-score)))
    }

    fn each_inflight(&mut self, mut visit: impl FnMut(Delivery, u64) -> bool) {
        self.0.each_member_down(Part::Inflight, |member, score| {
            delivery(member).map_or(true, |delivery| visit(delivery, moment(-score)))
        });
    }

    fn inflight(&mut self, skip: u64, count: u64) -> Vec<(Delivery, u64)> {
        let members = self.0.range_down(Part::Inflight, skip, count);
        readable(members, |member| delivery(member).ok(), |score| moment(-score))
    }

    fn add_expiring(&mut self, id: MessageId, at_ms: u64) {
        self.0.add(Part::Expiring, &id.0, at_ms as f64);
    }

    fn remove_expiring(&mut self, id: MessageId) {
        self.0.remove(Part::Expiring, &id.0);
    }

    fn expiring_at(&mut self, id: MessageId) -> Option<u64> {
        self.0.score(Part::Expiring, &id.0).map(moment)
    }

    fn first_expiring(&mut self) -> Option<(Result<MessageId, Unreadable>, u64)> {
        let (member, score) = self.0.first(Part::Expiring)?;
        Some((message_id(member.as_ref()), moment(score)))
    }

    fn group(&mut self, name: &[u8]) -> Group {
        let Some(bytes) = self.0.get(Part::Groups, name) else { return Group::default() };
        // 0.1.0 wrote over it.
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

    fn turn(&mut self, group: &[u8]) -> Option<u64> {
        self.0.score(Part::Turns, group).filter(|score| *score < BLOCKED).map(|score| score as u64)
    }

    fn put_turn(&mut self, group: &[u8], ticket: u64) {
        self.stand(group, ticket as f64);
    }

    fn block(&mut self, group: &[u8]) {
        self.stand(group, BLOCKED);
    }

    fn remove_turn(&mut self, group: &[u8]) {
        self.0.remove(Part::Turns, group);
        self.close_lane(Part::Turns, Mark::TURNS);
    }

    fn first_turn(&mut self) -> Option<Name> {
        let (group, score) = self.0.first(Part::Turns)?;
        (score < BLOCKED).then(|| group.as_ref().into())
    }

    fn last_ticket(&mut self) -> u64 {
        self.0.last_within(Part::Turns, LINE).map_or(0, |(_, ticket)| ticket as u64)
    }

    fn line_len(&mut self) -> u64 {
        self.0.count(Part::Turns, LINE)
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
        Some((key.as_ref().to_vec(), moment(score)))
    }

    fn add_dead(&mut self, id: MessageId, at_ms: u64) {
        self.0.add(Part::Dead, &id.0, at_ms as f64);
    }

    fn remove_dead(&mut self, id: MessageId) {
        self.0.remove(Part::Dead, &id.0);
    }

    fn dead(&mut self, after: Option<Died>, until_ms: u64, count: u64) -> Vec<Died> {
        let from_ms = after.map_or(f64::NEG_INFINITY, |after| after.at_ms as f64);
        let scores = [from_ms, until_ms as f64];
        let (mut dead, mut skip) = (Vec::new(), 0u64);
        while (dead.len() as u64) < count {
            let members = self.0.range(Part::Dead, scores, skip, count);
            if members.is_empty() {
                break;
            }
            let read = readable(members, |member| message_id(member).ok(), moment).into_iter();
            let read = read.map(|(id, at_ms)| Died { at_ms, id });
            dead.extend(read.filter(|died| after.is_none_or(|after| *died > after)));
            skip = skip.saturating_add(count);
        }
        dead.truncate(count.try_into().unwrap_or(usize::MAX));
        dead
    }

    fn set_member_aside(&mut self, part: Part, member: &Unreadable) {
        self.0.remove(part, &member.0);
        if part == Part::Ranked {
            self.close_lane(part, Mark::RANKED);
        }
        self.0.push_back(Part::Damaged, &member.0);
    }

    fn set_message_aside(&mut self, id: MessageId) {
        if let Some(bytes) = self.0.get(Part::Messages, &id.0) {
            self.0.push_back(Part::Damaged, &as_pushed(id, bytes.as_ref()));
            self.0.delete(Part::Messages, &id.0);
            if let Some(bytes) = self.0.get(Part::Notes, &id.0) {
                self.0.push_back(Part::Damaged, bytes.as_ref());
            }
        }
        self.remove_note(id, None);
        self.remove_expiring(id);
        self.remove_dead(id);
    }

    fn settings(&mut self, wanted: &[Setting]) -> Settings {
        let mut settings = Settings::defaults(self.1);
        if self.0.len(Part::Config) > 0 {
            for setting in wanted {
                if let Some(text) = self.0.get(Part::Config, setting.name().as_bytes()) {
                    settings.set(*setting, text.as_ref());
                }
            }
        }
        settings
    }

    fn number(&mut self, setting: Setting) -> u64 {
        if self.0.len(Part::Config) == 0 {
            return setting.default_number(self.1);
        }
        self.settings(&[setting]).get(setting)
    }

    fn setting(&mut self, setting: Setting) -> Option<Vec<u8>> {
        self.0.get(Part::Config, setting.name().as_bytes()).map(|text| text.as_ref().to_vec())
    }

    fn put_setting(&mut self, setting: Setting, text: &[u8]) {
        self.0.put(Part::Config, setting.name().as_bytes(), text);
    }

    fn remove_setting(&mut self, setting: Setting) {
        self.0.delete(Part::Config, setting.name().as_bytes());
    }

    fn memo(&mut self, memo: Memo) -> Option<u64> {
        if self.0.len(Part::Config) == 0 {
            return None;
        }
        memo.parse(self.0.get(Part::Config, memo.name().as_bytes())?.as_ref())
    }

    fn put_memo(&mut self, memo: Memo, number: u64) {
        self.0.put(Part::Config, memo.name().as_bytes(), number.to_string().as_bytes());
    }

    fn remove_memo(&mut self, memo: Memo) {
        self.0.delete(Part::Config, memo.name().as_bytes());
    }

    fn check(&mut self) -> Vec<(Finding, u64)> {
        check::check(&mut self.0)
    }

    fn repair(&mut self) -> Vec<(Finding, u64)> {
        check::repair(&mut self.0, self.1)
    }
}
