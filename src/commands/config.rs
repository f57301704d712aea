//! MQ.CONFIG: shows or changes a queue's settings.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::handler;
use super::options::Options;
use crate::queue::name::QueueName;
use crate::queue::op;
use crate::queue::part::Part;
use crate::queue::settings::{Setting, Settings, parse_integer};
use crate::queue::store::Store;
use crate::runtime::entry::Entry;
use crate::runtime::execute::execute_on;
use crate::runtime::facts::IS_CLUSTER;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, MILLISECONDS, Number, Spec};
use crate::server::string::Argument;

/// Resets the dead-letter queue to the default. DEADLETTER with an empty name can't: the name is a key.
const DEFAULT_DEAD_LETTER: &str = "DEFAULTDEADLETTER";

/// The arguments and options in the facts.
const OPTIONS: [Arg; 17] = [
    QUEUE,
    Arg::Setting(number("VISIBILITY", MILLISECONDS, Setting::Visibility)),
    Arg::Setting(number("MAXRETRIES", "n", Setting::MaxRetries)),
    Arg::OneOf(
        "dead-letter",
        &[Arg::OtherKey("DEADLETTER", "queue"), Arg::Flag(DEFAULT_DEAD_LETTER)],
    ),
    Arg::Setting(number("BACKOFF", MILLISECONDS, Setting::Backoff)),
    Arg::Setting(number("BACKOFFMAX", MILLISECONDS, Setting::BackoffMax)),
    Arg::Setting(number("DELAY", MILLISECONDS, Setting::Delay)),
    Arg::Setting(number("TTL", MILLISECONDS, Setting::Ttl)),
    Arg::Setting(number("MAXLEN", "n", Setting::MaxLen)),
    Arg::Setting(number("MAXINFLIGHT", "n", Setting::MaxInflight)),
    Arg::Setting(number("RATE", "n", Setting::Rate)),
    Arg::Setting(number("RATEPERIOD", MILLISECONDS, Setting::RatePeriod)),
    Arg::Setting(number("AGING", MILLISECONDS, Setting::Aging)),
    Arg::Setting(number("GROUPINFLIGHT", "n", Setting::GroupInflight)),
    Arg::Setting(number("DEDUPWINDOW", MILLISECONDS, Setting::DedupWindow)),
    Arg::Setting(number("MAXDEDUP", "n", Setting::MaxDedup)),
    Arg::Setting(number("EXPIRES", MILLISECONDS, Setting::Expires)),
];

/// `MQ.CONFIG queue`, or with options.
pub struct Config;

impl Command for Config {
    const SPEC: Spec = Spec {
        name: "MQ.CONFIG",
        summary: "Shows or changes the settings of a queue.",
        complexity: "O(n) with n options; O(g log g) with g groups if GROUPINFLIGHT changes.",
        since: "0.1.0",
        flags: "write deny-oom",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::AccessAndUpdate),
        arguments: &OPTIONS,
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, config);
    }
}

fn config(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    match arguments {
        [_, queue] => show(context, *queue),
        [_, queue, changes @ ..] => change(context, *queue, changes),
        _ => Err(CommandError::Arity),
    }
}

fn show(context: Context<'_>, queue: Argument<'_>) -> Result<(), CommandError> {
    let entry = handler::entry_to_read(context, queue)?;
    let mut store = entry.open(context, Access::Read);
    store.require(&[Part::Config])?;
    for setting in Setting::ALL {
        if let Some(text) = store.setting(setting)
            && !Settings::default().set(setting, &text)
        {
            return Err(CommandError::CorruptSetting(setting));
        }
    }
    let settings = store.settings(&Setting::ALL);
    context.reply_map(Setting::ALL.len());
    reply_settings(context, &entry, &settings);
    Ok(())
}

/// Replies the settings as fields of a map.
pub fn reply_settings(context: Context<'_>, entry: &Entry, settings: &Settings) {
    for setting in Setting::ALL {
        context.reply_bytes(setting.name().as_bytes());
        match settings.number(setting) {
            Some(number) => context.reply_integer(number),
            None => {
                let dead_letter = settings.dead_letter_of(entry.queue());
                context.reply_bytes(dead_letter.as_ref().map_or(b"", |name| name.as_bytes()));
            }
        }
    }
}

fn change(
    context: Context<'_>,
    queue: Argument<'_>,
    options: &[Argument<'_>],
) -> Result<(), CommandError> {
    let options = Options::read::<Config>(options)?;
    let entry = handler::entry(context, queue)?;
    let mut store = entry.open(context, Access::Write);
    let op = op(&options, &mut store, IS_CLUSTER.get())?;
    execute_on(context, &entry, &mut store, op)?;
    context.reply_status(c"OK");
    Ok(())
}

/// The changes that the options ask for.
pub fn op<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    store: &mut impl Store,
    same_slot: bool,
) -> Result<op::Configure, CommandError> {
    let mut changes: Vec<(Setting, Option<Vec<u8>>)> = Vec::new();
    if options.has(DEFAULT_DEAD_LETTER) {
        changes.push((Setting::DeadLetter, None));
    }
    for (token, value) in options.values() {
        let setting = Setting::from_name(token.as_bytes()).ok_or(CommandError::Arity)?;
        changes.push((setting, stored_form(store.queue(), setting, value, same_slot)?));
    }
    check_backoff(store, &changes)?;
    Ok(op::Configure { changes })
}

/// Refuses changes that would make BACKOFF longer than BACKOFFMAX.
fn check_backoff(
    store: &mut impl Store,
    changes: &[(Setting, Option<Vec<u8>>)],
) -> Result<(), CommandError> {
    const BOTH: [Setting; 2] = [Setting::Backoff, Setting::BackoffMax];
    if !changes.iter().any(|(setting, _)| BOTH.contains(setting)) {
        return Ok(());
    }
    store.require(&[Part::Config])?;
    let mut settings = Settings::default();
    for setting in BOTH {
        let changed = changes.iter().find(|(changed, _)| *changed == setting);
        let text = match changed {
            Some((_, text)) => text.clone(),
            None => store.setting(setting),
        };
        if let Some(text) = text {
            settings.set(setting, &text);
        }
    }
    let [first, longest] = BOTH.map(|setting| settings.get(setting));
    if first > longest {
        return Err(CommandError::BackoffAboveMax(first, longest));
    }
    Ok(())
}

/// A value as it is stored; None for the default, which an empty string stands for as well.
fn stored_form(
    queue: &QueueName,
    setting: Setting,
    value: &[u8],
    same_slot: bool,
) -> Result<Option<Vec<u8>>, CommandError> {
    let is_default = if setting == Setting::DeadLetter {
        let name = QueueName::new(value)?;
        if name == *queue {
            return Err(CommandError::OwnDeadLetter);
        }
        if same_slot && !name.shares_slot_with(queue) {
            return Err(CommandError::CrossSlot);
        }
        queue.default_dead_letter() == Some(name)
    } else {
        value.is_empty() || Settings::default().number(setting) == parse_integer(value)
    };
    Ok((!is_default).then(|| value.to_vec()))
}

/// A numeric setting as an option.
#[allow(clippy::panic, reason = "runs only when the module is compiled")]
const fn number(token: &'static str, name: &'static str, setting: Setting) -> Number {
    match setting.range() {
        Some((min, max)) => Number { token, name, min, max },
        None => panic!("it has no number"),
    }
}
