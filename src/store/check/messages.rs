//! Reconciles the place of each message with its state record.

use super::plan::{Change, Plan};
use super::read::{Found, Message, Place, RANKS_PER_MS};
use crate::queue::finding::Finding;
use crate::queue::message::{Ended, Membership, MessageId, StateRecord};
use crate::queue::part::Part;
use crate::store::record;

/// Gives every message one place that matches its state record. Returns the messages of groups that have
/// no number yet, in the order of their ids.
pub fn settle(found: &mut Found, plan: &mut Plan) -> Vec<MessageId> {
    let mut joining = Vec::new();
    for (id, message) in &mut found.messages {
        let mut places: Vec<Place> = message.place.take().into_iter().collect();
        places.extend(found.surplus.remove(id).unwrap_or_default());
        let record = message.record.as_deref();
        let best =
            (0..places.len()).rev().max_by_key(|&index| preference(places.get(index), record));
        let place = best.map(|index| places.remove(index));
        for other in places {
            if let Some((part, member, _)) = other.stored(*id) {
                plan.change(Change::Remove(part, member));
            }
        }
        settle_one(*id, message, place, found.ended.get(id).copied(), plan);
        if message.body != Part::Messages
            && !matches!(message.place, Some(Place::Inflight { is_old: false, .. }))
        {
            plan.change(Change::EndDelivery(*id));
        }
        if belongs_without_number(message) {
            joining.push(*id);
        }
    }
    joining
}

/// Of duplicate places the one that matches the record is kept; in flight before ready before delayed,
/// newest delivery first.
fn preference(place: Option<&Place>, record: Option<&StateRecord>) -> (bool, u8, u64) {
    let Some(place) = place else { return (false, 0, 0) };
    let (order, receipt) = match place {
        Place::Inflight { receipt, .. } => (2, *receipt),
        Place::Ranked { .. } | Place::Grouped { .. } => (1, 0),
        Place::Delayed { .. } => (0, 0),
    };
    (fits(place, record), order, receipt)
}

fn fits(place: &Place, record: Option<&StateRecord>) -> bool {
    let group = record.and_then(group_of);
    match place {
        Place::Inflight { receipt, .. } => {
            record.is_none_or(|record| record.last_receipt < *receipt)
        }
        Place::Delayed { .. } => true,
        Place::Ranked { priority, .. } => group.is_none() && *priority == priority_of(record),
        Place::Grouped { group: name, sequence } => {
            group.is_some_and(|group| *group.name == **name && group.sequence == Some(*sequence))
        }
    }
}

/// The group that orders the message: a dead letter has none.
pub fn group_of(record: &StateRecord) -> Option<&Membership> {
    if record.death.is_some() { None } else { record.group.as_ref() }
}

fn priority_of(record: Option<&StateRecord>) -> u8 {
    record.map_or(0, |record| if record.death.is_some() { 0 } else { record.priority })
}

fn settle_one(
    id: MessageId,
    message: &mut Message,
    place: Option<Place>,
    ended: Option<u64>,
    plan: &mut Plan,
) {
    let settled = match &place {
        None => {
            plan.count(Finding::BodyWithoutPlace);
            home(id, message.record.as_deref())
        }
        Some(place) if fits(place, message.record.as_deref()) => place.clone(),
        Some(place) => {
            // The place may reflect what the lost record said.
            if !message.lost_record {
                plan.count(Finding::WrongPlace);
            }
            moved(id, message, place)
        }
    };
    if place.as_ref() != Some(&settled) {
        if let Some((part, member, _)) = place.and_then(|place| place.stored(id)) {
            plan.change(Change::Remove(part, member));
        }
        if let Some((part, member, score)) = settled.stored(id) {
            plan.change(Change::Add(part, member, score));
        }
    }
    message.place = Some(settled);
    if let (Some(receipt), false) = (ended, is_inflight(message)) {
        let record = message.record.get_or_insert_default();
        if record.last_receipt < receipt {
            record.last_receipt = receipt;
            record.ended = Ended::ByTime;
            message.new_record = true;
        }
    }
    check_record(message, plan);
}

fn is_inflight(message: &Message) -> bool {
    matches!(message.place, Some(Place::Inflight { .. }))
}

/// A message without a number in its group.
const NO_NUMBER: u64 = u64::MAX;

/// The place of a ready message that has none: in its group, or by the time of its push or death.
fn home(id: MessageId, record: Option<&StateRecord>) -> Place {
    if let Some(group) = record.and_then(group_of) {
        let sequence = group.sequence.unwrap_or(NO_NUMBER);
        return Place::Grouped { group: group.name.as_slice().into(), sequence };
    }
    let death = record.and_then(|record| record.death.as_ref());
    let since_ms = death.map_or(id.timestamp_ms(), |death| death.at_ms);
    Place::Ranked { priority: priority_of(record), since: since_ms.saturating_mul(RANKS_PER_MS) }
}

/// The place of a message whose place contradicts its record. Without a record it gets one that matches
/// the place.
fn moved(id: MessageId, message: &mut Message, place: &Place) -> Place {
    let Some(record) = &mut message.record else {
        let mut record = StateRecord::default();
        match place {
            Place::Grouped { group, sequence } => {
                record.group =
                    Some(Membership { name: group.as_ref().into(), sequence: Some(*sequence) });
            }
            Place::Ranked { priority, .. } => record.priority = *priority,
            Place::Inflight { .. } | Place::Delayed { .. } => {}
        }
        message.record = Some(Box::new(record));
        message.new_record = true;
        return place.clone();
    };
    match place {
        Place::Grouped { group, sequence } => {
            if let (None, Some(Membership { name, sequence: number @ None })) =
                (&record.death, &mut record.group)
                && **name == **group
            {
                *number = Some(*sequence);
                message.new_record = true;
            }
        }
        Place::Ranked { since, .. } if group_of(record).is_none() => {
            return Place::Ranked { priority: priority_of(Some(record)), since: *since };
        }
        _ => {}
    }
    home(id, Some(record))
}

/// Fixes a record that contradicts the place, or that is missing.
fn check_record(message: &mut Message, plan: &mut Plan) {
    let is_idle = !is_inflight(message);
    let is_missing = needs_record(message) && !message.has_record;
    let Some(record) = &mut message.record else { return };
    let is_idle_with_consumer = record.consumer.is_some() && is_idle;
    let is_dead_with_key = record.death.is_some() && record.dedup.is_some();
    if is_idle_with_consumer {
        record.consumer = None;
    }
    if is_dead_with_key {
        record.dedup = None;
    }
    if is_idle_with_consumer || is_dead_with_key || is_missing {
        plan.count(Finding::WrongNote);
        message.new_record = true;
    }
}

/// True if an acknowledgment must read group and deduplication key from the state record, because the
/// delivery does not say that the body has them.
fn needs_record(message: &Message) -> bool {
    let Some(Place::Inflight { is_marked: false, .. }) = message.place else { return false };
    let has_cleanup = |record: &StateRecord| record.group.is_some() || record.dedup.is_some();
    message.record.as_deref().is_some_and(has_cleanup)
}

/// True for a message of a group that should have a number and has none: it is not delayed.
fn belongs_without_number(message: &Message) -> bool {
    let group = message.record.as_deref().and_then(group_of);
    group.is_some_and(|group| group.sequence.is_none())
        && !matches!(message.place, Some(Place::Delayed { .. }))
}

pub fn join(message: &mut Message, sequence: u64, plan: &mut Plan) {
    let Some(group) = message.record.as_mut().and_then(|record| record.group.as_mut()) else {
        return;
    };
    group.sequence = Some(sequence);
    message.new_record = true;
    match &mut message.place {
        Some(Place::Grouped { sequence: number, .. }) => *number = sequence,
        // A message in flight is not in its group: only its record is wrong.
        _ => plan.count(Finding::WrongNote),
    }
}

/// Writes the state records that differ from the stored ones.
pub fn write_records(found: &Found, plan: &mut Plan) {
    for (id, message) in &found.messages {
        let says_more = message.lost_record && message.said.is_some();
        if !message.new_record && !says_more {
            continue;
        }
        let record = message.record.as_deref().cloned().unwrap_or_default();
        let is_said = record == message.said.as_deref().cloned().unwrap_or_default();
        let field = id.0.to_vec();
        plan.change(if is_said && !needs_record(message) {
            Change::Delete(Part::Notes, field)
        } else {
            Change::Put(Part::Notes, field, record::encode_state(&record).to_vec())
        });
    }
}
