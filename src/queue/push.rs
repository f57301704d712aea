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
    let known = key.map_or(Ok(None), |key| dedup::known(store, key))?;
    if let (Some(key), Some(known)) = (key, known)
        && dedup::holds(known, key)
    {
        effects.counts.deduplicated = 1;
        return Ok(Pushed::Duplicate(known.id));
    }
    if limits::is_full(store, messages.len())? {
        effects.counts.refused_full = messages.len() as u64;
        return Ok(Pushed::Full);
    }
    let note = with.and_then(note);
    let note = note.as_ref();
    require(store, note, due_at_ms)?;
    let headers = with.map_or([].as_slice(), |with| with.headers.as_slice());
    for Numbered { id, payload } in messages {
        let message = NewMessage { id: *id, note, headers, payload };
        match due_at_ms {
            None if needs_only_line(note) => {
                store.push_ready(&message);
                effects.changed = true;
                effects.became_ready = true;
            }
            None => add_ready(store, effects, &message),
            Some(due_at_ms) => {
                store.add_message(&message);
                let nothing = Note::default();
                let note = note.unwrap_or(&nothing);
                place::make_delayed(store, effects, *id, note, due_at_ms, None);
            }
        }
        if let Some(key) = key {
            dedup::hold(store, effects, *id, key, known);
        }
    }
    effects.counts.pushed = messages.len() as u64;
    Ok(Pushed::Added)
}

fn require<S: Store>(
    store: &mut S,
    note: Option<&Note>,
    due_at_ms: Option<u64>,
) -> Result<(), QueueError> {
    if due_at_ms.is_some() {
        store.require(&[Part::Delayed])?;
    } else if needs_only_line(note) {
        let priority = note.map_or(0, |note| note.priority);
        return match priority {
            0 => store.require(&[Part::Ready]),
            _ => store.require(&[Part::ready(priority), Part::Lanes]),
        };
    }
    store.require(&[Part::Messages])?;
    note.map_or(Ok(()), |note| place::require(store, note))
}

/// True if a message that is ready needs nothing but its place in the line of its priority.
fn needs_only_line(note: Option<&Note>) -> bool {
    note.is_none_or(|note| note.group.is_none() && note.expires_at_ms.is_none())
}

/// Adds a message that is ready and has a group or an end. In its group it gets its number, which is
/// said in its body.
fn add_ready<S: Store>(store: &mut S, effects: &mut Effects, message: &NewMessage<'_>) {
    let mut note = message.note.cloned().unwrap_or_default();
    place::make_ready(store, effects, message.id, &mut note, message.id.timestamp_ms(), None);
    store.add_message(&NewMessage { note: Some(&note), ..*message });
}

/// What a push says of its messages; None if nothing.
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
