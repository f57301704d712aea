//! What the server's events mean for what the process remembers.

use crate::index::UNKNOWN;
use crate::server::context::Context;
use crate::server::event::{Event, Listen};
use crate::server::info;
use crate::store::keys;
use crate::{checking, disconnect, scan, state, timer};

/// Listens to the server.
pub struct Listener;

impl Listen for Listener {
    fn event(context: Context<'_>, event: Event) {
        match event {
            Event::RoleChanged => {
                let is_active = context.is_active_master();
                state::with(|state| state.is_active.set(is_active));
                // A master that becomes a replica knows its queues. Right then it may take its new
                // master for its own replica still, and Redis 8.4 and later never return from a
                // walk over the keys, looking for the master's master, round and round.
                if is_active {
                    scan::begin(context);
                }
            }
            Event::Loaded => {
                state::with(|state| state.is_active.set(context.is_active_master()));
                scan::begin(context);
            }
            Event::Loading => state::with(|state| {
                state.is_active.set(false);
                timer::disarm(context, state);
            }),
            Event::Swapped(first, second) => swapped(context, first, second),
            Event::Configured => look_at_eviction(context),
            Event::Disconnected(client) => disconnect::client_gone(context, client),
            Event::ShuttingDown => state::with(|state| {
                state.is_shutting_down.set(true);
                timer::disarm(context, state);
            }),
            Event::Cron => state::with(|state| timer::look_at_clock(context, state)),
            Event::Flushed(db) => state::with(|state| {
                checking::doubt(state, None);
                // What is believed to be due is not: the timer finds that out.
                state.index.borrow_mut().flushed(u32::try_from(db).ok().map(|_| db));
                timer::arm(context, state, UNKNOWN);
            }),
        }
    }

    fn key_replaced(context: Context<'_>, key: &[u8]) {
        let Some(queue) = keys::queue_of(key) else { return };
        state::with(|state| {
            let Ok(entry) = state.entry(context, queue.as_bytes()) else { return };
            let mut index = state.index.borrow_mut();
            index.adopt(&entry);
            index.touch(&entry);
            index.doubt(&entry);
            drop(index);
            checking::doubt(state, Some(&entry));
            // Something may be ready or due now.
            state.mark(context, &entry);
        });
    }
}

/// Tells the log when the server comes to be set so that it may delete queues.
pub fn look_at_eviction(context: Context<'_>) {
    let evicts = info::evicts_any_key();
    let evicted_before = state::with(|state| state.evicts_any_key.replace(evicts));
    if evicts && !evicted_before {
        context.warn(
            "maxmemory-policy lets the server delete queues when maxmemory is reached: \
             set it to noeviction, or to a policy that begins with volatile-",
        );
    }
}

/// Each queue that is known in one of the databases may now be in the other: a walk finds them.
fn swapped(context: Context<'_>, first: i32, second: i32) {
    state::with(|state| {
        state.index.borrow_mut().forget_databases([first, second]);
        checking::doubt(state, None);
        let entries: Vec<_> = state.index.borrow().all().cloned().collect();
        for entry in entries.into_iter().filter(|entry| entry.has_waiting()) {
            state.mark(context, &entry);
        }
    });
    scan::walk(context);
}
