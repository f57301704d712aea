//! A delayed message becomes ready at another moment.

use super::effects::Effects;
use super::error::QueueError;
use super::message::MessageId;
use super::part::Part;
use super::place::Behind;
use super::store::Store;
use super::sweep;

/// Lets a delayed message become ready at `due_at_ms` (unix ms), at once if that is not after
/// `now_ms`, behind all that wait; the number of messages for which that was done.
pub(super) fn reschedule<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    due_at_ms: u64,
    now_ms: u64,
) -> Result<u64, QueueError> {
    store.require(&Part::ALL)?;
    let Some(old_ms) = store.delayed_until(id) else { return Ok(0) };
    if due_at_ms <= now_ms {
        sweep::release(store, effects, id, |store, note| {
            Behind::default().rank(store, note, now_ms)
        });
    } else if due_at_ms != old_ms {
        store.add_delayed(id, due_at_ms);
        effects.next_due.add(due_at_ms);
        effects.changed = true;
    }
    Ok(1)
}
