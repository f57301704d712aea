//! Moves messages into and out of the places where they are ready or delayed, and out of the queue.
//!
//! Each function maintains what depends on a place: the TTL index, the counts of the group, the index of
//! dead letters.

use super::dedup;
use super::effects::Effects;
use super::error::QueueError;
use super::group::{self, Slot};
use super::message::{Membership, MessageId, Rank, StateRecord};
use super::part::Part;
use super::rules::Rules;
use super::store::Store;
use super::valid::MAX_PRIORITY;

/// Requires the parts that change when a message with this record enters or leaves its place, besides
/// those that change for every message.
pub(super) fn require<S: Store>(store: &mut S, record: &StateRecord) -> Result<(), QueueError> {
    if record.active_group().is_some() {
        group::require(store)?;
        store.require(&[Part::Grouped])?;
    } else {
        store.require(&[Part::Ranked, Part::Lanes])?;
    }
    require_beside(store, record)
}

/// Requires the secondary indexes only.
pub(super) fn require_beside<S: Store>(
    store: &mut S,
    record: &StateRecord,
) -> Result<(), QueueError> {
    if record.retry_count > 0 {
        store.require(Part::OF_RETRIES)?;
    }
    if record.expiry.is_some() {
        store.require(&[Part::Expiring])?;
    }
    if record.death.is_some() {
        store.require(&[Part::Dead])?;
    }
    Ok(())
}

/// Requires the parts that change when a message with this record is [removed](forget).
pub(super) fn require_to_forget<S: Store>(
    store: &mut S,
    record: &StateRecord,
) -> Result<(), QueueError> {
    if record.retry_count > 0 {
        store.require(Part::OF_RETRIES)?;
    }
    if record.dedup.is_some() {
        store.require(&[Part::Dedup])?;
    }
    if record.active_group().is_some() {
        group::require(store)?;
    }
    Ok(())
}

/// Ranks behind all ready messages. The messages of one op and one priority share a rank, so that a
/// large batch does not run ahead of the clock; they are in the order of their ids.
#[derive(Default)]
pub(super) struct TailRanks {
    ranks: [Option<Rank>; MAX_PRIORITY as usize + 1],
}

impl TailRanks {
    /// The rank behind all ready messages of the same priority at this time, unix ms. Under 0.1.0 such
    /// messages were in the order of their ids among those of the same millisecond.
    pub(super) fn rank<S: Store>(
        &mut self,
        store: &mut S,
        record: &StateRecord,
        now_ms: u64,
    ) -> Rank {
        let now = record.rank(now_ms);
        if store.rules() == Rules::V1 || record.active_group().is_some() {
            return now;
        }
        let priority = record.active_priority();
        let Some(rank) = self.ranks.get_mut(usize::from(priority)) else { return now };
        *rank.get_or_insert_with(|| {
            store.last_of_priority(priority).map_or(now, |last| now.max(last.next()))
        })
    }
}

/// Makes a message ready that has no place: with this rank, or in its group. It may get a number there:
/// the caller writes the record afterwards.
pub(super) fn make_ready<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: &mut StateRecord,
    rank: Rank,
    from: Option<Slot>,
) {
    effects.changed = true;
    if let (None, Some(member)) = (&record.death, &mut record.group) {
        group::enter(store, effects, member, id, from);
    } else {
        store.add_ranked(id, rank);
        effects.became_ready = true;
        if let Some(death) = &record.death {
            store.add_timed(Part::Dead, id, death.at_ms);
        }
    }
    let_expire(store, effects, id, record);
}

/// Delays a message that has no place until this time, unix ms.
pub(super) fn make_delayed<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: &StateRecord,
    due_at_ms: u64,
    from: Option<Slot>,
) {
    effects.changed = true;
    store.add_timed(Part::Delayed, id, due_at_ms);
    effects.next_due.add(due_at_ms);
    if let Some(member) = record.active_group() {
        group::count(store, effects, &member.name, from, slot_when_delayed(record));
    }
    let_expire(store, effects, id, record);
}

/// Removes a ready or delayed message from its place. Returns the slot in which its group counts it,
/// which the caller releases. None if it has no such place.
pub(super) fn take_out<S: Store>(
    store: &mut S,
    id: MessageId,
    record: &StateRecord,
) -> Option<Option<Slot>> {
    let slot = if let Some((name, sequence)) = number_in_group(record)
        && group::remove(store, name, sequence, id)
    {
        Some(Slot::Waiting)
    } else if store.remove_ranked(id) {
        if record.death.is_some() {
            store.remove_timed(Part::Dead, id);
        }
        None
    } else if store.remove_timed(Part::Delayed, id) {
        slot_when_delayed(record)
    } else {
        return None;
    };
    if record.expiry.is_some() {
        store.remove_timed(Part::Expiring, id);
    }
    Some(slot)
}

/// True if the message is ready or delayed.
pub(super) fn is_waiting<S: Store>(
    store: &mut S,
    id: MessageId,
    record: Option<&StateRecord>,
) -> bool {
    let in_group = record.and_then(number_in_group);
    store.is_ranked(id)
        || store.time_of(Part::Delayed, id).is_some()
        || in_group.is_some_and(|(name, sequence)| group::waits(store, name, sequence, id))
}

/// Removes body, state record, deduplication key and group slot of a message that has left its place.
pub(super) fn forget<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: Option<&StateRecord>,
    from: Option<Slot>,
) {
    store.remove_message(id);
    forget_rest(store, effects, id, record, from);
}

/// As [`forget`], for a message whose body was removed.
pub(super) fn forget_rest<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: Option<&StateRecord>,
    from: Option<Slot>,
) {
    store.remove_record(id, record);
    effects.changed = true;
    if let Some(record) = record {
        dedup::release(store, id, record);
        leave_group(store, effects, record, from);
    }
}

/// Releases the message's slot in its group.
pub(super) fn leave_group<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    record: &StateRecord,
    from: Option<Slot>,
) {
    if let Some(member) = record.active_group() {
        group::count(store, effects, &member.name, from, None);
    }
}

/// The slot of a delayed message: one that was never ready has none.
pub(super) fn slot_when_delayed(record: &StateRecord) -> Option<Slot> {
    number_in_group(record).map(|_| Slot::Held)
}

/// The group and the number in it, if the message has both.
fn number_in_group(record: &StateRecord) -> Option<(&[u8], u64)> {
    let Membership { name, sequence } = record.active_group()?;
    Some((name, (*sequence)?))
}

/// Adds the message to the TTL index if it has a TTL.
pub(super) fn let_expire<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: &StateRecord,
) {
    if let Some(at_ms) = record.expires_at_ms() {
        store.add_timed(Part::Expiring, id, at_ms);
        effects.next_due.add(at_ms);
    }
}
