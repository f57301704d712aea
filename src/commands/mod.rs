//! The commands: one file each, with its facts and its handler. Arguments in, op out, reply; the rules are in
//! `queue`. `help.rs` has the table of all commands.

mod ack;
mod apply;
mod arguments;
mod check;
mod claims;
mod config;
mod dead_letters;
mod del;
mod deliver;
mod diagnose;
mod drop;
mod errors;
mod explain;
mod extend;
#[cfg(fuzzing)]
pub mod fuzzing;
mod get;
mod glob;
mod handler;
mod headers;
mod help;
pub mod info;
mod len;
mod listing;
mod mpull;
mod mpush;
mod nack;
mod nearest;
mod new_messages;
mod next;
mod options;
mod pause;
mod payloads;
mod peek;
mod pull;
mod purge;
mod push;
mod queues;
mod quoted;
mod redrive;
pub mod reply;
mod reschedule;
mod resume;
mod schedule;
mod schedules;
mod stats;
mod trigger;
mod unschedule;

use std::ffi::CStr;

use crate::server::context::Context;

/// The access control category of the commands that clients use.
const ACL_CATEGORY: &CStr = c"mq";

/// Registers all commands. False if the server refuses one.
pub fn register(context: Context<'_>) -> bool {
    context.add_acl_category(ACL_CATEGORY);
    help::all().all(|known| (known.register)(context, ACL_CATEGORY))
}

#[cfg(test)]
mod tests {
    use super::help::{Known, all};
    use super::options;

    /// The head of a command's page shows the same facts as COMMAND DOCS.
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
