//! MQ.RESUME: ends a pause.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::handler;
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.RESUME queue`
pub struct Resume;

impl Command for Resume {
    const SPEC: Spec = Spec {
        name: "MQ.RESUME",
        summary: "Ends the pause of a queue.",
        complexity: "O(1).",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: 2,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, resume);
    }
}

fn resume(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue] = arguments else { return Err(CommandError::Arity) };
    let entry = handler::entry(context, *queue)?;
    execute(context, &entry, op::Resume)?;
    context.reply_status(c"OK");
    Ok(())
}
