//! MQ.PUSH: adds a message.

use super::arguments::{DEDUP, HEADERS, QUEUE, WINDOW};
use super::errors::CommandError;
use super::new_messages::{self, ORDER, PushRequest, TIME_TO_LIVE, WHEN_READY};
use super::options::Options;
use super::{handler, payloads, reply};
use crate::queue::op;
use crate::runtime::execute::execute_push;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.PUSH queue payload`, and options.
pub struct Push;

impl Command for Push {
    const SPEC: Spec = Spec {
        name: "MQ.PUSH",
        summary: "Adds a message to a queue and returns its id.",
        complexity: "O(1); O(log n) with n messages if it is delayed, expires, or has a group or \
                     a deduplication key.",
        since: "0.1.0",
        flags: "write deny-oom fast",
        blocking: false,
        arity: -3,
        key: Some(KeyUse::Insert),
        arguments: &[
            QUEUE,
            Arg::Text("payload"),
            WHEN_READY,
            TIME_TO_LIVE,
            ORDER,
            Arg::Nested(
                &Arg::Name(DEDUP),
                &[Arg::OneOf("until", &[Arg::Number(WINDOW), Arg::Flag("UNTILDONE")])],
            ),
            Arg::Pairs(HEADERS, ["name", "value"]),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, push);
    }
}

fn push(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, argument, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Push>(options)?;
    let payload = argument.as_bytes();
    payloads::check(payload)?;
    let entry = handler::entry(context, *queue)?;
    let now_ms = context.began_ms();
    let mut store = entry.open(context, Access::Write);
    let PushRequest { due_at_ms, options } = PushRequest::read(&options, &mut store, now_ms)?;
    let id = entry.new_id(&mut store, now_ms);
    let op = op::Push { id, due_at_ms, payload, options };
    let pushed = execute_push(context, &entry, &mut store, op, Some(*argument))?;
    let first = new_messages::check(pushed)?;
    reply::id(context, first.unwrap_or(id));
    Ok(())
}
