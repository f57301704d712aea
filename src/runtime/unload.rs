//! MODULE UNLOAD: refused where the server would still use what it remembers of the module.
//!
//! The server refuses by itself while clients are blocked, newer ones also while the timer is pending. But
//! none checks whether one of its own tables still refers to a command of the module; it would crash later.

use super::facts::IS_SHUTTING_DOWN;
use super::{alarm, checking, disconnect, index, scan, slices, unread, waiting, zones};
use crate::server::context::Context;

/// Why the module must stay; None if it may go.
pub fn obstacle(context: Context<'_>) -> Option<&'static str> {
    if checking::has_thread() {
        return Some("MQ.CHECK is under way");
    }
    if IS_SHUTTING_DOWN.get() {
        // The server does not use its tables any more.
        return None;
    }
    // CLIENT LIST shows the name of each client's last command, for which the server keeps a pointer.
    let Some(clients) = context.texts(c"CLIENT", c"LIST") else {
        return Some(
            "the server runs no CLIENT LIST, which would say who uses it: see rename-command",
        );
    };
    if clients.iter().any(|list| names_command(list, "cmd=")) {
        return Some(
            "the last command of a client was one of its own: close that connection first",
        );
    }
    // From 7.2 on, some servers read all rules again, and end where a command of them is gone.
    if !context.has_acl_categories() {
        return None;
    }
    let Some(users) = context.texts(c"ACL", c"LIST") else {
        return Some(
            "the server runs no ACL LIST, which would say whose rules name commands of it",
        );
    };
    if users.iter().any(|user| {
        let rules = user.replace(['(', ')'], " ");
        ["+", "-"].iter().any(|sign| names_command(&rules, sign))
    }) {
        return Some("a user's rules name commands of it: see ACL LIST");
    }
    None
}

/// Frees what is remembered.
pub fn forget(context: Context<'_>) {
    // Older servers would still fire the timer, and crash.
    alarm::disarm(context);
    index::forget();
    unread::forget();
    waiting::forget();
    scan::forget();
    slices::forget();
    disconnect::forget();
    zones::forget();
}

/// True if a word of the text is the prefix and a command of the module.
fn names_command(text: &str, prefix: &str) -> bool {
    let commands = text.split_whitespace().filter_map(|word| word.strip_prefix(prefix));
    commands.filter_map(|name| name.get(..3)).any(|start| start.eq_ignore_ascii_case("mq."))
}

#[cfg(test)]
mod tests {
    use super::names_command;

    #[test]
    fn commands_of_the_module_are_found_in_what_the_server_lists() {
        assert!(names_command("id=1 name=x cmd=ping\nid=2 cmd=MQ.LEN user=x", "cmd="));
        assert!(names_command("user x on ~orders -@all +mq.push", "+"));
        for other in ["id=1 name=mq.len cmd=ping", "cmd=mq", "user x on ~mq.push +@mq +ping", ""] {
            assert!(!names_command(other, "cmd=") && !names_command(other, "+"), "{other}");
        }
    }
}
