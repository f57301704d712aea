//! What the server's events mean for what the process remembers.

use crate::index::UNKNOWN;
use crate::server::context::Context;
use crate::server::event::{Event, Listen};
use crate::store::keys;
use crate::{disconnect, scan, state, timer};

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
            Event::Disconnected(client) => disconnect::client_gone(context, client),
            Event::Flushed(_) => state::with(|state| {
                state.index.borrow_mut().doubt_all();
                if state.is_active.get() {
                    timer::arm(context, state, UNKNOWN);
                }
            }),
        }
    }

    fn key_replaced(context: Context<'_>, key: &[u8]) {
        let Some(queue) = keys::queue_of(key) else { return };
        state::with(|state| {
            let Ok(entry) = state.entry(context, queue.as_bytes()) else { return };
            let mut index = state.index.borrow_mut();
            index.adopt(&entry);
            index.doubt(&entry);
            drop(index);
            // Something may be ready or due now.
            state.mark(context, &entry);
        });
    }
}

/// Each queue that is known in one of the databases may now be in the other.
fn swapped(context: Context<'_>, first: i32, second: i32) {
    state::with(|state| {
        let mut index = state.index.borrow_mut();
        for (from, to) in [(first, second), (second, first)] {
            for entry in index.entries(from) {
                if let Ok(other) = index.look_up(to, entry.queue().as_bytes()) {
                    index.adopt(&other);
                }
            }
        }
        index.doubt_all();
        let entries: Vec<_> = index.all().cloned().collect();
        drop(index);
        for entry in entries.into_iter().filter(|entry| entry.has_waiting()) {
            state.mark(context, &entry);
        }
        if state.is_active.get() {
            timer::arm(context, state, UNKNOWN);
        }
    });
}
