//! Goes on with the schedules of a queue: those that are due, and those whose ticks newer zone data moves. Only a master
//! does; what it decides is in the op, so that replicas compute no calendar.

use std::rc::Rc;

use super::due;
use super::entry::Entry;
use super::execute::execute_on;
use crate::calendar::zones_version;
use crate::queue::QueueError;
use crate::queue::op::{self, Step, TickOf};
use crate::queue::part::Part;
use crate::queue::schedule::Schedule;
use crate::queue::store::{Schedules, Store};
use crate::server::context::Context;
use crate::store::records::Records;
use crate::store::server_keyspace::ServerKeyspace;

/// How many schedules are checked for older zone data at a time.
const CHECKED: u64 = 256;

/// Goes on with a slice of the schedules that are due in a queue at this time, unix ms.
pub fn run(
    context: Context<'_>,
    entry: &Rc<Entry>,
    store: &mut Records<ServerKeyspace<'_>>,
    now_ms: u64,
) -> Result<(), QueueError> {
    store.require(&[Part::Ticks])?;
    if store.len(Part::Ticks) == 0 {
        entry.zones_unchecked.set(0);
        return Ok(());
    }
    store.require(&[Part::Schedules])?;
    check_zones(context, entry, store, now_ms)?;
    let mut ticks = due::decide(store, now_ms, |store| entry.new_id(store, now_ms));
    if ticks.is_empty() {
        return Ok(());
    }
    if context.is_out_of_memory() {
        // As MQ.PUSH, which is refused.
        ticks.iter_mut().for_each(skip);
    }
    let zones = zones_version().into();
    execute_on(context, entry, store, op::Ticks { now_ms, ticks, zones })
}

/// Makes a tick with a message one that is skipped.
fn skip(tick_of: &mut TickOf) {
    if let Step::Push { tick, missed, .. } = tick_of.step {
        tick_of.step = Step::Skip { tick, missed };
    }
}

/// True if the ticks of a queue may have been computed with older zone data.
pub fn has_zones_to_check(entry: &Entry) -> bool {
    entry.zones_unchecked.get() > 0
}

/// Computes the next ticks anew that were computed with older zone data: a slice of them, the latest ticks first. Those
/// that move while this is under way get new zone data by that.
fn check_zones(
    context: Context<'_>,
    entry: &Rc<Entry>,
    store: &mut Records<ServerKeyspace<'_>>,
    now_ms: u64,
) -> Result<(), QueueError> {
    let left = entry.zones_unchecked.get().min(store.len(Part::Ticks));
    let after = left.saturating_sub(CHECKED);
    for name in store.schedules(after, left.saturating_sub(after)) {
        let schedule = store.schedule(&name).unwrap_or(None);
        if let Some(op) = schedule.and_then(|schedule| with_new_zones(name, schedule, now_ms)) {
            execute_on(context, entry, store, op)?;
        }
    }
    entry.zones_unchecked.set(after);
    Ok(())
}

/// What sets the next tick of a schedule if newer zone data makes it another. One that has come stays.
fn with_new_zones(name: Vec<u8>, schedule: Schedule, now_ms: u64) -> Option<op::Schedule> {
    let Schedule { definition, history } = schedule;
    let (old, zones) = (history.next?, zones_version().as_bytes());
    if old.at_ms <= now_ms || history.zones.as_slice() >= zones {
        return None;
    }
    let timing = &definition.timing;
    let after_ms = now_ms.max(history.last_tick_ms.unwrap_or(0));
    let new = due::next(&due::rhythm(timing, history.phase_ms)?, timing, &name, after_ms)?;
    let phase_ms = history.phase_ms;
    let zones = zones.to_vec();
    (new != old).then_some(op::Schedule { name, definition, phase_ms, next: Some(new), zones })
}
