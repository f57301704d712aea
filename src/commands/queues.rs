//! MQ.QUEUES: the names of the queues in the selected database.

use super::glob;
use super::options::Options;
use crate::reply::CommandError;
use crate::server::blocked::{BlockedClient, Later};
use crate::server::command::{Arg, Command, Spec};
use crate::server::context::Context;
use crate::server::string::Argument;
use crate::{scan, state};

/// `MQ.QUEUES [MATCH pattern]`
pub struct Queues;

impl Command for Queues {
    const SPEC: Spec = Spec {
        name: "MQ.QUEUES",
        summary: "Returns the names of the queues that have a message or a setting.",
        complexity: "O(n) with n queues.",
        since: "0.1.0",
        flags: "readonly",
        blocking: true,
        arity: -1,
        key: None,
        arguments: &[Arg::Pattern("MATCH")],
    };

    fn run(context: Context<'_>, arguments: &[Argument<'_>]) {
        super::answer(context, || queues(context, arguments));
    }
}

fn queues(context: Context<'_>, arguments: &[Argument<'_>]) -> Result<(), CommandError> {
    let pattern = pattern(arguments)?;
    let may_not_block = context.may_not_block();
    // Newer servers find the keys of one slot only inside a transaction or a script of a cluster.
    let sees_all = !(may_not_block && super::is_same_slot_only());
    // Where the server does not tell of keys that appear, the list is made anew; what may not wait
    // for that gets what is known.
    let is_complete = state::with(|state| {
        state.scan.borrow().is_none() && (state.hears_of_keys.get() || may_not_block)
    });
    if is_complete && sees_all {
        reply(context, pattern);
        return Ok(());
    }
    if may_not_block {
        return Err(CommandError::NoList);
    }
    let client = BlockedClient::until_later::<Queues>(context).ok_or(CommandError::NoList)?;
    state::with(|state| state.waiting_for_scan.borrow_mut().push(client));
    if state::with(|state| state.scan.borrow().is_none()) {
        scan::begin(context);
    }
    Ok(())
}

fn pattern<'a>(arguments: &'a [Argument<'_>]) -> Result<Option<&'a [u8]>, CommandError> {
    let [_, options @ ..] = arguments else { return Err(CommandError::Syntax) };
    Ok(Options::read::<Queues>(options)?.value("MATCH"))
}

impl Later for Queues {
    fn reply(context: Context<'_>, arguments: &[Argument<'_>], _: u64) {
        super::answer(context, || {
            reply(context, pattern(arguments)?);
            Ok(())
        });
    }

    fn gone(client: &BlockedClient) {
        state::with(|state| state.waiting_for_scan.borrow_mut().retain(|other| other != client));
    }
}

fn reply(context: Context<'_>, pattern: Option<&[u8]>) {
    let entries = state::with(|state| state.index.borrow().entries(context.selected_db()));
    let user = context.user();
    let names: Vec<_> = entries
        .into_iter()
        .filter(|entry| {
            let name = entry.queue().as_bytes();
            pattern.is_none_or(|pattern| glob::matches(pattern, name))
                && user.as_ref().is_none_or(|user| user.may_name(name))
                && state::exists(context, entry)
                && state::may_show(context, entry)
        })
        .collect();
    context.reply_array(names.len());
    for entry in names {
        context.reply_bytes(entry.queue().as_bytes());
    }
}
