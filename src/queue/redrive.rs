//! Dead letters go back to where they died, as messages that never failed. To a queue that is named,
//! messages that wait among them and never died go as well.

use std::collections::{BTreeMap, BTreeSet};

use super::effects::Effects;
use super::error::QueueError;
use super::line::{self, Next, Order, Origin, Taken};
use super::message::{Body, Died, Ended, MessageId, Note};
use super::name::QueueName;
use super::op::{Choice, RedriveSlice};
use super::part::Part;
use super::place::Behind;
use super::settings::Setting;
use super::store::Store;
use super::{damage, dedup, group, place, remove, sweep};

/// What a redrive asks for; see [`Op::RedriveSlice`](super::op::Op::RedriveSlice).
#[derive(Debug, Clone, Copy)]
pub struct Redrive<'a> {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// The most messages to look at.
    pub look: u32,
    /// The most messages to try to move.
    pub count: u32,
    /// Where they go instead.
    pub to: Option<&'a QueueName>,
    /// They may go to a queue of the same slot only.
    pub same_slot: bool,
    /// Which are looked at.
    pub choice: &'a Choice,
    /// Only dead letters that died there.
    pub from: Option<&'a QueueName>,
    /// Only dead letters with that reason or last error.
    pub reason: Option<&'a [u8]>,
    /// True if messages that never died go as well.
    pub takes_others: bool,
}

impl<'a> From<&'a RedriveSlice<'_>> for Redrive<'a> {
    fn from(slice: &'a RedriveSlice<'_>) -> Self {
        let RedriveSlice { now_ms, look, count, to, same_slot, choice, from, reason } = slice;
        Self {
            now_ms: *now_ms,
            look: *look,
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

/// What a redrive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redriven {
    /// How many messages were moved.
    pub moved: u64,
    /// The last dead letter that was looked at; not of a choice by id.
    pub last: Option<Died>,
    /// It ended at one of its bounds: there may be more.
    pub has_more: bool,
}

/// Moves messages that wait: dead letters, the oldest death first, then the others in the order of
/// their delivery. One whose queue can't take it stays.
pub(super) fn redrive<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    request: &Redrive<'_>,
) -> Result<Redriven, QueueError> {
    store.require(&Part::ALL)?;
    let Found { messages, last, mut left } = find(store, request);
    let mut targets: BTreeMap<QueueName, Option<Target<S>>> = BTreeMap::new();
    let mut moved = 0u64;
    for (id, note) in messages {
        let died_in = note.death.as_ref().map(|death| &death.from);
        let Some(name) = request.to.or(died_in).cloned() else { continue };
        let target = targets.entry(name).or_insert_with_key(|name| open(store, name, request));
        let Some(target) = target else { continue };
        if let Some(body) = take_out(store, effects, id, &note) {
            put(target, effects, &body, note, request.now_ms);
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

/// The queues to which dead letters would go back.
pub fn targets<S: Store>(
    store: &mut S,
    request: &Redrive<'_>,
) -> Result<BTreeSet<QueueName>, QueueError> {
    store.require(&Part::ALL)?;
    let messages = find(store, request).messages.into_iter();
    Ok(messages.filter_map(|(_, note)| note.death.map(|death| death.from)).collect())
}

/// What is left of the bounds of a redrive.
struct Left {
    look: u32,
    count: u32,
}

impl Left {
    fn is_used_up(&self) -> bool {
        self.look == 0 || self.count == 0
    }

    fn look(&mut self) {
        self.look = self.look.saturating_sub(1);
    }

    fn try_to_move(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}

/// The messages in `Messages` that are to be moved.
struct Found {
    messages: Vec<(MessageId, Note)>,
    last: Option<Died>,
    left: Left,
}

fn find<S: Store>(store: &mut S, request: &Redrive<'_>) -> Found {
    let left = Left { look: request.look, count: request.count };
    let mut found = Found { messages: Vec::new(), last: None, left };
    match request.choice {
        Choice::Ids(ids) => {
            for id in ids {
                if store.is_delayed(*id) {
                    continue;
                }
                let Ok(note) = store.note(*id) else { continue };
                let note = note.unwrap_or_default();
                if request.is_wanted(&note) && place::is_waiting(store, *id, Some(&note)) {
                    found.messages.push((*id, note));
                }
            }
        }
        Choice::Died { after, until_ms } => {
            for died in store.dead(*after, *until_ms, request.look.into()) {
                if found.left.count == 0 {
                    break;
                }
                found.left.look();
                found.last = Some(died);
                if let Ok(Some(note)) = store.note(died.id)
                    && note.death.is_some()
                    && request.is_wanted(&note)
                {
                    found.left.try_to_move();
                    found.messages.push((died.id, note));
                }
            }
        }
    }
    found
}

impl Redrive<'_> {
    /// True if a message of which that is known is one of those that it asks for.
    fn is_wanted(&self, note: &Note) -> bool {
        let Some(death) = &note.death else { return self.takes_others };
        let is_reason = |text: &[u8]| {
            death.reason.word().as_bytes() == text || note.last_error.as_deref() == Some(text)
        };
        self.from.is_none_or(|from| death.from == *from) && self.reason.is_none_or(is_reason)
    }
}

/// A queue that can take messages back.
struct Target<S> {
    store: S,
    behind: Behind,
}

/// The queue of that name, if it can take messages.
fn open<S: Store>(store: &S, name: &QueueName, request: &Redrive<'_>) -> Option<Target<S>> {
    let is_elsewhere = request.same_slot && !name.shares_slot_with(store.queue());
    if is_elsewhere || name == store.queue() {
        return None;
    }
    let mut store = store.other(name);
    store.require(&Part::ALL).ok()?;
    Some(Target { store, behind: Behind::default() })
}

/// Takes a message that waits and is in `Messages` out of the queue. None if it does not wait; or if
/// it can't be read: then it is out of the way.
fn take_out<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    note: &Note,
) -> Option<S::Body> {
    let slot = place::take_out(store, id, note)?;
    let Ok(Some(body)) = store.message(id) else {
        damage::set_message_aside(store, effects, id);
        place::leave_group(store, effects, note, slot);
        return None;
    };
    place::forget(store, effects, id, Some(note), slot);
    Some(body)
}

/// Lets a message that was taken out of its queue wait in another one.
fn put<S: Store>(
    Target { store, behind }: &mut Target<S>,
    effects: &mut Effects,
    body: &S::Body,
    note: Note,
    now_ms: u64,
) {
    store.put_message(body);
    let mut restored =
        Note { retry_count: 0, ended: Ended::Never, death: None, dedup: None, ..note };
    if note.death.is_some() {
        restored.expires_at_ms = None;
    }
    if let Some(member) = &mut restored.group {
        member.sequence = None;
    }
    let mut there = Effects::none();
    let rank = behind.rank(store, &restored, now_ms);
    place::make_ready(store, &mut there, body.id(), &mut restored, rank, None);
    store.put_note(body.id(), &restored);
    effects.note_other(store.queue(), there.next_due);
}

/// Moves those of these messages that are in lists of ready ones; their number.
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
        let note = body.take_note().map(|note| *note);
        put_listed(store, effects, target, &body, note, now_ms);
        moved = moved.saturating_add(1);
    }
    moved
}

/// Moves a message that was taken out of a list of ready ones.
fn put_listed<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    body: &S::Body,
    note: Option<Note>,
    now_ms: u64,
) {
    let note = note.unwrap_or_default();
    dedup::release(store, body.id(), &note);
    effects.changed = true;
    put(target, effects, body, note, now_ms);
}

/// Moves messages in the order of their delivery, those of groups last; their number.
fn move_others<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    left: &mut Left,
    now_ms: u64,
) -> u64 {
    let aging_ms = store.number(Setting::Aging);
    let order = Order { now_ms, aging_ms, is_final: true, is_plain: false };
    let mut moved = 0u64;
    while !left.is_used_up()
        && let Some(number) = move_next(store, effects, target, order)
    {
        left.look();
        if number > 0 {
            left.try_to_move();
            moved = moved.saturating_add(number);
        }
    }
    moved
}

/// Moves the message that comes next: 1; 0 if it was discarded, because its time to live is over, or
/// can't be read and is out of the way. None if there is none.
fn move_next<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut Target<S>,
    order: Order,
) -> Option<u64> {
    let now_ms = order.now_ms;
    match line::take_ungrouped(store, order) {
        Ok(Next::Message(Taken { body, note, from })) => {
            let note = note.map(|note| *note);
            if from == Origin::Ready {
                put_listed(store, effects, target, &body, note, now_ms);
            } else {
                place::forget(store, effects, body.id(), note.as_ref(), None);
                put(target, effects, &body, note.unwrap_or_default(), now_ms);
            }
            Some(1)
        }
        Ok(Next::Expired(id, _)) => {
            sweep::discard_waiting(store, effects, id, now_ms);
            Some(0)
        }
        Ok(Next::Nothing) => {
            let (id, note) = first_of_groups(store)?;
            if note.is_expired(now_ms) {
                sweep::discard_waiting(store, effects, id, now_ms);
                return Some(0);
            }
            let body = take_out(store, effects, id, &note)?;
            put(target, effects, &body, note, now_ms);
            Some(1)
        }
        Err(QueueError::Corrupt(corruption)) => {
            line::set_first_aside(store, effects, corruption).ok()?;
            Some(0)
        }
        Err(_) => None,
    }
}

/// The first message of the first group that has waiting ones, whether it has a free slot or not.
fn first_of_groups<S: Store>(store: &mut S) -> Option<(MessageId, Note)> {
    // One of the first two may be that of the messages without a group.
    let (name, _) = store.groups(0, 2).into_iter().find(|(name, _)| !name.is_empty())?;
    let group = store.group(&name);
    let id = group::waiting(store, &name, &group, 0, 1).pop()?;
    Some((id, store.note(id).ok()??))
}
