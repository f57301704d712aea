//! MQ.TRIGGER: pushes a message of a schedule now, besides those of its ticks.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::schedule::check_name;
use super::{handler, new_messages, reply};
use crate::queue::op;
use crate::runtime::execute::execute_on;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.TRIGGER queue name`
pub struct Trigger;

impl Command for Trigger {
    const SPEC: Spec = Spec {
        name: "MQ.TRIGGER",
        summary: "Pushes a message of a schedule now and returns its id. The ticks do not move.",
        complexity: "O(log n) with n messages and schedules in the queue.",
        since: "0.2.0",
        flags: "write deny-oom fast",
        blocking: false,
        arity: 3,
        key: Some(KeyUse::AccessAndUpdate),
        arguments: &[QUEUE, Arg::Text("name")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, trigger);
    }
}

fn trigger(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, name] = arguments else { return Err(CommandError::Arity) };
    let name = check_name(name.as_bytes())?.to_vec();
    let entry = handler::entry(context, *queue)?;
    let now_ms = context.began_ms();
    let mut store = entry.open(context, Access::Write);
    let id = entry.new_id(&mut store, now_ms);
    let pushed = execute_on(context, &entry, &mut store, op::Trigger { now_ms, id, name })?;
    let first = new_messages::check(pushed.ok_or(CommandError::NoSchedule)?)?;
    reply::id(context, first.unwrap_or(id));
    Ok(())
}
