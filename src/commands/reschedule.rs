//! MQ.RESCHEDULE: changes when a delayed message becomes ready.

use super::arguments::{QUEUE, WHEN, due_at_ms};
use super::errors::CommandError;
use super::options::Options;
use super::{claims, handler, reply};
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.RESCHEDULE queue id (DELAY milliseconds | AT unix-time-milliseconds)`
pub struct Reschedule;

impl Command for Reschedule {
    const SPEC: Spec = Spec {
        name: "MQ.RESCHEDULE",
        summary: "Changes when a delayed message becomes ready.",
        complexity: "O(log n) with n delayed messages.",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: 5,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE, Arg::Text("id"), Arg::Required("when", WHEN)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, reschedule);
    }
}

fn reschedule(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, id, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Reschedule>(options)?;
    let entry = handler::entry(context, *queue)?;
    let op = op(&options, id.as_bytes(), context.now_ms())?;
    reply::count(context, execute(context, &entry, op)?);
    Ok(())
}

pub fn op<A: AsRef<[u8]>>(
    options: &Options<'_, A>,
    id: &[u8],
    now_ms: u64,
) -> Result<op::Reschedule, CommandError> {
    let due_at_ms = due_at_ms(options, now_ms, 0)?.unwrap_or(now_ms);
    Ok(op::Reschedule { now_ms, id: claims::read_id(id), due_at_ms })
}
