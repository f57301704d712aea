//! Deduplication keys: while one holds, a push with it is answered with the first message's id.

use super::effects::Effects;
use super::error::QueueError;
use super::message::{MessageId, Note};
use super::op::Dedup;
use super::part::Part;
use super::records::Duplicate;
use super::rules::Rules;
use super::settings::Setting;
use super::store::Store;

/// What is known of this key, and what must be had to hold it is required.
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

/// True if a key of which this is known still holds.
pub(super) fn holds(known: Duplicate, dedup: &Dedup<'_>) -> bool {
    known.until_ms.is_none_or(|until_ms| until_ms > dedup.now_ms)
}

/// True if the queue has no room for a key that it doesn't know. Keys whose time is over make room: two at
/// most, so that in the end none is left of those that the timer has not come to.
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

/// Lets a message hold the key, of which that was known.
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

/// Releases the key that held until this message was gone.
pub(super) fn release<S: Store>(store: &mut S, id: MessageId, note: &Note) {
    let Some(key) = &note.dedup else { return };
    if store.duplicate(key).is_some_and(|known| known.id == id && known.until_ms.is_none()) {
        store.remove_duplicate(key);
    }
}

/// Releases up to `left` keys whose time is over.
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
