//! The visibility of deliveries restarts, also of those that ended by themselves while nobody newer
//! holds the message.

use super::claim::{Settled, refuse, take_returned};
use super::effects::Effects;
use super::error::QueueError;
use super::few::Few;
use super::group::{self, Slot};
use super::message::{Delivery, Running};
use super::part::Part;
use super::rules::Rules;
use super::store::Store;

/// When an extended delivery ends, unix ms.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Then, later or sooner than it would have ended.
    At(u64),
    /// Then, or when it would have ended if that is later.
    NotBefore(u64),
}

impl End {
    fn until_ms(self, old_ms: u64) -> u64 {
        match self {
            Self::At(at_ms) => at_ms,
            Self::NotBefore(at_ms) => at_ms.max(old_ms),
        }
    }
}

/// Lets each claimed delivery end then. Under version 1 those that are over are refused.
pub(super) fn extend<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Delivery],
    now_ms: u64,
    end: End,
) -> Result<Few<Settled>, QueueError> {
    store.require(&[Part::Inflight, Part::Messages, Part::Notes])?;
    store.require(&[Part::Ranked, Part::Delayed, Part::Groups, Part::Grouped])?;
    let takes_late = store.rules() != Rules::V1;
    let is_back = |claim: &Delivery| store.running(*claim).is_none();
    if takes_late && claims.iter().any(is_back) {
        store.require(Part::BEHIND_READY)?;
    }
    let mut settled = Few::with_capacity(claims.len());
    for claim in claims {
        let delivery = *claim;
        let until_ms = match store.running(delivery) {
            Some(running) if takes_late || running.until_ms > now_ms => {
                let until_ms = end.until_ms(running.until_ms);
                if until_ms != running.until_ms {
                    put_inflight(store, effects, delivery, Running { until_ms, ..running });
                }
                Some(until_ms)
            }
            None if takes_late => resume(store, effects, *claim, end.until_ms(0)),
            _ => None,
        };
        settled.push(match until_ms {
            Some(until_ms) => Settled::Done(until_ms),
            None => refuse(store, effects, claim.id),
        });
    }
    Ok(settled)
}

/// Undoes the return of a message, if the claim is that of its last delivery and that ended by itself.
/// The new end of its visibility, unix ms.
fn resume<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claim: Delivery,
    until_ms: u64,
) -> Option<u64> {
    let mut note = store.written_note(claim.id).ok()??;
    let slot = take_returned(store, claim, &note)?;
    store.remove_note(claim.id, Some(&note));
    note.retry_count = note.retry_count.saturating_sub(1);
    note.remove_delivery();
    // The delivery has not ended; all before it have smaller receipts.
    note.last_receipt = claim.receipt.0.saturating_sub(1);
    store.put_note(claim.id, &note);
    let binds = note.binds();
    put_inflight(store, effects, claim, Running { until_ms, binds });
    if let Some(member) = note.active_group() {
        group::count(store, effects, &member.name, slot, Some(Slot::Inflight));
    }
    Some(until_ms)
}

fn put_inflight<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    delivery: Delivery,
    running: Running,
) {
    store.put_inflight(delivery, running);
    effects.next_due.add(running.until_ms);
    effects.changed = true;
}
