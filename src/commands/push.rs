//! MQ.PUSH: a new message.

use super::arguments::{DELAY, Numbers};
use crate::execute::{execute_on, open, settings};
use crate::queue::message::MAX_PAYLOAD_BYTES;
use crate::queue::op::Op;
use crate::queue::settings::Setting;
use crate::reply::{self, CommandError};
use crate::server::command::{Arg, Command, KeyUse, Spec};
use crate::server::context::Context;
use crate::server::key::Access;
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
        names_dead_letter: false,
        arguments: &[Arg::Queue, Arg::Text("payload"), Arg::Number(DELAY)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || push(context, arguments));
    }
}

fn push(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, payload, options @ ..] = arguments else { return Err(CommandError::Syntax) };
    let options = Numbers::read(&Push::SPEC, options)?;
    let payload = payload.as_bytes();
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(CommandError::PayloadTooLong);
    }
    let entry = super::entry(context, *queue)?;
    let now_ms = context.now_ms();
    let mut store = open(context, &entry, Access::Write);
    let delay_ms = match options.get(&DELAY) {
        Some(delay_ms) => delay_ms,
        None => settings(&mut store, &[Setting::Delay])?.delay_ms,
    };
    let due_at_ms = (delay_ms > 0).then(|| now_ms.saturating_add(delay_ms));
    let id = state::with(|state| state.new_id(now_ms));
    let op = Op::Push { id, due_at_ms, payload, with: None };
    execute_on(context, &entry, &mut store, &op)?;
    reply::id(context, id);
    Ok(())
}
