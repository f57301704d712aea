//! MQ.INFO and MQ.CONFIG of the fake.

use super::Refusal;
use super::arguments::{Arguments, LARGEST, YEAR_MS, unknown};
use super::queue::Queue;
use super::settings::{DEFAULTS, Settings};
use super::stored::{Fields, State, Stored, number};
use super::world::World;
use redis::Value;
use std::collections::{BTreeMap, BTreeSet};

const COUNTERS: [&str; 14] = [
    "pushed",
    "pulled",
    "acked",
    "late_acks",
    "nacked",
    "expired",
    "dead",
    "dead_discarded",
    "bad_receipts",
    "ttl_expired",
    "deduplicated",
    "redriven",
    "refused_full",
    "deleted",
];

pub fn config(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let mut changed = world.queue(&name).settings.clone();
    let mut is_change = false;
    while let Some(option) = words.option()? {
        is_change = true;
        change(&mut changed, &option, &mut words, &name)?;
    }
    let queue = world.queue(&name);
    if !is_change {
        let mut fields = Fields::default();
        settings(queue, &mut fields);
        return Ok(fields.reply());
    }
    let before = std::mem::replace(&mut queue.settings, changed);
    if queue.settings.number("backoff") > queue.settings.number("backoffmax") {
        queue.settings = before;
        return Err("ERR BACKOFF is above BACKOFFMAX".to_owned());
    }
    queue.settle_all();
    if words.has("EXPIRES") {
        world.used(&name);
    }
    Ok(Value::Okay)
}

fn change(
    settings: &mut Settings,
    option: &str,
    words: &mut Arguments,
    queue: &str,
) -> Result<(), Refusal> {
    match option {
        "DEFAULTDEADLETTER" => settings.dead_letter = None,
        "DEADLETTER" => {
            let name = words.queue()?;
            if name == queue {
                return Err("ERR a queue can't be its own dead-letter queue".to_owned());
            }
            settings.dead_letter = Some(name);
        }
        _ => {
            let Some((name, default)) =
                DEFAULTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(option))
            else {
                return unknown(option);
            };
            let least = match *name {
                "maxretries" => -1,
                "visibility" | "backoffmax" | "rateperiod" | "groupinflight" | "dedupwindow" => 1,
                _ => 0,
            };
            let most = match *name {
                "maxretries" | "maxlen" | "maxinflight" | "rate" | "maxdedup" => LARGEST,
                "groupinflight" => 10_000,
                _ => YEAR_MS,
            };
            match words.integer_or_none(least, most)?.filter(|value| value != default) {
                Some(value) => settings.numbers.insert(name, value),
                None => settings.numbers.remove(name),
            };
        }
    }
    Ok(())
}

pub fn info(world: &mut World, name: &str, waiting: usize) -> Fields {
    let now = world.now();
    let grave = world.queue(name).dead_letter();
    let dead_letters = world.queue(&grave).len(Some(State::Ready));
    let queue = world.queue(name);
    let mut fields = Fields::default();
    settings(queue, &mut fields);
    fields.number("exists", u64::from(queue.is_stored()));
    fields.add("deadletter_waiting", number(dead_letters));
    states(queue, now, &mut fields);
    fields.add("dedup_keys", number(queue.held_keys()));
    fields.number("paused", u64::from(queue.paused_until.is_some()));
    fields
        .number("paused_until", queue.paused_until.filter(|until| *until < u64::MAX).unwrap_or(0));
    fields.number("rate_window_start", queue.window.0);
    fields.number("rate_window_count", queue.window.1);
    fields.add("blocked_clients", number(waiting));
    for counter in COUNTERS {
        fields.number(counter, queue.counter(counter));
    }
    fields
}

fn settings(queue: &Queue, fields: &mut Fields) {
    for (name, _) in DEFAULTS {
        fields.add(name, Value::Int(queue.settings.number(name)));
    }
    fields.text("deadletter", &queue.dead_letter());
}

fn states(queue: &Queue, now: u64, fields: &mut Fields) {
    let (ready, delayed) = (queue.list(State::Ready), queue.list(State::Delayed));
    let in_flight = queue.list(State::InFlight);
    let mut priorities = BTreeMap::<u64, i64>::new();
    for message in ready.iter().filter(|message| message.group().is_none()) {
        *priorities.entry(message.priority()).or_default() += 1;
    }
    if priorities.len() == 1 {
        priorities.remove(&0); // told only beside others
    }
    let priorities = priorities.into_iter().map(|(priority, count)| {
        (Value::BulkString(priority.to_string().into()), Value::Int(count))
    });
    let is_present = |one: &&Stored| one.state != State::Delayed || one.was_delivered;
    let groups: BTreeSet<_> = queue.all().filter(is_present).filter_map(Stored::group).collect();
    let oldest = ready.iter().map(|message| message.since / 64).min().unwrap_or(now);
    let dues = in_flight.iter().chain(&delayed).map(|message| message.due);
    fields.add("ready", number(ready.len()));
    fields.add("inflight", number(in_flight.len()));
    fields.add("delayed", number(delayed.len()));
    fields.add("priorities", Value::Map(priorities.collect()));
    fields.add("groups", number(groups.len()));
    fields.number("oldest_ready_age_ms", now.saturating_sub(oldest));
    fields
        .number("oldest_delayed_age_ms", delayed.first().map_or(0, |first| now - first.timestamp));
    fields.number("next_due_at", dues.min().unwrap_or(0));
    fields.number("highest_retry_count", queue.all().map(|one| one.retry_count).max().unwrap_or(0));
}
