//! MQ.REDRIVE of the fake.

use super::Refusal;
use super::arguments::{Arguments, unknown};
use super::stored::{State, Stored, number};
use super::world::World;
use redis::Value;

/// Which messages are moved.
#[derive(Debug, Default)]
struct Selection {
    count: Option<usize>,
    all: bool,
    ids: Option<Vec<String>>,
    from: Option<String>,
    reason: Option<String>,
    to: Option<String>,
}

pub fn redrive(mut words: Arguments, world: &mut World) -> Result<Value, Refusal> {
    let name = words.queue()?;
    let mut selection = Selection::default();
    while let Some(option) = words.option()? {
        match option.as_str() {
            "COUNT" => selection.count = usize::try_from(words.integer(1, 100_000)?).ok(),
            "ALL" => selection.all = true,
            "IDS" => selection.ids = Some(words.list(10_000, Arguments::text)?),
            "FROM" => selection.from = Some(words.queue()?),
            "REASON" => selection.reason = Some(words.text()?),
            "TO" => selection.to = Some(words.queue()?),
            _ => return unknown(&option),
        }
    }
    words.exclusive(&["COUNT", "ALL", "IDS"])?;
    if selection.to.as_ref() == Some(&name) {
        return Err("ERR a queue can't be redriven to itself".to_owned());
    }
    let grave = world.queue(&name).dead_letter();
    if !has_dead(world, &name) && has_dead(world, &grave) {
        return Err(format!(
            "ERR the queue's dead letters are in its dead-letter queue, redrive {grave}"
        ));
    }
    let mut ready = world.queue(&name).list(State::Ready);
    ready.sort_by_key(|message| message.death.is_none());
    let chosen: Vec<String> = ready
        .into_iter()
        .filter(|message| selection.takes(message))
        .take(selection.most())
        .map(|message| message.id.clone())
        .collect();
    for id in &chosen {
        let Some(mut message) = world.queue(&name).take(id) else { continue };
        let death = message.death.take();
        let origin = death.map(|death| {
            message.expiry = None;
            death.from
        });
        if let Some(target) = selection.to.clone().or(origin) {
            world.queue(&target).receive(message);
        }
    }
    Ok(number(chosen.len()))
}

fn has_dead(world: &mut World, queue: &str) -> bool {
    world.queue(queue).list(State::Ready).iter().any(|message| message.death.is_some())
}

impl Selection {
    fn most(&self) -> usize {
        if self.all || self.ids.is_some() { usize::MAX } else { self.count.unwrap_or(1_000) }
    }

    fn takes(&self, message: &Stored) -> bool {
        let Self { ids, from, reason, to, .. } = self;
        let is_from = match &message.death {
            Some(death) => from.as_ref().is_none_or(|from| death.from == *from),
            None => to.is_some() && from.is_none() && reason.is_none(),
        };
        let is_for = |reason: &String| {
            message.death.as_ref().is_some_and(|death| death.reason == *reason)
                || message.last_error.as_ref() == Some(reason)
        };
        is_from
            && reason.as_ref().is_none_or(is_for)
            && ids.as_ref().is_none_or(|ids| ids.contains(&message.id))
    }
}
