//! The scan over all keys that finds the queues after a load or a promotion, in small steps.
//!
//! A command that needs the whole list of queues waits for its end.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use super::alarm::{self, NOW};
use super::{index, unread};
use crate::queue::part::Part;
use crate::server::context::Context;
use crate::server::scan::Cursor;
use crate::store::keys;

/// How far the scan has come.
struct Scan {
    db: i32,
    cursor: Cursor,
}

/// How many calls of the server make one step; each visits a few keys.
const CALLS: usize = 100;

thread_local! {
    /// Never dropped: the server may be gone when its thread ends.
    static SCAN: ManuallyDrop<RefCell<Option<Scan>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// Begins a scan, from the start if one is under way, and drops all hints.
pub fn begin(context: Context<'_>) {
    index::with(|index| index.invalidate_all());
    scan(context);
}

/// Begins a scan, from the start if one is under way.
pub fn scan(context: Context<'_>) {
    SCAN.with(|scan| scan.replace(Cursor::new().map(|cursor| Scan { db: 0, cursor })));
    alarm::arm(context, NOW);
}

pub fn is_under_way() -> bool {
    SCAN.with(|scan| scan.borrow().is_some())
}

/// Forgets how far the scan has come: the module is unloaded.
pub fn forget() {
    SCAN.with(|scan| scan.take());
}

/// Continues the scan. False if none is under way.
pub fn step(context: Context<'_>) -> bool {
    let Some(mut scan) = SCAN.with(|scan| scan.take()) else { return false };
    if !context.select_db(scan.db) {
        return false;
    }
    let mut found = Vec::new();
    let mut goes_on = true;
    for _ in 0..CALLS {
        goes_on = scan.cursor.step(context, |key| found.extend(keys::queue_and_part(key)));
        if !goes_on {
            break;
        }
    }
    for (queue, part) in found {
        let entry = index::with(|index| {
            let entry = index.look_up(scan.db, queue.as_bytes()).ok()?;
            index.insert(&entry);
            Some(entry)
        });
        if let (Some(entry), Part::Flight) = (entry, part) {
            unread::add(context, &entry);
        }
    }
    if !goes_on {
        let Some(cursor) = Cursor::new() else { return false };
        scan = Scan { db: scan.db.saturating_add(1), cursor };
    }
    SCAN.with(|under_way| under_way.replace(Some(scan)));
    true
}
