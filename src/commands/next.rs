//! MQ.NEXT: shows the next ticks of a schedule.

use super::arguments::{QUEUE, UNIX_TIME_MS, moment};
use super::errors::CommandError;
use super::options::Options;
use super::schedule::check_name;
use super::{handler, reply};
use crate::queue::QueueError;
use crate::queue::part::Part;
use crate::queue::schedule::Schedule;
use crate::queue::store::{Schedules, Store};
use crate::runtime::due;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Number, Spec, UNIX_TIME};
use crate::server::string::Argument;

const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 1_000 };
const DEFAULT_COUNT: u64 = 10;
const FROM: Number = Number { token: "FROM", name: UNIX_TIME, min: 0, max: UNIX_TIME_MS };

/// `MQ.NEXT queue name [COUNT n] [FROM unix-time-milliseconds]`
pub struct Next;

impl Command for Next {
    const SPEC: Spec = Spec {
        name: "MQ.NEXT",
        summary: "Returns the next ticks of a schedule.",
        complexity: "O(m) with m ticks.",
        since: "0.2.0",
        flags: "readonly",
        blocking: false,
        arity: -3,
        key: Some(KeyUse::Access),
        arguments: &[QUEUE, Arg::Text("name"), Arg::Number(COUNT), Arg::Number(FROM)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, next);
    }
}

fn next(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, name, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let name = check_name(name.as_bytes())?;
    let options = Options::read::<Next>(options)?;
    let count = options.number(&COUNT).unwrap_or(DEFAULT_COUNT);
    let from_ms = moment(&options, &FROM)?;
    let entry = handler::entry_to_read(context, *queue)?;
    let mut store = entry.open(context, Access::Read);
    store.require(&[Part::Schedules])?;
    let schedule = store.schedule(name).map_err(QueueError::from)?;
    let schedule = schedule.ok_or(CommandError::NoSchedule)?;
    let from_ms = from_ms.unwrap_or_else(|| first_ms(&schedule, context.now_ms()));
    let moments = moments(&schedule, name, from_ms, count);
    context.reply_array(moments.len());
    for at_ms in moments {
        reply::count(context, at_ms);
    }
    Ok(())
}

/// Where the next ticks begin, unix ms: with the next one, which may be overdue.
fn first_ms(schedule: &Schedule, now_ms: u64) -> u64 {
    let after_ms = now_ms.max(schedule.history.last_tick_ms.unwrap_or(0));
    schedule.history.next.map_or(after_ms.saturating_add(1), |tick| tick.at_ms)
}

/// Up to `count` ticks that are not earlier, unix ms, and that LIMIT leaves.
fn moments(schedule: &Schedule, name: &[u8], from_ms: u64, count: u64) -> Vec<u64> {
    let timing = &schedule.definition.timing;
    let Some(rhythm) = due::rhythm(timing, schedule.history.phase_ms) else { return Vec::new() };
    let left = timing.limit.map(|limit| u64::from(limit).saturating_sub(schedule.history.runs));
    let after = |after_ms: u64| due::next(&rhythm, timing, name, after_ms).map(|tick| tick.at_ms);
    let before = from_ms.saturating_sub(1);
    let ticks = std::iter::successors(after(before), |at_ms| after(*at_ms));
    let most = usize::try_from(left.map_or(count, |left| left.min(count))).unwrap_or(0);
    ticks.take(most).collect()
}
