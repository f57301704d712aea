//! The walk over all keys that finds the queues after a load or a promotion, in small steps.
//!
//! What needs the whole list right after a load waits for its end.

use crate::index::UNKNOWN;
use crate::server::context::Context;
use crate::server::scan::Cursor;
use crate::state::{self, State};
use crate::store::keys;
use crate::timer;

/// Where the walk stands.
pub struct Scan {
    db: i32,
    cursor: Cursor,
}

/// How many calls of the server's make one step; each visits a few keys.
const CALLS: usize = 100;

/// Begins a walk, from the start if one is under way. All that is remembered is in doubt.
pub fn begin(context: Context<'_>) {
    state::with(|state| state.index.borrow_mut().doubt_all());
    walk(context);
}

/// Begins a walk, from the start if one is under way.
pub fn walk(context: Context<'_>) {
    state::with(|state| {
        *state.scan.borrow_mut() = Cursor::new().map(|cursor| Scan { db: 0, cursor });
        timer::arm(context, state, UNKNOWN);
    });
}

/// Goes on with the walk. False if there is none under way.
pub fn step(context: Context<'_>, state: &State) -> bool {
    let Some(mut scan) = state.scan.borrow_mut().take() else { return false };
    if !context.select_db(scan.db) {
        return false;
    }
    let mut found = Vec::new();
    let mut goes_on = true;
    for _ in 0..CALLS {
        goes_on = scan.cursor.step(context, |key| found.extend(keys::queue_of(key)));
        if !goes_on {
            break;
        }
    }
    for queue in found {
        let mut index = state.index.borrow_mut();
        if let Ok(entry) = index.look_up(scan.db, queue.as_bytes()) {
            index.adopt(&entry);
        }
    }
    if !goes_on {
        let Some(cursor) = Cursor::new() else { return false };
        scan = Scan { db: scan.db.saturating_add(1), cursor };
    }
    *state.scan.borrow_mut() = Some(scan);
    true
}
