//! MQ.DROP: deletes a queue, including its settings.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::{handler, reply};
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.DROP queue`
pub struct Drop;

impl Command for Drop {
    const SPEC: Spec = Spec {
        name: "MQ.DROP",
        summary: "Deletes a queue with its messages and settings.",
        complexity: "O(1); the memory is freed in the background.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: 2,
        key: Some(KeyUse::Delete),
        arguments: &[QUEUE],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, drop);
    }
}

fn drop(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue] = arguments else { return Err(CommandError::Arity) };
    let entry = handler::entry(context, *queue)?;
    reply::count(context, execute(context, &entry, op::Drop)?);
    Ok(())
}
