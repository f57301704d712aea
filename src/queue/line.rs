//! Which waiting message is the next: by turn of the groups, and among those without a group by
//! priority and by how long they wait.

use super::group::{self, Turn};
use super::message::{Body, MAX_PRIORITY, MessageId, Note, Rank};
use super::store::{Part, Store, Unreadable};
use super::{Corruption, Effects, QueueError, place};

/// A waiting message that was taken out of its place.
pub(super) struct Taken<B> {
    /// Its body.
    pub body: B,
    /// Its note.
    pub note: Option<Box<Note>>,
    /// From where.
    pub from: Origin,
}

/// Where a message waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In `Ready`: its body is nowhere else.
    Ready,
    /// In `Ranked`.
    Ranked,
    /// In its group, which still counts it as waiting.
    Group,
}

/// What is first in line.
pub(super) enum Next<B> {
    /// This message. It has no place any more.
    Message(Taken<B>),
    /// One whose time to live is over: it waits for the sweep.
    Expired,
    /// None.
    Nothing,
}

/// How the next message is chosen and taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// See [`Setting::Aging`](super::settings::Setting::Aging).
    pub aging_ms: u64,
    /// The message is handed out for good.
    pub is_final: bool,
}

/// Takes the first waiting message out of its place. On an error the message is where it was.
pub(super) fn take_next<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    order: Order,
) -> Result<Next<S::Body>, QueueError> {
    match group::whose_turn(store, effects) {
        Turn::Ungrouped => take_ungrouped(store, order),
        Turn::Group(name, sequence, id) => take_grouped(store, (&name, sequence, id), order),
    }
}

fn take_ungrouped<S: Store>(store: &mut S, order: Order) -> Result<Next<S::Body>, QueueError> {
    let Some(id) = first_if_ranked(store, order)? else {
        let taken = store.take_ready()?;
        return Ok(taken.map_or(Next::Nothing, |body| {
            Next::Message(Taken { body, note: None, from: Origin::Ready })
        }));
    };
    let (body, note) = read(store, id, order)?;
    if note.as_ref().is_some_and(|note| note.is_expired(order.now_ms)) {
        return Ok(Next::Expired);
    }
    match &note {
        Some(note) => place::take_out(store, id, note),
        None => place::take_out(store, id, &Note::default()),
    };
    Ok(Next::Message(Taken { body, note, from: Origin::Ranked }))
}

fn take_grouped<S: Store>(
    store: &mut S,
    (group, sequence, id): (&[u8], u64, MessageId),
    order: Order,
) -> Result<Next<S::Body>, QueueError> {
    let (body, note) = read(store, id, order)?;
    if note.as_ref().is_some_and(|note| note.is_expired(order.now_ms)) {
        return Ok(Next::Expired);
    }
    store.remove_grouped(group, sequence, id);
    if note.as_ref().is_some_and(|note| note.expires_at_ms.is_some()) {
        store.remove_expiring(id);
    }
    Ok(Next::Message(Taken { body, note, from: Origin::Group }))
}

fn read<S: Store>(
    store: &mut S,
    id: MessageId,
    order: Order,
) -> Result<(S::Body, Option<Box<Note>>), QueueError> {
    let body = store.message(id)?.ok_or(Corruption::NoBody(id))?;
    store.require(&[Part::Notes])?;
    let note = store.note(id)?.map(Box::new);
    if let Some(note) = &note {
        place::require(store, note)?;
        if order.is_final {
            place::require_to_forget(store, note)?;
        }
    }
    Ok((body, note))
}

/// The first waiting message without a group if that is in `Ranked`.
fn first_if_ranked<S: Store>(store: &mut S, order: Order) -> Result<Option<MessageId>, Corruption> {
    if store.len(Part::Ranked) == 0 {
        return Ok(None);
    }
    if order.aging_ms > 0
        && let Some(oldest) = oldest_head(store, order)?
    {
        return Ok(oldest);
    }
    let Some((member, rank)) = store.first_ranked() else { return Ok(None) };
    let id = member.map_err(|_| Corruption::Place)?;
    let Some(ready) = store.first_ready()? else { return Ok(Some(id)) };
    let ranked_first = (rank, id) < (Rank::plain(ready.timestamp_ms()), ready);
    Ok(ranked_first.then_some(id))
}

/// Among the first messages of each priority that wait longer than the aging allows, the one that
/// waits longest: in `Ranked`, or, for None, in `Ready`. None if none waits that long.
fn oldest_head<S: Store>(
    store: &mut S,
    order: Order,
) -> Result<Option<Option<MessageId>>, Corruption> {
    let mut oldest: Option<(u64, Option<MessageId>)> = None;
    let mut consider = |since_ms: u64, head: Option<MessageId>| {
        let is_old = order.now_ms.saturating_sub(since_ms) > order.aging_ms;
        if is_old && oldest.is_none_or(|(other_ms, _)| since_ms < other_ms) {
            oldest = Some((since_ms, head));
        }
    };
    for priority in (0..=MAX_PRIORITY).rev() {
        let ranked = match store.first_of_priority(priority) {
            None => None,
            Some((Ok(id), rank)) => Some((rank.ready_since_ms(), id)),
            Some((Err(_), _)) => return Err(Corruption::Place),
        };
        let ready = if priority == 0 { store.first_ready()? } else { None };
        match (ranked, ready.map(|id| (id.timestamp_ms(), id))) {
            (Some(ranked), Some(ready)) if ready < ranked => consider(ready.0, None),
            (Some((since_ms, id)), _) => consider(since_ms, Some(id)),
            (None, Some((since_ms, _))) => consider(since_ms, None),
            (None, None) => {}
        }
    }
    Ok(oldest.map(|(_, head)| head))
}

/// Takes what [`take_next`] could not read out of the way. Error: [`QueueError::WrongType`] when it
/// can't go to `Damaged`; nothing is changed then.
pub(super) fn set_first_aside<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    corruption: Corruption,
) -> Result<(), QueueError> {
    store.require(&[Part::Damaged])?;
    match corruption {
        Corruption::Ready => store.set_ready_aside(),
        Corruption::Place => {
            if let Some(member) = first_unreadable(store) {
                store.set_member_aside(Part::Ranked, &member);
            }
        }
        Corruption::Message(id) | Corruption::NoBody(id) => {
            if !store.remove_ranked(id)
                && let Turn::Group(group, sequence, first) = group::whose_turn(store, effects)
                && first == id
            {
                store.remove_grouped(&group, sequence, id);
                group::count(store, effects, &group, Some(group::Slot::Waiting), None);
            }
            store.set_message_aside(id);
        }
    }
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
    Ok(())
}

fn first_unreadable<S: Store>(store: &mut S) -> Option<Unreadable> {
    let mut heads = vec![store.first_ranked()];
    heads.extend((0..=MAX_PRIORITY).map(|priority| store.first_of_priority(priority)));
    heads.into_iter().flatten().find_map(|(member, _)| member.err())
}

/// The rank of a message of `Ready`.
pub(super) fn ready_rank<B: Body>(body: &B) -> Rank {
    Rank::plain(body.id().timestamp_ms())
}
