//! The commands of the fake that are no pulls: their arguments and replies.

use super::Refusal;
use super::arguments::{Arguments, LARGEST, LATEST_MS, YEAR_MS, unknown};
use super::queue::{BAD_RECEIPT, NOT_FOUND, Return, Way};
use super::stored::{As, State, number};
use super::world::World;
use super::{info, push, redrive};
use redis::Value;

pub fn execute(name: &str, mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    match name {
        "MQ.PUSH" => push::push(words, world),
        "MQ.MPUSH" => push::push_many(words, world),
        "MQ.ACK" => acknowledge(words, world),
        "MQ.NACK" => give_back(words, world),
        "MQ.EXTEND" => extend(words, world),
        "MQ.PEEK" => peek(words, world),
        "MQ.LEN" => len(words, world),
        "MQ.GET" => get(words, world),
        "MQ.DEL" => delete(words, world),
        "MQ.RESCHEDULE" => reschedule(words, world),
        "MQ.CONFIG" => info::config(words, world),
        "MQ.PAUSE" => pause(words, world),
        "MQ.RESUME" => {
            let queue = words.queue()?;
            words.end()?;
            world.queue(&queue).paused_until = None;
            Ok(Value::Okay)
        }
        "MQ.PURGE" => purge(words, world),
        "MQ.DROP" => {
            let queue = words.queue()?;
            words.end()?;
            Ok(Value::Int(i64::from(world.drop(&queue))))
        }
        "MQ.QUEUES" => queues(words, world),
        "MQ.REDRIVE" => redrive::redrive(words, world),
        _ => Err(format!("ERR unknown command '{name}'")),
    }
}

fn acknowledge(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let (is_batch, pairs) = words.pairs()?;
    words.end()?;
    let queue = world.queue(&name);
    answered(is_batch, pairs.iter().map(|(id, receipt)| queue.acknowledge(id, receipt)).collect())
}

fn give_back(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let (is_batch, pairs) = words.pairs()?;
    let mut how = Return { delay: None, way: Way::Counted, reason: None };
    while let Some(option) = words.option()? {
        match option.as_str() {
            "DELAY" => how.delay = Some(words.milliseconds(0, YEAR_MS)?),
            "NOCOUNT" | "FRONT" | "DEAD" => {}
            "REASON" => how.reason = Some(words.text()?),
            _ => return unknown(&option),
        }
    }
    words.exclusive(&["NOCOUNT", "DEAD"])?;
    words.exclusive(&["FRONT", "DELAY"])?;
    words.only_with(&["FRONT"], "NOCOUNT")?;
    let ways = [("FRONT", Way::InFront), ("NOCOUNT", Way::Uncounted), ("DEAD", Way::Rejected)];
    if let Some((_, way)) = ways.into_iter().find(|(name, _)| words.has(name)) {
        how.way = way;
    }
    let queue = world.queue(&name);
    let has_died = |(id, receipt): &(String, String)| {
        queue.find(id).is_some_and(|message| message.is_held_by(receipt) && message.death.is_some())
    };
    if how.way == Way::Rejected && pairs.iter().any(has_died) {
        return Err("ERR a dead letter can't be sent to the dead-letter queue".to_owned());
    }
    let mut answers = Vec::new();
    for (id, receipt) in &pairs {
        let (answer, dead) = world.queue(&name).give_back(id, receipt, &how);
        answers.push(answer);
        if let Some((message, reason)) = dead {
            world.bury(&name, message, reason);
        }
    }
    answered(is_batch, answers)
}

fn extend(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let consumer = words.name_instead("CONSUMER")?;
    let (is_batch, pairs) = if consumer.is_some() { (false, Vec::new()) } else { words.pairs()? };
    let mut visibility = None;
    while let Some(option) = words.option()? {
        match option.as_str() {
            "VISIBILITY" => visibility = Some(words.milliseconds(1, YEAR_MS)?),
            _ => return unknown(&option),
        }
    }
    let queue = world.queue(&name);
    if let Some(consumer) = consumer {
        return Ok(number(queue.extend_consumer(&consumer, visibility)));
    }
    let extend = |(id, receipt): &(String, String)| queue.extend(id, receipt, visibility);
    answered(is_batch, pairs.iter().map(extend).collect())
}

fn answered(is_batch: bool, answers: Vec<i64>) -> Result<Value, Refusal> {
    if is_batch {
        return Ok(Value::Array(answers.into_iter().map(Value::Int).collect()));
    }
    match answers.first().copied().unwrap_or(NOT_FOUND) {
        NOT_FOUND => {
            Err("NOTFOUND no message with this id is in flight or waiting for its retry".to_owned())
        }
        BAD_RECEIPT => Err("BADRECEIPT the receipt is not valid for this message".to_owned()),
        answer => Ok(Value::Int(answer)),
    }
}

/// The queue and the state that READY, INFLIGHT, DELAYED and DEAD stand for.
fn place(option: &str, name: &str, world: &mut World) -> Option<(String, Option<State>)> {
    let state = match option {
        "READY" => State::Ready,
        "INFLIGHT" => State::InFlight,
        "DELAYED" => State::Delayed,
        "DEAD" => return Some((world.queue(name).dead_letter(), None)),
        _ => return None,
    };
    Some((name.to_owned(), Some(state)))
}

fn peek(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let (mut from, mut offset, mut count) = ((name.clone(), None), 0, 10);
    while let Some(option) = words.option()? {
        match option.as_str() {
            "OFFSET" => offset = words.milliseconds(0, LARGEST)?,
            "COUNT" => count = words.milliseconds(1, 1_000)?,
            _ => match place(&option, &name, world) {
                Some(place) => from = place,
                None => return unknown(&option),
            },
        }
    }
    words.exclusive(&["READY", "INFLIGHT", "DELAYED", "DEAD"])?;
    let (queue, state) = from;
    let messages = world.queue(&queue).list(state.unwrap_or(State::Ready));
    let shown = messages.into_iter().map(|message| message.shown(&queue, As::Record));
    let (offset, count) =
        (usize::try_from(offset).unwrap_or(0), usize::try_from(count).unwrap_or(0));
    Ok(Value::Array(shown.skip(offset).take(count).collect()))
}

fn len(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let mut from = (name.clone(), None);
    while let Some(option) = words.option()? {
        match place(&option, &name, world) {
            Some(place) => from = place,
            None => return unknown(&option),
        }
    }
    words.exclusive(&["READY", "INFLIGHT", "DELAYED", "DEAD"])?;
    let (queue, state) = from;
    Ok(number(world.queue(&queue).len(state)))
}

fn get(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let queue = world.queue(&name);
    let id = match words.name_instead("DEDUP")? {
        Some(key) => queue.holder_of(&key),
        None => Some(words.text()?),
    };
    words.end()?;
    let message = id.and_then(|id| queue.find(&id));
    Ok(message.map_or(Value::Nil, |message| message.shown(&name, As::Record)))
}

fn delete(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let queue = world.queue(&name);
    let ids = match words.name_instead("DEDUP")? {
        Some(key) => {
            words.end()?;
            Vec::from_iter(queue.holder_of(&key))
        }
        None => {
            std::iter::once(words.text()?).chain(std::iter::from_fn(|| words.text().ok())).collect()
        }
    };
    Ok(number(ids.iter().filter(|id| queue.delete(id)).count()))
}

fn purge(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let mut state = None;
    while let Some(option) = words.option()? {
        state = Some(match option.as_str() {
            "READY" => State::Ready,
            "DELAYED" => State::Delayed,
            _ => return unknown(&option),
        });
    }
    words.exclusive(&["READY", "DELAYED"])?;
    let queue = world.queue(&name);
    Ok(number(match state {
        Some(state) => queue.purge_state(state),
        None => queue.purge(),
    }))
}

fn reschedule(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let (name, id) = (words.queue()?, words.text()?);
    let mut due = None;
    while let Some(option) = words.option()? {
        match option.as_str() {
            "DELAY" => due = Some(world.now() + words.milliseconds(0, YEAR_MS)?),
            "AT" => due = Some(words.milliseconds(0, LATEST_MS)?),
            _ => return unknown(&option),
        }
    }
    words.exclusive(&["DELAY", "AT"])?;
    let due = due.ok_or("ERR DELAY or AT is missing")?;
    Ok(Value::Int(i64::from(world.queue(&name).reschedule(&id, due))))
}

fn pause(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let mut until = u64::MAX;
    while let Some(option) = words.option()? {
        match option.as_str() {
            "FOR" => until = world.now() + words.milliseconds(1, YEAR_MS)?,
            _ => return unknown(&option),
        }
    }
    world.queue(&name).paused_until = Some(until);
    Ok(Value::Okay)
}

fn queues(words: Arguments, world: &World) -> Result<Value, Refusal> {
    let names = listed(words, world)?;
    Ok(Value::Array(names.map(|name| Value::BulkString(name.clone().into())).collect()))
}

/// The names of the queues that a command lists.
pub fn listed(
    mut words: Arguments,
    world: &World,
) -> Result<impl Iterator<Item = &String>, Refusal> {
    let mut pattern = "*".to_owned();
    while let Some(option) = words.option()? {
        match option.as_str() {
            "MATCH" => pattern = words.text()?,
            _ => return unknown(&option),
        }
    }
    Ok(world.names().filter(move |name| matches(pattern.as_bytes(), name.as_bytes())))
}

/// Whether a name matches a pattern of `*`, `?` and other bytes.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        ([b'?', rest @ ..], [_, others @ ..]) => matches(rest, others),
        ([first, rest @ ..], [other, others @ ..]) => first == other && matches(rest, others),
        _ => pattern.is_empty() && name.is_empty(),
    }
}
