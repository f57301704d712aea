//! The sweep: expired messages are discarded, overdue deliveries return, delayed messages become ready,
//! a pause ends, deduplication windows close.

use std::cmp::Reverse;

use super::effects::{Effects, NextDue};
use super::error::QueueError;
use super::message::{Delivery, MessageId, Rank, Running, StateRecord};
use super::op::{Decided, Pull, Sweep};
use super::part::Part;
use super::retry::{End, Returns, Why, end_delivery};
use super::rules::Rules;
use super::store::{Store, Unreadable};
use super::{damage, deadline, dedup, limits, pause, place, retry, unused};

/// Processes up to `sweep.limit` of what is due at `now_ms`. Leaves the earliest remaining deadline in
/// `effects.next_due`; what is due beyond the limit is such a deadline.
pub(super) fn sweep<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    Sweep { now_ms, sweep, ended }: &Sweep,
) -> Result<(), QueueError> {
    store.require(Part::BEHIND_READY)?;
    let (mut left, now_ms) = (sweep.limit, *now_ms);
    move_due(store, effects, &mut left, Decided { now_ms, same_slot: sweep.same_slot }, ended);
    dedup::sweep(store, effects, &mut left, now_ms);
    report_deadlines(store, effects, now_ms);
    Ok(())
}

/// Requires what [`sweep_messages`] needs: of a queue in which nothing can be due few keys.
pub(super) fn require_messages<S: Store>(store: &mut S) -> Result<(), QueueError> {
    store.require(TIMED)?;
    store.require(&[Part::Deduped, Part::Config])?;
    if can_be_due(store) { store.require(Part::BEHIND_READY) } else { Ok(()) }
}

/// The parts that hold deadlines of messages.
const TIMED: &[Part] = &[Part::Flight, Part::Inflight, Part::Delayed, Part::Expiring];

fn can_be_due<S: Store>(store: &mut S) -> bool {
    store.rules() == Rules::V1 || TIMED.iter().any(|part| store.len(*part) > 0)
}

/// As [`sweep`], but only what a pull can observe, which deduplication keys are not. True if more
/// messages are due than it was allowed to move.
pub(super) fn sweep_messages<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    Pull { now_ms, sweep, ended, .. }: &Pull<'_>,
) -> Result<bool, QueueError> {
    require_messages(store)?;
    let (mut left, now_ms) = (sweep.limit, *now_ms);
    move_due(store, effects, &mut left, Decided { now_ms, same_slot: sweep.same_slot }, ended);
    let next_ms = report_deadlines(store, effects, now_ms);
    Ok(next_ms.is_some_and(|next_ms| next_ms <= now_ms))
}

fn move_due<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    left: &mut u32,
    decided: Decided,
    ended: &[MessageId],
) {
    pause::sweep(store, effects, decided.now_ms);
    let mut returns = None;
    expire(store, effects, left, decided, &mut returns);
    return_overdue(store, effects, left, decided, (ended, &mut returns));
    release_delayed(store, effects, left, decided.now_ms);
}

/// Reports the earliest deadline in `effects`; returns that of messages, unix ms.
fn report_deadlines<S: Store>(store: &mut S, effects: &mut Effects, now_ms: u64) -> Option<u64> {
    let of_messages = deadline::of_messages(store);
    let opening = limits::next_opening(store, now_ms);
    let look = unused::next_look(store, now_ms);
    // None also if another client put something else at that key: messages don't wait for its schedules.
    let tick = store.first_tick();
    let others = deadline::of_keys(store).into_iter().chain(opening).chain(look).chain(tick);
    let all = of_messages.into_iter().chain(others).min();
    effects.next_due = NextDue::Exactly(all);
    of_messages
}

fn expire<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    left: &mut u32,
    decided: Decided,
    returns: &mut Option<Returns<S>>,
) {
    while *left > 0 {
        let Some((id, at_ms)) = store.first_timed(Part::Expiring) else { return };
        if at_ms > decided.now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => expire_waiting(store, effects, id, decided, returns),
            Err(member) => damage::set_member_aside(store, effects, Part::Expiring, &member),
        }
    }
}

/// Removes a ready or delayed message if its TTL is over.
pub(super) fn expire_waiting<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    decided: Decided,
    returns: &mut Option<Returns<S>>,
) {
    effects.changed = true;
    store.remove_timed(Part::Expiring, id);
    match store.record(id) {
        Ok(record) => {
            let record = record.unwrap_or_default();
            if !record.is_expired(decided.now_ms) {
                // Another client wrote the entry: the state of the message counts.
                if let Some(at_ms) = record.expires_at_ms() {
                    store.add_timed(Part::Expiring, id, at_ms);
                }
                return;
            }
            if let Some(slot) = place::take_out(store, id, &record) {
                let returns = returns.get_or_insert_with(|| Returns::begin(store));
                retry::expire(store, effects, returns, (id, &record), slot, decided);
            }
        }
        Err(_) => {
            place::take_out(store, id, &StateRecord::default());
            damage::set_message_aside(store, effects, id);
        }
    }
}

fn return_overdue<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    left: &mut u32,
    decided: Decided,
    (ended, returns): (&[MessageId], &mut Option<Returns<S>>),
) {
    let mut end = |store: &mut S, effects: &mut Effects, delivery, until_ms| {
        let returns = returns.get_or_insert_with(|| Returns::begin(store));
        let end = End { why: Why::RanOut, at_ms: until_ms, delay_ms: None, reason: None };
        end_delivery(store, effects, returns, delivery, end, decided);
        effects.counts.expired = effects.counts.expired.saturating_add(1);
    };
    let mut listed = ended.iter().copied().peekable();
    while *left > 0 {
        let next = listed.peek().copied().map(|id| (id, store.delivery_of(id)));
        let old = store.first_old_delivery().filter(|(_, old)| old.until_ms <= decided.now_ms);
        match (next, old) {
            (Some((id, Err(_))), _) => damage::set_delivery_aside(store, effects, id),
            (Some((_, Ok(None))), _) => {
                listed.next();
                continue;
            }
            (Some((_, Ok(Some((delivery, running))))), old)
                if is_first(delivery, running, &old) =>
            {
                listed.next();
                if running.until_ms > decided.now_ms {
                    continue;
                }
                end(store, effects, delivery, running.until_ms);
            }
            (_, Some((Ok(delivery), old))) => end(store, effects, delivery, old.until_ms),
            (_, Some((Err(member), _))) => {
                damage::set_member_aside(store, effects, Part::Inflight, &member);
            }
            (_, None) => return,
        }
        *left = left.saturating_sub(1);
    }
}

/// True if a delivery ends before the first of those that began under version 1 of ops.
fn is_first(
    delivery: Delivery,
    running: Running,
    old: &Option<(Result<Delivery, Unreadable>, Running)>,
) -> bool {
    let order = |delivery: &Delivery, running: &Running| {
        (running.until_ms, running.has_cleanup, delivery.receipt, Reverse(delivery.id))
    };
    match old {
        Some((Ok(other), old)) => order(&delivery, &running) < order(other, old),
        Some((Err(_), old)) => running.until_ms < old.until_ms,
        None => true,
    }
}

fn release_delayed<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, now_ms: u64) {
    while *left > 0 {
        let Some((id, due_at_ms)) = store.first_timed(Part::Delayed) else { return };
        if due_at_ms > now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => release(store, effects, id, |_, record| record.rank(due_at_ms)),
            Err(member) => damage::set_member_aside(store, effects, Part::Delayed, &member),
        }
    }
}

/// Makes a delayed message ready, with the rank that `rank` returns.
pub(super) fn release<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    id: MessageId,
    rank: impl FnOnce(&mut S, &StateRecord) -> Rank,
) {
    store.remove_timed(Part::Delayed, id);
    match store.record(id) {
        Ok(stored) => {
            let mut record = stored.clone().unwrap_or_default();
            let slot = place::slot_when_delayed(&record);
            let rank = rank(store, &record);
            place::make_ready(store, effects, id, &mut record, rank, slot);
            // It may have got its number in the group.
            if stored.is_some_and(|stored| stored != record) {
                store.put_record(id, &record);
            }
        }
        // The pull that reaches it sets it aside.
        Err(_) => {
            let mut record = StateRecord::default();
            let rank = rank(store, &record);
            place::make_ready(store, effects, id, &mut record, rank, None);
        }
    }
}
