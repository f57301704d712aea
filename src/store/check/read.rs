//! Reads bodies, state records and places, and finds what is wrong with each by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Change, Plan};
use crate::queue::finding::Finding;
use crate::queue::message::{MessageId, Receipt, Running, StateRecord};
use crate::queue::part::Part;
use crate::queue::records::Group;
use crate::queue::small_vec::NameBytes;
use crate::queue::valid::{DEADLINES, MAX_PRIORITY, MAX_TIME_MS, is_name, is_sequence, whole};
use crate::store::body::{decode_body, decode_body_of, decode_delivered};
use crate::store::flight::{self, Head, PREFIX};
use crate::store::keyspace::Contents;
use crate::store::record;

pub const RANKS_PER_MS: u64 = 64;

const RANKS_PER_PRIORITY: u64 = MAX_TIME_MS * RANKS_PER_MS;

/// Where a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In flight; `is_marked` if an acknowledgment must release a group slot or a deduplication key.
    Inflight {
        receipt: u64,
        until_ms: u64,
        is_marked: bool,
        /// In `Inflight`, or else in `Flight`.
        is_old: bool,
    },
    /// In `Ranked`; ready since, in 64ths of a millisecond.
    Ranked {
        priority: u8,
        since: u64,
    },
    /// In its group: in the record or in `Grouped`.
    Grouped {
        group: Box<[u8]>,
        sequence: u64,
    },
    Delayed {
        due_at_ms: u64,
    },
}

impl Place {
    /// Part, member and score; None in a group, whose record determines which it is, and in `Flight`.
    pub fn stored(&self, id: MessageId) -> Option<(Part, Vec<u8>, f64)> {
        Some(match self {
            Self::Inflight { is_old: false, .. } => return None,
            Self::Inflight { receipt, until_ms, is_marked, .. } => {
                let member = [(!receipt).to_be_bytes().as_slice(), &id.0].concat();
                let mark = if *is_marked { 0.5 } else { 0.0 };
                (Part::Inflight, member, -(*until_ms as f64) - mark)
            }
            Self::Ranked { priority, since } => {
                let level = u64::from(MAX_PRIORITY.saturating_sub(*priority));
                let rank = RANKS_PER_PRIORITY.saturating_mul(level).saturating_add(*since);
                (Part::Ranked, id.0.to_vec(), rank as f64 / RANKS_PER_MS as f64)
            }
            Self::Grouped { .. } => return None,
            Self::Delayed { due_at_ms } => (Part::Delayed, id.0.to_vec(), *due_at_ms as f64),
        })
    }
}

/// The member of `Grouped`.
pub fn grouped_member(group: &[u8], (sequence, id): (u64, MessageId)) -> Vec<u8> {
    let length = u8::try_from(group.len().saturating_sub(1)).unwrap_or(u8::MAX);
    [&[length], group, &sequence.to_be_bytes(), &id.0].concat()
}

/// A message with a readable body outside of the ready lists.
pub struct Message {
    /// Where its body is: `Messages`, `Flight` or `Bodies`.
    pub body: Part,
    /// The push options.
    pub said: Option<Box<StateRecord>>,
    /// The stored state record, or the push options.
    pub record: Option<Box<StateRecord>>,
    /// It has a stored state record.
    pub has_record: bool,
    /// Its state record was unreadable.
    pub lost_record: bool,
    /// The record differs from the stored one.
    pub new_record: bool,
    pub place: Option<Place>,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            body: Part::Messages,
            said: None,
            record: None,
            has_record: false,
            lost_record: false,
            new_record: false,
            place: None,
        }
    }
}

/// The contents of a queue.
#[derive(Default)]
pub struct Found {
    /// The ids in the ready lists, sorted.
    pub ready: Vec<MessageId>,
    /// The UNTILDONE keys of these messages.
    pub keys_of_ready: BTreeMap<MessageId, NameBytes>,
    pub messages: BTreeMap<MessageId, Message>,
    /// None for an impossible record.
    pub groups: BTreeMap<Vec<u8>, Option<Group>>,
    /// Duplicate places.
    pub surplus: BTreeMap<MessageId, Vec<Place>>,
    /// Messages whose delivery has an unreadable end, with the last receipt.
    pub ended: BTreeMap<MessageId, u64>,
}

impl Found {
    pub fn read<K: Contents>(keyspace: &mut K, plan: &mut Plan) -> Self {
        let mut found = Self::default();
        for priority in 0..=MAX_PRIORITY {
            found.read_ready(keyspace, plan, priority);
        }
        found.ready.sort();
        found.messages = bodies(keyspace, plan, Part::Messages);
        found.read_flight(keyspace, plan);
        found.count_repeated(plan);
        found.forget_keys_of_repeated(keyspace);
        found.read_records(keyspace, plan);
        for message in found.messages.values_mut() {
            if !message.has_record && !message.lost_record {
                message.record.clone_from(&message.said);
            }
        }
        found.read_groups(keyspace, plan);
        for part in [Part::Inflight, Part::Ranked, Part::Grouped, Part::Delayed] {
            keyspace.each_member(part, |member, score| {
                found.add_place(plan, part, member, score);
            });
        }
        found
    }

    /// Reads the deliveries and bodies of `Flight`, and the bodies of `Bodies`.
    fn read_flight<K: Contents>(&mut self, keyspace: &mut K, plan: &mut Plan) {
        let mut large = bodies(keyspace, plan, Part::Bodies);
        // In an order that is the same on every server; that of a hash is not.
        let mut deliveries = BTreeMap::new();
        keyspace.each_field(Part::Flight, |field, record| {
            let body = message_id(field).and_then(|id| decode_delivered(id, record).ok());
            let said = body.map(|body| body.terms.record().map(Box::new));
            let head = record.get(..PREFIX).unwrap_or(record).to_vec();
            deliveries.insert(field.to_vec(), (delivery(record), said, head));
        });
        for (field, (place, said, head)) in deliveries {
            let id = message_id(&field);
            let apart = id.and_then(|id| large.remove(&id));
            let message = match (apart, said) {
                (Some(message), None) => Message { body: Part::Bodies, ..message },
                (apart, Some(said)) => {
                    if let (Some(id), Some(_)) = (id, apart) {
                        plan.count(Finding::TwoPlaces);
                        plan.change(Change::DropLargeBody(id));
                    }
                    Message { body: Part::Flight, said, ..Message::default() }
                }
                (None, None) if place.is_ok() && flight::is_apart(&head) => {
                    plan.count(Finding::PlaceWithoutBody);
                    plan.change(Change::Delete(Part::Flight, field));
                    continue;
                }
                (None, None) => {
                    plan.count(Finding::DamagedBody);
                    plan.change(Change::SetRecordAside(field));
                    continue;
                }
            };
            let Some(id) = id else { continue };
            let place = place.map_err(|receipt| {
                plan.count(Finding::DamagedPlace);
                plan.change(Change::SetAside([field, head].concat()));
                self.ended.extend(receipt.map(|receipt| (id, receipt)));
            });
            let is_damaged = place.is_err();
            let message = Message { place: place.ok(), ..message };
            if is_damaged && message.body == Part::Bodies {
                plan.change(Change::Delete(Part::Flight, id.0.to_vec()));
            }
            self.add_in_flight(plan, id, message);
        }
        for (id, message) in large {
            self.add_in_flight(plan, id, Message { body: Part::Bodies, ..message });
        }
    }

    /// Adds a message whose body is in `Flight` or `Bodies`. One in `Messages` with the same id is dropped.
    fn add_in_flight(&mut self, plan: &mut Plan, id: MessageId, message: Message) {
        if self.messages.insert(id, message).is_some() {
            plan.count(Finding::TwoPlaces);
            plan.change(Change::DropBody(id));
        }
    }

    fn read_ready<K: Contents>(&mut self, keyspace: &mut K, plan: &mut Plan, priority: u8) {
        keyspace.each_element(Part::ready(priority), |bytes| match ready(bytes) {
            Some((id, said)) => {
                if said.as_ref().map_or(0, |said| said.priority) != priority {
                    plan.count(Finding::WrongPlace);
                    plan.ready = true;
                }
                if let Some(key) = said.and_then(|said| said.dedup) {
                    self.keys_of_ready.insert(id, key);
                }
                self.ready.push(id);
            }
            None => {
                plan.count(Finding::DamagedBody);
                plan.ready = true;
            }
        });
    }

    /// The ids that occur more than once in the ready lists.
    pub fn repeated(&self) -> impl Iterator<Item = MessageId> {
        let pairs = self.ready.iter().zip(self.ready.iter().skip(1));
        pairs.filter(|(one, other)| one == other).map(|(id, _)| *id)
    }

    /// Of duplicate records the first stays, unless a body in `Messages` has the id.
    fn forget_keys_of_repeated<K: Contents>(&mut self, keyspace: &mut K) {
        let repeated: BTreeSet<MessageId> = self.repeated().collect();
        let mut first = BTreeMap::new();
        for priority in (0..=MAX_PRIORITY).take_while(|_| !repeated.is_empty()) {
            keyspace.each_element(Part::ready(priority), |bytes| {
                if let Some((id, said)) = ready(bytes).filter(|(id, _)| repeated.contains(id)) {
                    first.entry(id).or_insert_with(|| said.and_then(|said| said.dedup));
                }
            });
        }
        for (id, key) in first {
            match key {
                Some(key) => self.keys_of_ready.insert(id, key),
                None => self.keys_of_ready.remove(&id),
            };
        }
        self.keys_of_ready.retain(|id, _| !self.messages.contains_key(id));
    }

    fn count_repeated(&self, plan: &mut Plan) {
        let mut before = None;
        for id in &self.ready {
            if before == Some(id) || self.messages.contains_key(id) {
                plan.count(Finding::TwoPlaces);
                plan.ready = true;
            }
            before = Some(id);
        }
    }

    fn read_records<K: Contents>(&mut self, keyspace: &mut K, plan: &mut Plan) {
        let notes = Part::Notes;
        // Set aside in an order that is the same on every server; that of a hash is not.
        let mut damaged = BTreeMap::new();
        keyspace.each_field(notes, |field, bytes| {
            let record = record::decode_state(bytes).ok();
            let message = message_id(field).and_then(|id| self.messages.get_mut(&id));
            match (message, record) {
                (Some(message), Some(record)) => {
                    message.record = Some(Box::new(record));
                    message.has_record = true;
                    return;
                }
                (Some(message), None) => {
                    message.lost_record = true;
                    damaged.insert(field.to_vec(), bytes.to_vec());
                }
                (None, Some(_)) => plan.count(Finding::NoteWithoutMessage),
                (None, None) => {
                    damaged.insert(field.to_vec(), bytes.to_vec());
                }
            }
            plan.change(Change::Delete(notes, field.to_vec()));
        });
        for (field, bytes) in damaged {
            plan.count(Finding::DamagedNote);
            plan.change(Change::SetAside([field, bytes].concat()));
        }
    }

    /// Reads the records of groups and the places in them.
    fn read_groups<K: Contents>(&mut self, keyspace: &mut K, plan: &mut Plan) {
        keyspace.each_field(Part::Groups, |name, bytes| {
            let group = record::decode_group(bytes).ok();
            self.groups.insert(name.to_vec(), group.filter(|_| is_name(name)));
        });
        let groups = std::mem::take(&mut self.groups);
        for (name, group) in &groups {
            for &(sequence, id) in group.iter().flat_map(|group| group.head.iter()) {
                if id.is_valid() {
                    let group = name.as_slice().into();
                    self.put(plan, id, Ok(Place::Grouped { group, sequence }));
                } else {
                    plan.count(Finding::DamagedPlace);
                }
            }
        }
        self.groups = groups;
    }

    fn add_place(&mut self, plan: &mut Plan, part: Part, member: &[u8], score: f64) {
        let Some((id, place)) = place(part, member, score) else {
            plan.count(Finding::DamagedPlace);
            plan.change(Change::SetAside(member.to_vec()));
            plan.change(Change::Remove(part, member.to_vec()));
            return;
        };
        if !self.put(plan, id, place) {
            plan.change(Change::Remove(part, member.to_vec()));
        }
    }

    /// Records the place of a message; false if that is impossible.
    fn put(&mut self, plan: &mut Plan, id: MessageId, place: Result<Place, Option<u64>>) -> bool {
        let Some(message) = self.messages.get_mut(&id) else {
            let is_ready = self.ready.binary_search(&id).is_ok();
            plan.count(if is_ready { Finding::TwoPlaces } else { Finding::PlaceWithoutBody });
            return false;
        };
        match place {
            Ok(place) if message.place.is_none() => message.place = Some(place),
            Ok(place) => {
                plan.count(Finding::TwoPlaces);
                self.surplus.entry(id).or_default().push(place);
            }
            Err(receipt) => {
                plan.count(Finding::DamagedPlace);
                if let Some(receipt) = receipt {
                    let last = self.ended.entry(id).or_default();
                    *last = receipt.max(*last);
                }
                return false;
            }
        }
        true
    }
}

/// Checks that the ready lists are in the order of their ids.
pub fn order<K: Contents>(keyspace: &mut K, plan: &mut Plan) {
    for list in Part::READY {
        let mut greatest = None;
        keyspace.each_element(*list, |bytes| {
            let id = decode_body(bytes).ok().map(|body| body.id);
            if id.is_some() && id < greatest {
                plan.count(Finding::OutOfOrder);
                plan.ready = true;
            }
            greatest = id.max(greatest);
        });
    }
}

/// A message of a ready list and its push options; None if it cannot be in one.
pub fn ready(bytes: &[u8]) -> Option<(MessageId, Option<StateRecord>)> {
    let body = decode_body(bytes).ok()?;
    let said = body.terms.record();
    let stands_elsewhere = |said: &StateRecord| said.group.is_some() || said.expiry.is_some();
    (!said.as_ref().is_some_and(stands_elsewhere)).then_some((body.id, said))
}

fn bodies<K: Contents>(
    keyspace: &mut K,
    plan: &mut Plan,
    part: Part,
) -> BTreeMap<MessageId, Message> {
    let mut messages = BTreeMap::new();
    // In the same order on every server.
    let mut damaged = BTreeSet::new();
    keyspace.each_field(part, |field, bytes| {
        match message_id(field).and_then(|id| decode_body_of(id, bytes).ok()) {
            Some(body) => {
                let said = body.terms.record().map(Box::new);
                messages.insert(body.id, Message { said, ..Message::default() });
            }
            None => {
                damaged.insert(field.to_vec());
            }
        }
    });
    for field in damaged {
        plan.count(Finding::DamagedBody);
        plan.change(Change::SetBodyAside(part, field));
    }
    messages
}

/// The place of a message in `Flight`; the receipt instead if only that is valid.
fn delivery(record: &[u8]) -> Result<Place, Option<u64>> {
    let Some(Head { receipt, running, .. }) = Head::decode(record) else {
        let receipt = record.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        return Err(receipt.filter(|receipt| Receipt(*receipt).is_valid()));
    };
    let Running { until_ms, has_cleanup: is_marked, .. } = running;
    Ok(Place::Inflight { receipt: receipt.0, until_ms, is_marked, is_old: false })
}

/// The message and the place of a member of a sorted set. None if the member is invalid; the receipt of
/// the delivery instead of the place if only the score is.
fn place(part: Part, member: &[u8], score: f64) -> Option<(MessageId, Result<Place, Option<u64>>)> {
    match part {
        Part::Inflight => {
            let (receipt, id) = member.split_first_chunk::<8>()?;
            let receipt = !u64::from_be_bytes(*receipt);
            let id = message_id(id)?;
            if !Receipt(receipt).is_valid() {
                return Some((id, Err(None)));
            }
            let is_marked = score.fract() == -0.5;
            let until_ms = whole(if is_marked { -score - 0.5 } else { -score }, DEADLINES);
            let place = until_ms.map(|until_ms| Place::Inflight {
                receipt,
                until_ms,
                is_marked,
                is_old: true,
            });
            Some((id, place.ok_or(Some(receipt))))
        }
        Part::Grouped => {
            let (length, rest) = member.split_first()?;
            let length = usize::from(*length).saturating_add(1);
            let (group, rest) = rest.split_at_checked(length)?;
            let (sequence, id) = rest.split_first_chunk::<8>()?;
            let sequence = u64::from_be_bytes(*sequence);
            let id = message_id(id)?;
            if !is_sequence(sequence) || score != 0.0 {
                return Some((id, Err(None)));
            }
            Some((id, Ok(Place::Grouped { group: group.into(), sequence })))
        }
        Part::Ranked => {
            let levels = u64::from(MAX_PRIORITY).saturating_add(1);
            let rank =
                whole(score * RANKS_PER_MS as f64, RANKS_PER_PRIORITY.saturating_mul(levels));
            let place = rank.map(|rank| {
                let level = u8::try_from(rank / RANKS_PER_PRIORITY).unwrap_or(MAX_PRIORITY);
                let priority = MAX_PRIORITY.saturating_sub(level);
                Place::Ranked { priority, since: rank % RANKS_PER_PRIORITY }
            });
            Some((message_id(member)?, place.ok_or(None)))
        }
        _ => {
            let due_at_ms = whole(score, DEADLINES);
            let place = due_at_ms.map(|due_at_ms| Place::Delayed { due_at_ms });
            Some((message_id(member)?, place.ok_or(None)))
        }
    }
}

/// A valid id.
fn message_id(bytes: &[u8]) -> Option<MessageId> {
    bytes.try_into().ok().map(MessageId).filter(|id| id.is_valid())
}
