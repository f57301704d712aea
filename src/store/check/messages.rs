//! Where each message belongs and what its note says, if the two differ.

use super::plan::{Change, Plan};
use super::read::{Found, GRAIN, Message, Place};
use crate::queue::finding::Finding;
use crate::queue::message::{Ended, Membership, MessageId, Note};
use crate::queue::part::Part;
use crate::store::record;

/// Gives every message one place that its note agrees to. Returns those that are in a group and have
/// no number in it yet, in the order of their ids.
pub fn settle(found: &mut Found, plan: &mut Plan) -> Vec<MessageId> {
    let mut joining = Vec::new();
    for (id, message) in &mut found.messages {
        let mut places: Vec<Place> = message.place.take().into_iter().collect();
        places.extend(found.surplus.remove(id).unwrap_or_default());
        let note = message.note.as_deref();
        let best = (0..places.len()).rev().max_by_key(|&index| preference(places.get(index), note));
        let place = best.map(|index| places.remove(index));
        for other in places {
            if let Some((part, member, _)) = other.stored(*id) {
                plan.change(Change::Remove(part, member));
            }
        }
        settle_one(*id, message, place, found.ended.get(id).copied(), plan);
        if belongs_without_number(message) {
            joining.push(*id);
        }
    }
    joining
}

/// Of several places the one that fits the note is kept, in flight before ready before delayed, the
/// newest delivery before others.
fn preference(place: Option<&Place>, note: Option<&Note>) -> (bool, u8, u64) {
    let Some(place) = place else { return (false, 0, 0) };
    let (order, receipt) = match place {
        Place::Inflight { receipt, .. } => (2, *receipt),
        Place::Ranked { .. } | Place::Grouped { .. } => (1, 0),
        Place::Delayed { .. } => (0, 0),
    };
    (fits(place, note), order, receipt)
}

fn fits(place: &Place, note: Option<&Note>) -> bool {
    let group = note.and_then(group_of);
    match place {
        Place::Inflight { receipt, .. } => note.is_none_or(|note| note.last_receipt < *receipt),
        Place::Delayed { .. } => true,
        Place::Ranked { priority, .. } => group.is_none() && *priority == priority_of(note),
        Place::Grouped { group: name, sequence } => {
            group.is_some_and(|group| *group.name == **name && group.sequence == Some(*sequence))
        }
    }
}

/// The group in which a message waits: a dead letter has none.
pub fn group_of(note: &Note) -> Option<&Membership> {
    if note.death.is_some() { None } else { note.group.as_ref() }
}

fn priority_of(note: Option<&Note>) -> u8 {
    note.map_or(0, |note| if note.death.is_some() { 0 } else { note.priority })
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
            home(id, message.note.as_deref())
        }
        Some(place) if fits(place, message.note.as_deref()) => place.clone(),
        Some(place) => {
            // Without the note that went, the place may tell of something that the note said.
            if !message.lost_note {
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
        let note = message.note.get_or_insert_default();
        if note.last_receipt < receipt {
            note.last_receipt = receipt;
            note.ended = Ended::ByTime;
            message.new_note = true;
        }
    }
    check_note(message, plan);
}

fn is_inflight(message: &Message) -> bool {
    matches!(message.place, Some(Place::Inflight { .. }))
}

/// Stands for the number in a group of a message that has none yet.
const NO_NUMBER: u64 = u64::MAX;

/// Where a message waits that is ready and has no place: in its group, or since its push or death.
fn home(id: MessageId, note: Option<&Note>) -> Place {
    if let Some(group) = note.and_then(group_of) {
        let sequence = group.sequence.unwrap_or(NO_NUMBER);
        return Place::Grouped { group: group.name.as_slice().into(), sequence };
    }
    let death = note.and_then(|note| note.death.as_ref());
    let since_ms = death.map_or(id.timestamp_ms(), |death| death.at_ms);
    Place::Ranked { priority: priority_of(note), since: since_ms.saturating_mul(GRAIN) }
}

/// Where a message belongs whose place does not fit its note. If it has no note, that gets one which
/// fits the place.
fn moved(id: MessageId, message: &mut Message, place: &Place) -> Place {
    let Some(note) = &mut message.note else {
        let mut note = Note::default();
        match place {
            Place::Grouped { group, sequence } => {
                note.group =
                    Some(Membership { name: group.as_ref().into(), sequence: Some(*sequence) });
            }
            Place::Ranked { priority, .. } => note.priority = *priority,
            Place::Inflight { .. } | Place::Delayed { .. } => {}
        }
        message.note = Some(Box::new(note));
        message.new_note = true;
        return place.clone();
    };
    match place {
        Place::Grouped { group, sequence } => {
            if let (None, Some(Membership { name, sequence: number @ None })) =
                (&note.death, &mut note.group)
                && **name == **group
            {
                *number = Some(*sequence);
                message.new_note = true;
            }
        }
        Place::Ranked { since, .. } if group_of(note).is_none() => {
            return Place::Ranked { priority: priority_of(Some(note)), since: *since };
        }
        _ => {}
    }
    home(id, Some(note))
}

/// A note that says what can't be with what the message does, or that is missing.
fn check_note(message: &mut Message, plan: &mut Plan) {
    let is_idle = !is_inflight(message);
    let is_missing = needs_note(message) && !message.is_noted;
    let Some(note) = &mut message.note else { return };
    let is_idle_with_consumer = note.consumer.is_some() && is_idle;
    let is_dead_with_key = note.death.is_some() && note.dedup.is_some();
    if is_idle_with_consumer {
        note.consumer = None;
    }
    if is_dead_with_key {
        note.dedup = None;
    }
    if is_idle_with_consumer || is_dead_with_key || is_missing {
        plan.count(Finding::WrongNote);
        message.new_note = true;
    }
}

/// True if an acknowledgment would look for group and deduplication key in a note only: the delivery
/// has no mark that there is one in the body.
fn needs_note(message: &Message) -> bool {
    let Some(Place::Inflight { is_marked: false, .. }) = message.place else { return false };
    let binds = |note: &Note| note.group.is_some() || note.dedup.is_some();
    message.note.as_deref().is_some_and(binds)
}

/// True for a message of a group that has no number there, but should: it is not delayed.
fn belongs_without_number(message: &Message) -> bool {
    let group = message.note.as_deref().and_then(group_of);
    group.is_some_and(|group| group.sequence.is_none())
        && !matches!(message.place, Some(Place::Delayed { .. }))
}

/// Gives a message its number in its group.
pub fn join(message: &mut Message, sequence: u64, plan: &mut Plan) {
    let Some(group) = message.note.as_mut().and_then(|note| note.group.as_mut()) else { return };
    group.sequence = Some(sequence);
    message.new_note = true;
    match &mut message.place {
        Some(Place::Grouped { sequence: number, .. }) => *number = sequence,
        // One in flight was delivered out of its group: only its note is wrong.
        _ => plan.count(Finding::WrongNote),
    }
}

/// Writes the notes that are other than the stored ones, or what the push said.
pub fn write_notes(found: &Found, plan: &mut Plan) {
    for (id, message) in &found.messages {
        let says_more = message.lost_note && message.said.is_some();
        if !message.new_note && !says_more {
            continue;
        }
        let note = message.note.as_deref().cloned().unwrap_or_default();
        let is_said = note == message.said.as_deref().cloned().unwrap_or_default();
        let field = id.0.to_vec();
        plan.change(if is_said && !needs_note(message) {
            Change::Delete(Part::Notes, field)
        } else {
            Change::Put(Part::Notes, field, record::encode_note(&note).to_vec())
        });
    }
}
