//! MQ.CONFIG: a queue's settings, shown or changed.

use crate::execute::{execute, open};
use crate::index::Entry;
use crate::queue::name::QueueName;
use crate::queue::op::Op;
use crate::queue::settings::{Setting, Settings, parse_integer};
use crate::queue::store::{Part, Store};
use crate::reply::CommandError;
use crate::server::command::{Arg, Command, KeyUse, Number, Spec};
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::string::Argument;

/// What follows the command's name.
const OPTIONS: [Arg; 7] = [
    Arg::Queue,
    Arg::Number(number("VISIBILITY", "ms", Setting::Visibility)),
    Arg::Number(number("MAXRETRIES", "n", Setting::MaxRetries)),
    Arg::OtherQueue("DEADLETTER"),
    Arg::Number(number("BACKOFF", "ms", Setting::Backoff)),
    Arg::Number(number("BACKOFFMAX", "ms", Setting::BackoffMax)),
    Arg::Number(number("DELAY", "ms", Setting::Delay)),
];

/// `MQ.CONFIG queue`, or with options.
pub struct Config;

impl Command for Config {
    const SPEC: Spec = Spec {
        name: "MQ.CONFIG",
        summary: "Shows or changes the settings of a queue.",
        complexity: "O(n) with n options.",
        since: "0.1.0",
        flags: "write deny-oom getkeys-api",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::AccessAndUpdate),
        names_dead_letter: true,
        arguments: &OPTIONS,
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || match arguments {
            [_, queue] => show(context, *queue),
            [_, queue, changes @ ..] => change(context, *queue, changes),
            _ => Err(CommandError::Syntax),
        });
    }
}

fn show(context: Context<'_>, queue: Argument<'_>) -> Result<(), CommandError> {
    let entry = super::entry(context, queue)?;
    let mut store = open(context, &entry, Access::Read);
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

/// The settings as fields of a map: names and values.
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
    arguments: &[Argument<'_>],
) -> Result<(), CommandError> {
    let entry = super::entry(context, queue)?;
    let mut changes: Vec<(Setting, Option<Vec<u8>>)> = Vec::new();
    let mut pairs = arguments.chunks_exact(2);
    for pair in &mut pairs {
        let [option, value] = pair else { return Err(CommandError::Syntax) };
        let setting = Setting::from_name(option.as_bytes()).ok_or(CommandError::Syntax)?;
        if changes.iter().any(|(other, _)| *other == setting) {
            return Err(CommandError::Syntax);
        }
        changes.push((setting, stored_form(entry.queue(), setting, value.as_bytes())?));
    }
    if !pairs.remainder().is_empty() {
        return Err(CommandError::Syntax);
    }
    execute(context, &entry, &Op::Configure { changes })?;
    context.reply_status(c"OK");
    Ok(())
}

/// A value as it is stored; None for the default, which the empty string means too.
fn stored_form(
    queue: &QueueName,
    setting: Setting,
    value: &[u8],
) -> Result<Option<Vec<u8>>, CommandError> {
    if value.is_empty() {
        return Ok(None);
    }
    let Some(option) = option_of(setting) else {
        let name = QueueName::new(value)?;
        if name == *queue {
            return Err(CommandError::OwnDeadLetter);
        }
        if super::is_same_slot_only() && !name.shares_slot_with(queue) {
            return Err(CommandError::CrossSlot);
        }
        let is_default = queue.default_dead_letter().as_ref() == Some(&name);
        return Ok((!is_default).then(|| value.to_vec()));
    };
    let number = parse_integer(value)
        .filter(|number| (option.min..=option.max).contains(number))
        .ok_or(CommandError::Number(option))?;
    let is_default = Settings::default().number(setting) == Some(number);
    Ok((!is_default).then(|| value.to_vec()))
}

fn option_of(setting: Setting) -> Option<Number> {
    OPTIONS.into_iter().find_map(|argument| match argument {
        Arg::Number(number) if number.token.eq_ignore_ascii_case(setting.name()) => Some(number),
        _ => None,
    })
}

/// A setting with a number as an option.
#[allow(clippy::panic, reason = "runs only when the module is compiled")]
const fn number(token: &'static str, name: &'static str, setting: Setting) -> Number {
    match setting.range() {
        Some((min, max)) => Number { token, name, min, max },
        None => panic!("it has no number"),
    }
}
