//! New messages enter the queue: ready at once, or delayed.

use super::effects::Effects;
use super::error::QueueError;
use super::message::{Membership, MessageId, NewMessage, Note};
use super::op::{Line, Numbered, With};
use super::part::Part;
use super::records::Group;
use super::store::Store;
use super::{dedup, group, limits, place};

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The messages are in the queue.
    Added,
    /// Nothing was pushed: this message came before with the same deduplication key.
    Duplicate(MessageId),
    /// Nothing was pushed: it would be more than the queue's MAXLEN.
    Full,
    /// Nothing was pushed: its deduplication key would be more than the queue's MAXDEDUP.
    DedupFull,
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
    if let Some(key) = key
        && known.is_none()
        && dedup::is_full(store, effects, key)?
    {
        effects.counts.refused_full = 1;
        return Ok(Pushed::DedupFull);
    }
    let mut note = with.and_then(note);
    let mut group = require(store, note.as_ref(), due_at_ms, messages.len())?;
    let headers = with.map_or([].as_slice(), |with| with.headers.as_slice());
    for Numbered { id, payload } in messages {
        let message = |note| NewMessage { id: *id, note, headers, payload };
        match due_at_ms {
            None if needs_only_line(note.as_ref()) => {
                store.push_ready(&message(note.as_ref()));
                effects.changed = true;
                effects.became_ready = true;
            }
            None => {
                let note = note.get_or_insert_default();
                make_ready(store, effects, *id, note, group.as_mut());
                store.add_message(&message(Some(note)));
            }
            Some(due_at_ms) => {
                store.add_message(&message(note.as_ref()));
                let nothing = Note::default();
                let note = note.as_ref().unwrap_or(&nothing);
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

/// Requires the parts that change when so many messages with this note are pushed. What is known of
/// the group that they join at once, if they have one.
fn require<S: Store>(
    store: &mut S,
    note: Option<&Note>,
    due_at_ms: Option<u64>,
    count: usize,
) -> Result<Option<Group>, QueueError> {
    if due_at_ms.is_some() {
        store.require(&[Part::Delayed])?;
    } else if needs_only_line(note) {
        let priority = note.map_or(0, |note| note.priority);
        match priority {
            0 => store.require(&[Part::Ready])?,
            _ => store.require(&[Part::ready(priority), Part::Lanes])?,
        }
        return Ok(None);
    }
    store.require(&[Part::Messages])?;
    let Some(note) = note else { return Ok(None) };
    if let (None, Some(member)) = (due_at_ms, &note.group) {
        place::require_beside(store, note)?;
        return group::require_to_join(store, &member.name, count).map(Some);
    }
    place::require(store, note)?;
    Ok(None)
}

/// True if a message that is ready needs nothing but its place in the line of its priority.
fn needs_only_line(note: Option<&Note>) -> bool {
    note.is_none_or(|note| note.group.is_none() && note.expires_at_ms.is_none())
}

/// Lets a message wait that has a group or an end. In its group, of which that may be known, it gets
/// its number, which is to be said in its body.
fn make_ready<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    note: &mut Note,
    group: Option<&mut Group>,
) {
    if let Some(member) = &mut note.group {
        member.sequence = None;
        if let Some(group) = group {
            group::join(store, effects, member, id, None, group);
            return place::let_expire(store, effects, id, note);
        }
    }
    let rank = note.rank(id.timestamp_ms());
    place::make_ready(store, effects, id, note, rank, None);
}

/// What a push says of its messages; None if nothing.
fn note(with: &With<'_>) -> Option<Note> {
    let (priority, group) = match with.line {
        Line::Priority(priority) => (priority, None),
        Line::Group(name) => (0, Some(Membership { name: name.into(), sequence: None })),
    };
    let dedup = with.dedup.filter(|dedup| dedup.until_ms.is_none());
    let note = Note {
        expires_at_ms: with.expires_at_ms,
        priority,
        group,
        dedup: dedup.map(|dedup| dedup.key.into()),
        ..Note::default()
    };
    (note != Note::default()).then_some(note)
}
