//! MQ.CHECK: checks that the records of a queue are consistent, and repairs them.

use super::arguments::QUEUE;
use super::errors::CommandError;
use super::options::Options;
use super::{handler, reply};
use crate::queue::op;
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::runtime::checking::{self, CheckError, Findings};
use crate::runtime::execute::execute;
use crate::server::blocked::{BlockedClient, Deferred};
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::spec::{Arg, KeyUse, Spec};
use crate::server::string::Argument;

/// `MQ.CHECK queue [REPAIR]`
pub struct Check;

impl Command for Check {
    const SPEC: Spec = Spec {
        name: "MQ.CHECK",
        summary: "Checks that the records of a queue are consistent, and repairs them.",
        complexity: "O(n log n) with n messages in the queue.",
        since: "0.1.0",
        flags: "write",
        blocking: true,
        arity: -2,
        key: Some(KeyUse::AccessAndUpdate),
        arguments: &[QUEUE, Arg::Flag("REPAIR")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        handler::answer::<Self>(context, arguments, check);
    }
}

fn check(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let [_, queue, rest @ ..] = arguments else { return Err(CommandError::Arity) };
    let options = Options::read::<Check>(rest)?;
    let entry = handler::entry_to_read(context, *queue)?;
    let findings = if options.has("REPAIR") {
        let findings = execute(context, &entry, op::Repair)?;
        entry.forget_last_ready();
        findings
    } else {
        let mut store = entry.open(context, Access::Read);
        store.require(&Part::ALL)?;
        if !context.may_not_block()
            && checking::is_large(&mut store)
            && let Some(client) = BlockedClient::deferred::<Check>(context)
        {
            checking::begin(context, client, &entry);
            return Ok(());
        }
        store.check()
    };
    show(context, findings);
    Ok(())
}

fn show(context: Context<'_>, findings: Findings) {
    context.reply_map(findings.len());
    for (finding, count) in findings {
        reply::field(context, finding.name(), count);
    }
}

impl Deferred for Check {
    fn reply(context: Context<'_>, _: &[Argument<'_>], number: u64) {
        let findings = checking::answer(number).unwrap_or(Err(CheckError::Failed));
        let shown = findings.map(|findings| show(context, findings));
        handler::answer_later(context, shown.map_err(CommandError::from));
    }

    fn gone(client: &BlockedClient) {
        checking::gone(client);
    }

    fn done(number: u64) {
        // Discards the findings that a client was not sent because CLIENT UNBLOCK came first.
        checking::answer(number);
    }
}
