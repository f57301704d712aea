//! Which ready message is delivered next: by the group schedule, and outside of groups by priority and
//! age.

use super::effects::Effects;
use super::error::{Corruption, QueueError};
use super::group::{self, First, NextGroup};
use super::message::{Body, MessageId, Rank, StateRecord};
use super::part::Part;
use super::place;
use super::store::{Store, Unreadable};
use super::valid::MAX_PRIORITY;

/// A ready message that was removed from its place.
pub(super) struct Taken<B> {
    pub body: B,
    pub record: Option<Box<StateRecord>>,
    pub from: Origin,
}

/// Where a message was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In a ready list: its body is nowhere else.
    Ready,
    Ranked,
    /// The next one of this group, which still has the message.
    Group(Box<First>),
}

/// What is next; `T` is one message, or several.
pub(super) enum NextMessage<T> {
    /// It has left its place, except that its group still has it.
    Message(T),
    /// Its time to live ended at this time, unix ms; it is left to the sweep.
    Expired(MessageId, u64),
    Nothing,
}

/// How the next message is selected and taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub now_ms: u64,
    /// See [`Setting::Aging`](super::settings::Setting::Aging).
    pub aging_ms: u64,
    /// At-most-once delivery.
    pub is_final: bool,
    /// See [`group::is_plain`].
    pub is_plain: bool,
}

impl<T> NextMessage<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> NextMessage<U> {
        match self {
            Self::Message(message) => NextMessage::Message(change(message)),
            Self::Expired(id, at_ms) => NextMessage::Expired(id, at_ms),
            Self::Nothing => NextMessage::Nothing,
        }
    }
}

/// Takes the next ready message out of its place and hands it to `take`. In a plain queue, where no other can come
/// between them, up to `count`, until `take` returns false. On an error the next one stays in its place.
pub(super) fn take_next<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    order: Order,
    count: u64,
    mut take: impl FnMut(S::Body, Option<Box<StateRecord>>) -> bool,
) -> Result<NextMessage<Origin>, QueueError> {
    if order.is_plain {
        let is_taken = take_ready(store, order, 0, count, take)?;
        let next = NextMessage::Message(Origin::Ready);
        return Ok(if is_taken { next } else { NextMessage::Nothing });
    }
    let next = take_one(store, effects, order)?;
    Ok(next.map(|Taken { body, record, from }| {
        take(body, record);
        from
    }))
}

fn take_one<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    order: Order,
) -> Result<NextMessage<Taken<S::Body>>, QueueError> {
    match group::next_group(store, effects)? {
        NextGroup::Ungrouped => take_ungrouped(store, order),
        NextGroup::Group(first, id) => {
            let taken = read(store, id, order, Origin::Group(first))?;
            if let Some(at_ms) = taken.expired_at(order) {
                return Ok(NextMessage::Expired(id, at_ms));
            }
            if taken.record.as_ref().is_some_and(|record| record.expiry.is_some()) {
                store.remove_timed(Part::Expiring, id);
            }
            Ok(NextMessage::Message(taken))
        }
    }
}

/// Takes the next ready message without a group, whatever the schedule says.
pub(super) fn take_ungrouped<S: Store>(
    store: &mut S,
    order: Order,
) -> Result<NextMessage<Taken<S::Body>>, QueueError> {
    match first_ungrouped(store, order)? {
        None => Ok(NextMessage::Nothing),
        Some(Candidate::Ready(priority)) => {
            let mut next = NextMessage::Nothing;
            take_ready(store, order, priority, 1, |body, record| {
                next = NextMessage::Message(Taken { body, record, from: Origin::Ready });
                false
            })?;
            Ok(next)
        }
        Some(Candidate::Ranked(id)) => {
            let taken = read(store, id, order, Origin::Ranked)?;
            if let Some(at_ms) = taken.expired_at(order) {
                return Ok(NextMessage::Expired(id, at_ms));
            }
            match &taken.record {
                Some(record) => place::take_out(store, id, record),
                None => place::take_out(store, id, &StateRecord::default()),
            };
            Ok(NextMessage::Message(taken))
        }
    }
}

/// Takes messages from the front of a ready list, up to `count`, until `take` returns false. True if there were any.
/// On an error none was taken; what fails behind the first one stays for the next pull.
#[inline]
fn take_ready<S: Store>(
    store: &mut S,
    order: Order,
    priority: u8,
    count: u64,
    mut take: impl FnMut(S::Body, Option<Box<StateRecord>>) -> bool,
) -> Result<bool, QueueError> {
    let parts: &[Part] = if order.is_final { &[Part::Dedup] } else { &[] };
    let (mut is_taken, mut has_room) = (false, true);
    let result = store.take_ready(priority, count, parts, |mut body| {
        if !has_room {
            return Some(body);
        }
        let record = body.take_record();
        has_room = take(body, record);
        is_taken = true;
        None
    });
    match result {
        Err(error) if !is_taken => Err(error),
        _ => Ok(is_taken),
    }
}

impl<B> Taken<B> {
    fn expired_at(&self, order: Order) -> Option<u64> {
        self.record.as_ref()?.expires_at_ms().filter(|at_ms| *at_ms <= order.now_ms)
    }
}

/// Reads a ready message and requires the parts that change when it is taken.
fn read<S: Store>(
    store: &mut S,
    id: MessageId,
    order: Order,
    from: Origin,
) -> Result<Taken<S::Body>, QueueError> {
    let mut body = store.message(id)?.ok_or(Corruption::NoBody(id))?;
    store.require(&[Part::Notes])?;
    let record = store.stored_record(id)?.map(Box::new).or_else(|| body.take_record());
    if let Some(record) = &record {
        if !order.is_final && !record.next_receipt().is_valid() {
            // The last receipt is the greatest possible one: no delivery could have a greater one.
            return Err(Corruption::Message(id).into());
        }
        match from {
            Origin::Group(..) => {
                group::require(store)?;
                place::require_beside(store, record)?;
            }
            Origin::Ready | Origin::Ranked => place::require(store, record)?,
        }
        if order.is_final {
            place::require_to_forget(store, record)?;
        }
    }
    Ok(Taken { body, record, from })
}

/// A candidate for the next message without a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    /// The first of a ready list.
    Ready(u8),
    Ranked(MessageId),
}

/// The next ready message without a group.
fn first_ungrouped<S: Store>(store: &mut S, order: Order) -> Result<Option<Candidate>, Corruption> {
    if order.aging_ms > 0
        && let Some(oldest) = oldest_candidate(store, order)?
    {
        return Ok(Some(oldest));
    }
    let top = store.top_priority();
    let ranked = match store.len(Part::Ranked) {
        0 => None,
        _ => store.first_ranked(),
    };
    let Some((member, rank)) = ranked else { return Ok(top.map(Candidate::Ready)) };
    let id = member.map_err(|_| Corruption::Member)?;
    if let Some(priority) = top
        && let Some(ready) = store.first_ready(priority)?
        && (Rank::new(priority, ready.timestamp_ms()), ready) < (rank, id)
    {
        return Ok(Some(Candidate::Ready(priority)));
    }
    Ok(Some(Candidate::Ranked(id)))
}

/// The oldest of those first messages of each priority that have waited longer than AGING; None if there
/// is none.
fn oldest_candidate<S: Store>(
    store: &mut S,
    order: Order,
) -> Result<Option<Candidate>, Corruption> {
    let mut oldest: Option<(u64, Candidate)> = None;
    for priority in (0..=MAX_PRIORITY).rev() {
        let ranked = match store.first_of_priority(priority) {
            None => None,
            Some((Ok(id), rank)) => Some((rank, id, Candidate::Ranked(id))),
            Some((Err(_), _)) => return Err(Corruption::Member),
        };
        let ready = store.first_ready(priority)?;
        let ready = ready
            .map(|id| (Rank::new(priority, id.timestamp_ms()), id, Candidate::Ready(priority)));
        let first = ranked.into_iter().chain(ready).min_by_key(|(rank, id, _)| (*rank, *id));
        let Some((rank, _, candidate)) = first else { continue };
        let since_ms = rank.ready_since_ms();
        let is_old = order.now_ms.saturating_sub(since_ms) > order.aging_ms;
        if is_old && oldest.is_none_or(|(other_ms, _)| since_ms < other_ms) {
            oldest = Some((since_ms, candidate));
        }
    }
    Ok(oldest.map(|(_, candidate)| candidate))
}

/// Sets aside the record that [`take_next`] could not read. Error: [`QueueError::WrongType`] when
/// `Damaged` has another type; nothing is changed then.
pub(super) fn set_first_aside<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    corruption: Corruption,
) -> Result<(), QueueError> {
    store.require(&[Part::Damaged])?;
    match corruption {
        Corruption::Ready(priority) => store.set_ready_aside(priority),
        Corruption::Member => {
            if let Some(member) = first_unreadable(store) {
                store.set_member_aside(Part::Ranked, &member);
            }
        }
        Corruption::Message(id) | Corruption::NoBody(id) => {
            if !store.remove_ranked(id)
                && let Ok(NextGroup::Group(mut group, first)) = group::next_group(store, effects)
                && first == id
            {
                group::serve(store, effects, &mut group, None, None);
            }
            store.set_message_aside(id);
        }
        // No pull reads one.
        Corruption::Schedule => return Ok(()),
    }
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
    Ok(())
}

fn first_unreadable<S: Store>(store: &mut S) -> Option<Unreadable> {
    let mut candidates = vec![store.first_ranked()];
    candidates.extend((0..=MAX_PRIORITY).map(|priority| store.first_of_priority(priority)));
    candidates.into_iter().flatten().find_map(|(member, _)| member.err())
}
