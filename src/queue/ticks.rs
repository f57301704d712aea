//! What schedules do: they are set and removed, and their ticks push messages.

use super::effects::Effects;
use super::error::QueueError;
use super::message::{Expiry, Header, MessageId};
use super::op::{self, BatchMessage, Dedup, PushOptions, Step};
use super::part::Part;
use super::push::{self, Pushed};
use super::schedule::{
    CatchUp, History, Life, MISSED_HEADER, NAME_HEADER, OVERLAP_PREFIX, Overlap, Schedule,
    TICK_HEADER, Tick,
};
use super::settings::Setting;
use super::store::Store;
use super::sweep;
use super::valid::MAX_TIME_MS;

/// Sets a schedule; 1 if it is new, 0 if it was changed. Its history stays.
pub(super) fn set<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op: &op::Schedule,
) -> Result<u64, QueueError> {
    store.require(&[Part::Schedules, Part::Ticks, Part::Damaged])?;
    let old = match store.schedule(&op.name) {
        Ok(old) => old,
        Err(_) => {
            set_aside(store, effects, &op.name);
            None
        }
    };
    let is_new = old.is_none();
    let mut history = old.map_or_else(History::default, |old| old.history);
    if history.next != op.next {
        history.behind = 0;
    }
    history.phase_ms = op.phase_ms;
    history.next = op.next;
    history.zones.clone_from(&op.zones);
    put(store, effects, &op.name, &Schedule { definition: op.definition.clone(), history });
    Ok(is_new.into())
}

/// Removes a schedule; 1, or 0 if there was none.
pub(super) fn remove<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    name: &[u8],
) -> Result<u64, QueueError> {
    store.require(&[Part::Schedules, Part::Ticks])?;
    let existed = store.remove_schedule(name);
    effects.changed |= existed;
    Ok(existed.into())
}

/// Pushes the messages of ticks. Schedules whose last tick this was are removed.
pub(super) fn run<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op: &op::Ticks,
) -> Result<(), QueueError> {
    store.require(&Part::ALL)?;
    for op::TickOf { name, step, next } in &op.ticks {
        match store.schedule(name) {
            Ok(Some(schedule)) => take(store, effects, op.now_ms, name, schedule, *step, *next)?,
            // Another client changed the keys.
            Ok(None) => effects.changed |= store.remove_schedule(name),
            Err(_) => set_aside(store, effects, name),
        }
    }
    Ok(())
}

fn take<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
    name: &[u8],
    mut schedule: Schedule,
    step: Step,
    next: Option<Tick>,
) -> Result<(), QueueError> {
    let counts = &mut effects.counts;
    match step {
        Step::Push { id, tick, missed } => {
            schedule.count_missed(missed);
            counts.ticks_missed = counts.ticks_missed.saturating_add(missed);
            let pushed = push_tick(store, effects, now_ms, name, &schedule, id, tick)?;
            let history = &mut schedule.history;
            history.behind = 0;
            history.last_tick_ms = Some(tick.at_ms);
            let (of_schedule, of_queue) = match pushed {
                Pushed::Added => (&mut history.runs, &mut effects.counts.ticks),
                _ => (&mut history.skipped, &mut effects.counts.ticks_skipped),
            };
            *of_schedule = of_schedule.saturating_add(1);
            *of_queue = of_queue.saturating_add(1);
        }
        Step::Pass { missed } => {
            schedule.count_missed(missed);
            counts.ticks_missed = counts.ticks_missed.saturating_add(missed);
        }
        Step::Mend => {
            put(store, effects, name, &schedule);
            return Ok(());
        }
    }
    if next.is_none() || schedule.is_over() {
        effects.changed |= store.remove_schedule(name);
    } else {
        schedule.history.next = next;
        put(store, effects, name, &schedule);
    }
    Ok(())
}

impl Schedule {
    /// Counts ticks without a message of their own.
    fn count_missed(&mut self, missed: u64) {
        let history = &mut self.history;
        history.missed = history.missed.saturating_add(missed);
        if self.definition.catch_up == CatchUp::One {
            history.behind = history.behind.saturating_add(missed);
        }
    }
}

/// Pushes the message of a tick, in the order of what else was due.
fn push_tick<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
    name: &[u8],
    schedule: &Schedule,
    id: MessageId,
    tick: Tick,
) -> Result<Pushed, QueueError> {
    let (at, behind) = (tick.at_ms.to_string(), schedule.history.behind.to_string());
    let mut added = vec![Header { name: TICK_HEADER, value: at.as_bytes() }];
    if schedule.history.behind > 0 {
        added.push(Header { name: MISSED_HEADER, value: behind.as_bytes() });
    }
    let before = effects.counts;
    let due_ms = Some(tick.due_ms);
    let pushed = push_message(store, effects, now_ms, name, schedule, id, due_ms, &added)?;
    if pushed == Pushed::Added {
        sweep::release(store, effects, id, |_, record| record.rank(tick.due_ms));
    } else {
        effects.counts = before;
    }
    Ok(pushed)
}

/// Pushes a message of a schedule besides its ticks. None: there is no such schedule.
pub(super) fn trigger<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op: &op::Trigger,
) -> Result<Option<Pushed>, QueueError> {
    store.require(&Part::ALL)?;
    let Some(mut schedule) = store.schedule(&op.name)? else { return Ok(None) };
    let pushed = push_message(store, effects, op.now_ms, &op.name, &schedule, op.id, None, &[])?;
    if pushed == Pushed::Added {
        schedule.history.triggered = schedule.history.triggered.saturating_add(1);
        put(store, effects, &op.name, &schedule);
    }
    Ok(Some(pushed))
}

/// Pushes what a schedule says, with these headers besides its own.
fn push_message<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
    name: &[u8],
    schedule: &Schedule,
    id: MessageId,
    due_ms: Option<u64>,
    added: &[Header<'_>],
) -> Result<Pushed, QueueError> {
    let message = &schedule.definition.message;
    let of_queue = || Life { ttl_ms: store.number(Setting::Ttl), ends_in_death: false };
    let life = message.life.unwrap_or_else(of_queue);
    let end = if life.ends_in_death { Expiry::kills } else { Expiry::discards };
    let end_ms = now_ms.saturating_add(life.ttl_ms).min(MAX_TIME_MS.saturating_sub(1));
    let mut headers = message.headers();
    headers.push(Header { name: NAME_HEADER, value: name });
    headers.extend_from_slice(added);
    let key = overlap_key(name);
    let dedup = Dedup { key: &key, now_ms, until_ms: None };
    let options = PushOptions {
        expiry: (life.ttl_ms > 0).then(|| end(end_ms)),
        class: message.class(),
        dedup: (schedule.definition.overlap == Overlap::Skip).then_some(dedup),
        headers,
    };
    let messages = [BatchMessage { id, payload: &message.payload }];
    push::push(store, effects, &messages, due_ms, Some(&options))
}

/// The deduplication key that the messages of a schedule hold while they are in the queue.
fn overlap_key(name: &[u8]) -> Vec<u8> {
    [OVERLAP_PREFIX, name].concat()
}

/// Writes a schedule.
fn put<S: Store>(store: &mut S, effects: &mut Effects, name: &[u8], schedule: &Schedule) {
    effects.changed |= store.put_schedule(name, schedule);
    if let Some(due_ms) = schedule.due_ms() {
        effects.next_due.add(due_ms);
    }
}

fn set_aside<S: Store>(store: &mut S, effects: &mut Effects, name: &[u8]) {
    store.set_schedule_aside(name);
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
}
