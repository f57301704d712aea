//! MQ.APPLY: applies an op that a master decided, on a replica or while the append-only file is loaded.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::handler;
use crate::queue::name::QueueName;
use crate::runtime::execute::replay;
use crate::runtime::{counters, index};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.APPLY queue op [payload]`
pub struct Apply;

impl Command for Apply {
    const SPEC: Spec = Spec {
        name: "MQ.APPLY",
        summary: "Applies a change that another server decided. For replication only.",
        complexity: "That of the command which the change came from.",
        since: "0.1.0",
        flags: "write admin",
        blocking: false,
        arity: -3,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE, Arg::Text("op"), Arg::Optional("payload")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, apply);
    }
}

fn apply(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, op, payload @ ..] = arguments else { return Err(CommandError::Arity) };
    let payload = match payload {
        [] => None,
        [payload] => Some(payload.as_bytes()),
        _ => return Err(CommandError::Arity),
    };
    let result = apply_bytes(context, queue.as_bytes(), op.as_bytes(), payload);
    match &result {
        Ok(()) => context.reply_status(c"OK"),
        Err(error) if context.is_replicated() => report(context, queue.as_bytes(), error),
        Err(_) => counters::change(|totals| {
            totals.apply_refused = totals.apply_refused.saturating_add(1);
        }),
    }
    result
}

fn apply_bytes(
    context: Context<'_>,
    queue: &[u8],
    op: &[u8],
    payload: Option<&[u8]>,
) -> Result<(), CommandError> {
    let entry = index::entry(context, queue)?;
    Ok(replay(context, &entry, op, payload)?)
}

/// A replica can't refuse an op of its master: all it can do is to tell the operator.
fn report(context: Context<'_>, queue: &[u8], error: &CommandError) {
    counters::change(|totals| totals.apply_errors = totals.apply_errors.saturating_add(1));
    let name = QueueName::new(queue).map_or_else(|_| "?".to_owned(), |name| name.to_string());
    context.warn(&format!("queue {name}: an op can't be applied: {error}"));
}
