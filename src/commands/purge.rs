//! MQ.PURGE: deletes all messages and keeps the settings.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::{handler, reply};
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.PURGE queue`
pub struct Purge;

impl Command for Purge {
    const SPEC: Spec = Spec {
        name: "MQ.PURGE",
        summary: "Deletes all messages of a queue and keeps its settings.",
        complexity: "O(1); the memory is freed in the background.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: 2,
        key: Some(KeyUse::Delete),
        arguments: &[QUEUE],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, purge);
    }
}

fn purge(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue] = arguments else { return Err(CommandError::Arity) };
    let entry = handler::entry(context, *queue)?;
    reply::count(context, execute(context, &entry, op::Purge)?);
    Ok(())
}
