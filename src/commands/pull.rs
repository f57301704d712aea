//! MQ.PULL: delivers messages, or blocks until there is one.

use super::arguments::{
    ACK, BLOCK, CONSUMER, COUNT, NOT_WITH_NOACK, ON_DISCONNECT, QUEUE, VISIBILITY,
};
use super::deliver::{PullRequest, connection, deliver_or_wait};
use super::errors::CommandError;
use super::options::Options;
use super::{claims, handler};
use crate::runtime::waiting::BlockTimeout;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.PULL queue`, and options.
pub struct Pull;

impl Command for Pull {
    const SPEC: Spec = Spec {
        name: "MQ.PULL",
        summary: "Delivers messages and makes them invisible to others for a while.",
        complexity: "O(1) for each message; O(log n) with n messages in flight, returned, with a \
                     TTL or in groups.",
        since: "0.1.0",
        flags: "write",
        blocking: true,
        arity: -2,
        key: Some(KeyUse::AccessAndUpdate),
        arguments: &[
            QUEUE,
            Arg::Number(COUNT),
            Arg::Number(VISIBILITY),
            Arg::Number(BLOCK),
            Arg::Name(CONSUMER),
            ON_DISCONNECT,
            Arg::FlagWithout("NOACK", NOT_WITH_NOACK),
            Arg::Pairs(ACK, ["id", "receipt"]),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, pull);
    }
}

fn pull(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Pull>(options)?;
    let request = PullRequest::read(&options, || connection(context))?;
    let acknowledged = options.pairs(&ACK).map(claims::of_pairs);
    let timeout = options.number(&BLOCK).map(BlockTimeout::Milliseconds);
    let entry = handler::entry(context, *queue)?;
    deliver_or_wait(context, &[entry], request, timeout, acknowledged)
}
