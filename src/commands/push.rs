//! MQ.PUSH: a new message.

use super::arguments::DELAY;
use super::options::Options;
use super::payloads;
use crate::execute::{execute, settings};
use crate::queue::op::Op;
use crate::reply::{self, CommandError};
use crate::server::command::{Arg, Command, KeyUse, Spec};
use crate::server::context::Context;
use crate::server::string::Argument;
use crate::state;

/// `MQ.PUSH queue payload [DELAY ms]`
pub struct Push;

impl Command for Push {
    const SPEC: Spec = Spec {
        name: "MQ.PUSH",
        summary: "Adds a message to a queue and returns its id.",
        complexity: "O(1); O(log n) with n delayed messages if it is delayed.",
        since: "0.1.0",
        flags: "write deny-oom fast",
        blocking: false,
        arity: -3,
        key: Some(KeyUse::Insert),
        arguments: &[Arg::Queue, Arg::Text("payload"), Arg::Number(DELAY)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || push(context, arguments));
    }
}

fn push(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, payload, options @ ..] = arguments else { return Err(CommandError::Syntax) };
    let options = Options::read::<Push>(options)?;
    let payload = payload.as_bytes();
    payloads::check(payload)?;
    let entry = super::entry(context, *queue)?;
    let now_ms = context.now_ms();
    let delay_ms = match options.number(&DELAY) {
        Some(delay_ms) => delay_ms,
        None => settings(context, &entry)?.delay_ms,
    };
    let due_at_ms = (delay_ms > 0).then(|| now_ms.saturating_add(delay_ms));
    let id = state::with(|state| state.new_id(now_ms));
    execute(context, &entry, &Op::Push { id, due_at_ms, payload })?;
    reply::id(context, id);
    Ok(())
}
