//! A queue's next deadline.

use super::part::Part;
use super::store::Store;

/// The earliest end of a visibility, a delay or a time to live, unix ms.
pub fn of_messages<S: Store>(store: &mut S) -> Option<u64> {
    let expiry = store.first_timed(Part::Expiring).map(|(_, at_ms)| at_ms);
    let visibility = store.first_end();
    let delay = store.first_timed(Part::Delayed).map(|(_, due_at_ms)| due_at_ms);
    expiry.into_iter().chain(visibility).chain(delay).min()
}

/// The earliest end of a deduplication window, unix ms.
pub(super) fn of_keys<S: Store>(store: &mut S) -> Option<u64> {
    store.first_deduped().map(|(_, until_ms)| until_ms)
}
