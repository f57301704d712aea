//! Acknowledgment: the message was processed and is removed.

use super::claim::{Settled, refuse, take_returned};
use super::effects::Effects;
use super::error::QueueError;
use super::group::Slot;
use super::message::{Delivery, Kept, MessageId};
use super::part::Part;
use super::place;
use super::small_vec::ShortVec;
use super::store::Store;

/// Removes each message whose receipt is that of its delivery, running or late. Deliveries that ended by
/// `now_ms` count as late.
pub(super) fn acknowledge<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Delivery],
    now_ms: Option<u64>,
) -> Result<ShortVec<Settled>, QueueError> {
    store.require(&[Part::Flight, Part::Notes])?;
    let mut settled = ShortVec::with_capacity(claims.len());
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
    if !effects.changed {
        match running.map(|running| running.kept) {
            Some(Kept::Whole) => {}
            Some(Kept::Apart) => store.require(&[Part::Bodies])?,
            Some(Kept::Old) | None => store.require(&[Part::Inflight, Part::Messages])?,
        }
    }
    let record = if running.is_some_and(|running| running.has_cleanup) {
        store.record(id)
    } else if store.len(Part::Notes) > 0 {
        store.stored_record(id)
    } else {
        Ok(None)
    };
    let record = record.unwrap_or(None);
    if let Some(record) = &record
        && !effects.changed
    {
        place::require_to_forget(store, record)?;
        if record.ended.is_by_itself() {
            place::require(store, record)?;
            store.require(&[Part::Delayed])?;
        }
    }
    let mut is_late =
        now_ms.is_some_and(|now_ms| running.is_some_and(|running| running.until_ms <= now_ms));
    if let Some(running) = running {
        store.end_with_message(delivery, running);
        place::forget_rest(store, effects, id, record.as_ref(), Some(Slot::Inflight));
    } else {
        let Some(slot) = record.as_ref().and_then(|record| take_returned(store, delivery, record))
        else {
            return refuse_first(store, effects, id);
        };
        is_late = true;
        place::forget(store, effects, id, record.as_ref(), slot);
    }
    effects.delivery_ended = true;
    effects.counts.acked = effects.counts.acked.saturating_add(1);
    effects.counts.late_acks = effects.counts.late_acks.saturating_add(is_late.into());
    Ok(Settled::Done(0))
}

/// As [`refuse`]; requires the parts that it reads, unless something was changed already.
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
