//! MQ.DEL: deletes messages in any state.

use super::arguments::{DEDUP, QUEUE};
use super::errors::CommandError;
use super::{claims, handler, options, reply};
use crate::queue::inspect;
use crate::queue::op::{self, MAX_BATCH};
use crate::queue::store::Store;
use crate::runtime::execute::execute_on;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Number, Spec};
use crate::server::string::Argument;

const IDS: Number = Number { token: "ids", name: "id", min: 1, max: MAX_BATCH as i64 };

/// `MQ.DEL queue (id [id ...] | DEDUP key)`
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
        arguments: &[QUEUE, Arg::Or(&Arg::Texts("id"), DEDUP)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, del);
    }
}

fn del(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let entry = handler::entry(context, *queue)?;
    let mut store = entry.open(context, Access::Write);
    let op = op(rest, &mut store, context.began_ms())?;
    reply::count(context, execute_on(context, &entry, &mut store, op)?);
    Ok(())
}

/// The messages with these ids, or the one that holds the key.
pub fn op<A: AsRef<[u8]>>(
    arguments: &[A],
    store: &mut impl Store,
    now_ms: u64,
) -> Result<op::Delete, CommandError> {
    let ids = match options::name_instead(&DEDUP, arguments)? {
        (Some(key), []) => inspect::holder(store, key, now_ms)?.into_iter().collect(),
        (Some(_), _) => return Err(CommandError::Arity),
        (None, ids) => {
            let ids = options::at_most(&IDS, ids)?.iter();
            ids.map(|id| claims::read_id(id.as_ref())).collect()
        }
    };
    Ok(op::Delete { ids })
}
