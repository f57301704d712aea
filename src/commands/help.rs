//! The table of all commands, and MQ.HELP, which shows how they are written.

use std::ffi::CStr;

use super::errors::CommandError;
use super::nearest::nearest;
use super::options::Options;
use super::quoted::Quoted;
use super::{
    ack, apply, check, config, del, drop, extend, get, handler, info, len, mpull, mpush, nack,
    next, pause, peek, pull, purge, push, queues, redrive, reschedule, resume, schedule, schedules,
    stats, trigger, unschedule,
};
use crate::server::command::{self, Command};
use crate::server::context::Context;
use crate::server::spec::{Arg, Name, Spec};
use crate::server::string::Argument;

/// A command, for the server and for MQ.HELP.
pub struct Known {
    pub spec: &'static Spec,
    pub register: fn(Context<'_>, &CStr) -> bool,
}

const fn known<C: Command>() -> Known {
    Known { spec: const { &C::SPEC }, register: command::register::<C> }
}

/// All commands, by what they are for.
const GROUPS: &[(&str, &[Known])] = &[
    ("Send", &[known::<push::Push>(), known::<mpush::Mpush>()]),
    (
        "Receive",
        &[
            known::<pull::Pull>(),
            known::<mpull::Mpull>(),
            known::<ack::Ack>(),
            known::<nack::Nack>(),
            known::<extend::Extend>(),
        ],
    ),
    (
        "Inspect",
        &[
            known::<peek::Peek>(),
            known::<get::Get>(),
            known::<len::Len>(),
            known::<info::Info>(),
            known::<queues::Queues>(),
            known::<stats::Stats>(),
            known::<Help>(),
        ],
    ),
    (
        "Manage messages",
        &[
            known::<del::Del>(),
            known::<reschedule::Reschedule>(),
            known::<redrive::Redrive>(),
            known::<purge::Purge>(),
        ],
    ),
    (
        "Schedule",
        &[
            known::<schedule::Schedule>(),
            known::<unschedule::Unschedule>(),
            known::<schedules::Schedules>(),
            known::<next::Next>(),
            known::<trigger::Trigger>(),
        ],
    ),
    (
        "Manage queues",
        &[
            known::<config::Config>(),
            known::<pause::Pause>(),
            known::<resume::Resume>(),
            known::<drop::Drop>(),
            known::<check::Check>(),
        ],
    ),
    ("For replication only", &[known::<apply::Apply>()]),
];

pub fn all() -> impl Iterator<Item = &'static Known> {
    GROUPS.iter().flat_map(|(_, commands)| *commands)
}

/// `MQ.HELP [command]`
pub struct Help;

impl Command for Help {
    const SPEC: Spec = Spec {
        name: "MQ.HELP",
        summary: "Shows the syntax of all commands, or the options of one.",
        complexity: "O(1).",
        since: "0.2.0",
        flags: "fast allow-loading allow-stale",
        blocking: false,
        arity: -1,
        key: None,
        arguments: &[Arg::Optional("command")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, help);
    }
}

fn help(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let lines = match arguments {
        [_, command, rest @ ..] => {
            Options::read::<Help>(rest)?;
            of_command(find(command.as_bytes())?)
        }
        _ => of_all(),
    };
    context.reply_array(lines.len());
    for line in lines {
        context.reply_line(&line);
    }
    Ok(())
}

/// The command of that name, with or without `MQ.`.
pub fn find(name: &[u8]) -> Result<&'static Spec, CommandError> {
    let names: Vec<&'static str> = all().map(|known| known.spec.name).collect();
    let short: Vec<&'static str> = names.iter().filter_map(|name| name.get(3..)).collect();
    let is = |known: &&str| name.eq_ignore_ascii_case(known.as_bytes());
    let place = names.iter().position(is).or_else(|| short.iter().position(is));
    let known = place.and_then(|place| all().nth(place)).map(|known| known.spec);
    known.ok_or_else(|| {
        let near = nearest(name, &names).or_else(|| {
            let near = nearest(name, &short)?;
            names.iter().copied().find(|name| name.ends_with(near))
        });
        CommandError::UnknownCommand(Quoted::of(name), near)
    })
}

fn of_all() -> Vec<String> {
    let mut lines =
        vec!["MQ.HELP command shows the options of one command. The commands are:".to_owned()];
    for (group, commands) in GROUPS {
        lines.push((*group).to_owned());
        for known in *commands {
            lines.push(format!("  {}", known.spec.syntax()));
            lines.push(format!("      {}", known.spec.summary));
        }
    }
    lines
}

fn of_command(spec: &Spec) -> Vec<String> {
    let mut lines = vec![spec.syntax(), format!("    {}", spec.summary)];
    for argument in spec.arguments {
        add(&mut lines, argument, &[], None);
    }
    lines.push(format!("Complexity: {}", spec.complexity));
    lines.push(format!("Since: {}", spec.since));
    lines
}

/// Adds a line for each option in an argument.
fn add(lines: &mut Vec<String>, argument: &Arg, not_with: &[&str], needs: Option<&str>) {
    let value = match argument {
        Arg::OneOf(_, options) | Arg::Required(_, options) => {
            for option in *options {
                let others = options.iter().filter_map(Arg::token);
                let others: Vec<&str> =
                    others.filter(|other| option.token() != Some(other)).collect();
                add(lines, option, &others, needs);
            }
            return;
        }
        Arg::Nested(option, more) => {
            add(lines, option, not_with, needs);
            for more in *more {
                add(lines, more, &[], option.token());
            }
            return;
        }
        Arg::Keys(number, _) | Arg::Counted(number, _) => {
            lines.push(format!("  {}: an integer from {}", number.token, number.range()));
            return;
        }
        Arg::Number(number) => format!("an integer from {}", number.range()),
        Arg::Setting(number) => {
            format!("an integer from {}, or '' for the default", number.range())
        }
        Arg::List(number, _) | Arg::Pairs(number, _) => format!("n from {}", number.range()),
        Arg::Name(Name { max: usize::MAX, .. }) => "any bytes".to_owned(),
        Arg::Name(Name { min, max, .. }) => format!("{min} to {max} bytes"),
        Arg::Pattern(_) => "a pattern as in KEYS".to_owned(),
        Arg::OtherKey(..) => "a queue's name".to_owned(),
        Arg::Choice(_) | Arg::Flag(_) | Arg::FlagWithout(..) => String::new(),
        _ => return,
    };
    let not_with = if let Arg::FlagWithout(_, others) = argument { others } else { not_with };
    let mut told = vec![value];
    told.retain(|told| !told.is_empty());
    if !not_with.is_empty() {
        told.push(format!("not with {}", not_with.join(", ")));
    }
    told.extend(needs.map(|needs| format!("only with {needs}")));
    let colon = if told.is_empty() { "" } else { ": " };
    lines.push(format!("  {}{colon}{}", argument.syntax_inside(), told.join("; ")));
}
