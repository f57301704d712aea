//! The queues of which it may have to be read in which order their deliveries end, after a load above all.
//! The timer does so in slices: on a replica too, and while nothing may be written, since it only reads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::alarm::{self, NOW};
use super::entry::Entry;
use super::index;
use crate::server::context::Context;

thread_local! {
    /// The one whose turn is next in front. Never dropped: the server may be gone when its thread ends.
    static UNREAD: ManuallyDrop<RefCell<VecDeque<Rc<Entry>>>> =
        const { ManuallyDrop::new(RefCell::new(VecDeque::new())) };
}

/// Lets the timer read the order of a queue, if it is not known. A queue that may already be among them is
/// looked at once more.
pub fn add(context: Context<'_>, entry: &Rc<Entry>) {
    index::insert(context, entry);
    UNREAD.with(|unread| unread.borrow_mut().push_back(entry.clone()));
    alarm::arm(context, NOW);
}

/// True if there are some.
pub fn has_some() -> bool {
    UNREAD.with(|unread| !unread.borrow().is_empty())
}

/// Forgets all: the module is unloaded.
pub fn forget() {
    UNREAD.with(|unread| unread.take());
}

/// Reads a slice of the queue whose turn it is; false if there is none.
pub fn step(context: Context<'_>) -> bool {
    let Some(entry) = UNREAD.with(|unread| unread.borrow_mut().pop_front()) else { return false };
    // One that is no more in the index is not kept up to date.
    if entry.is_indexed() && context.select_db(entry.db) && entry.reads_deadlines(context) {
        UNREAD.with(|unread| unread.borrow_mut().push_back(entry));
    }
    true
}
