//! The commands: one file each, with its facts and its handler. Arguments in, op out, reply; the
//! rules are in `queue`.

mod ack;
mod apply;
mod arguments;
mod check;
mod claims;
mod config;
mod extend;
mod glob;
pub mod info;
mod len;
mod nack;
pub mod pull;
mod push;
mod queues;

use std::rc::Rc;

use crate::index::Entry;
use crate::reply::CommandError;
use crate::server::command;
use crate::server::context::Context;
use crate::server::string::Argument;
use crate::state;

/// Registers all commands. False if the server refuses one.
pub fn register(context: Context<'_>) -> bool {
    command::register::<push::Push>(context)
        && command::register::<pull::Pull>(context)
        && command::register::<ack::Ack>(context)
        && command::register::<nack::Nack>(context)
        && command::register::<extend::Extend>(context)
        && command::register::<config::Config>(context)
        && command::register::<info::Info>(context)
        && command::register::<len::Len>(context)
        && command::register::<check::Check>(context)
        && command::register::<queues::Queues>(context)
        && command::register::<apply::Apply>(context)
}

/// Runs a handler and replies its error.
fn answer(context: Context<'_>, run: impl FnOnce() -> Result<(), CommandError>) {
    if let Err(error) = run() {
        context.reply_error(&error.to_string());
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

/// In cluster mode dead messages may only go to a queue of the same slot.
fn is_same_slot_only() -> bool {
    state::with(|state| state.is_cluster.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::command::Command;

    /// The page of a command says what the server is told.
    #[test]
    fn every_command_has_a_page_with_its_facts() {
        for spec in [
            push::Push::SPEC,
            pull::Pull::SPEC,
            ack::Ack::SPEC,
            nack::Nack::SPEC,
            extend::Extend::SPEC,
            config::Config::SPEC,
            info::Info::SPEC,
            len::Len::SPEC,
            check::Check::SPEC,
            queues::Queues::SPEC,
            apply::Apply::SPEC,
        ] {
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
}
