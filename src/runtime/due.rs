//! What becomes of the ticks of schedules that are due, and when the next ones are. Decided from what is stored and the
//! time; only a master does, and what it decides is in an op.

use super::zones;
use crate::calendar::{Cron, Passed, Rhythm, jitter, zones_version};
use crate::queue::message::MessageId;
use crate::queue::op::{self, Step, TickOf};
use crate::queue::schedule::{self, CatchUp, Definition, Schedule, Tick, Timing};
use crate::queue::store::Store;
use crate::queue::valid::MAX_DURATION_MS;

/// How many ticks one op takes.
const SLICE: usize = 64;

/// How many ticks of an expression one op passes over.
const WALK: u64 = 1_000;

/// With CATCHUP NONE a tick has its message if it is not later than this, in milliseconds.
const PROMPT_MS: u64 = 5_000;

/// When a schedule is looked at again whose time zone or expression this build doesn't know, in milliseconds.
const UNKNOWN_MS: u64 = 60_000;

/// The rhythm of a schedule; None if this build doesn't know its time zone or expression. EVERY without a start
/// counts from `phase_ms`, unix ms, where it has no tick.
pub fn rhythm(timing: &Timing, phase_ms: u64) -> Option<Rhythm> {
    Some(match &timing.rhythm {
        schedule::Rhythm::Every { ms } => {
            let first_ms = phase_ms.saturating_add(*ms);
            Rhythm::Every { ms: *ms, start_ms: timing.start_ms.unwrap_or(first_ms) }
        }
        schedule::Rhythm::Cron { expression, zone } => {
            Rhythm::Cron { cron: Cron::parse(expression).ok()?, zone: zones::zone(zone)? }
        }
    })
}

/// The first tick after this time, unix ms, within START and END.
pub fn next(rhythm: &Rhythm, timing: &Timing, name: &[u8], after_ms: u64) -> Option<Tick> {
    // A tick at the start counts.
    let before_start = timing.start_ms.unwrap_or(0).saturating_sub(1);
    let tick = tick_at(rhythm.next_after(after_ms.max(before_start))?, timing, name);
    let is_within = timing.end_ms.is_none_or(|end_ms| tick.at_ms <= end_ms);
    (is_within && tick.is_valid()).then_some(tick)
}

fn tick_at(at_ms: u64, timing: &Timing, name: &[u8]) -> Tick {
    Tick { at_ms, due_ms: at_ms.saturating_add(jitter(name, at_ms, timing.jitter_ms)) }
}

/// There is no tick left that a schedule could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTick;

/// What makes the stored schedule the given one; None if it is. A schedule whose timing is the same keeps its next
/// tick.
pub fn set(
    name: &[u8],
    definition: Definition,
    old: Option<&Schedule>,
    now_ms: u64,
) -> Result<Option<op::Schedule>, NoTick> {
    let zones = zones_version().as_bytes();
    let timing = &definition.timing;
    let same_rhythm = old.filter(|old| old.definition.timing.rhythm == timing.rhythm);
    let phase_ms = same_rhythm.map_or(now_ms, |old| old.history.phase_ms);
    let same_timing = old.filter(|old| old.definition.timing == *timing);
    // With newer zone data it may be another, unless it has come.
    let known = same_timing.and_then(|old| {
        old.history.next.filter(|tick| old.history.zones == zones || tick.at_ms <= now_ms)
    });
    let last_ms = old.and_then(|old| old.history.last_tick_ms).unwrap_or(0);
    let runs = old.map_or(0, |old| old.history.runs);
    let has_left = timing.limit.is_none_or(|limit| runs < limit.into());
    let compute = || {
        let rhythm = rhythm(timing, phase_ms)?;
        next(&rhythm, timing, name, now_ms.max(last_ms)).filter(|_| has_left)
    };
    let next = known.or_else(compute).ok_or(NoTick)?;
    let next = (!definition.is_paused).then_some(next);
    let is_same = old.is_some_and(|old| old.definition == definition && old.history.next == next);
    let op =
        || op::Schedule { name: name.to_vec(), definition, phase_ms, next, zones: zones.to_vec() };
    Ok((!is_same).then(op))
}

/// What becomes of a slice of the ticks that are due in a queue at this time, unix ms. `new_id` makes the ids of new
/// messages.
pub fn decide<S: Store>(
    store: &mut S,
    now_ms: u64,
    mut new_id: impl FnMut(&mut S) -> MessageId,
) -> Vec<TickOf> {
    let mut ticks = Vec::new();
    if store.first_tick().is_none_or(|due_ms| due_ms > now_ms) {
        return ticks;
    }
    for name in store.due_ticks(now_ms, SLICE as u64) {
        match store.schedule(&name) {
            Ok(Some(schedule)) if schedule.due_ms().is_some_and(|due_ms| due_ms <= now_ms) => {
                let due = Due { name: &name, schedule: &schedule, now_ms };
                due.take(&mut ticks, || new_id(store));
            }
            _ => ticks.push(TickOf { name, step: Step::Mend, next: None }),
        }
        if ticks.len() >= SLICE {
            break;
        }
    }
    ticks
}

/// A schedule with a tick that is due.
struct Due<'a> {
    name: &'a [u8],
    schedule: &'a Schedule,
    /// Unix ms.
    now_ms: u64,
}

impl Due<'_> {
    /// Adds what becomes of its ticks.
    fn take(&self, ticks: &mut Vec<TickOf>, new_id: impl FnMut() -> MessageId) {
        let Schedule { definition, history } = self.schedule;
        let Some(tick) = history.next else { return };
        let Some(rhythm) = rhythm(&definition.timing, history.phase_ms) else {
            let due_ms = self.now_ms.saturating_add(UNKNOWN_MS);
            return ticks.push(self.step(Step::Pass { missed: 0 }, Some(Tick { due_ms, ..tick })));
        };
        let oldest_ms = self.now_ms.saturating_sub(MAX_DURATION_MS);
        match definition.catch_up {
            CatchUp::All if tick.at_ms < oldest_ms => {
                let (newest, missed) = self.newest(&rhythm, tick, oldest_ms.saturating_sub(1));
                let missed = missed.saturating_add(1);
                ticks.push(self.step(Step::Pass { missed }, self.next(&rhythm, newest.at_ms)));
            }
            CatchUp::All => self.take_each(ticks, &rhythm, tick, new_id),
            CatchUp::One | CatchUp::None => ticks.push(self.take_newest(&rhythm, tick, new_id)),
        }
    }

    /// Each tick that is due has a message.
    fn take_each(
        &self,
        ticks: &mut Vec<TickOf>,
        rhythm: &Rhythm,
        mut tick: Tick,
        mut new_id: impl FnMut() -> MessageId,
    ) {
        loop {
            let next = self.next(rhythm, tick.at_ms);
            ticks.push(self.step(Step::Push { id: new_id(), tick, missed: 0 }, next));
            match next {
                Some(next) if next.due_ms <= self.now_ms && ticks.len() < SLICE => tick = next,
                _ => return,
            }
        }
    }

    /// The newest tick that is due has a message, or none has.
    fn take_newest(
        &self,
        rhythm: &Rhythm,
        tick: Tick,
        mut new_id: impl FnMut() -> MessageId,
    ) -> TickOf {
        let Schedule { definition, .. } = self.schedule;
        // Later than this one that is due by its jitter may not be.
        let until_ms = self.now_ms.saturating_sub(definition.timing.jitter_ms);
        let (newest, missed) = self.newest(rhythm, tick, until_ms);
        if missed >= WALK {
            // There may be more.
            return self.step(Step::Pass { missed }, Some(newest));
        }
        let next = self.next(rhythm, newest.at_ms);
        let is_prompt = newest.due_ms.saturating_add(PROMPT_MS) >= self.now_ms;
        if definition.catch_up == CatchUp::None && !is_prompt {
            return self.step(Step::Pass { missed: missed.saturating_add(1) }, next);
        }
        self.step(Step::Push { id: new_id(), tick: newest, missed }, next)
    }

    /// The newest tick from this one on that is not later than `until_ms`, and how many there are before it. Of an
    /// expression it is one of the first [`WALK`].
    fn newest(&self, rhythm: &Rhythm, tick: Tick, until_ms: u64) -> (Tick, u64) {
        let timing = &self.schedule.definition.timing;
        let until_ms = timing.end_ms.map_or(until_ms, |end_ms| end_ms.min(until_ms));
        match rhythm.passed(tick.at_ms, until_ms, WALK) {
            Some(Passed { count, newest_ms }) => (tick_at(newest_ms, timing, self.name), count),
            None => (tick, 0),
        }
    }

    fn next(&self, rhythm: &Rhythm, after_ms: u64) -> Option<Tick> {
        next(rhythm, &self.schedule.definition.timing, self.name, after_ms)
    }

    fn step(&self, step: Step, next: Option<Tick>) -> TickOf {
        TickOf { name: self.name.to_vec(), step, next }
    }
}

#[cfg(test)]
mod tests;
