//! MQ.SCHEDULES: shows the schedules of a queue.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{glob, handler, reply};
use crate::queue::part::Part;
use crate::queue::schedule::{CatchUp, Overlap, Rhythm, Schedule};
use crate::queue::store::{Schedules as _, Store};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Number, Spec};
use crate::server::string::Argument;

const OFFSET: Number = Number { token: "OFFSET", name: "n", min: 0, max: 2_147_483_647 };
const COUNT: Number = Number { token: "COUNT", name: "n", min: 1, max: 1_000 };
const DEFAULT_COUNT: u64 = 100;

/// How many names are read at a time to match them.
const NAMES: u64 = 1_000;

/// `MQ.SCHEDULES queue [MATCH pattern] [OFFSET n] [COUNT n]`
pub struct Schedules;

impl Command for Schedules {
    const SPEC: Spec = Spec {
        name: "MQ.SCHEDULES",
        summary: "Shows the schedules of a queue, the next tick first.",
        complexity: "O(log n + m) with n schedules and m that are shown; with MATCH O(n).",
        since: "0.2.0",
        flags: "readonly",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Access),
        arguments: &[QUEUE, Arg::Pattern("MATCH"), Arg::Number(OFFSET), Arg::Number(COUNT)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, schedules);
    }
}

fn schedules(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Schedules>(options)?;
    let offset = options.number(&OFFSET).unwrap_or(0);
    let count = options.number(&COUNT).unwrap_or(DEFAULT_COUNT);
    let entry = handler::entry(context, *queue)?;
    let mut store = entry.open(context, Access::Read);
    store.require(&[Part::Schedules, Part::Ticks])?;
    let names = match options.value("MATCH") {
        Some(pattern) => matching(&mut store, pattern, offset, count),
        None => store.schedules(offset, count),
    };
    let mut shown = Vec::with_capacity(names.len());
    for name in names {
        // What can't be read is set aside by its next tick.
        if let Ok(Some(schedule)) = store.schedule(&name) {
            shown.push((name, schedule));
        }
    }
    context.reply_array(shown.len());
    for (name, schedule) in &shown {
        reply_schedule(context, name, schedule);
    }
    Ok(())
}

/// Up to `count` names that match, without the first `offset`.
fn matching(store: &mut impl Store, pattern: &[u8], offset: u64, count: u64) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let (mut skip, mut offset) = (0u64, offset);
    loop {
        let names = store.schedules(skip, NAMES);
        if names.is_empty() {
            return found;
        }
        skip = skip.saturating_add(NAMES);
        for name in names.into_iter().filter(|name| glob::matches(pattern, name)) {
            if offset > 0 {
                offset = offset.saturating_sub(1);
            } else if found.len() as u64 >= count {
                return found;
            } else {
                found.push(name);
            }
        }
    }
}

/// A schedule: a map. What it does not have is absent.
fn reply_schedule(context: Context<'_>, name: &[u8], schedule: &Schedule) {
    let Schedule { definition, history } = schedule;
    let (timing, message) = (&definition.timing, &definition.message);
    let catch_up = match definition.catch_up {
        CatchUp::None => "NONE",
        CatchUp::One => "ONE",
        CatchUp::All => "ALL",
    };
    let overlap = match definition.overlap {
        Overlap::Allow => "ALLOW",
        Overlap::Skip => "SKIP",
    };
    let optional = [
        ("start", timing.start_ms),
        ("end", timing.end_ms),
        ("limit", timing.limit.map(u64::from)),
        ("next_tick", history.next.map(|tick| tick.at_ms)),
        ("last_tick", history.last_tick_ms),
        ("ttl", message.life.map(|life| life.ttl_ms)),
        ("priority", Some(u64::from(message.priority)).filter(|priority| *priority > 0)),
    ];
    let optional = optional.into_iter().filter_map(|(name, number)| Some((name, number?)));
    let numbers = [
        ("jitter", timing.jitter_ms),
        ("paused", definition.is_paused.into()),
        ("runs", history.runs),
        ("missed", history.missed),
        ("skipped", history.skipped),
        ("triggered", history.triggered),
    ];
    let numbers: Vec<_> = optional.chain(numbers).collect();
    let mut texts = vec![("name", name), ("payload", message.payload.as_slice())];
    if let Rhythm::Cron { expression, zone } = &timing.rhythm {
        texts.extend([("cron", expression.as_slice()), ("zone", zone)]);
    }
    texts.extend([("catchup", catch_up.as_bytes()), ("overlap", overlap.as_bytes())]);
    if message.life.is_some_and(|life| life.ends_in_death) {
        texts.push(("ttl_end", b"dead"));
    }
    texts.extend(message.group.as_ref().map(|group| ("group", group.0.as_slice())));
    let every = match timing.rhythm {
        Rhythm::Every { ms } => Some(ms),
        Rhythm::Cron { .. } => None,
    };
    let single = texts.len().saturating_add(numbers.len());
    let others = usize::from(every.is_some()).saturating_add((!message.headers.is_empty()).into());
    context.reply_map(single.saturating_add(others));
    for (name, text) in texts {
        context.reply_text_field(name, text);
    }
    if let Some(ms) = every {
        reply::field(context, "every", ms);
    }
    for (name, number) in numbers {
        reply::field(context, name, number);
    }
    if !message.headers.is_empty() {
        context.reply_bytes(b"headers");
        context.reply_map(message.headers.len());
        for (name, value) in &message.headers {
            context.reply_bytes(&name.0);
            context.reply_bytes(&value.0);
        }
    }
}
