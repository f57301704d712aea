//! The end of deliveries that were worked off, and what a claim that fits none is told.

use super::message::{Ended, MessageId};
use super::op::Claim;
use super::store::{Delivery, Part, Store};
use super::{Effects, QueueError, Settled};

/// The parts that a claim can touch.
pub(super) const PARTS: [Part; 6] =
    [Part::Inflight, Part::Messages, Part::Notes, Part::Retried, Part::Ranked, Part::Delayed];

/// Removes each message whose delivery is claimed by its own receipt. Deliveries whose end is not
/// after `now_ms` count as late.
pub fn acknowledge<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Claim],
    now_ms: Option<u64>,
) -> Result<Vec<Settled>, QueueError> {
    store.require(&[Part::Inflight, Part::Messages, Part::Notes])?;
    if store.len(Part::Notes) > 0 {
        store.require(&PARTS)?;
    }
    let mut settled = Vec::with_capacity(claims.len());
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
    let mut is_late = now_ms.is_some_and(|now_ms| {
        store.inflight_until(delivery).is_some_and(|until_ms| until_ms <= now_ms)
    });
    if !store.remove_inflight(delivery) {
        if !effects.changed {
            store.require(&PARTS)?;
        }
        if !take_returned(store, claim) {
            return Ok(refuse(store, effects, id));
        }
        is_late = true;
    }
    store.remove_message(id);
    store.remove_note(id);
    effects.changed = true;
    effects.counts.acked = effects.counts.acked.saturating_add(1);
    effects.counts.late_acks = effects.counts.late_acks.saturating_add(is_late.into());
    Ok(Settled::Done(0))
}

/// Takes a message that came back by time out of the place where it waits, if the claim is that of
/// its last delivery: late, but nobody newer holds it.
fn take_returned<S: Store>(store: &mut S, claim: Claim) -> bool {
    let Ok(Some(note)) = store.note(claim.id) else { return false };
    note.ended == Ended::ByTime
        && note.last_receipt == claim.receipt.0
        && (store.remove_ranked(claim.id) || store.remove_delayed(claim.id))
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
        _ => !store.is_ranked(id) && !store.is_delayed(id),
    }
}
