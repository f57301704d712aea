//! A turn of the module's timer: it serves blocked clients, sweeps what is due, continues what works in
//! slices, and evicts entries of queues that are gone.
//!
//! Each turn takes a few milliseconds at most, then the server goes on. What a sweep does is up to the
//! rules.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::alarm::{self, NEVER, NOW};
use super::entry::{Entry, UNKNOWN};
use super::execute::execute_on;
use super::facts::{HAS_KEYSPACE_EVENTS, IS_ACTIVE, IS_CLUSTER};
use super::waiting::{self, Woken};
use super::{checking, counters, disconnect, index, scan, slices, ticks, unread};
use crate::queue::op::{self, SweepLimit};
use crate::queue::store::Store;
use crate::queue::unused;
use crate::server::context::Context;
use crate::server::key::Access;

/// How long a turn takes before the server goes on.
const BUDGET: Duration = Duration::from_millis(2);

/// How much of that goes to blocked clients.
const SERVING: Duration = Duration::from_millis(1);

/// When woken clients have this many queues to try, their callbacks run first.
const CALLBACKS: usize = 128;

/// How many messages one sweep moves.
const SLICE: u32 = 64;

/// When the next turn is while nothing may be written, in milliseconds.
const PAUSE_RETRY_MS: u64 = 5;

/// How late a turn is if the server stood still before, in milliseconds.
const LATE_MS: u64 = 5;

/// For how long the server then reads what clients have sent meanwhile, in milliseconds: as long as it
/// stood still, within these bounds. Its I/O threads take longer than one iteration of the event loop if
/// they share a processor with it.
const SETTLE_MS: RangeInclusive<u64> = LATE_MS..=100;

/// For how long the answer holds to whether the server refuses the writes of clients, in milliseconds.
const REFUSAL_MS: u64 = 50;

/// When a queue is tried again whose slot is moving or whose keys have the wrong type.
const QUEUE_RETRY_MS: u64 = 1_000;

/// What turns remember.
struct Turns {
    /// When queues with waiters are checked without a hint, unix ms; 0: when there are some.
    waiters_check_ms: Cell<u64>,
    /// All that clients sent before, unix ms, was processed.
    heard_ms: Cell<u64>,
    /// When the last turn was, unix ms, other than while the server settled.
    last_ms: Cell<u64>,
    /// The server stood still, and until a turn at that time, unix ms, or later, it reads what its clients
    /// have sent meanwhile.
    settles_ms: Cell<Option<u64>>,
    refuses_writes: Cell<bool>,
    refusal_ms: Cell<u64>,
}

thread_local! {
    static TURNS: Turns = const {
        Turns {
            waiters_check_ms: Cell::new(0),
            heard_ms: Cell::new(0),
            last_ms: Cell::new(0),
            settles_ms: Cell::new(None),
            refuses_writes: Cell::new(false),
            refusal_ms: Cell::new(0),
        }
    };
}

/// True shortly after the server stood still: what clients sent in time may still be in its sockets, so no
/// deadline passes yet.
pub fn is_settling() -> bool {
    TURNS.with(|turns| turns.settles_ms.get().is_some())
}

/// Looks at every queue anew if the clock was set.
pub fn check_clock(context: Context<'_>) {
    if !alarm::clock_was_set(context) {
        return;
    }
    // Times that the process set itself may be far away now.
    TURNS.with(|turns| turns.waiters_check_ms.set(0));
    disconnect::clock_set();
    index::with(|index| index.invalidate_all());
    alarm::disarm(context);
    alarm::arm(context, NOW);
}

/// Takes a turn that was planned for that time, unix ms. Returns when the next one has to be, unix ms.
pub fn take(context: Context<'_>, planned_ms: u64) -> u64 {
    if context.is_loading() {
        // The end of loading is an event, which arms the alarm again.
        return NEVER;
    }
    TURNS.with(|turns| turns.take(context, planned_ms))
}

impl Turns {
    fn take(&self, context: Context<'_>, planned_ms: u64) -> u64 {
        let is_active = context.is_active_master();
        IS_ACTIVE.set(is_active);
        let now_ms = context.now_ms();
        let heard_ms = self.hear(planned_ms, now_ms);
        let is_paused = context.must_avoid_replica_traffic()
            || is_active && self.refuses_writes(context, now_ms);
        let may_write = is_active && !is_paused;
        let start = Instant::now();
        let within = |budget: Duration| start.elapsed() < budget;
        let may_wake = |budget: Duration| within(budget) && waiting::callbacks() < CALLBACKS;

        self.check_waiters(context);
        if may_write {
            // Serve first: before 7.0 the server sends what this callback replicates as one transaction that
            // ends with the callback, and what a served client's callback replicates would come into the
            // middle of it.
            while may_wake(SERVING) && serve_one(context) {}
        }
        while may_wake(BUDGET) && end_wait(context, heard_ms, may_write) {}
        if may_write {
            while within(BUDGET) && work_or_sweep(context, heard_ms) {}
        }
        if !is_active {
            disconnect::forget_left();
        }
        while scan::step(context) && within(BUDGET) {}
        while unread::step(context) && within(BUDGET) {}
        while slices::read(context) && within(BUDGET) {}
        while within(BUDGET) && checking::step(context) {}
        while index::evict_one(context) && within(BUDGET) {}
        while index::with(|index| index.has_many_unchecked()) && within(BUDGET) {
            index::check_one(context);
        }
        self.next_ms(context, is_active && is_paused)
    }

    /// Returns up to when, unix ms, all that clients sent was processed.
    fn hear(&self, planned_ms: u64, now_ms: u64) -> u64 {
        // If it is further away, the clock was set back.
        let is_near = |at_ms: &u64| at_ms.saturating_sub(now_ms) <= *SETTLE_MS.end();
        if self.settles_ms.get().filter(is_near).is_some_and(|settles_ms| now_ms < settles_ms) {
            return self.heard_ms.get().min(now_ms);
        }
        let last_ms = self.last_ms.replace(now_ms);
        let late_ms = now_ms.saturating_sub(planned_ms);
        let is_late = late_ms > LATE_MS;
        let settle_ms = late_ms.clamp(*SETTLE_MS.start(), *SETTLE_MS.end());
        self.settles_ms.set(is_late.then(|| now_ms.saturating_add(settle_ms)));
        let heard_ms = if is_late { last_ms.min(now_ms) } else { now_ms };
        self.heard_ms.set(heard_ms);
        heard_ms
    }

    /// True while clients may not write, so that they could not acknowledge what expires or is delivered.
    fn refuses_writes(&self, context: Context<'_>, now_ms: u64) -> bool {
        if now_ms.abs_diff(self.refusal_ms.get()) >= REFUSAL_MS {
            self.refusal_ms.set(now_ms);
            self.refuses_writes.set(context.refuses_writes());
        }
        self.refuses_writes.get()
    }

    /// Checks the queues for which clients wait once a second where the server does not report all: Redis
    /// 6.x does not release clients when their slot moves away, and some servers do not report when a key
    /// appears.
    fn check_waiters(&self, context: Context<'_>) {
        let now_ms = context.now_ms();
        let has_slot_events = context.is_7_or_later() || !IS_CLUSTER.get();
        let has_all_events = has_slot_events && HAS_KEYSPACE_EVENTS.get();
        if has_all_events || now_ms < self.waiters_check_ms.get() {
            return;
        }
        let awaited = index::with(|index| {
            let awaited = index.awaited();
            for entry in &awaited {
                index.invalidate(entry);
                index.mark(entry);
            }
            awaited
        });
        let next_ms = if awaited.is_empty() { 0 } else { now_ms.saturating_add(QUEUE_RETRY_MS) };
        self.waiters_check_ms.set(next_ms);
    }

    /// When the next turn has to be, unix ms.
    fn next_ms(&self, context: Context<'_>, is_paused: bool) -> u64 {
        let now_ms = context.now_ms();
        let has_to_check = index::with(|index| index.has_to_evict() || index.has_many_unchecked());
        let has_to_read = scan::is_under_way() || unread::has_some() || slices::has_readers();
        if has_to_read || has_to_check {
            return NOW;
        }
        let check_ms =
            checking::next_ms().map_or(NEVER, |delay_ms| now_ms.saturating_add(delay_ms));
        let waiters_ms = Some(self.waiters_check_ms.get()).filter(|ms| *ms > 0).unwrap_or(NEVER);
        // Then there has to be a turn, also if nothing else is to be done.
        let settles_ms = self.settles_ms.get();
        let settled_ms = settles_ms.unwrap_or(0);
        let timeout_ms = waiting::next_timeout_ms().unwrap_or(NEVER).max(settled_ms);
        let next_ms = check_ms.min(waiters_ms).min(settles_ms.unwrap_or(NEVER)).min(timeout_ms);
        if !IS_ACTIVE.get() {
            return next_ms;
        }
        let (has_marked, due_ms) = index::with(|index| {
            (index.has_marked(), index.first_due().map_or(NEVER, |(due_ms, _)| due_ms))
        });
        let due_ms = if due_ms <= self.heard_ms.get() { due_ms } else { due_ms.max(settled_ms) };
        let write_ms = if has_marked || slices::has_work() {
            NOW
        } else {
            due_ms.min(disconnect::next_ms(context))
        };
        let earliest_ms = if is_paused { now_ms.saturating_add(PAUSE_RETRY_MS) } else { NOW };
        next_ms.min(write_ms.max(earliest_ms))
    }
}

/// Serves the first of the marked queues; false if there is none.
fn serve_one(context: Context<'_>) -> bool {
    let Some(entry) = index::with(|index| index.take_marked()) else { return false };
    if !context.select_db(entry.db) {
        return true;
    }
    if IS_CLUSTER.get() && !entry.names.slot_is_stable(context) {
        waiting::release_moved(context, &entry);
        let retry_ms = context.now_ms().saturating_add(QUEUE_RETRY_MS);
        index::with(|index| {
            // Then it is swept again, and marked.
            index.set_due(&entry, UNKNOWN);
            index.hold(&entry, retry_ms);
        });
        return true;
    }
    if waiting::serve(context, &entry) {
        index::with(|index| index.mark(&entry));
    }
    true
}

/// Takes a step to end the wait whose time was over first; false if there is none, or if one of its queues
/// is to be served before.
fn end_wait(context: Context<'_>, heard_ms: u64, may_write: bool) -> bool {
    let Some(waiter) = waiting::first_timed_out(heard_ms) else { return false };
    if may_write {
        if let Some(entry) = waiter.next_to_try() {
            if index::may_be_due(entry, heard_ms) {
                sweep(context, entry, heard_ms);
            }
            return true;
        }
        if waiter.may_be_served() {
            return false;
        }
    }
    waiter.wake(Woken::TimedOut);
    true
}

/// Takes a step for clients that are gone, one for commands that work in slices and one for what is due;
/// false if there is nothing of it.
fn work_or_sweep(context: Context<'_>, heard_ms: u64) -> bool {
    let has_returned = disconnect::step(context);
    let has_worked = slices::step(context);
    sweep_one(context, heard_ms) || has_returned || has_worked
}

/// Sweeps the queue that is overdue the longest, or was swept the longest time ago; false if nothing is
/// due.
fn sweep_one(context: Context<'_>, heard_ms: u64) -> bool {
    let Some((due_ms, entry)) = index::with(|index| index.first_due()) else { return false };
    if due_ms > heard_ms {
        return false;
    }
    sweep(context, &entry, heard_ms);
    true
}

/// Moves a slice of what is due in a queue at that time, unix ms.
fn sweep(context: Context<'_>, entry: &Rc<Entry>, now_ms: u64) {
    let retry_ms = context.now_ms().saturating_add(QUEUE_RETRY_MS);
    let is_cluster = IS_CLUSTER.get();
    if !context.select_db(entry.db) || (is_cluster && !entry.names.slot_is_stable(context)) {
        index::with(|index| index.hold(entry, retry_ms));
        return;
    }
    if entry.reads_deadlines(context) {
        index::with(|index| index.hold(entry, now_ms));
        return;
    }
    // After a load most queues are opened only this once.
    let is_first = entry.next_due_ms() == UNKNOWN;
    let mut store = if is_first {
        entry.open_once(context, Access::Write)
    } else {
        entry.open(context, Access::Write)
    };
    if unused::has_not_begun(&mut store) {
        // Not when clients were heard last: that may be long ago, and the queue would be dropped at once.
        let now_ms = context.now_ms();
        let _ = execute_on(context, entry, &mut store, op::Use { now_ms });
    } else if let Some(quarters) = unused::quarters(&mut store, now_ms) {
        // Neither of them fails.
        if quarters > 0 && entry.has_waiters() {
            let _ = execute_on(context, entry, &mut store, op::Use { now_ms });
        } else if quarters >= unused::QUARTERS {
            let _ = execute_on(context, entry, &mut store, op::Expire { now_ms });
        }
    }
    let have_ticked = ticks::run(context, entry, &mut store, now_ms).is_ok();
    let ended = store.ended(now_ms, SLICE);
    let sweep = SweepLimit { limit: SLICE, same_slot: is_cluster };
    let op = op::Sweep { now_ms, sweep, ended };
    let is_done = execute_on(context, entry, &mut store, op).is_ok() && have_ticked;
    drop(store);
    if is_done && ticks::has_zones_to_check(entry) {
        index::with(|index| index.set_due(entry, UNKNOWN));
    }
    if !is_done {
        counters::change(|totals| totals.sweep_errors = totals.sweep_errors.saturating_add(1));
        let queue = entry.queue();
        context.warn(&format!("queue {queue}: a key has the wrong type, messages stay due"));
    }
    // What is left waits until the other queues that are due had their turn.
    let turn_ms = if entry.next_due_ms() <= now_ms { now_ms } else { UNKNOWN };
    index::with(|index| index.hold(entry, if is_done { turn_ms } else { retry_ms }));
    // Those that wait only until all that is due was moved may go now.
    if entry.has_waiters() {
        index::with(|index| index.mark(entry));
    }
}
