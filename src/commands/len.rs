//! MQ.LEN: counts the messages of a queue.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{dead_letters, handler, reply};
use crate::queue::limits;
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.LEN queue [READY | INFLIGHT | DELAYED | DEAD]`
pub struct Len;

/// The states of a message, and the dead-letter queue.
const STATES: &[Arg] =
    &[Arg::Flag("READY"), Arg::Flag("INFLIGHT"), Arg::Flag("DELAYED"), Arg::Flag("DEAD")];

impl Command for Len {
    const SPEC: Spec = Spec {
        name: "MQ.LEN",
        summary: "Returns the number of messages in a queue, in one state, or in its dead-letter queue.",
        complexity: "O(1).",
        since: "0.1.0",
        flags: "readonly fast",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Count),
        arguments: &[QUEUE, Arg::OneOf("state", STATES)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, len);
    }
}

fn len(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Len>(options)?;
    let mut entry = handler::entry_to_read(context, *queue)?;
    if options.has("DEAD") {
        entry = dead_letters::of(context, &entry, |user, key| user.may_name(key))?;
    }
    let mut store = entry.open(context, Access::Read);
    let total = if options.has("READY") {
        limits::require_waiting(&mut store)?;
        limits::waiting(&mut store)
    } else if options.has("INFLIGHT") {
        store.require(&[Part::Flight, Part::Inflight])?;
        store.count_inflight()
    } else if options.has("DELAYED") {
        store.require(&[Part::Delayed])?;
        store.len(Part::Delayed)
    } else {
        limits::require_waiting(&mut store)?;
        limits::len(&mut store)
    };
    reply::count(context, total);
    Ok(())
}
