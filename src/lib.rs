//! redis-mq: a message queue that lives inside Redis and Valkey.
//!
//! Loads the module: registers its commands, its events and its part of INFO. Nothing else is here;
//! ARCHITECTURE.md says where what is.

// Nothing that a client sends or that is stored may end the server.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod commands;
mod events;
mod execute;
mod index;
mod queue;
#[cfg(test)]
mod queue_tests;
mod reply;
mod scan;
mod server;
mod state;
mod store;
mod timer;
mod waiting;

use server::context::Context;
use server::string::Argument;

/// The server's allocator, so that INFO memory and maxmemory count what the module uses. It is
/// there only inside of a server.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: redis_module::alloc::RedisAlloc = redis_module::alloc::RedisAlloc;

/// The server loads the module. False refuses.
fn load(context: Context<'_>, arguments: &[Argument<'_>]) -> bool {
    if !arguments.is_empty() {
        context.warn("the module takes no arguments, see MQ.CONFIG for settings");
        return false;
    }
    let is_loaded = commands::register(context)
        && server::event::subscribe::<events::Listener>(context)
        && server::info::register::<commands::info::Section>(context);
    if is_loaded {
        let is_valkey_9 = context.is_valkey_9_or_later();
        if is_valkey_9 {
            context.allow_atomic_slot_migration();
        }
        state::with(|state| {
            state.is_cluster.set(context.is_cluster());
            state.shows_stable_slots_only.set(is_valkey_9);
            state.is_active.set(context.is_active_master());
        });
        scan::begin(context);
    }
    is_loaded
}

/// The server lets the module go. Older servers would still fire its timer, and crash.
fn unload(context: Context<'_>) {
    state::with(|state| timer::disarm(context, state));
}
