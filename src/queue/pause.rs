//! MQ.PAUSE and MQ.RESUME stop and restart deliveries. Pushes and deadlines are not affected.

use super::effects::Effects;
use super::error::QueueError;
use super::part::Part;
use super::records::StoredNumber;
use super::store::Store;

/// Stops deliveries until this time, unix ms; None: until [`resume`].
pub(super) fn pause<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    until_ms: Option<u64>,
) -> Result<(), QueueError> {
    store.require(&[Part::Config])?;
    let stored = until_ms.unwrap_or(0);
    if store.stored_number(StoredNumber::PausedUntil) != Some(stored) {
        store.put_stored_number(StoredNumber::PausedUntil, stored);
        effects.changed = true;
    }
    if let Some(until_ms) = until_ms {
        effects.next_due.add(until_ms);
    }
    Ok(())
}

/// Ends a pause, if there is one.
pub(super) fn resume<S: Store>(store: &mut S, effects: &mut Effects) -> Result<(), QueueError> {
    store.require(&[Part::Config])?;
    if store.stored_number(StoredNumber::PausedUntil).is_some() {
        end(store, effects);
    }
    Ok(())
}

/// Ends a pause whose time is over.
pub(super) fn sweep<S: Store>(store: &mut S, effects: &mut Effects, now_ms: u64) {
    let until_ms = store.stored_number(StoredNumber::PausedUntil);
    if until_ms.is_some_and(|until_ms| until_ms > 0 && until_ms <= now_ms) {
        end(store, effects);
    }
}

fn end<S: Store>(store: &mut S, effects: &mut Effects) {
    store.remove_config(StoredNumber::PausedUntil.name());
    effects.changed = true;
    effects.became_ready = true;
}
