//! The time zones that schedules have used: to read the rules of one takes as long as a whole tick.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

use crate::calendar::Zone;

thread_local! {
    /// As many as there are in the database at most. Never dropped: the server's allocator may be gone when the thread
    /// ends.
    static ZONES: ManuallyDrop<RefCell<BTreeMap<Box<[u8]>, Zone>>> =
        const { ManuallyDrop::new(RefCell::new(BTreeMap::new())) };
}

/// The zone with this name; None if this build does not know it.
pub fn zone(name: &[u8]) -> Option<Zone> {
    ZONES.with(|zones| {
        if let Some(zone) = zones.borrow().get(name) {
            return Some(zone.clone());
        }
        let zone = Zone::named(name)?;
        // Under the name that schedules store, which is one of the database.
        zones.borrow_mut().insert(zone.name().as_bytes().into(), zone.clone());
        Some(zone)
    })
}

/// Frees what is remembered.
pub fn forget() {
    ZONES.with(|zones| zones.borrow_mut().clear());
}
