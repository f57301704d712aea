//! What the server's events mean for what the process remembers.

use super::alarm::{self, NOW};
use super::facts::{EVICTS_ANY_KEY, IS_ACTIVE, IS_SHUTTING_DOWN};
use super::{checking, disconnect, index, scan, turn, unread};
use crate::queue::part::Part;
use crate::server::context::Context;
use crate::server::event::{Event, EventListener};
use crate::server::info;
use crate::store::keys;

/// Listens to the server.
pub struct Listener;

impl EventListener for Listener {
    fn event(context: Context<'_>, event: Event) {
        match event {
            Event::RoleChanged => {
                let is_active = context.is_active_master();
                IS_ACTIVE.set(is_active);
                // A master that becomes a replica knows its queues. At this point it may still take its new
                // master for its own replica, and Redis 8.4 and later never return from a scan of the keys:
                // they look for the master's master, round and round.
                if is_active {
                    index::with(|index| index.all_replaced());
                    scan::begin(context);
                }
            }
            Event::Loaded => {
                IS_ACTIVE.set(context.is_active_master());
                index::with(|index| index.all_replaced());
                scan::scan(context);
            }
            Event::Loading => {
                IS_ACTIVE.set(false);
                alarm::disarm(context);
            }
            Event::Swapped(first, second) => swapped(context, first, second),
            Event::Configured => check_eviction(context),
            Event::Disconnected(client) => disconnect::client_gone(context, client),
            Event::ShuttingDown => {
                IS_SHUTTING_DOWN.set(true);
                alarm::disarm(context);
            }
            Event::Cron => turn::check_clock(context),
            Event::SlotsArrived => scan::begin(context),
            Event::Flushed(db) => {
                checking::invalidate(None);
                // What was due is gone: the timer finds that out.
                index::with(|index| index.flushed(u32::try_from(db).ok().map(|_| db)));
                alarm::arm(context, NOW);
            }
        }
    }

    fn key_replaced(context: Context<'_>, key: &[u8]) {
        let Some((queue, part)) = keys::queue_and_part(key) else { return };
        let Ok(entry) = index::entry(context, queue.as_bytes()) else { return };
        index::with(|index| {
            index.insert(&entry);
            index.touch(&entry);
            index.replaced(&entry);
        });
        if part == Part::Flight {
            unread::add(context, &entry);
        }
        checking::invalidate(Some(&entry));
        // Something may be ready or due now.
        index::mark(context, &entry);
    }
}

/// Warns when the eviction policy is set so that the server may delete queues.
pub fn check_eviction(context: Context<'_>) {
    let evicts = info::evicts_any_key();
    let evicted_before = EVICTS_ANY_KEY.replace(evicts);
    if evicts && !evicted_before {
        context.warn(
            "maxmemory-policy lets the server delete queues when maxmemory is reached: \
             set it to noeviction, or to a policy that begins with volatile-",
        );
    }
}

/// Each queue that is known in one of the databases may now be in the other: a scan finds them.
fn swapped(context: Context<'_>, first: i32, second: i32) {
    checking::invalidate(None);
    let awaited = index::with(|index| {
        index.forget_databases([first, second]);
        index.awaited()
    });
    for entry in awaited {
        index::mark(context, &entry);
    }
    scan::scan(context);
}
