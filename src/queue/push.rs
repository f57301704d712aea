//! New messages enter the queue: ready at once, or delayed.

use super::message::{Membership, MessageId, NewMessage, Note};
use super::op::{Line, Numbered, With};
use super::store::{Part, Store};
use super::{Effects, QueueError, dedup, limits, place};

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The messages are in the queue.
    Added,
    /// Nothing was pushed: this message came before with the same deduplication key.
    Duplicate(MessageId),
    /// Nothing was pushed: it would be more than the queue's MAXLEN.
    Full,
}

/// Adds all messages or none; `due_at_ms` (unix ms) is when they become ready, None: at once.
pub(super) fn push<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    messages: &[Numbered<'_>],
    due_at_ms: Option<u64>,
    with: Option<&With<'_>>,
) -> Result<Pushed, QueueError> {
    let key = with.and_then(|with| with.dedup.as_ref());
    if let Some(key) = key
        && let Some(first) = dedup::first(store, key)?
    {
        effects.counts.deduplicated = 1;
        return Ok(Pushed::Duplicate(first));
    }
    if limits::is_full(store, messages.len())? {
        effects.counts.refused_full = messages.len() as u64;
        return Ok(Pushed::Full);
    }
    let note = with.and_then(note);
    match &note {
        Some(note) => {
            store.require(&[Part::Messages, Part::Notes])?;
            place::require(store, note)?;
        }
        None if due_at_ms.is_none() => store.require(&[Part::Ready])?,
        None => store.require(&[Part::Messages])?,
    }
    if due_at_ms.is_some() {
        store.require(&[Part::Delayed])?;
    }
    let headers = with.map_or([].as_slice(), |with| with.headers.as_slice());
    for Numbered { id, payload } in messages {
        let message = NewMessage { id: *id, headers, payload };
        match &note {
            Some(note) => add_with_note(store, effects, &message, due_at_ms, note.clone()),
            None => add(store, effects, &message, due_at_ms),
        }
        if let Some(key) = key {
            store.put_dedup(*id, key);
            if let Some(until_ms) = key.until_ms {
                effects.next_due.add(until_ms);
            }
        }
    }
    effects.counts.pushed = messages.len() as u64;
    Ok(Pushed::Added)
}

fn add<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    message: &NewMessage<'_>,
    due_at_ms: Option<u64>,
) {
    match due_at_ms {
        None => {
            store.push_ready(message);
            effects.became_ready = true;
        }
        Some(due_at_ms) => {
            store.add_message(message);
            store.add_delayed(message.id, due_at_ms);
            effects.next_due.add(due_at_ms);
        }
    }
    effects.changed = true;
}

fn add_with_note<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    message: &NewMessage<'_>,
    due_at_ms: Option<u64>,
    mut note: Note,
) {
    let id = message.id;
    store.add_message(message);
    match due_at_ms {
        None => place::make_ready(store, effects, id, &mut note, id.timestamp_ms(), None),
        Some(due_at_ms) => place::make_delayed(store, effects, id, &note, due_at_ms, None),
    }
    store.put_note(id, &note);
}

/// The note of a new message; None if it needs none.
fn note(with: &With<'_>) -> Option<Note> {
    let (priority, group) = match with.line {
        Line::Priority(priority) => (priority, None),
        Line::Group(name) => (0, Some(Membership { name: name.to_vec(), sequence: None })),
    };
    let dedup = with.dedup.filter(|dedup| dedup.until_ms.is_none());
    let note = Note {
        expires_at_ms: with.expires_at_ms,
        priority,
        group,
        dedup: dedup.map(|dedup| dedup.key.to_vec()),
        ..Note::default()
    };
    (note != Note::default()).then_some(note)
}
