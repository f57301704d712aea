//! MQ.APPLY: an op that a master decided, on its replica or when the append-only file is loaded.

use super::arguments::QUEUE;
use crate::execute::replay;
use crate::queue::name::QueueName;
use crate::reply::CommandError;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;
use crate::state;

/// `MQ.APPLY queue op`
pub struct Apply;

impl Command for Apply {
    const SPEC: Spec = Spec {
        name: "MQ.APPLY",
        summary: "Applies a change that another server decided. For replication only.",
        complexity: "That of the command which the change came from.",
        since: "0.1.0",
        flags: "write admin",
        blocking: false,
        arity: 3,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE, Arg::Text("op")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer::<Self>(context, arguments, apply);
    }
}

fn apply(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, bytes] = arguments else { return Err(CommandError::Arity) };
    let result = apply_bytes(context, queue.as_bytes(), bytes.as_bytes());
    match &result {
        Ok(()) => context.reply_status(c"OK"),
        Err(error) if context.is_replicated() => report(context, queue.as_bytes(), error),
        Err(_) => state::with(|state| {
            let mut totals = state.totals.get();
            totals.apply_refused = totals.apply_refused.saturating_add(1);
            state.totals.set(totals);
        }),
    }
    result
}

fn apply_bytes(context: Context<'_>, queue: &[u8], bytes: &[u8]) -> Result<(), CommandError> {
    let entry = state::with(|state| state.entry(context, queue))?;
    replay(context, &entry, bytes)
}

/// A replica can't refuse an op to its master: it says so where an operator sees it.
fn report(context: Context<'_>, queue: &[u8], error: &CommandError) {
    state::with(|state| {
        let mut totals = state.totals.get();
        totals.apply_errors = totals.apply_errors.saturating_add(1);
        state.totals.set(totals);
    });
    let name = QueueName::new(queue).map_or_else(|_| "?".to_owned(), |name| name.to_string());
    context.warn(&format!("queue {name}: an op can't be applied: {error}"));
}
