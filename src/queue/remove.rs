//! MQ.DEL, MQ.PURGE and MQ.DROP: removal whatever the state.

use std::collections::BTreeSet;

use super::effects::{Effects, NextDue};
use super::error::QueueError;
use super::group::Slot;
use super::message::{Body, Delivery, MessageId, StateRecord};
use super::part::Part;
use super::rules::Rules;
use super::search::{self, find_deliveries};
use super::store::Store;
use super::{dedup, limits, place};

/// Removes messages by id; returns how many there were.
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
    for (delivery, running) in find_deliveries(store, &in_flight) {
        let Delivery { id, .. } = delivery;
        let record = store.record(id).unwrap_or(None);
        store.end_with_message(delivery, running);
        effects.delivery_ended = true;
        place::forget_rest(store, effects, id, record.as_ref(), Some(Slot::Inflight));
        count_deleted(effects, 1);
    }
    for mut body in take_listed(store, &plain) {
        if let Some(record) = body.take_record() {
            dedup::release(store, body.id(), &record);
        }
        effects.changed = true;
        count_deleted(effects, 1);
    }
    Ok(effects.counts.deleted)
}

/// Removes messages from the ready lists by id.
pub(super) fn take_listed<S: Store>(store: &mut S, ids: &BTreeSet<MessageId>) -> Vec<S::Body> {
    let listed = match store.rules() {
        Rules::V1 => search::walk_ready(store, ids),
        Rules::V2 => search::find_ready(store, ids),
    };
    for list in listed.chunk_by(|one, other| one.priority == other.priority) {
        let indexes: Vec<u64> = list.iter().map(|listed| listed.index).collect();
        store.remove_ready(list.first().map_or(0, |listed| listed.priority), &indexes);
    }
    listed.into_iter().map(|listed| listed.body).collect()
}

/// What is no message and follows from none.
const KEPT_BY_PURGE: &[Part] = &[Part::Schedules, Part::Ticks, Part::Config, Part::Damaged];

/// Removes all messages; returns their number.
pub(super) fn purge<S: Store>(store: &mut S, effects: &mut Effects) -> Result<u64, QueueError> {
    store.require(&Part::ALL)?;
    let number = limits::len(store);
    for part in Part::ALL {
        if !KEPT_BY_PURGE.contains(&part) {
            clear(store, effects, part);
        }
    }
    effects.delivery_ended = true;
    count_deleted(effects, number);
    Ok(number)
}

/// Removes the queue, keys of a wrong type included; 1, or 0 if there is no such queue.
pub(super) fn drop<S: Store>(store: &mut S, effects: &mut Effects) -> Result<u64, QueueError> {
    for part in Part::ALL {
        if store.require(&[part]).is_err() {
            store.clear(part);
            effects.changed = true;
        }
    }
    purge(store, effects)?;
    for part in KEPT_BY_PURGE {
        clear(store, effects, *part);
    }
    effects.next_due = NextDue::Exactly(None);
    Ok(effects.changed.into())
}

/// Removes a ready or delayed message that is not in a ready list; false if it is not there.
pub(super) fn delete_waiting<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
) -> bool {
    let record = store.record(id).unwrap_or(None);
    if record.is_none() {
        // Its state record may have been unreadable.
        store.remove_timed(Part::Expiring, id);
        store.remove_timed(Part::Dead, id);
    }
    let slot = place::take_out(store, id, record.as_ref().unwrap_or(&StateRecord::default()));
    let Some(slot) = slot else { return false };
    place::forget(store, effects, id, record.as_ref(), slot);
    count_deleted(effects, 1);
    true
}

pub(super) fn count_deleted(effects: &mut Effects, number: u64) {
    effects.counts.deleted = effects.counts.deleted.saturating_add(number);
}

fn clear<S: Store>(store: &mut S, effects: &mut Effects, part: Part) {
    if store.len(part) > 0 {
        store.clear(part);
        effects.changed = true;
    }
}
