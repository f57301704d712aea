//! Extension: deliveries get a new end of visibility, also those whose visibility ended while no newer
//! delivery has begun.

use super::claim::{Settled, refuse, take_returned};
use super::effects::Effects;
use super::error::QueueError;
use super::group::{self, Slot};
use super::message::{Delivery, Ended, NewDelivery};
use super::part::Part;
use super::rules::Rules;
use super::small_vec::ShortVec;
use super::store::Store;

/// The new end of an extended delivery, unix ms.
#[derive(Debug, Clone, Copy)]
pub(super) enum NewEnd {
    /// Exactly then.
    At(u64),
    /// Then, or at the old end if that is later.
    NotBefore(u64),
}

impl NewEnd {
    fn until_ms(self, old_ms: u64) -> u64 {
        match self {
            Self::At(at_ms) => at_ms,
            Self::NotBefore(at_ms) => at_ms.max(old_ms),
        }
    }
}

/// Gives each claimed delivery the new end. Under version 1 those that are over are refused.
pub(super) fn extend<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Delivery],
    now_ms: u64,
    end: NewEnd,
) -> Result<ShortVec<Settled>, QueueError> {
    store.require(&[Part::Flight, Part::Bodies, Part::Inflight, Part::Messages, Part::Notes])?;
    store.require(&[Part::Ranked, Part::Delayed, Part::Groups, Part::Grouped])?;
    let takes_late = store.rules() != Rules::V1;
    let is_back = |claim: &Delivery| store.running(*claim).is_none();
    if takes_late && claims.iter().any(is_back) {
        store.require(Part::BEHIND_READY)?;
    }
    let mut settled = ShortVec::with_capacity(claims.len());
    for claim in claims {
        let delivery = *claim;
        let until_ms = match store.running(delivery) {
            Some(running) if takes_late || running.until_ms > now_ms => {
                let until_ms = end.until_ms(running.until_ms);
                if until_ms != running.until_ms {
                    store.change_end(delivery, running, until_ms);
                    effects.next_due.add(until_ms);
                    effects.changed = true;
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

/// Reverts the return of a message, if the claim names its last delivery and that one ended by itself.
/// Returns the new end of visibility, unix ms.
fn resume<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claim: Delivery,
    until_ms: u64,
) -> Option<u64> {
    let mut record = store.stored_record(claim.id).ok()??;
    let slot = take_returned(store, claim, &record)?;
    let counted = u32::from(record.ended == Ended::ByTime);
    let retry_count = record.retry_count.saturating_sub(counted);
    store.change_retry_count(claim.id, record.retry_count, retry_count);
    record.retry_count = retry_count;
    record.remove_delivery();
    // The delivery has not ended after all; all earlier ones have smaller receipts.
    record.last_receipt = claim.receipt.0.saturating_sub(1);
    store.put_record(claim.id, &record);
    let has_cleanup = record.has_cleanup();
    store.resume(claim.id, NewDelivery { receipt: claim.receipt, until_ms, has_cleanup });
    effects.next_due.add(until_ms);
    effects.changed = true;
    if let Some(member) = record.active_group() {
        group::count(store, effects, &member.name, slot, Some(Slot::Inflight));
    }
    Some(until_ms)
}
