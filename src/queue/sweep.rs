//! What is due: messages whose time to live is over are discarded, deliveries whose visibility is
//! over come back, delayed messages become ready; a pause ends, deduplication keys are released.

use super::effects::{Effects, NextDue};
use super::error::QueueError;
use super::message::{MessageId, Note, Rank};
use super::op::{Moment, Sweep};
use super::part::Part;
use super::retry::{End, Returns, Why, end_delivery};
use super::store::Store;
use super::{damage, deadline, dedup, limits, pause, place};

/// Does up to `sweep.limit` of what is due at `now_ms`. Leaves the earliest deadline that remains in
/// `effects.next_due`; what is due and beyond the limit is such a deadline.
pub(super) fn sweep<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
    sweep: Sweep,
) -> Result<(), QueueError> {
    store.require(Part::BEHIND_READY)?;
    let mut left = sweep.limit;
    move_due(store, effects, &mut left, Moment { now_ms, same_slot: sweep.same_slot });
    dedup::sweep(store, effects, &mut left, now_ms);
    note_deadlines(store, effects, now_ms);
    Ok(())
}

/// As [`sweep`], but only what a pull can notice: no deduplication keys. True if more messages are
/// due than it was allowed to move.
pub(super) fn sweep_messages<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
    sweep: Sweep,
) -> Result<bool, QueueError> {
    store.require(Part::BEHIND_READY)?;
    let mut left = sweep.limit;
    move_due(store, effects, &mut left, Moment { now_ms, same_slot: sweep.same_slot });
    let next_ms = note_deadlines(store, effects, now_ms);
    Ok(next_ms.is_some_and(|next_ms| next_ms <= now_ms))
}

fn move_due<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, moment: Moment) {
    pause::sweep(store, effects, moment.now_ms);
    discard_expired(store, effects, left, moment.now_ms);
    return_overdue(store, effects, left, moment);
    release_delayed(store, effects, left, moment.now_ms);
}

/// The next deadline of a message, unix ms; all deadlines are noted.
fn note_deadlines<S: Store>(store: &mut S, effects: &mut Effects, now_ms: u64) -> Option<u64> {
    let of_messages = deadline::of_messages(store);
    let opening = limits::next_opening(store, now_ms);
    let all = of_messages.into_iter().chain(deadline::of_keys(store)).chain(opening).min();
    effects.next_due = NextDue::Exactly(all);
    of_messages
}

fn discard_expired<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, now_ms: u64) {
    while *left > 0 {
        let Some((id, at_ms)) = store.first_expiring() else { return };
        if at_ms > now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => discard_waiting(store, effects, id, now_ms),
            Err(member) => damage::set_member_aside(store, effects, Part::Expiring, &member),
        }
    }
}

/// Discards a message that waits or is delayed, if its time to live is over at that moment.
pub(super) fn discard_waiting<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    now_ms: u64,
) {
    effects.changed = true;
    store.remove_expiring(id);
    match store.note(id) {
        Ok(note) => {
            let note = note.unwrap_or_default();
            if !note.is_expired(now_ms) {
                // The entry was written by others: what the message says of itself counts.
                if let Some(at_ms) = note.expires_at_ms {
                    store.add_expiring(id, at_ms);
                }
                return;
            }
            if let Some(slot) = place::take_out(store, id, &note) {
                place::forget(store, effects, id, Some(&note), slot);
                effects.counts.ttl_expired = effects.counts.ttl_expired.saturating_add(1);
            }
        }
        Err(_) => {
            place::take_out(store, id, &Note::default());
            damage::set_message_aside(store, effects, id);
        }
    }
}

fn return_overdue<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, moment: Moment) {
    let mut returns = None;
    while *left > 0 {
        let Some((delivery, until_ms)) = store.first_inflight() else { return };
        if until_ms > moment.now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match delivery {
            Ok(delivery) => {
                let returns = returns.get_or_insert_with(|| Returns::begin(store));
                let end = End { why: Why::RanOut, at_ms: until_ms, delay_ms: None, reason: None };
                end_delivery(store, effects, returns, delivery, end, moment);
                effects.counts.expired = effects.counts.expired.saturating_add(1);
            }
            Err(member) => damage::set_member_aside(store, effects, Part::Inflight, &member),
        }
    }
}

fn release_delayed<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, now_ms: u64) {
    while *left > 0 {
        let Some((id, due_at_ms)) = store.first_delayed() else { return };
        if due_at_ms > now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => release(store, effects, id, |_, note| note.rank(due_at_ms)),
            Err(member) => damage::set_member_aside(store, effects, Part::Delayed, &member),
        }
    }
}

/// Lets a delayed message wait with the rank that it gets.
pub(super) fn release<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    rank: impl FnOnce(&mut S, &Note) -> Rank,
) {
    store.remove_delayed(id);
    match store.note(id) {
        Ok(stored) => {
            let mut note = stored.clone().unwrap_or_default();
            let slot = place::slot_when_delayed(&note);
            let rank = rank(store, &note);
            place::make_ready(store, effects, id, &mut note, rank, slot);
            // It may have got its number in its group.
            if stored.is_some_and(|stored| stored != note) {
                store.put_note(id, &note);
            }
        }
        // The pull that meets it sets it aside.
        Err(_) => {
            let mut note = Note::default();
            let rank = rank(store, &note);
            place::make_ready(store, effects, id, &mut note, rank, None);
        }
    }
}
