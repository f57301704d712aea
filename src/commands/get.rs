//! MQ.GET: shows one message.

use super::arguments::{DEDUP, QUEUE};
use super::errors::CommandError;
use super::{claims, handler, options, reply};
use crate::queue::inspect;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.GET queue (id | DEDUP key)`
pub struct Get;

impl Command for Get {
    const SPEC: Spec = Spec {
        name: "MQ.GET",
        summary: "Shows one message and its state.",
        complexity: "O(log n) with n messages in the queue.",
        since: "0.1.0",
        flags: "readonly",
        blocking: false,
        arity: -3,
        key: Some(KeyUse::Access),
        arguments: &[QUEUE, Arg::Or(&Arg::Text("id"), DEDUP)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, get);
    }
}

fn get(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let named = options::name_instead(&DEDUP, rest)?;
    let entry = handler::entry_to_read(context, *queue)?;
    let mut store = entry.open(context, Access::Read);
    let id = match named {
        (Some(key), []) => inspect::holder(&mut store, key, context.began_ms())?,
        (None, [id]) => Some(claims::read_id(id.as_bytes())),
        _ => return Err(CommandError::Arity),
    };
    match id.map_or(Ok(None), |id| inspect::find(&mut store, id))? {
        Some(message) => reply::seen(context, entry.queue(), &message),
        None => context.reply_null_array(),
    }
    Ok(())
}
