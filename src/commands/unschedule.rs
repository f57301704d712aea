//! MQ.UNSCHEDULE: removes a schedule.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::schedule::check_name;
use super::{handler, reply};
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.UNSCHEDULE queue name`
pub struct Unschedule;

impl Command for Unschedule {
    const SPEC: Spec = Spec {
        name: "MQ.UNSCHEDULE",
        summary: "Removes a schedule. Messages that it has pushed stay.",
        complexity: "O(log n) with n schedules in the queue.",
        since: "0.2.0",
        flags: "write fast",
        blocking: false,
        arity: 3,
        key: Some(KeyUse::Delete),
        arguments: &[QUEUE, Arg::Text("name")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, unschedule);
    }
}

fn unschedule(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, name] = arguments else { return Err(CommandError::Arity) };
    let name = check_name(name.as_bytes())?.to_vec();
    let entry = handler::entry(context, *queue)?;
    reply::count(context, execute(context, &entry, op::Unschedule { name })?);
    Ok(())
}
