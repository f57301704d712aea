//! The visibility of running deliveries restarts.

use super::acknowledge::refuse;
use super::few::Few;
use super::op::Claim;
use super::store::{Delivery, Part, Running, Store};
use super::{Effects, QueueError, Settled};

/// Lets the visibility of each claimed delivery end `visibility_ms` from `now_ms`, later or sooner.
pub(super) fn extend<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Claim],
    now_ms: u64,
    visibility_ms: u64,
) -> Result<Few<Settled>, QueueError> {
    store.require(&[Part::Inflight, Part::Messages, Part::Notes])?;
    store.require(&[Part::Ranked, Part::Delayed, Part::Groups, Part::Grouped])?;
    let until_ms = now_ms.saturating_add(visibility_ms);
    let mut settled = Few::with_capacity(claims.len());
    for &Claim { id, receipt } in claims {
        let delivery = Delivery { id, receipt };
        settled.push(match store.running(delivery) {
            Some(old) if old.until_ms > now_ms => {
                if old.until_ms != until_ms {
                    store.put_inflight(delivery, Running { until_ms, ..old });
                    effects.next_due.add(until_ms);
                    effects.changed = true;
                }
                Settled::Done(until_ms)
            }
            _ => refuse(store, effects, id),
        });
    }
    Ok(settled)
}
