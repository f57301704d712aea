//! EXPIRES: a queue that is not used for that long is dropped. Used is one that somebody pushes to, pulls from or
//! waits for, or that has a schedule.
//!
//! The time of the last use is stored, and written again only when a quarter of EXPIRES has passed since then:
//! so most uses cost no write. The queue is dropped five quarters after that time: EXPIRES after its last use
//! at the earliest, and a quarter later at the latest. Everything follows from what is stored, so a promoted
//! replica goes on where its master ended.

use super::effects::Effects;
use super::error::QueueError;
use super::part::Part;
use super::records::StoredNumber;
use super::remove;
use super::rules::Rules;
use super::settings::Setting;
use super::store::Store;

/// After so many quarters of EXPIRES without a noted use the queue is dropped.
pub const QUARTERS: u64 = 5;

/// A queue with EXPIRES.
struct Lease {
    /// Unix ms; None: not noted yet.
    used_at_ms: Option<u64>,
    quarter_ms: u64,
}

fn lease<S: Store>(store: &mut S) -> Option<Lease> {
    if store.len(Part::Config) == 0 || store.rules() == Rules::V1 {
        return None;
    }
    let expires_ms = store.number(Setting::Expires);
    let used_at_ms = store.stored_number(StoredNumber::UsedAt);
    (expires_ms > 0).then(|| Lease { used_at_ms, quarter_ms: expires_ms.div_ceil(4) })
}

impl Lease {
    /// The whole quarters since the last use that was noted, at this time, unix ms.
    fn passed(&self, now_ms: u64) -> Option<u64> {
        now_ms.saturating_sub(self.used_at_ms?).checked_div(self.quarter_ms)
    }
}

/// The whole quarters of EXPIRES since the last use that was noted, at this time, unix ms. None if the queue does
/// not expire.
pub fn quarters<S: Store>(store: &mut S, now_ms: u64) -> Option<u64> {
    store.require(&[Part::Config]).ok()?;
    lease(store)?.passed(now_ms)
}

/// Notes a use at this time, unix ms.
pub(super) fn note_use<S: Store>(store: &mut S, effects: &mut Effects, now_ms: u64) {
    let Some(lease) = lease(store) else { return };
    if lease.passed(now_ms).is_none_or(|passed| passed > 0) {
        store.put_stored_number(StoredNumber::UsedAt, now_ms);
        effects.changed = true;
        effects.next_due.add(now_ms.saturating_add(lease.quarter_ms));
    }
}

/// True if EXPIRES was set, and no use was noted since: the time begins with the next use.
pub fn has_not_begun<S: Store>(store: &mut S) -> bool {
    store.require(&[Part::Config]).is_ok()
        && lease(store).is_some_and(|lease| lease.used_at_ms.is_none())
}

/// The end of the current quarter, unix ms, when it has to be looked whether the queue is used.
pub(super) fn next_look<S: Store>(store: &mut S, now_ms: u64) -> Option<u64> {
    let lease = lease(store)?;
    let passed = lease.passed(now_ms)?;
    let end_ms = passed.saturating_add(1).saturating_mul(lease.quarter_ms);
    Some(lease.used_at_ms?.saturating_add(end_ms))
}

/// EXPIRES was changed: the time begins anew.
pub(super) fn restart<S: Store>(store: &mut S) {
    if store.stored_number(StoredNumber::UsedAt).is_some() {
        store.remove_config(StoredNumber::UsedAt.name());
    }
}

/// Drops the queue if it is not used for long enough at this time, unix ms; 1, or 0 if it stays.
pub(super) fn expire<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
) -> Result<u64, QueueError> {
    store.require(&[Part::Schedules])?;
    match quarters(store, now_ms) {
        Some(QUARTERS..) if store.len(Part::Schedules) == 0 => remove::drop(store, effects),
        Some(QUARTERS..) => {
            note_use(store, effects, now_ms);
            Ok(0)
        }
        None | Some(_) => Ok(0),
    }
}
