//! A new message enters the queue: ready at once, or delayed.

use super::message::{MessageId, NewMessage};
use super::store::{Part, Store};
use super::{Effects, QueueError};

/// Adds a message; `due_at_ms` (unix ms) is when it becomes ready, None: at once.
pub fn push<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    due_at_ms: Option<u64>,
    payload: &[u8],
) -> Result<(), QueueError> {
    let message = NewMessage { id, payload };
    match due_at_ms {
        None => {
            store.require(&[Part::Ready])?;
            store.push_ready(&message);
            effects.became_ready = true;
        }
        Some(due_at_ms) => {
            store.require(&[Part::Messages, Part::Delayed])?;
            store.add_message(&message);
            store.add_delayed(id, due_at_ms);
            effects.next_due.add(due_at_ms);
        }
    }
    effects.changed = true;
    effects.counts.pushed = 1;
    Ok(())
}
