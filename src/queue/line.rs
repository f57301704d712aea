//! Which waiting message is the next: by turn of the groups, and among those without a group by
//! priority and by how long they wait.

use super::effects::Effects;
use super::error::{Corruption, QueueError};
use super::group::{self, First, Turn};
use super::message::{Body, MessageId, Note, Rank};
use super::part::Part;
use super::place;
use super::store::{Store, Unreadable};
use super::valid::MAX_PRIORITY;

/// A waiting message that was taken out of its place.
pub(super) struct Taken<B> {
    /// Its body.
    pub body: B,
    /// What is known of it.
    pub note: Option<Box<Note>>,
    /// From where.
    pub from: Origin,
}

/// Where a message waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the list of its priority: its body is nowhere else.
    Ready,
    /// In `Ranked`.
    Ranked,
    /// First in this group, which still has the message.
    Group(Box<First>),
}

/// What is first in line.
pub(super) enum Next<B> {
    /// This message. It has no place any more, but in its group.
    Message(Taken<B>),
    /// One whose time to live is over, since when, unix ms: it waits for the sweep.
    Expired(MessageId, u64),
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
    /// See [`group::is_plain`].
    pub is_plain: bool,
}

/// Takes the first waiting message out of its place. On an error the message is where it was.
pub(super) fn take_next<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    order: Order,
) -> Result<Next<S::Body>, QueueError> {
    if order.is_plain {
        return take_ready(store, order, 0);
    }
    match group::whose_turn(store, effects)? {
        Turn::Ungrouped => take_ungrouped(store, order),
        Turn::Group(first, id) => {
            let taken = read(store, id, order, Origin::Group(first))?;
            if let Some(at_ms) = taken.expired_at(order) {
                return Ok(Next::Expired(id, at_ms));
            }
            if taken.note.as_ref().is_some_and(|note| note.expires_at_ms.is_some()) {
                store.remove_expiring(id);
            }
            Ok(Next::Message(taken))
        }
    }
}

/// Takes the first waiting message without a group, whosever turn it is.
pub(super) fn take_ungrouped<S: Store>(
    store: &mut S,
    order: Order,
) -> Result<Next<S::Body>, QueueError> {
    match first_ungrouped(store, order)? {
        None => Ok(Next::Nothing),
        Some(Head::Ready(priority)) => take_ready(store, order, priority),
        Some(Head::Ranked(id)) => {
            let taken = read(store, id, order, Origin::Ranked)?;
            if let Some(at_ms) = taken.expired_at(order) {
                return Ok(Next::Expired(id, at_ms));
            }
            match &taken.note {
                Some(note) => place::take_out(store, id, note),
                None => place::take_out(store, id, &Note::default()),
            };
            Ok(Next::Message(taken))
        }
    }
}

fn take_ready<S: Store>(
    store: &mut S,
    order: Order,
    priority: u8,
) -> Result<Next<S::Body>, QueueError> {
    let parts: &[Part] = if order.is_final { &[Part::Dedup] } else { &[] };
    let taken = store.take_ready(priority, parts)?;
    Ok(taken.map_or(Next::Nothing, |mut body| {
        let note = body.take_note();
        Next::Message(Taken { body, note, from: Origin::Ready })
    }))
}

impl<B> Taken<B> {
    fn expired_at(&self, order: Order) -> Option<u64> {
        self.note.as_ref()?.expires_at_ms.filter(|at_ms| *at_ms <= order.now_ms)
    }
}

/// Reads a message that waits there, and requires the parts that are needed to take it.
fn read<S: Store>(
    store: &mut S,
    id: MessageId,
    order: Order,
    from: Origin,
) -> Result<Taken<S::Body>, QueueError> {
    let mut body = store.message(id)?.ok_or(Corruption::NoBody(id))?;
    store.require(&[Part::Notes])?;
    let note = store.written_note(id)?.map(Box::new).or_else(|| body.take_note());
    if let Some(note) = &note {
        if !order.is_final && !note.next_receipt().is_valid() {
            // Its last receipt is the greatest of all: no delivery could have a greater one.
            return Err(Corruption::Message(id).into());
        }
        match from {
            Origin::Group(..) => {
                group::require(store)?;
                place::require_beside(store, note)?;
            }
            Origin::Ready | Origin::Ranked => place::require(store, note)?,
        }
        if order.is_final {
            place::require_to_forget(store, note)?;
        }
    }
    Ok(Taken { body, note, from })
}

/// A message that may be the next of those without a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// The first in the list of a priority.
    Ready(u8),
    /// This one in `Ranked`.
    Ranked(MessageId),
}

/// The first waiting message without a group.
fn first_ungrouped<S: Store>(store: &mut S, order: Order) -> Result<Option<Head>, Corruption> {
    if order.aging_ms > 0
        && let Some(oldest) = oldest_head(store, order)?
    {
        return Ok(Some(oldest));
    }
    let top = store.top_lane();
    let ranked = match store.len(Part::Ranked) {
        0 => None,
        _ => store.first_ranked(),
    };
    let Some((member, rank)) = ranked else { return Ok(top.map(Head::Ready)) };
    let id = member.map_err(|_| Corruption::Place)?;
    if let Some(priority) = top
        && let Some(ready) = store.first_ready(priority)?
        && (Rank::new(priority, ready.timestamp_ms()), ready) < (rank, id)
    {
        return Ok(Some(Head::Ready(priority)));
    }
    Ok(Some(Head::Ranked(id)))
}

/// Among the first messages of each priority that wait longer than the aging allows, the one that
/// waits longest. None if none waits that long.
fn oldest_head<S: Store>(store: &mut S, order: Order) -> Result<Option<Head>, Corruption> {
    let mut oldest: Option<(u64, Head)> = None;
    for priority in (0..=MAX_PRIORITY).rev() {
        let ranked = match store.first_of_priority(priority) {
            None => None,
            Some((Ok(id), rank)) => Some((rank, id, Head::Ranked(id))),
            Some((Err(_), _)) => return Err(Corruption::Place),
        };
        let ready = store.first_ready(priority)?;
        let ready =
            ready.map(|id| (Rank::new(priority, id.timestamp_ms()), id, Head::Ready(priority)));
        let first = ranked.into_iter().chain(ready).min_by_key(|(rank, id, _)| (*rank, *id));
        let Some((rank, _, head)) = first else { continue };
        let since_ms = rank.ready_since_ms();
        let is_old = order.now_ms.saturating_sub(since_ms) > order.aging_ms;
        if is_old && oldest.is_none_or(|(other_ms, _)| since_ms < other_ms) {
            oldest = Some((since_ms, head));
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
        Corruption::Ready(priority) => store.set_ready_aside(priority),
        Corruption::Place => {
            if let Some(member) = first_unreadable(store) {
                store.set_member_aside(Part::Ranked, &member);
            }
        }
        Corruption::Message(id) | Corruption::NoBody(id) => {
            if !store.remove_ranked(id)
                && let Ok(Turn::Group(mut group, first)) = group::whose_turn(store, effects)
                && first == id
            {
                group::serve(store, effects, &mut group, None, None);
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
