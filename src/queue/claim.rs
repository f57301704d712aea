//! The receipt that a client shows for a delivery: whether it still counts, and what the client is told.

use super::effects::Effects;
use super::group::Slot;
use super::message::{Delivery, Ended, MessageId, Note};
use super::place;
use super::store::Store;

/// What became of one claim of an acknowledgment, a return or an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done. An extension has the new end of visibility, unix ms; else 0.
    Done(u64),
    /// No message with this id is in flight or waits to be delivered again.
    NotFound,
    /// There is one, but this receipt is not its delivery's.
    BadReceipt,
}

/// Takes a message that came back by time out of the place where it waits, if the claim is that of
/// its last delivery: late, but nobody newer holds it.
pub(super) fn take_returned<S: Store>(
    store: &mut S,
    claim: Delivery,
    note: &Note,
) -> Option<Option<Slot>> {
    let is_last = note.ended == Ended::ByTime && note.last_receipt == claim.receipt.0;
    // A damaged note may say that a delivery ended, but none had a receipt.
    if is_last && claim.receipt.is_valid() { place::take_out(store, claim.id, note) } else { None }
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
