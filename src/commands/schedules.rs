//! MQ.SCHEDULES: shows the schedules of a queue.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{glob, handler, reply};
use crate::queue::part::Part;
use crate::queue::pull::BATCH_BYTES;
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
    let entry = handler::entry_to_read(context, *queue)?;
    let mut store = entry.open(context, Access::Read);
    store.require(&[Part::Schedules, Part::Ticks])?;
    let names = match options.value("MATCH") {
        Some(pattern) => matching(&mut store, pattern, offset, count),
        None => store.schedules(offset, count),
    };
    let (mut shown, mut bytes) = (Vec::new(), 0usize);
    for name in names {
        // What can't be read is set aside by its next tick.
        let Ok(Some(schedule)) = store.schedule(&name) else { continue };
        bytes = bytes.saturating_add(schedule.definition.message.payload.len());
        shown.push((name, schedule));
        if bytes > BATCH_BYTES {
            break;
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

/// A value of a schedule's map.
enum Value<'a> {
    Number(u64),
    Text(&'a [u8]),
}

/// A schedule: a map.
fn reply_schedule(context: Context<'_>, name: &[u8], schedule: &Schedule) {
    let fields = fields(name, schedule);
    let headers = &schedule.definition.message.headers;
    context.reply_map(fields.len().saturating_add((!headers.is_empty()).into()));
    for (name, value) in fields {
        match value {
            Value::Number(number) => reply::field(context, name, number),
            Value::Text(text) => context.reply_text_field(name, text),
        }
    }
    if !headers.is_empty() {
        context.reply_bytes(b"headers");
        context.reply_map(headers.len());
        for (name, value) in headers {
            context.reply_bytes(&name.0);
            context.reply_bytes(&value.0);
        }
    }
}

/// What a schedule has besides headers: the options of MQ.SCHEDULE that say when, the history, those of its messages.
fn fields<'a>(name: &'a [u8], schedule: &'a Schedule) -> Vec<(&'static str, Value<'a>)> {
    let Schedule { definition, history } = schedule;
    let (timing, message) = (&definition.timing, &definition.message);
    let (every, cron, zone) = match &timing.rhythm {
        Rhythm::Every { ms } => (Some(*ms), None, None),
        Rhythm::Cron { expression, zone } => (None, Some(expression), Some(zone)),
    };
    let catch_up = match definition.catch_up {
        CatchUp::None => "NONE",
        CatchUp::One => "ONE",
        CatchUp::All => "ALL",
    };
    let overlap = match definition.overlap {
        Overlap::Allow => "ALLOW",
        Overlap::Skip => "SKIP",
    };
    let number = |number: Option<u64>| number.map(Value::Number);
    let text = |text: Option<&'a Vec<u8>>| text.map(|text| Value::Text(text));
    let dies = message.life.is_some_and(|life| life.ends_in_death);
    let fields = [
        ("name", Some(Value::Text(name))),
        ("payload", Some(Value::Text(&message.payload))),
        ("every", number(every)),
        ("cron", text(cron)),
        ("zone", text(zone)),
        ("start", number(timing.start_ms)),
        ("end", number(timing.end_ms)),
        ("limit", number(timing.limit.map(u64::from))),
        ("jitter", Some(Value::Number(timing.jitter_ms))),
        ("catchup", Some(Value::Text(catch_up.as_bytes()))),
        ("overlap", Some(Value::Text(overlap.as_bytes()))),
        ("paused", Some(Value::Number(definition.is_paused.into()))),
        ("next_tick", number(history.next.map(|tick| tick.at_ms))),
        ("last_tick", number(history.last_tick_ms)),
        ("runs", Some(Value::Number(history.runs))),
        ("missed", Some(Value::Number(history.missed))),
        ("skipped", Some(Value::Number(history.skipped))),
        ("triggered", Some(Value::Number(history.triggered))),
        ("ttl", number(message.life.map(|life| life.ttl_ms))),
        ("dead", dies.then_some(Value::Number(1))),
        ("priority", (message.priority > 0).then(|| Value::Number(message.priority.into()))),
        ("group", text(message.group.as_ref().map(|group| &group.0))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
