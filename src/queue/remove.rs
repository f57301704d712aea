//! Messages are removed on purpose, whatever state they are in.

use std::collections::BTreeSet;

use super::group::Slot;
use super::message::{Body, MessageId, Note};
use super::store::{Delivery, Part, Store};
use super::{Effects, NextDue, QueueError, dedup, limits, place};

/// How many running deliveries are read at once when one is looked for.
const DELIVERIES: u64 = 65_536;

/// How many ready records are read at once when one is looked for.
const RECORDS: u64 = 256;

/// Removes messages by id; the number of those that were there.
pub(super) fn delete<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    ids: &[MessageId],
) -> Result<u64, QueueError> {
    store.require(&Part::ALL)?;
    let mut in_flight = BTreeSet::new();
    let mut plain = BTreeSet::new();
    for id in ids {
        if !store.has_message(*id) {
            plain.insert(*id);
        } else if !delete_waiting(store, effects, *id) {
            in_flight.insert(*id);
        }
    }
    for (delivery, _) in find_deliveries(store, &in_flight) {
        let note = store.note(delivery.id).unwrap_or(None);
        store.remove_inflight(delivery);
        effects.delivery_ended = true;
        place::forget(store, effects, delivery.id, note.as_ref(), Some(Slot::Inflight));
        count_deleted(effects, 1);
    }
    for (priority, mut body) in find_ready(store, &plain) {
        store.remove_ready(priority, &body);
        if let Some(note) = body.take_note() {
            dedup::release(store, body.id(), &note);
        }
        effects.changed = true;
        count_deleted(effects, 1);
    }
    Ok(effects.counts.deleted)
}

/// Removes all messages; their number.
pub(super) fn purge<S: Store>(store: &mut S, effects: &mut Effects) -> Result<u64, QueueError> {
    store.require(&Part::ALL)?;
    let number = limits::len(store);
    for part in Part::ALL {
        if !matches!(part, Part::Config | Part::Damaged) {
            clear(store, effects, part);
        }
    }
    effects.delivery_ended = true;
    count_deleted(effects, number);
    Ok(number)
}

/// Removes everything; 1, or 0 if there is no such queue.
pub(super) fn drop<S: Store>(store: &mut S, effects: &mut Effects) -> Result<u64, QueueError> {
    purge(store, effects)?;
    clear(store, effects, Part::Config);
    clear(store, effects, Part::Damaged);
    effects.next_due = NextDue::Exactly(None);
    Ok(effects.changed.into())
}

/// The running deliveries of these messages, and when they end. It may walk over all deliveries.
pub(super) fn find_deliveries<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<(Delivery, u64)> {
    let mut found = Vec::new();
    let mut skip = 0u64;
    while found.len() < ids.len() {
        let deliveries = store.inflight(skip, DELIVERIES);
        if deliveries.is_empty() {
            break;
        }
        found.extend(deliveries.into_iter().filter(|(delivery, _)| ids.contains(&delivery.id)));
        skip = skip.saturating_add(DELIVERIES);
    }
    found
}

/// The records of these messages in the lists of ready ones, each with the priority of the list. It
/// may walk over all of them.
pub(super) fn find_ready<S: Store>(store: &mut S, ids: &BTreeSet<MessageId>) -> Vec<(u8, S::Body)> {
    let mut found = Vec::new();
    for priority in store.lanes().into_iter().chain([0]) {
        let mut start = 0u64;
        while found.len() < ids.len() {
            let records = store.ready(priority, start, RECORDS);
            if records.is_empty() {
                break;
            }
            let wanted = records.into_iter().flatten().filter(|body| ids.contains(&body.id()));
            found.extend(wanted.map(|body| (priority, body)));
            start = start.saturating_add(RECORDS);
        }
    }
    found
}

fn delete_waiting<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) -> bool {
    let note = store.note(id).unwrap_or(None);
    if note.is_none() {
        // Its note may have been there and be unreadable.
        store.remove_expiring(id);
        store.remove_dead(id);
    }
    let slot = place::take_out(store, id, note.as_ref().unwrap_or(&Note::default()));
    let Some(slot) = slot else { return false };
    place::forget(store, effects, id, note.as_ref(), slot);
    count_deleted(effects, 1);
    true
}

fn count_deleted(effects: &mut Effects, number: u64) {
    effects.counts.deleted = effects.counts.deleted.saturating_add(number);
}

fn clear<S: Store>(store: &mut S, effects: &mut Effects, part: Part) {
    if store.len(part) > 0 {
        store.clear(part);
        effects.changed = true;
    }
}
