//! The end of deliveries that were worked off, and what a claim that fits none is told.

use super::few::Few;
use super::group::Slot;
use super::message::{Ended, MessageId, Note};
use super::op::Claim;
use super::store::{Delivery, Part, Store};
use super::valid::is_receipt;
use super::{Effects, QueueError, Settled, place};

/// Removes each message whose delivery is claimed by its own receipt. Deliveries whose end is not
/// after `now_ms` count as late.
pub(super) fn acknowledge<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Claim],
    now_ms: Option<u64>,
) -> Result<Few<Settled>, QueueError> {
    store.require(&[Part::Inflight, Part::Messages, Part::Notes])?;
    let mut settled = Few::with_capacity(claims.len());
    for claim in claims {
        settled.push(acknowledge_one(store, effects, *claim, now_ms)?);
    }
    Ok(settled)
}

fn acknowledge_one<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claim: Claim,
    now_ms: Option<u64>,
) -> Result<Settled, QueueError> {
    let Claim { id, receipt } = claim;
    let delivery = Delivery { id, receipt };
    let running = store.running(delivery);
    let note = if running.is_some_and(|running| running.binds) {
        store.note(id)
    } else if store.len(Part::Notes) > 0 {
        store.written_note(id)
    } else {
        Ok(None)
    };
    let note = note.unwrap_or(None);
    if let Some(note) = &note
        && !effects.changed
    {
        place::require_to_forget(store, note)?;
        if note.ended == Ended::ByTime {
            place::require(store, note)?;
            store.require(&[Part::Delayed])?;
        }
    }
    let mut is_late =
        now_ms.is_some_and(|now_ms| running.is_some_and(|running| running.until_ms <= now_ms));
    let slot = if running.is_some() {
        store.remove_inflight(delivery);
        Some(Slot::Inflight)
    } else {
        let Some(slot) = note.as_ref().and_then(|note| take_returned(store, claim, note)) else {
            return refuse_first(store, effects, id);
        };
        is_late = true;
        slot
    };
    place::forget(store, effects, id, note.as_ref(), slot);
    effects.delivery_ended = true;
    effects.counts.acked = effects.counts.acked.saturating_add(1);
    effects.counts.late_acks = effects.counts.late_acks.saturating_add(is_late.into());
    Ok(Settled::Done(0))
}

/// Takes a message that came back by time out of the place where it waits, if the claim is that of
/// its last delivery: late, but nobody newer holds it.
pub(super) fn take_returned<S: Store>(
    store: &mut S,
    claim: Claim,
    note: &Note,
) -> Option<Option<Slot>> {
    let is_last = note.ended == Ended::ByTime && note.last_receipt == claim.receipt.0;
    // A damaged note may say that a delivery ended, but none had a receipt.
    if is_last && is_receipt(claim.receipt) { place::take_out(store, claim.id, note) } else { None }
}

/// As [`refuse`]; the parts that it looks at are required if nothing was changed yet.
fn refuse_first<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
) -> Result<Settled, QueueError> {
    if !effects.changed {
        store.require(&[Part::Ranked, Part::Delayed, Part::Groups, Part::Grouped])?;
    }
    Ok(refuse(store, effects, id))
}

/// What to say of a claim that fits no delivery.
pub(super) fn refuse<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) -> Settled {
    if !was_delivered(store, id) {
        return Settled::NotFound;
    }
    effects.counts.bad_receipts = effects.counts.bad_receipts.saturating_add(1);
    Settled::BadReceipt
}

/// True if the message is in flight, or was and waits to be delivered again.
fn was_delivered<S: Store>(store: &mut S, id: MessageId) -> bool {
    if !store.has_message(id) {
        return false;
    }
    match store.note(id) {
        Ok(Some(note)) if note.ended != Ended::Never => true,
        Ok(note) => !place::is_waiting(store, id, note.as_ref()),
        Err(_) => !place::is_waiting(store, id, None),
    }
}
