//! The commands: one file each, with its facts and its handler. Arguments in, op out, reply; the
//! rules are in `queue`.

mod ack;
mod apply;
mod arguments;
mod check;
mod claims;
mod config;
mod dead_letters;
mod del;
mod diagnose;
mod drop;
mod explain;
mod extend;
#[cfg(fuzzing)]
pub mod fuzzing;
mod get;
mod glob;
mod headers;
mod help;
pub mod info;
mod len;
mod mpull;
mod mpush;
mod nack;
mod new_messages;
mod options;
mod pause;
mod payloads;
mod peek;
pub mod pull;
mod purge;
mod push;
mod queues;
mod redrive;
mod reschedule;
mod resume;

use std::ffi::CStr;
use std::rc::Rc;

use crate::index::Entry;
use crate::reply::CommandError;
use crate::server::command::{self, Command};
use crate::server::context::Context;
use crate::server::spec::Spec;
use crate::server::string::Argument;
use crate::state;

/// A command as the server gets to know it.
struct Known {
    spec: &'static Spec,
    register: fn(Context<'_>, &CStr) -> bool,
}

const fn known<C: Command>() -> Known {
    Known { spec: const { &C::SPEC }, register: command::register::<C> }
}

/// All commands, by what they are for.
const GROUPS: &[(&str, &[Known])] = &[
    ("Send", &[known::<push::Push>(), known::<mpush::Mpush>()]),
    (
        "Receive",
        &[
            known::<pull::Pull>(),
            known::<mpull::Mpull>(),
            known::<ack::Ack>(),
            known::<nack::Nack>(),
            known::<extend::Extend>(),
        ],
    ),
    (
        "Look",
        &[
            known::<peek::Peek>(),
            known::<get::Get>(),
            known::<len::Len>(),
            known::<info::Info>(),
            known::<queues::Queues>(),
            known::<help::Help>(),
        ],
    ),
    (
        "Change messages",
        &[
            known::<del::Del>(),
            known::<reschedule::Reschedule>(),
            known::<redrive::Redrive>(),
            known::<purge::Purge>(),
        ],
    ),
    (
        "Change queues",
        &[
            known::<config::Config>(),
            known::<pause::Pause>(),
            known::<resume::Resume>(),
            known::<drop::Drop>(),
            known::<check::Check>(),
        ],
    ),
    ("For replication only", &[known::<apply::Apply>()]),
];

fn all() -> impl Iterator<Item = &'static Known> {
    GROUPS.iter().flat_map(|(_, commands)| *commands)
}

/// The access control category of the commands that clients use.
const ACL_CATEGORY: &CStr = c"mq";

/// Registers all commands. False if the server refuses one.
pub fn register(context: Context<'_>) -> bool {
    context.add_acl_category(ACL_CATEGORY);
    all().all(|known| (known.register)(context, ACL_CATEGORY))
}

/// Runs a handler and replies its error, with all that the line and the queue tell of it.
fn answer<C: Command>(
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

/// Replies the error of what was not read from a line, if there is one.
fn answer_later(context: Context<'_>, result: Result<(), CommandError>) {
    if let Err(error) = result {
        context.reply_error(&diagnose::of_queues(context, &[], &error));
    }
}

/// The queue that a command names. In cluster mode no command runs on half a queue: while its slot
/// is on the move, the answer is TRYAGAIN.
fn entry(context: Context<'_>, name: Argument<'_>) -> Result<Rc<Entry>, CommandError> {
    state::with(|state| {
        let entry = state.entry(context, name.as_bytes())?;
        if state.is_cluster.get() && !entry.names.slot_is_stable(context) {
            return Err(CommandError::SlotMoves);
        }
        Ok(entry)
    })
}

/// Another queue that a command names. From 7.0 on, no server but Redis 8.6 looks whether it is in the
/// same slot.
fn other_entry(
    context: Context<'_>,
    first: &Entry,
    name: Argument<'_>,
) -> Result<Rc<Entry>, CommandError> {
    state::with(|state| {
        let entry = state.entry(context, name.as_bytes())?;
        if state.is_cluster.get() && !entry.queue().shares_slot_with(first.queue()) {
            return Err(CommandError::CrossSlot);
        }
        Ok(entry)
    })
}

/// In cluster mode dead messages may only go to a queue of the same slot.
fn is_same_slot_only() -> bool {
    state::with(|state| state.is_cluster.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page of a command says what the server is told.
    #[test]
    fn every_command_has_a_page_with_its_facts() {
        for Known { spec, .. } in all() {
            let path = format!(
                "{}/docs/commands/{}.md",
                env!("CARGO_MANIFEST_DIR"),
                spec.name.to_ascii_lowercase()
            );
            let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            let head = format!(
                "# {}\n\n    {}\n\n{}\n\n- Complexity: {}\n- Flags: {}\n- Since: {}\n",
                spec.name,
                spec.syntax(),
                spec.summary,
                spec.complexity,
                spec.flags_text(),
                spec.since
            );
            assert!(page.starts_with(&head), "{path} should begin with\n{head}");
        }
    }

    #[test]
    fn the_facts_of_every_command_can_be_read() {
        for Known { spec, .. } in all() {
            options::tests::check_facts(spec.arguments);
        }
    }
}
