//! MQ.RESCHEDULE: a new due time for a delayed message.

use super::effects::Effects;
use super::error::QueueError;
use super::message::MessageId;
use super::part::Part;
use super::place::TailRanks;
use super::store::Store;
use super::sweep;

/// Makes a delayed message due at `due_at_ms` (unix ms); if that is not after `now_ms`, ready at once,
/// behind all ready messages. Returns the number of messages that were delayed.
pub(super) fn reschedule<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    due_at_ms: u64,
    now_ms: u64,
) -> Result<u64, QueueError> {
    store.require(&Part::ALL)?;
    let Some(old_ms) = store.time_of(Part::Delayed, id) else { return Ok(0) };
    if due_at_ms <= now_ms {
        sweep::release(store, effects, id, |store, record| {
            TailRanks::default().rank(store, record, now_ms)
        });
    } else if due_at_ms != old_ms {
        store.add_timed(Part::Delayed, id, due_at_ms);
        effects.next_due.add(due_at_ms);
        effects.changed = true;
    }
    Ok(1)
}
