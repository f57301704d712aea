//! Claims: a client names a delivery by id and receipt. Does it still count, and if not, why?

use super::effects::Effects;
use super::group::Slot;
use super::message::{Delivery, Ended, MessageId, StateRecord};
use super::place;
use super::store::Store;

/// The result of one claim of an acknowledgment, a nack or an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done. For an extension the new end of visibility, unix ms; else 0.
    Done(u64),
    /// No message with this id is in flight or waits for another delivery.
    NotFound,
    /// There is one, but its delivery has another receipt.
    BadReceipt,
}

/// Removes a message that was returned by timeout from where it waits, if the claim names its last
/// delivery: late, but no newer delivery has begun. Returns the slot in which its group counted it.
pub(super) fn take_returned<S: Store>(
    store: &mut S,
    claim: Delivery,
    record: &StateRecord,
) -> Option<Option<Slot>> {
    let is_last = record.ended.is_by_itself() && record.last_receipt == claim.receipt.0;
    // A damaged record may claim that a delivery ended although none had a receipt.
    if is_last && claim.receipt.is_valid() {
        place::take_out(store, claim.id, record)
    } else {
        None
    }
}

/// The answer to a claim that matches no delivery.
pub(super) fn refuse<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) -> Settled {
    if !was_delivered(store, id) {
        return Settled::NotFound;
    }
    effects.counts.bad_receipts = effects.counts.bad_receipts.saturating_add(1);
    Settled::BadReceipt
}

/// True if the message is in flight, or was and waits for another delivery.
fn was_delivered<S: Store>(store: &mut S, id: MessageId) -> bool {
    if !store.has_message(id) {
        return false;
    }
    match store.record(id) {
        Ok(Some(record)) if record.ended != Ended::Never => true,
        Ok(record) => !place::is_waiting(store, id, record.as_ref()),
        Err(_) => !place::is_waiting(store, id, None),
    }
}
