//! MQ.PAUSE: stops deliveries, for a while or until MQ.RESUME.

use super::arguments::{QUEUE, milliseconds};
use super::errors::CommandError;
use super::handler;
use super::options::Options;
use crate::queue::op;
use crate::runtime::execute::execute;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::{Arg, KeyUse, Number, Spec};
use crate::server::string::Argument;

const FOR: Number = milliseconds("FOR", 1);

/// `MQ.PAUSE queue [FOR milliseconds]`
pub struct Pause;

impl Command for Pause {
    const SPEC: Spec = Spec {
        name: "MQ.PAUSE",
        summary: "Stops the deliveries of a queue.",
        complexity: "O(1).",
        since: "0.1.0",
        flags: "write fast",
        blocking: false,
        arity: -2,
        key: Some(KeyUse::Update),
        arguments: &[QUEUE, Arg::Number(FOR)],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, pause);
    }
}

fn pause(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, options @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Pause>(options)?;
    let entry = handler::entry(context, *queue)?;
    execute(context, &entry, op(&options, context.now_ms()))?;
    context.reply_status(c"OK");
    Ok(())
}

pub fn op<A: AsRef<[u8]>>(options: &Options<'_, A>, now_ms: u64) -> op::Pause {
    op::Pause { until_ms: options.number(&FOR).map(|ms| now_ms.saturating_add(ms)) }
}
