//! The end of deliveries that were worked off, and what a claim that fits none is told.

use super::claim::{Settled, refuse, take_returned};
use super::effects::Effects;
use super::error::QueueError;
use super::few::Few;
use super::group::Slot;
use super::message::{Delivery, Ended, MessageId};
use super::part::Part;
use super::place;
use super::store::Store;

/// Removes each message whose delivery is claimed by its own receipt. Deliveries whose end is not
/// after `now_ms` count as late.
pub(super) fn acknowledge<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Delivery],
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
    delivery: Delivery,
    now_ms: Option<u64>,
) -> Result<Settled, QueueError> {
    let Delivery { id, .. } = delivery;
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
        let Some(slot) = note.as_ref().and_then(|note| take_returned(store, delivery, note)) else {
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
