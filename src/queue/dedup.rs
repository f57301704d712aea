//! Deduplication keys: while a key is held, a push with it returns the id of the first message.

use super::effects::Effects;
use super::error::QueueError;
use super::message::{MessageId, StateRecord};
use super::op::Dedup;
use super::part::Part;
use super::records::Duplicate;
use super::rules::Rules;
use super::settings::Setting;
use super::store::Store;

/// The record of this key. Requires the parts that are written to hold it.
pub(super) fn known<S: Store>(
    store: &mut S,
    dedup: &Dedup<'_>,
) -> Result<Option<Duplicate>, QueueError> {
    store.require(&[Part::Dedup])?;
    let known = store.duplicate(dedup.key);
    if dedup.until_ms.is_some() || has_window(known) {
        store.require(&[Part::Deduped])?;
    }
    Ok(known)
}

fn has_window(known: Option<Duplicate>) -> bool {
    known.is_some_and(|known| known.until_ms.is_some())
}

/// True if the key of this record is still held.
pub(super) fn holds(known: Duplicate, dedup: &Dedup<'_>) -> bool {
    known.until_ms.is_none_or(|until_ms| until_ms > dedup.now_ms)
}

/// True if the queue holds MAXDEDUP keys and cannot hold another. First releases up to two keys whose
/// window is over, so that pushes keep up with the timer.
pub(super) fn is_full<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    dedup: &Dedup<'_>,
) -> Result<bool, QueueError> {
    store.require(&[Part::Config])?;
    let max = store.number(Setting::MaxDedup);
    if max == 0 || store.rules() == Rules::V1 || store.len(Part::Dedup) < max {
        return Ok(false);
    }
    store.require(&[Part::Deduped])?;
    sweep(store, effects, &mut 2, dedup.now_ms);
    Ok(store.len(Part::Dedup) >= max)
}

/// Holds the key for a message; `known` is the record before.
pub(super) fn hold<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    dedup: &Dedup<'_>,
    known: Option<Duplicate>,
) {
    store.put_duplicate(dedup.key, &Duplicate { id, until_ms: dedup.until_ms });
    if let Some(until_ms) = dedup.until_ms {
        store.add_deduped(dedup.key, until_ms);
        effects.next_due.add(until_ms);
    } else if has_window(known) {
        store.remove_deduped(dedup.key);
    }
}

/// Releases the UNTILDONE key of a message that is removed.
pub(super) fn release<S: Store>(store: &mut S, id: MessageId, record: &StateRecord) {
    let Some(key) = &record.dedup else { return };
    if store.duplicate(key).is_some_and(|known| known.id == id && known.until_ms.is_none()) {
        store.remove_duplicate(key);
    }
}

/// Releases up to `left` keys whose window is over.
pub(super) fn sweep<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, now_ms: u64) {
    while *left > 0 {
        let Some((key, until_ms)) = store.first_deduped() else { return };
        if until_ms > now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        store.remove_deduped(&key);
        if has_window(store.duplicate(&key)) {
            store.remove_duplicate(&key);
        }
        effects.changed = true;
    }
}
