//! Where a message waits: it enters a place, leaves it, or leaves the queue for good.
//!
//! Each function keeps all that depends on a place: the end of the time to live, the group's counts,
//! the index of dead letters.

use super::dedup;
use super::effects::Effects;
use super::error::QueueError;
use super::group::{self, Slot};
use super::message::{Membership, MessageId, Note, Rank};
use super::part::Part;
use super::rules::Rules;
use super::store::Store;
use super::valid::MAX_PRIORITY;

/// Requires the parts that change when a message with this note begins or ends to wait, besides those
/// that change for every message.
pub(super) fn require<S: Store>(store: &mut S, note: &Note) -> Result<(), QueueError> {
    if note.active_group().is_some() {
        group::require(store)?;
        store.require(&[Part::Grouped])?;
    } else {
        store.require(&[Part::Ranked, Part::Lanes])?;
    }
    require_beside(store, note)
}

/// Those of them that are not its place.
pub(super) fn require_beside<S: Store>(store: &mut S, note: &Note) -> Result<(), QueueError> {
    if note.retry_count > 0 {
        store.require(&[Part::Retried])?;
    }
    if note.expires_at_ms.is_some() {
        store.require(&[Part::Expiring])?;
    }
    if note.death.is_some() {
        store.require(&[Part::Dead])?;
    }
    Ok(())
}

/// The same for a message that is [forgotten](forget).
pub(super) fn require_to_forget<S: Store>(store: &mut S, note: &Note) -> Result<(), QueueError> {
    if note.retry_count > 0 {
        store.require(&[Part::Retried])?;
    }
    if note.dedup.is_some() {
        store.require(&[Part::Dedup])?;
    }
    if note.active_group().is_some() {
        group::require(store)?;
    }
    Ok(())
}

/// Places behind all that wait. All messages of an op that have the same priority get the same one, so
/// that a large batch doesn't run ahead of the clock: they are in the order of their ids.
#[derive(Default)]
pub(super) struct Behind {
    /// By priority.
    ranks: [Option<Rank>; MAX_PRIORITY as usize + 1],
}

impl Behind {
    /// The rank of a message with this note that goes behind all that wait at that timestamp, unix ms.
    /// Those of 0.1.0 were in the order of their ids among what was ready since the same millisecond.
    pub(super) fn rank<S: Store>(&mut self, store: &mut S, note: &Note, now_ms: u64) -> Rank {
        let now = note.rank(now_ms);
        if store.rules() == Rules::V1 || note.active_group().is_some() {
            return now;
        }
        let priority = note.active_priority();
        let Some(rank) = self.ranks.get_mut(usize::from(priority)) else { return now };
        *rank.get_or_insert_with(|| {
            store.last_of_priority(priority).map_or(now, |last| now.max(last.next()))
        })
    }
}

/// Lets a message that has no place wait with that rank, if it has no group. It may get a number in its
/// group: the note is to be written afterwards.
pub(super) fn make_ready<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    note: &mut Note,
    rank: Rank,
    from: Option<Slot>,
) {
    effects.changed = true;
    if let (None, Some(member)) = (&note.death, &mut note.group) {
        group::enter(store, effects, member, id, from);
    } else {
        store.add_ranked(id, rank);
        effects.became_ready = true;
        if let Some(death) = &note.death {
            store.add_dead(id, death.at_ms);
        }
    }
    let_expire(store, effects, id, note);
}

/// Delays a message that has no place until that moment, unix ms.
pub(super) fn make_delayed<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    note: &Note,
    due_at_ms: u64,
    from: Option<Slot>,
) {
    effects.changed = true;
    store.add_delayed(id, due_at_ms);
    effects.next_due.add(due_at_ms);
    if let Some(member) = note.active_group() {
        group::count(store, effects, &member.name, from, slot_when_delayed(note));
    }
    let_expire(store, effects, id, note);
}

/// Takes a message that waits or is delayed out of its place: as what its group counts it, which is
/// left to the caller. None if it does not wait.
pub(super) fn take_out<S: Store>(
    store: &mut S,
    id: MessageId,
    note: &Note,
) -> Option<Option<Slot>> {
    let slot = if let Some((name, sequence)) = number_in_group(note)
        && group::remove(store, name, sequence, id)
    {
        Some(Slot::Waiting)
    } else if store.remove_ranked(id) {
        if note.death.is_some() {
            store.remove_dead(id);
        }
        None
    } else if store.remove_delayed(id) {
        slot_when_delayed(note)
    } else {
        return None;
    };
    if note.expires_at_ms.is_some() {
        store.remove_expiring(id);
    }
    Some(slot)
}

/// True if the message waits or is delayed.
pub(super) fn is_waiting<S: Store>(store: &mut S, id: MessageId, note: Option<&Note>) -> bool {
    let in_group = note.and_then(number_in_group);
    store.is_ranked(id)
        || store.is_delayed(id)
        || in_group.is_some_and(|(name, sequence)| group::waits(store, name, sequence, id))
}

/// Ends what is known of a message that has no place any more.
pub(super) fn forget<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    note: Option<&Note>,
    from: Option<Slot>,
) {
    store.remove_message(id);
    store.remove_note(id, note);
    effects.changed = true;
    if let Some(note) = note {
        dedup::release(store, id, note);
        leave_group(store, effects, note, from);
    }
}

/// Lets the message's group go on without it.
pub(super) fn leave_group<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    note: &Note,
    from: Option<Slot>,
) {
    if let Some(member) = note.active_group() {
        group::count(store, effects, &member.name, from, None);
    }
}

/// As what its group counts a delayed message: one that was not ready yet is not counted.
pub(super) fn slot_when_delayed(note: &Note) -> Option<Slot> {
    number_in_group(note).map(|_| Slot::Held)
}

/// The message's group and its number in it, if it has both.
fn number_in_group(note: &Note) -> Option<(&[u8], u64)> {
    let Membership { name, sequence } = note.active_group()?;
    Some((name, (*sequence)?))
}

/// Notes the end of the message's time to live, if it has one.
pub(super) fn let_expire<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    note: &Note,
) {
    if let Some(at_ms) = note.expires_at_ms {
        store.add_expiring(id, at_ms);
        effects.next_due.add(at_ms);
    }
}
