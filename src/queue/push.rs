//! New messages: ready at once, or delayed.

use super::effects::Effects;
use super::error::QueueError;
use super::message::{Membership, MessageId, NewMessage, StateRecord};
use super::op::{BatchMessage, Class, PushOptions};
use super::part::Part;
use super::records::Group;
use super::store::Store;
use super::{dedup, group, limits, place, unused};

/// The result of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Added,
    /// Nothing was pushed: this message holds the deduplication key.
    Duplicate(MessageId),
    /// Nothing was pushed: MAXLEN.
    Full,
    /// Nothing was pushed: MAXDEDUP.
    DedupFull,
}

/// Adds all messages or none; `due_at_ms` None: ready at once.
#[inline]
pub(super) fn push<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    messages: &[BatchMessage<'_>],
    due_at_ms: Option<u64>,
    options: Option<&PushOptions<'_>>,
) -> Result<Pushed, QueueError> {
    let pushed = add(store, effects, messages, due_at_ms, options)?;
    if store.len(Part::Config) > 0
        && let Some(first) = messages.first()
    {
        unused::note_use(store, effects, first.id.timestamp_ms());
    }
    Ok(pushed)
}

fn add<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    messages: &[BatchMessage<'_>],
    due_at_ms: Option<u64>,
    options: Option<&PushOptions<'_>>,
) -> Result<Pushed, QueueError> {
    let key = options.and_then(|options| options.dedup.as_ref());
    let known = key.map_or(Ok(None), |key| dedup::known(store, key))?;
    if let (Some(key), Some(known)) = (key, known)
        && dedup::holds(known, key)
    {
        count(&mut effects.counts.deduplicated, 1);
        return Ok(Pushed::Duplicate(known.id));
    }
    if limits::is_full(store, messages.len())? {
        count(&mut effects.counts.refused_full, messages.len());
        return Ok(Pushed::Full);
    }
    if let Some(key) = key
        && known.is_none()
        && dedup::is_full(store, effects, key)?
    {
        count(&mut effects.counts.refused_full, 1);
        return Ok(Pushed::DedupFull);
    }
    let mut record = options.and_then(record);
    let mut group = require(store, record.as_ref(), due_at_ms, messages.len())?;
    let headers = options.map_or([].as_slice(), |options| options.headers.as_slice());
    for BatchMessage { id, payload } in messages {
        let message = |record| NewMessage { id: *id, record, headers, payload };
        match due_at_ms {
            None if fits_ready_list(record.as_ref()) => {
                store.push_ready(&message(record.as_ref()));
                effects.changed = true;
                effects.became_ready = true;
            }
            None => {
                let record = record.get_or_insert_default();
                make_ready(store, effects, *id, record, group.as_mut());
                store.add_message(&message(Some(record)));
            }
            Some(due_at_ms) => {
                store.add_message(&message(record.as_ref()));
                let nothing = StateRecord::default();
                let record = record.as_ref().unwrap_or(&nothing);
                place::make_delayed(store, effects, *id, record, due_at_ms, None);
            }
        }
        if let Some(key) = key {
            dedup::hold(store, effects, *id, key, known);
        }
    }
    count(&mut effects.counts.pushed, messages.len());
    Ok(Pushed::Added)
}

fn count(counter: &mut u64, number: usize) {
    *counter = counter.saturating_add(number as u64);
}

/// Requires the parts that change when this many messages with this record are pushed. Returns the
/// record of the group that they join at once, if any.
fn require<S: Store>(
    store: &mut S,
    record: Option<&StateRecord>,
    due_at_ms: Option<u64>,
    count: usize,
) -> Result<Option<Group>, QueueError> {
    if due_at_ms.is_some() {
        store.require(&[Part::Delayed])?;
    } else if fits_ready_list(record) {
        let priority = record.map_or(0, |record| record.priority);
        match priority {
            0 => store.require(&[Part::Ready])?,
            _ => store.require(&[Part::ready(priority), Part::Lanes])?,
        }
        return Ok(None);
    }
    store.require(&[Part::Messages])?;
    let Some(record) = record else { return Ok(None) };
    if let (None, Some(member)) = (due_at_ms, &record.group) {
        place::require_beside(store, record)?;
        return group::require_to_join(store, &member.name, count).map(Some);
    }
    place::require(store, record)?;
    Ok(None)
}

/// True if a ready message is stored in a ready list only.
fn fits_ready_list(record: Option<&StateRecord>) -> bool {
    record.is_none_or(|record| record.group.is_none() && record.expiry.is_none())
}

/// Makes a message ready that has a group or a TTL. It gets its number in the group, which becomes part
/// of its body.
fn make_ready<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: &mut StateRecord,
    group: Option<&mut Group>,
) {
    if let Some(member) = &mut record.group {
        member.sequence = None;
        if let Some(group) = group {
            group::join(store, effects, member, id, None, group);
            return place::let_expire(store, effects, id, record);
        }
    }
    let rank = record.rank(id.timestamp_ms());
    place::make_ready(store, effects, id, record, rank, None);
}

/// The state record of a new message; None if the push says nothing that belongs there.
fn record(options: &PushOptions<'_>) -> Option<StateRecord> {
    let (priority, group) = match options.class {
        Class::Priority(priority) => (priority, None),
        Class::Group(name) => (0, Some(Membership { name: name.into(), sequence: None })),
    };
    let dedup = options.dedup.filter(|dedup| dedup.until_ms.is_none());
    let record = StateRecord {
        expiry: options.expiry,
        priority,
        group,
        dedup: dedup.map(|dedup| dedup.key.into()),
        ..StateRecord::default()
    };
    (record != StateRecord::default()).then_some(record)
}
