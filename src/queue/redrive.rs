//! Redrive: dead letters return to the queue they died in, as messages that never failed. To a named
//! target, ready messages that never died go as well.

use std::collections::{BTreeMap, BTreeSet};

use super::effects::Effects;
use super::error::QueueError;
use super::message::{Body, Died, Ended, MessageId, StateRecord};
use super::name::QueueName;
use super::next::{self, NextMessage, Order, Origin, Taken};
use super::op::{Choice, Decided, Redrive, RedriveSlice};
use super::part::Part;
use super::place::TailRanks;
use super::settings::Setting;
use super::store::Store;
use super::{damage, dedup, group, place, remove, sweep};

/// Which messages a redrive moves where.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    pub now_ms: u64,
    /// The most messages to inspect.
    pub inspect: u32,
    /// The most messages to try to move.
    pub count: u32,
    /// Another target.
    pub to: Option<&'a QueueName>,
    /// Cluster mode: only to queues of the same slot.
    pub same_slot: bool,
    pub choice: &'a Choice,
    /// Only dead letters of this queue.
    pub from: Option<&'a QueueName>,
    /// Only dead letters with this reason of death or this last error.
    pub reason: Option<&'a [u8]>,
    /// Ready messages that never died go as well.
    pub takes_others: bool,
}

impl<'a> From<&'a RedriveSlice<'_>> for Selection<'a> {
    fn from(slice: &'a RedriveSlice<'_>) -> Self {
        let RedriveSlice { now_ms, inspect, count, to, same_slot, choice, from, reason } = slice;
        Self {
            now_ms: *now_ms,
            inspect: *inspect,
            count: *count,
            to: to.as_ref(),
            same_slot: *same_slot,
            choice,
            from: from.as_ref(),
            reason: *reason,
            takes_others: to.is_some() && from.is_none() && reason.is_none(),
        }
    }
}

impl<'a> From<&'a Redrive> for Selection<'a> {
    fn from(redrive: &'a Redrive) -> Self {
        Self {
            now_ms: redrive.now_ms,
            inspect: redrive.count,
            count: redrive.count,
            to: redrive.to.as_ref(),
            same_slot: redrive.same_slot,
            choice: &Choice::ALL,
            from: None,
            reason: None,
            takes_others: false,
        }
    }
}

/// The result of a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redriven {
    /// The number of moved messages.
    pub moved: u64,
    /// The last inspected dead letter; not for a choice by id.
    pub last: Option<Died>,
    /// It stopped at one of its limits: there may be more.
    pub has_more: bool,
}

/// Moves ready messages: dead letters, oldest death first, then the others in the order of delivery. One
/// whose target cannot take it stays.
pub(super) fn redrive<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    request: &Selection<'_>,
) -> Result<Redriven, QueueError> {
    store.require(&Part::ALL)?;
    let Matches { messages, last, mut left } = find(store, request);
    let mut targets: BTreeMap<QueueName, Option<Target<S>>> = BTreeMap::new();
    let mut moved = 0u64;
    for (id, record) in messages {
        let died_in = record.death.as_ref().map(|death| &death.from);
        let Some(name) = request.to.or(died_in).cloned() else { continue };
        let target = targets.entry(name).or_insert_with_key(|name| open(store, name, request));
        let Some(target) = target else { continue };
        if let Some(body) = take_out(store, effects, id, &record) {
            put(target, effects, &body, record, request.now_ms);
            moved = moved.saturating_add(1);
        }
    }
    if let Some(to) = request.to
        && request.takes_others
        && let Some(target) = targets.entry(to.clone()).or_insert_with(|| open(store, to, request))
    {
        moved = moved.saturating_add(match request.choice {
            Choice::Ids(ids) => move_listed(store, effects, target, ids, request.now_ms),
            Choice::Died { .. } => move_others(store, effects, target, &mut left, request.now_ms),
        });
    }
    effects.counts.redriven = moved;
    Ok(Redriven { moved, last, has_more: left.is_used_up() })
}

/// The queues to which these dead letters would return.
pub fn targets<S: Store>(
    store: &mut S,
    request: &Selection<'_>,
) -> Result<BTreeSet<QueueName>, QueueError> {
    store.require(&Part::ALL)?;
    let messages = find(store, request).messages.into_iter();
    Ok(messages.filter_map(|(_, record)| record.death.map(|death| death.from)).collect())
}

/// The remaining limits of a redrive.
struct Budget {
    inspect: u32,
    count: u32,
}

impl Budget {
    fn is_used_up(&self) -> bool {
        self.inspect == 0 || self.count == 0
    }

    fn inspect(&mut self) {
        self.inspect = self.inspect.saturating_sub(1);
    }

    fn try_to_move(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}

/// The messages in `Messages` that are to be moved.
struct Matches {
    messages: Vec<(MessageId, StateRecord)>,
    last: Option<Died>,
    left: Budget,
}

fn find<S: Store>(store: &mut S, request: &Selection<'_>) -> Matches {
    let left = Budget { inspect: request.inspect, count: request.count };
    let mut found = Matches { messages: Vec::new(), last: None, left };
    match request.choice {
        Choice::Ids(ids) => {
            for id in ids {
                if store.time_of(Part::Delayed, *id).is_some() {
                    continue;
                }
                let Ok(record) = store.record(*id) else { continue };
                let record = record.unwrap_or_default();
                if request.is_wanted(&record) && place::is_waiting(store, *id, Some(&record)) {
                    found.messages.push((*id, record));
                }
            }
        }
        Choice::Died { after, until_ms } => {
            for died in store.dead(*after, *until_ms, request.inspect.into()) {
                if found.left.count == 0 {
                    break;
                }
                found.left.inspect();
                found.last = Some(died);
                if let Ok(Some(record)) = store.record(died.id)
                    && record.death.is_some()
                    && request.is_wanted(&record)
                {
                    found.left.try_to_move();
                    found.messages.push((died.id, record));
                }
            }
        }
    }
    found
}

impl Selection<'_> {
    /// True if a message with this record is selected.
    fn is_wanted(&self, record: &StateRecord) -> bool {
        let Some(death) = &record.death else { return self.takes_others };
        let is_reason = |text: &[u8]| {
            death.reason.word().as_bytes() == text || record.last_error.as_deref() == Some(text)
        };
        self.from.is_none_or(|from| death.from == *from) && self.reason.is_none_or(is_reason)
    }
}

/// A target that accepts messages.
struct Target<S> {
    store: S,
    behind: TailRanks,
}

/// Opens a target; None if it cannot take messages.
fn open<S: Store>(store: &S, name: &QueueName, request: &Selection<'_>) -> Option<Target<S>> {
    let is_elsewhere = request.same_slot && !name.shares_slot_with(store.queue());
    if is_elsewhere || name == store.queue() {
        return None;
    }
    let mut store = store.other(name);
    store.require(&Part::ALL).ok()?;
    Some(Target { store, behind: TailRanks::default() })
}

/// Removes a ready message from `Messages`. None if it is not ready, or if it is unreadable and was set
/// aside.
fn take_out<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: &StateRecord,
) -> Option<S::Body> {
    let slot = place::take_out(store, id, record)?;
    let Ok(Some(body)) = store.message(id) else {
        damage::set_message_aside(store, effects, id);
        place::leave_group(store, effects, record, slot);
        return None;
    };
    place::forget(store, effects, id, Some(record), slot);
    Some(body)
}

/// Adds a removed message to another queue.
fn put<S: Store>(
    Target { store, behind }: &mut Target<S>,
    effects: &mut Effects,
    body: &S::Body,
    record: StateRecord,
    now_ms: u64,
) {
    store.put_message(body);
    let mut restored =
        StateRecord { retry_count: 0, ended: Ended::Never, death: None, dedup: None, ..record };
    if record.death.is_some() {
        restored.expiry = None;
    }
    if let Some(member) = &mut restored.group {
        member.sequence = None;
    }
    let mut there = Effects::none();
    let rank = behind.rank(store, &restored, now_ms);
    place::make_ready(store, &mut there, body.id(), &mut restored, rank, None);
    store.put_record(body.id(), &restored);
    effects.add_other(store.queue(), there.next_due);
}

/// Moves messages of ready lists by id; returns their number.
fn move_listed<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    ids: &[MessageId],
    now_ms: u64,
) -> u64 {
    let ids = ids.iter().copied().filter(|id| !store.has_message(*id)).collect();
    let mut moved = 0u64;
    for mut body in remove::take_listed(store, &ids) {
        let record = body.take_record().map(|record| *record);
        put_listed(store, effects, target, &body, record, now_ms);
        moved = moved.saturating_add(1);
    }
    moved
}

/// Moves a message that was removed from a ready list.
fn put_listed<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    body: &S::Body,
    record: Option<StateRecord>,
    now_ms: u64,
) {
    let record = record.unwrap_or_default();
    dedup::release(store, body.id(), &record);
    effects.changed = true;
    put(target, effects, body, record, now_ms);
}

/// Moves messages in the order of delivery, those of groups last; returns their number.
fn move_others<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    left: &mut Budget,
    now_ms: u64,
) -> u64 {
    let aging_ms = store.number(Setting::Aging);
    let order = Order { now_ms, aging_ms, is_final: true, is_plain: false };
    let mut moved = 0u64;
    while !left.is_used_up()
        && let Some(number) = move_next(store, effects, target, order)
    {
        left.inspect();
        if number > 0 {
            left.try_to_move();
            moved = moved.saturating_add(number);
        }
    }
    moved
}

/// Moves the next message: 1; 0 if it was discarded because its TTL is over, or set aside as unreadable.
/// None if there is none.
fn move_next<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    order: Order,
) -> Option<u64> {
    let now_ms = order.now_ms;
    match next::take_ungrouped(store, order) {
        Ok(NextMessage::Message(Taken { body, record, from })) => {
            let record = record.map(|record| *record);
            if from == Origin::Ready {
                put_listed(store, effects, target, &body, record, now_ms);
            } else {
                place::forget(store, effects, body.id(), record.as_ref(), None);
                put(target, effects, &body, record.unwrap_or_default(), now_ms);
            }
            Some(1)
        }
        Ok(NextMessage::Expired(id, _)) => {
            let record = store.record(id).ok()?.unwrap_or_default();
            expire(store, effects, id, &record, now_ms)
        }
        Ok(NextMessage::Nothing) => {
            let (id, record) = first_of_groups(store)?;
            if record.is_expired(now_ms) {
                return expire(store, effects, id, &record, now_ms);
            }
            let body = take_out(store, effects, id, &record)?;
            put(target, effects, &body, record, now_ms);
            Some(1)
        }
        Err(QueueError::Corrupt(corruption)) => {
            next::set_first_aside(store, effects, corruption).ok()?;
            Some(0)
        }
        Err(_) => None,
    }
}

/// Discards a message whose TTL is over. One that dies is left to a sweep, and ends the redrive: its dead-letter
/// queue may be the target, which is open.
fn expire<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    record: &StateRecord,
    now_ms: u64,
) -> Option<u64> {
    if record.dies_at_end() {
        effects.next_due.add(now_ms);
        return None;
    }
    sweep::expire_waiting(store, effects, id, Decided { now_ms, same_slot: true }, &mut None);
    Some(0)
}

/// The next message of the first group with ready messages, blocked or not.
fn first_of_groups<S: Store>(store: &mut S) -> Option<(MessageId, StateRecord)> {
    // One of the first two may be the messages without a group.
    let (name, _) = store.groups(0, 2).into_iter().find(|(name, _)| !name.is_empty())?;
    let group = store.group(&name);
    let id = group::waiting(store, &name, &group, 0, 1).pop()?;
    Some((id, store.record(id).ok()??))
}
