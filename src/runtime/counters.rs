//! Counters since the server started, and warnings in the log about what they count.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::entry::Entry;
use crate::queue::Counts;
use crate::server::context::Context;

/// Over all queues, and what belongs to none.
#[derive(Clone, Copy, Default)]
pub struct Totals {
    pub counts: Counts,
    /// Ops of a master or of the append-only file that could not be applied.
    pub apply_errors: u64,
    /// MQ.APPLY calls of clients, refused.
    pub apply_refused: u64,
    /// Sweeps that failed because a key has the wrong type.
    pub sweep_errors: u64,
}

thread_local! {
    static TOTALS: RefCell<Totals> = RefCell::default();
    static LAST_WARNING: Cell<Option<Instant>> = const { Cell::new(None) };
}

pub fn totals() -> Totals {
    TOTALS.with_borrow(|totals| *totals)
}

/// Adds to the counters.
pub fn change(add: impl FnOnce(&mut Totals)) {
    TOTALS.with_borrow_mut(add);
}

/// Counts what an op did to a queue.
pub fn count(entry: &Entry, counts: &Counts) {
    change(|totals| totals.counts.add(counts));
    let mut own = entry.counts.get();
    own.add(counts);
    entry.counts.set(own);
}

/// Logs what an operator should look at, at most once a second.
pub fn warn(context: Context<'_>, entry: &Entry, counts: &Counts) {
    let what = match counts {
        Counts { damaged: 1.., .. } => "records can't be read, see its damaged key",
        Counts { dead_letters_refused: 1.., .. } => {
            "the dead-letter queue can't take its dead messages, they stay"
        }
        _ => return,
    };
    let now = Instant::now();
    let last = LAST_WARNING.get();
    if last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1)) {
        LAST_WARNING.set(Some(now));
        context.warn(&format!("queue {}: {what}", entry.queue()));
    }
}
