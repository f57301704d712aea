//! What schedules do: they are set and removed, and their ticks push messages.

use super::effects::Effects;
use super::error::QueueError;
use super::message::{Expiry, Header, MessageId};
use super::op::{self, BatchMessage, Class, Dedup, PushOptions, Step};
use super::part::Part;
use super::push::{self, Pushed};
use super::schedule::{
    CatchUp, Definition, History, Life, MISSED_HEADER, NAME_HEADER, Overlap, Schedule, TICK_HEADER,
    Tick,
};
use super::settings::Setting;
use super::store::Store;
use super::sweep;
use super::valid::{MAX_TIME_MS, OVERLAP_PREFIX};

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
            Ok(Some(schedule)) => take(store, effects, op, name, schedule, *step, *next)?,
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
    op::Ticks { now_ms, zones, .. }: &op::Ticks,
    name: &[u8],
    mut schedule: Schedule,
    step: Step,
    next: Option<Tick>,
) -> Result<(), QueueError> {
    // A paused one has no ticks.
    let step = if schedule.definition.is_paused { Step::Mend } else { step };
    match step {
        Step::Push { id, tick, missed } => {
            schedule.count_missed(effects, missed);
            let message = Message { name, schedule: &schedule, id, now_ms: *now_ms };
            let pushed = message.push_due(store, effects, tick)?;
            schedule.count(effects, tick, pushed == Pushed::Added);
        }
        Step::Skip { tick, missed } => {
            schedule.count_missed(effects, missed);
            schedule.count(effects, tick, false);
        }
        Step::Pass { missed } => schedule.count_missed(effects, missed),
        Step::Mend => {
            put(store, effects, name, &schedule);
            return Ok(());
        }
    }
    if next.is_none() || schedule.is_over() {
        effects.changed |= store.remove_schedule(name);
    } else {
        schedule.history.next = next;
        schedule.history.zones.clone_from(zones);
        put(store, effects, name, &schedule);
    }
    Ok(())
}

impl Schedule {
    /// Counts ticks without a message of their own.
    fn count_missed(&mut self, effects: &mut Effects, missed: u64) {
        let (history, counts) = (&mut self.history, &mut effects.counts);
        history.missed = history.missed.saturating_add(missed);
        counts.ticks_missed = counts.ticks_missed.saturating_add(missed);
        if self.definition.catch_up == CatchUp::One {
            history.behind = history.behind.saturating_add(missed);
        }
    }

    /// Counts a tick that has a message, or was skipped.
    fn count(&mut self, effects: &mut Effects, tick: Tick, has_message: bool) {
        let (history, counts) = (&mut self.history, &mut effects.counts);
        history.behind = 0;
        history.last_tick_ms = Some(tick.at_ms);
        let (of_schedule, of_queue) = if has_message {
            (&mut history.runs, &mut counts.ticks)
        } else {
            (&mut history.skipped, &mut counts.ticks_skipped)
        };
        *of_schedule = of_schedule.saturating_add(1);
        *of_queue = of_queue.saturating_add(1);
    }
}

/// Pushes a message of a schedule besides its ticks. None: there is no such schedule.
pub(super) fn trigger<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    op::Trigger { now_ms, id, name }: &op::Trigger,
) -> Result<Option<Pushed>, QueueError> {
    store.require(&Part::ALL)?;
    let Some(mut schedule) = store.schedule(name)? else { return Ok(None) };
    let message = Message { name, schedule: &schedule, id: *id, now_ms: *now_ms };
    let pushed = message.push(store, effects, None, &[])?;
    if pushed == Pushed::Added {
        schedule.history.triggered = schedule.history.triggered.saturating_add(1);
        put(store, effects, name, &schedule);
    }
    Ok(Some(pushed))
}

/// A message of a schedule.
struct Message<'a> {
    name: &'a [u8],
    schedule: &'a Schedule,
    id: MessageId,
    /// Unix ms.
    now_ms: u64,
}

impl Message<'_> {
    /// Pushes it for a tick, in the order of what else was due.
    fn push_due<S: Store>(
        &self,
        store: &mut S,
        effects: &mut Effects,
        tick: Tick,
    ) -> Result<Pushed, QueueError> {
        let behind = self.schedule.history.behind;
        let (at, missed) = (tick.at_ms.to_string(), behind.to_string());
        let mut added = vec![Header { name: TICK_HEADER, value: at.as_bytes() }];
        if behind > 0 {
            added.push(Header { name: MISSED_HEADER, value: missed.as_bytes() });
        }
        let before = effects.counts;
        let pushed = self.push(store, effects, Some(tick.due_ms), &added)?;
        if pushed == Pushed::Added {
            sweep::release(store, effects, self.id, |_, record| record.rank(tick.due_ms));
        } else {
            effects.counts = before;
        }
        Ok(pushed)
    }

    /// Pushes it with these headers besides those of the schedule; `due_ms` None: ready at once.
    fn push<S: Store>(
        &self,
        store: &mut S,
        effects: &mut Effects,
        due_ms: Option<u64>,
        added: &[Header<'_>],
    ) -> Result<Pushed, QueueError> {
        let Definition { message, overlap, .. } = &self.schedule.definition;
        let of_queue = || Life { ttl_ms: store.number(Setting::Ttl), ends_in_death: false };
        let Life { ttl_ms, ends_in_death } = message.life.unwrap_or_else(of_queue);
        let end = if ends_in_death { Expiry::kills } else { Expiry::discards };
        let end_ms = self.now_ms.saturating_add(ttl_ms).min(MAX_TIME_MS.saturating_sub(1));
        let mut headers = message.headers();
        headers.push(Header { name: NAME_HEADER, value: self.name });
        headers.extend_from_slice(added);
        let key = overlap_key(self.name);
        let dedup = Dedup { key: &key, now_ms: self.now_ms, until_ms: None };
        let options = PushOptions {
            expiry: (ttl_ms > 0).then(|| end(end_ms)),
            class: match &message.group {
                Some(group) => Class::Group(&group.0),
                None => Class::Priority(message.priority),
            },
            dedup: (*overlap == Overlap::Skip).then_some(dedup),
            headers,
        };
        let messages = [BatchMessage { id: self.id, payload: &message.payload }];
        push::push(store, effects, &messages, due_ms, Some(&options))
    }
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
