//! MQ.MPUSH: adds several messages, all or none.

use super::arguments::{HEADERS, QUEUE};
use super::errors::CommandError;
use super::new_messages::{self, ORDER, PushRequest, TIME_TO_LIVE, WHEN_READY};
use super::options::Options;
use super::payloads::{self, PAYLOADS};
use super::{handler, reply};
use crate::queue::op::{self, BatchMessage};
use crate::runtime::execute::execute_on;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.MPUSH queue n payload [payload ...]`, and options.
pub struct Mpush;

impl Command for Mpush {
    const SPEC: Spec = Spec {
        name: "MQ.MPUSH",
        summary: "Adds several messages to a queue, all or none, and returns their ids.",
        complexity: "O(1) for each message; O(log n) with n messages if they are delayed, expire, or \
                     have a group.",
        since: "0.1.0",
        flags: "write deny-oom",
        blocking: false,
        arity: -4,
        key: Some(KeyUse::Insert),
        arguments: &[
            QUEUE,
            Arg::Counted(PAYLOADS, "payload"),
            WHEN_READY,
            TIME_TO_LIVE,
            ORDER,
            Arg::Pairs(HEADERS, ["name", "value"]),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, mpush);
    }
}

fn mpush(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let (payloads, rest) = payloads::read(rest)?;
    let options = Options::read::<Mpush>(rest)?;
    let entry = handler::entry(context, *queue)?;
    let now_ms = context.began_ms();
    let mut store = entry.open(context, Access::Write);
    let PushRequest { due_at_ms, options } = PushRequest::read(&options, &mut store, now_ms)?;
    let ids = entry.new_ids(&mut store, now_ms, payloads.len());
    let payloads = payloads.iter().map(|payload| payload.as_bytes());
    let messages = ids.iter().zip(payloads).map(|(id, payload)| BatchMessage { id: *id, payload });
    let messages = messages.collect();
    let op = op::PushMany { messages, due_at_ms, options };
    new_messages::check(execute_on(context, &entry, &mut store, op)?)?;
    context.reply_array(ids.len());
    for id in ids {
        reply::id(context, id);
    }
    Ok(())
}
