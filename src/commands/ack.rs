//! MQ.ACK: acknowledges deliveries: their messages are removed.

use super::arguments::QUEUE;
use super::claims::{self, CLAIMS};
use super::errors::CommandError;
use super::handler;
use super::options::Options;
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::runtime::index;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.ACK queue (id receipt | IDS n id receipt [id receipt ...])`
pub struct Ack;

impl Command for Ack {
    const SPEC: Spec = Spec {
        name: "MQ.ACK",
        summary: "Acknowledges delivered messages: removes them.",
        complexity: "O(log n) for each message, with n messages in flight.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: -4,
        key: Some(KeyUse::Delete),
        arguments: &[QUEUE, CLAIMS],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, ack);
    }
}

fn ack(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let (mut claims, rest) = claims::read(rest)?;
    if !rest.is_empty() {
        // There are no options; reading them returns the error.
        Options::read::<Ack>(rest)?;
    }
    let entry = handler::entry(context, *queue)?;
    let now_ms = Some(context.began_ms()).filter(|now_ms| index::may_be_due(&entry, *now_ms));
    let op = op::Acknowledge { now_ms, deliveries: std::mem::take(&mut claims.claims) };
    let outcome = execute(context, &entry, op);
    claims.reply(context, outcome, |_| 1)
}
