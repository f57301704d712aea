//! What all handlers need: the queue that a command names, and the error reply.

use std::rc::Rc;

use super::diagnose;
use super::errors::CommandError;
use crate::runtime::entry::Entry;
use crate::runtime::facts::IS_CLUSTER;
use crate::runtime::index;
use crate::server::command::Command;
use crate::server::context::Context;
use crate::server::spec::Spec;
use crate::server::string::Argument;

/// Runs a handler and replies its error, explained by the command line and the state of the queue.
pub fn answer<C: Command>(
    context: Context<'_>,
    arguments: &[Argument<'_>],
    run: fn(Context<'_>, &[Argument<'_>]) -> Result<(), CommandError>,
) {
    if let Err(error) = run(context, arguments) {
        refuse(context, const { &C::SPEC }, arguments, &error);
    }
}

#[cold]
#[inline(never)]
fn refuse(
    context: Context<'_>,
    spec: &'static Spec,
    arguments: &[Argument<'_>],
    error: &CommandError,
) {
    context.reply_error(&diagnose::refusal(context, spec, arguments, error));
}

/// Replies an error that no command line explains, if there is one.
pub fn answer_later(context: Context<'_>, result: Result<(), CommandError>) {
    if let Err(error) = result {
        context.reply_error(&diagnose::of_queues(context, &[], &error));
    }
}

/// The queue that a command names. In cluster mode the reply is TRYAGAIN while its slot migrates: no command
/// runs on half of a queue.
pub fn entry(context: Context<'_>, name: Argument<'_>) -> Result<Rc<Entry>, CommandError> {
    let entry = index::entry(context, name.as_bytes())?;
    if IS_CLUSTER.get() && !entry.names.slot_is_stable(context) {
        return Err(CommandError::SlotMoves);
    }
    Ok(entry)
}

/// The queue that a command reads.
pub fn entry_to_read(context: Context<'_>, name: Argument<'_>) -> Result<Rc<Entry>, CommandError> {
    let entry = entry(context, name)?;
    index::note_read(context, &entry);
    Ok(entry)
}

/// Another queue that a command names. From 7.0 on, no server but Redis 8.6 checks that it is in the same slot.
pub fn other_entry(
    context: Context<'_>,
    first: &Entry,
    name: Argument<'_>,
) -> Result<Rc<Entry>, CommandError> {
    let entry = index::entry(context, name.as_bytes())?;
    if IS_CLUSTER.get() && !entry.queue().shares_slot_with(first.queue()) {
        return Err(CommandError::CrossSlot);
    }
    Ok(entry)
}
