//! Deduplication keys: while one holds, a push with it is answered with the first message's id.

use super::message::{MessageId, Note};
use super::op::Dedup;
use super::store::{Part, Store};
use super::{Effects, QueueError};

/// The message that was pushed with this key, if the key still holds.
pub(super) fn first<S: Store>(
    store: &mut S,
    dedup: &Dedup<'_>,
) -> Result<Option<MessageId>, QueueError> {
    store.require(&[Part::Dedup, Part::Deduped])?;
    let known = store.duplicate(dedup.key);
    let holds = known.filter(|known| known.until_ms.is_none_or(|until_ms| until_ms > dedup.now_ms));
    Ok(holds.map(|known| known.id))
}

/// Releases the key that held until this message was gone.
pub(super) fn release<S: Store>(store: &mut S, id: MessageId, note: &Note) {
    let Some(key) = &note.dedup else { return };
    if store.duplicate(key).is_some_and(|known| known.id == id && known.until_ms.is_none()) {
        store.remove_dedup(key);
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
        store.remove_dedup(&key);
        effects.changed = true;
    }
}
