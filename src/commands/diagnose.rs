//! Adds to an error what the stored state tells: which key, which limit, where the message is now. Runs only
//! after a command has failed, and changes nothing.

use std::rc::Rc;

use super::claims;
use super::errors::CommandError;
use super::explain::CommandLine;
use super::quoted::Quoted;
use crate::queue::QueueError;
use crate::queue::inspect::{self, State};
use crate::queue::message::MessageId;
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::runtime::entry::{Entry, key_of};
use crate::runtime::index;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::keys_of_command::positions;
use crate::server::spec::Spec;
use crate::server::string::Argument;

/// The error reply to a command line that was refused.
pub fn refusal(
    context: Context<'_>,
    spec: &'static Spec,
    arguments: &[Argument<'_>],
    error: &CommandError,
) -> String {
    let line = CommandLine { spec, arguments };
    if let Some(told) = line.explanation(error) {
        return told;
    }
    let mut entries = Vec::new();
    positions(spec, arguments, |position| {
        let name = arguments.get(position).map_or(&b""[..], |name| name.as_bytes());
        entries.extend(index::entry(context, name));
    });
    let is_refused_claim = matches!(error, CommandError::NotFound | CommandError::BadReceipt);
    if is_refused_claim
        && let Some(entry) = entries.first()
        && let Some((id, _)) = line.claim()
        && let Some(became) = what_became(context, entry, claims::read_id(id), error)
    {
        return format!("{error}: {became}");
    }
    of_queues(context, &entries, error)
}

/// The error reply of a command on these queues.
pub fn of_queues(context: Context<'_>, entries: &[Rc<Entry>], error: &CommandError) -> String {
    if let CommandError::At(queue, error) = error {
        let entry = index::entry(context, queue.as_bytes()).ok();
        return of_queues(context, entry.as_slice(), &CommandError::Queue(*error));
    }
    let queue = entries.first().map(|entry| entry.queue());
    let name = queue.map(|queue| Quoted::all(queue.as_bytes()));
    let more = match (error, name) {
        (CommandError::QueueFull, Some(name)) => limit(context, entries, Setting::MaxLen)
            .map(|limit| format!("MAXLEN of {name} is {limit}")),
        (CommandError::DedupFull, Some(name)) => limit(context, entries, Setting::MaxDedup)
            .map(|limit| format!("MAXDEDUP of {name} is {limit}")),
        (CommandError::CorruptSetting(setting), Some(name)) => {
            let setting = setting.name().to_ascii_uppercase();
            Some(format!("MQ.CONFIG {name} {setting} sets it again"))
        }
        (CommandError::Queue(QueueError::WrongType), _) => {
            let wrong = entries.iter().find_map(|entry| wrong_key(context, entry));
            wrong.map(|key| {
                format!("{key} was not created by MQ, MQ.DROP removes it with its queue")
            })
        }
        (CommandError::Queue(QueueError::Corrupt(_)), Some(name)) => queue.map(|queue| {
            let damaged = key(queue, Part::Damaged);
            format!("see the list {damaged}, call MQ.CHECK {name} REPAIR")
        }),
        _ => None,
    };
    match more {
        Some(more) => format!("{error}: {more}"),
        None => error.to_string(),
    }
}

/// What happened to a message of which a claim was refused.
fn what_became(
    context: Context<'_>,
    entry: &Entry,
    id: MessageId,
    error: &CommandError,
) -> Option<&'static str> {
    let seen = inspect::find(&mut entry.open(context, Access::Read), id).ok()?;
    Some(match (error, seen.map(|seen| seen.state)) {
        (_, None) => {
            "it was acknowledged, deleted, sent to the dead-letter queue, or never in this queue"
        }
        (CommandError::NotFound, _) => "it is waiting, and was not delivered yet",
        (_, Some(State::Ready | State::Delayed(_))) => {
            "that delivery has ended, and the message is waiting for the next one"
        }
        (_, Some(State::Inflight(_))) => "its visibility ended, another delivery has begun",
    })
}

/// A limit in the settings of the first queue.
fn limit(context: Context<'_>, entries: &[Rc<Entry>], setting: Setting) -> Option<u64> {
    let mut store = entries.first()?.open(context, Access::Read);
    store.require(&[Part::Config]).ok()?;
    Some(store.number(setting))
}

/// The first key of a queue, or of its dead-letter queue, that has the wrong type.
fn wrong_key(context: Context<'_>, entry: &Entry) -> Option<Quoted> {
    let mut store = entry.open(context, Access::Read);
    wrong_key_in(&mut store).or_else(|| {
        let settings = store.settings(&[Setting::DeadLetter]);
        wrong_key_in(&mut store.other(&settings.dead_letter_of(entry.queue())?))
    })
}

fn wrong_key_in(store: &mut impl Store) -> Option<Quoted> {
    let part = Part::ALL.into_iter().find(|part| store.require(&[*part]).is_err())?;
    Some(key(store.queue(), part))
}

fn key(queue: &QueueName, part: Part) -> Quoted {
    Quoted::all(&key_of(queue, part))
}
