//! MQ.DEL: deletes messages in any state.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::{claims, handler, options, reply};
use crate::queue::op::{self, MAX_BATCH};
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Number, Spec};
use crate::server::string::Argument;

const IDS: Number = Number { token: "ids", name: "id", min: 1, max: MAX_BATCH as i64 };

/// `MQ.DEL queue id [id ...]`
pub struct Del;

impl Command for Del {
    const SPEC: Spec = Spec {
        name: "MQ.DEL",
        summary: "Deletes messages in any state.",
        complexity: "O(log n) for each message, with n messages in the queue.",
        since: "0.1.0",
        flags: "write",
        blocking: false,
        arity: -3,
        key: Some(KeyUse::Delete),
        arguments: &[QUEUE, Arg::Texts("id")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, del);
    }
}

fn del(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, ids @ ..] = arguments else { return Err(CommandError::Arity) };
    let op = op(ids)?;
    let entry = handler::entry(context, *queue)?;
    reply::count(context, execute(context, &entry, op)?);
    Ok(())
}

pub fn op<A: AsRef<[u8]>>(ids: &[A]) -> Result<op::Delete, CommandError> {
    let ids = options::at_most(&IDS, ids)?.iter();
    Ok(op::Delete { ids: ids.map(|id| claims::read_id(id.as_ref())).collect() })
}
