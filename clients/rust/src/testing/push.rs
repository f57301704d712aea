//! MQ.PUSH and MQ.MPUSH of the fake.

use super::Refusal;
use super::arguments::{Arguments, LATEST_MS, YEAR_MS, unknown};
use super::queue::{Hold, Queue};
use super::stored::{Content, Expiry};
use super::world::World;
use redis::Value;

/// The options of a push.
#[derive(Debug, Default)]
struct Options {
    content: Content,
    delay: Option<u64>,
    at: Option<u64>,
    ttl: Option<u64>,
    dies: bool,
    key: Option<String>,
    hold: Option<HoldFor>,
}

#[derive(Clone, Copy, Debug)]
enum HoldFor {
    Window(u64),
    UntilDone,
}

pub fn push(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let (name, payload) = (words.queue()?, words.bytes()?);
    let options = options(words, true)?;
    let (id, now) = (world.next_id(), world.now());
    let queue = world.used(&name);
    if let Some(holder) = options.key.as_ref().and_then(|key| queue.holder_of(key)) {
        queue.count("deduplicated", 1);
        return Ok(Value::BulkString(holder.into()));
    }
    make_room(queue, 1)?;
    if let Some(key) = &options.key {
        if queue.time("maxdedup").is_some_and(|most| queue.held_keys() as u64 >= most) {
            queue.count("refused_full", 1);
            return Err("DEDUPFULL the queue holds its maximum of deduplication keys".to_owned());
        }
        let hold = match options.hold {
            Some(HoldFor::UntilDone) => Hold::UntilDone,
            Some(HoldFor::Window(window)) => Hold::Until(now + window),
            None => Hold::Until(now + queue.time("dedupwindow").unwrap_or(0)),
        };
        queue.hold(key.clone(), id.clone(), hold);
    }
    add(queue, &id, payload, &options, now);
    Ok(Value::BulkString(id.into()))
}

pub fn push_many(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let payloads = words.list(10_000, Arguments::bytes)?;
    let options = options(words, false)?;
    make_room(world.used(&name), payloads.len() as u64)?;
    let mut ids = Vec::new();
    for payload in payloads {
        let (id, now) = (world.next_id(), world.now());
        add(world.queue(&name), &id, payload, &options, now);
        ids.push(Value::BulkString(id.into()));
    }
    Ok(Value::Array(ids))
}

fn options(mut words: Arguments, is_one: bool) -> Result<Options, Refusal> {
    let mut options = Options::default();
    while let Some(option) = words.option()? {
        match option.as_str() {
            "DELAY" => options.delay = Some(words.milliseconds(0, YEAR_MS)?),
            "AT" => options.at = Some(words.milliseconds(0, LATEST_MS)?),
            "TTL" => options.ttl = Some(words.milliseconds(0, YEAR_MS)?),
            "DEAD" => options.dies = true,
            "PRIORITY" => options.content.priority = words.milliseconds(0, 9)?,
            "GROUP" => options.content.group = Some(words.name()?),
            "HEADERS" => {
                options.content.headers =
                    words.list(64, |words| Ok((words.bytes()?, words.bytes()?)))?;
            }
            "DEDUP" if is_one => options.key = Some(words.name()?),
            "WINDOW" if is_one => {
                options.hold = Some(HoldFor::Window(words.milliseconds(1, YEAR_MS)?));
            }
            "UNTILDONE" if is_one => options.hold = Some(HoldFor::UntilDone),
            _ => return unknown(&option),
        }
    }
    for pair in [["DELAY", "AT"], ["PRIORITY", "GROUP"], ["WINDOW", "UNTILDONE"]] {
        words.exclusive(&pair)?;
    }
    words.only_with(&["WINDOW", "UNTILDONE"], "DEDUP")?;
    words.only_with(&["DEAD"], "TTL")?;
    Ok(options)
}

fn make_room(queue: &mut Queue, count: u64) -> Result<(), Refusal> {
    if queue.time("maxlen").is_some_and(|most| queue.len(None) as u64 + count > most) {
        queue.count("refused_full", count);
        return Err("QUEUEFULL the queue is full".to_owned());
    }
    Ok(())
}

fn add(queue: &mut Queue, id: &str, payload: Vec<u8>, options: &Options, now: u64) {
    let Options { content, delay, at, ttl, dies, .. } = options;
    let delay = delay.or(queue.time("delay")).unwrap_or(0);
    let ttl = ttl.or(queue.time("ttl")).unwrap_or(0);
    let content = Content { payload, ..content.clone() };
    let expiry = (ttl > 0).then_some(Expiry { at: now + ttl, kills: *dies });
    queue.push(id.to_owned(), content, at.unwrap_or(now + delay), expiry);
}
