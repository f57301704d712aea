//! Death: a message moves to the dead-letter queue, where it is an ordinary message again, except that
//! it never dies a second time.

use std::cell::OnceCell;

use super::effects::Effects;
use super::group::Slot;
use super::message::{Death, DeathReason, Ended, Expiry, MessageId, StateRecord};
use super::op::Decided;
use super::part::Part;
use super::place::TailRanks;
use super::rules::Rules;
use super::settings::{Setting, Settings};
use super::store::Store;
use super::valid::MAX_TIME_MS;
use super::{damage, limits, place};

/// The dead-letter queue, opened for the first message of an op that dies: opening a queue costs more
/// than the move.
pub(super) struct DeadLetterQueue<S>(OnceCell<Option<Open<S>>>);

impl<S> Default for DeadLetterQueue<S> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

/// Why a message dies, and the slot in which its group counts it.
pub(super) struct Dying {
    pub reason: DeathReason,
    pub from: Option<Slot>,
    pub decided: Decided,
}

impl<S: Store> DeadLetterQueue<S> {
    /// Moves a message that has left its place. False if the dead-letter queue cannot take it; then
    /// nothing was moved. A message whose body is unreadable is set aside instead.
    pub(super) fn move_dead(
        &mut self,
        store: &mut S,
        effects: &mut Effects,
        settings: &Settings,
        id: MessageId,
        record: &StateRecord,
        Dying { reason, from, decided }: Dying,
    ) -> bool {
        self.0.get_or_init(|| open(store, settings, decided));
        let Some(Some(Open { store: target, behind, ttl_ms, max_len })) = self.0.get_mut() else {
            let refused = &mut effects.counts.dead_letters_refused;
            *refused = refused.saturating_add(1);
            return false;
        };
        let body = match store.message(id) {
            Ok(Some(body)) => body,
            Ok(None) | Err(_) => {
                damage::set_message_aside(store, effects, id);
                place::leave_group(store, effects, record, from);
                return true;
            }
        };
        make_room(target, effects, *max_len);
        target.put_message(&body);
        let death = Death {
            from: store.queue().clone(),
            at_ms: decided.now_ms,
            reason,
            retries: record.retry_count,
        };
        let mut dead_record = dead_record(record, death, *ttl_ms);
        let mut there = Effects::none();
        let rank = behind.rank(target, &dead_record, decided.now_ms);
        place::make_ready(target, &mut there, id, &mut dead_record, rank, None);
        target.put_record(id, &dead_record);
        effects.add_other(target.queue(), there.next_due);
        place::forget(store, effects, id, Some(record), from);
        effects.counts.dead = effects.counts.dead.saturating_add(1);
        true
    }
}

/// The state record of a dead letter. The receipt is kept, because later receipts of this message must
/// be greater; priority and group are kept for a redrive.
fn dead_record(record: &StateRecord, death: Death, ttl_ms: u64) -> StateRecord {
    let expires_at_ms = death.at_ms.saturating_add(ttl_ms).min(MAX_TIME_MS.saturating_sub(1));
    let mut dead_record = StateRecord {
        retry_count: 0,
        ended: Ended::Never,
        death: Some(death),
        expiry: (ttl_ms > 0).then(|| Expiry::discards(expires_at_ms)),
        dedup: None,
        ..record.clone()
    };
    if let Some(member) = &mut dead_record.group {
        member.sequence = None;
    }
    dead_record
}

/// Discards the oldest ready dead letters until there is room for one more, at most two per death: after
/// MAXLEN was lowered, a death need not wait until the whole surplus is gone.
fn make_room<S: Store>(target: &mut S, effects: &mut Effects, max_len: u64) {
    for _ in 0..2 {
        if max_len == 0 || limits::len(target) < max_len {
            return;
        }
        let Some(oldest) = target.dead(None, MAX_TIME_MS, 1).pop() else { return };
        discard(target, effects, oldest.id);
    }
}

/// Discards a ready dead letter; an unreadable one is set aside instead.
fn discard<S: Store>(target: &mut S, effects: &mut Effects, id: MessageId) {
    let mut there = Effects::none();
    let Ok(Some(record)) = target.record(id) else {
        place::take_out(target, id, &StateRecord::default());
        return damage::set_message_aside(target, effects, id);
    };
    match place::take_out(target, id, &record) {
        Some(slot) => {
            place::forget(target, &mut there, id, Some(&record), slot);
            effects.counts.dead_discarded = effects.counts.dead_discarded.saturating_add(1);
        }
        // It is not ready.
        None => drop(target.remove_timed(Part::Dead, id)),
    }
}

/// A dead-letter queue that accepts messages.
struct Open<S> {
    store: S,
    behind: TailRanks,
    /// In milliseconds; 0: none.
    ttl_ms: u64,
    /// 0: no limit.
    max_len: u64,
}

/// Opens the dead-letter queue if it can accept messages.
fn open<S: Store>(store: &S, settings: &Settings, decided: Decided) -> Option<Open<S>> {
    let name = settings.dead_letter_of(store.queue())?;
    if decided.same_slot && !name.shares_slot_with(store.queue()) {
        return None;
    }
    let mut target = store.other(&name);
    target.require(&[Part::Messages, Part::Notes]).ok()?;
    target.require(Part::OF_RETRIES).ok()?;
    target.require(&[Part::Ranked, Part::Lanes, Part::Dead]).ok()?;
    let mut open = Open { store: target, behind: TailRanks::default(), ttl_ms: 0, max_len: 0 };
    if store.rules() == Rules::V2 {
        let target = &mut open.store;
        target.require(&[Part::Config]).ok()?;
        open.ttl_ms = target.number(Setting::Ttl);
        open.max_len = target.number(Setting::MaxLen);
        if open.ttl_ms > 0 || open.max_len > 0 {
            target.require(&Part::ALL).ok()?;
        }
    }
    Some(open)
}
