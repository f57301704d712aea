//! redis-mq: a message queue that lives inside Redis and Valkey.
//!
//! Loads and unloads the module: registers commands, events and the INFO section, and nothing else.
//! ARCHITECTURE.md describes the folders.

// No input from a client and nothing stored may crash the server.
#![cfg_attr(
    not(any(test, fuzzing)),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod calendar;
mod commands;
#[cfg(fuzzing)]
pub mod fuzzing;
mod queue;
#[cfg(any(test, fuzzing))]
mod queue_tests;
mod runtime;
mod server;
mod store;

use runtime::events::{self, Listener};
use runtime::facts::{HAS_KEYSPACE_EVENTS, IMPORTS_VISIBLY, IS_ACTIVE, IS_CLUSTER};
use runtime::{alarm, scan, turn, unload};
use server::context::Context;
use server::load::entry_points;
use server::string::Argument;

/// The server's allocator, so that INFO memory and maxmemory count what the module uses. It only exists inside a
/// server.
#[cfg(not(any(test, fuzzing)))]
#[global_allocator]
static ALLOCATOR: redis_module::alloc::RedisAlloc = redis_module::alloc::RedisAlloc;

/// A small input must not make anything allocate more than this.
#[cfg(fuzzing)]
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, 64 << 20);

entry_points!(c"mq", load, unload);

/// The server loads the module. False refuses.
fn load(context: Context<'_>, arguments: &[Argument<'_>]) -> bool {
    if !arguments.is_empty() {
        context.warn("the module takes no arguments, see MQ.CONFIG for settings");
        return false;
    }
    let missing = context.missing_commands();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|name| name.to_string_lossy()).collect();
        context.warn(&format!(
            "the module needs commands that this server has renamed or lacks: {}; \
             remove them from rename-command",
            names.join(", ")
        ));
        return false;
    }
    let valkey = server::info::valkey_version();
    let is_valkey_9 = valkey.is_some_and(|version| version >= [9, 0, 0]);
    // Valkey 8.1.0 to 9.1.1: if a module subscribes to keyspace events, COPY ... DB and MOVE leave the client in
    // the other database.
    let has_keyspace_events = !valkey.is_some_and(|v| ([8, 1, 0]..[9, 1, 2]).contains(&v));
    let is_loaded = commands::register(context)
        && server::event::subscribe::<Listener>(context)
        && (!has_keyspace_events || server::event::subscribe_to_keys::<Listener>(context))
        && (!is_valkey_9 || server::event::subscribe_to_slots::<Listener>(context))
        && server::info::register::<commands::info::Section>(context);
    if is_loaded {
        server::reply::prepare(context, c"MQ.HELP");
        if is_valkey_9 {
            context.allow_atomic_slot_migration();
        }
        IS_CLUSTER.set(context.is_cluster());
        IMPORTS_VISIBLY.set(is_valkey_9);
        IS_ACTIVE.set(context.is_active_master());
        HAS_KEYSPACE_EVENTS.set(has_keyspace_events);
        alarm::install(turn::take);
        context.notice(&format!(
            "version {}, writes ops of version {}",
            env!("CARGO_PKG_VERSION"),
            runtime::execute::OP_VERSION
        ));
        events::check_eviction(context);
        scan::begin(context);
    }
    is_loaded
}

/// The server is about to unload the module. False refuses.
fn unload(context: Context<'_>) -> bool {
    if let Some(reason) = unload::obstacle(context) {
        context.warn(&format!("the module can't be unloaded, {reason}"));
        return false;
    }
    unload::forget(context);
    server::reply::forget(context);
    store::record::forget();
    true
}
