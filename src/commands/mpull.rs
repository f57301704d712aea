//! MQ.MPULL: pulls from the first non-empty one of several queues, or blocks.

use std::collections::HashSet;
use std::rc::Rc;

use super::arguments::{BLOCK, CONSUMER, COUNT, NOT_WITH_NOACK, ON_DISCONNECT, VISIBILITY};
use super::deliver::{PullRequest, connection, deliver_or_wait};
use super::errors::CommandError;
use super::handler;
use super::options::{self, Options};
use crate::runtime::entry::Entry;
use crate::runtime::waiting::BlockTimeout;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Number, Spec};
use crate::server::string::Argument;

pub const NUMKEYS: Number = Number { token: "numkeys", name: "numkeys", min: 1, max: 1_024 };

/// `MQ.MPULL numkeys queue [queue ...]`, and options.
pub struct Mpull;

impl Command for Mpull {
    const SPEC: Spec = Spec {
        name: "MQ.MPULL",
        summary: "Delivers messages from the first non-empty one of several queues.",
        complexity: "O(k) with k queues, and that of MQ.PULL.",
        since: "0.1.0",
        flags: "write",
        blocking: true,
        arity: -3,
        key: Some(KeyUse::AccessAndUpdate),
        arguments: &[
            Arg::Keys(NUMKEYS, "queue"),
            Arg::Number(COUNT),
            Arg::Number(VISIBILITY),
            Arg::Number(BLOCK),
            Arg::Name(CONSUMER),
            ON_DISCONNECT,
            Arg::FlagWithout("NOACK", NOT_WITH_NOACK),
        ],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, mpull);
    }
}

fn mpull(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let (queues, options) = options::counted(&NUMKEYS, rest)?;
    let options = Options::read::<Mpull>(options)?;
    let request = PullRequest::read(&options, || connection(context))?;
    let timeout = options.number(&BLOCK).map(BlockTimeout::Milliseconds);
    let mut entries: Vec<Rc<Entry>> = Vec::with_capacity(queues.len());
    let mut seen = HashSet::with_capacity(queues.len());
    for queue in queues.iter().filter(|queue| seen.insert(queue.as_bytes())) {
        // All are in one slot, so it is enough to check that of the first.
        let entry = match entries.first() {
            None => handler::entry(context, *queue)?,
            Some(first) => handler::other_entry(context, first, *queue)?,
        };
        entries.push(entry);
    }
    deliver_or_wait(context, &entries, request, timeout, None)
}
