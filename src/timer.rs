//! The module's one timer: armed for the earliest thing to do over all queues, never otherwise.
//!
//! It moves what is due, serves the clients that wait, walks over the keys after a load, and forgets
//! queues that are gone; each time for a few milliseconds at most, then the server has its turn.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::execute::{execute_on, open, open_once};
use crate::index::{Entry, NEVER, UNKNOWN};
use crate::queue::op::{Op, Sweep};
use crate::server::context::Context;
use crate::server::key::Access;
use crate::server::timer::{Fire, Timer, start, stop};
use crate::waiting::{self, Woken};
use crate::{checking, disconnect, scan, slices, state};

/// How long one firing works before it lets the server go on.
const BUDGET: Duration = Duration::from_millis(2);

/// How much of that time goes to clients that wait.
const SERVING: Duration = Duration::from_millis(1);

/// When so many queues are to be looked at by clients that were woken, they go first.
const CALLBACKS: usize = 128;

/// How many messages one op of the timer moves.
const SLICE: u32 = 64;

/// How long the timer waits while nothing may be written, in milliseconds.
const PAUSE_RETRY_MS: u64 = 5;

/// By how much the timer fires late when the server stood still before, in milliseconds.
const LATE_MS: u64 = 5;

/// For how long the server reads after that what its clients have sent meanwhile, in milliseconds: as
/// long as it stood still, within these bounds. Its I/O threads take longer than one turn of the main
/// thread, if they share a processor with it.
const SETTLE_MS: RangeInclusive<u64> = LATE_MS..=100;

/// How long it is believed whether the server refuses the writes of clients, in milliseconds.
const REFUSAL_MS: u64 = 50;

/// When a queue is tried again whose slot is on the move, or whose keys have a wrong type.
const QUEUE_RETRY_MS: u64 = 1_000;

/// The longest that the timer is set for: the server counts the milliseconds of a timer in 32 bits.
/// For a later moment it fires in vain, and is armed again.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;

/// By how much the wall clock may go away from the monotonic one before it counts as set, in
/// milliseconds.
const STEP_MS: u64 = 100;

/// When the timer fires next, and when it looks after clients that wait, where it has to.
#[derive(Default)]
pub struct State {
    armed: Cell<Option<Armed>>,
    /// The wall clock, unix ms, and the monotonic one when they were compared last.
    clocks: Cell<Option<(u64, Instant)>>,
    is_firing: Cell<bool>,
    waiting_check_ms: Cell<u64>,
    /// All that clients sent before, unix ms, was processed.
    heard_ms: Cell<u64>,
    /// When the timer fired last, unix ms, other than while the server settled.
    fired_ms: Cell<u64>,
    /// The server stood still, and until the timer fires at that time, unix ms, or later, it reads
    /// what its clients have sent meanwhile.
    settles_ms: Cell<Option<u64>>,
    refuses_writes: Cell<bool>,
    refusal_ms: Cell<u64>,
}

impl State {
    /// True shortly after the server stood still: what clients sent in time may still be in its
    /// sockets, so nothing is ended by time yet.
    pub fn is_settling(&self) -> bool {
        self.settles_ms.get().is_some()
    }

    /// The timer fires. Says up to when, unix ms, all that clients sent was processed.
    fn hear(&self, planned_ms: u64, now_ms: u64) -> u64 {
        // Where it is further away, the clock was set back.
        let is_near = |at_ms: &u64| at_ms.saturating_sub(now_ms) <= *SETTLE_MS.end();
        if self.settles_ms.get().filter(is_near).is_some_and(|settles_ms| now_ms < settles_ms) {
            return self.heard_ms.get().min(now_ms);
        }
        let fired_before_ms = self.fired_ms.replace(now_ms);
        let late_ms = now_ms.saturating_sub(planned_ms);
        let is_late = late_ms > LATE_MS;
        let settle_ms = late_ms.clamp(*SETTLE_MS.start(), *SETTLE_MS.end());
        self.settles_ms.set(is_late.then(|| now_ms.saturating_add(settle_ms)));
        let heard_ms = if is_late { fired_before_ms.min(now_ms) } else { now_ms };
        self.heard_ms.set(heard_ms);
        heard_ms
    }

    /// True while clients may not write, so that they could not settle what ends or is delivered.
    fn refuses_writes(&self, context: Context<'_>, now_ms: u64) -> bool {
        if now_ms.abs_diff(self.refusal_ms.get()) >= REFUSAL_MS {
            self.refusal_ms.set(now_ms);
            self.refuses_writes.set(context.refuses_writes());
        }
        self.refuses_writes.get()
    }
}

/// The timer that is to fire.
#[derive(Clone, Copy)]
struct Armed {
    timer: Timer,
    at_ms: u64,
    /// When it was started, unix ms.
    since_ms: u64,
    /// When it fires, unix ms, if the server is not held up.
    planned_ms: u64,
}

/// Lets the timer fire at that moment, unix ms, or earlier. 0: as soon as possible; [`NEVER`]: no
/// need.
///
/// While the timer fires this does nothing: at the end it looks itself when it has to fire again.
/// The server rounds a timer that is started during a firing up to 1 ms, and what comes right after
/// would have to wait for it.
pub fn arm(context: Context<'_>, state: &state::State, at_ms: u64) {
    if at_ms == NEVER || state.timer.is_firing.get() {
        return;
    }
    if let Some(armed) = state.timer.armed.get() {
        if armed.at_ms <= at_ms {
            return;
        }
        stop(context, armed.timer);
    }
    let now_ms = context.now_ms();
    let delay_ms = at_ms.saturating_sub(now_ms).min(LONGEST_MS);
    let timer = start::<Firing>(context, delay_ms);
    let planned_ms = now_ms.saturating_add(delay_ms);
    state.timer.armed.set(Some(Armed { timer, at_ms, since_ms: now_ms, planned_ms }));
}

/// Stops the timer.
pub fn disarm(context: Context<'_>, state: &state::State) {
    if let Some(armed) = state.timer.armed.take() {
        stop(context, armed.timer);
    }
}

/// Arms the timer anew if the wall clock was set since the last call, or the machine slept.
///
/// The server fires a timer when both clocks say so, the oldest one when the wall clock does. Set
/// forward, that would not be noticed before the time is over that was left when the timer was
/// armed; set back, it would hold up even a timer for at once until it is as late again.
pub fn look_at_clock(context: Context<'_>, state: &state::State) {
    let (now_ms, now) = (context.now_ms(), Instant::now());
    let Some((before_ms, before)) = state.timer.clocks.replace(Some((now_ms, now))) else { return };
    let elapsed_ms = u64::try_from(now.duration_since(before).as_millis()).unwrap_or(u64::MAX);
    let is_set = now_ms.abs_diff(before_ms.saturating_add(elapsed_ms)) >= STEP_MS;
    // It may have been set forward and back between two looks, and the timer started meanwhile.
    let is_from_later = |armed: Armed| armed.since_ms.saturating_sub(now_ms) >= STEP_MS;
    if !is_set && !state.timer.armed.get().is_some_and(is_from_later) {
        return;
    }
    // Moments that the process set itself may be far away now.
    state.timer.waiting_check_ms.set(UNKNOWN);
    disconnect::look_soon(state);
    state.index.borrow_mut().doubt_all();
    disarm(context, state);
    arm(context, state, UNKNOWN);
}

struct Firing;

impl Fire for Firing {
    fn fire(context: Context<'_>) {
        state::with(|state| {
            let armed = state.timer.armed.take();
            work(context, state, armed.map_or(NEVER, |armed| armed.planned_ms));
        });
    }
}

fn work(context: Context<'_>, state: &state::State, planned_ms: u64) {
    if context.is_loading() {
        // The end of loading is an event, which arms the timer again.
        return;
    }
    let is_active = context.is_active_master();
    state.is_active.set(is_active);
    let now_ms = context.now_ms();
    let heard_ms = state.timer.hear(planned_ms, now_ms);
    let is_paused = context.must_avoid_replica_traffic()
        || is_active && state.timer.refuses_writes(context, now_ms);
    let start = Instant::now();
    let within = |budget: Duration| start.elapsed() < budget;
    let may_wake = |budget: Duration| within(budget) && state.callbacks.get() < CALLBACKS;

    let firing = InFiring::begin(&state.timer.is_firing);
    check_waiting(context, state);
    if is_active && !is_paused {
        // Never the other way round: before 7.0 the server sends what this callback replicates as
        // one transaction that ends with the callback, and what a served client's callback
        // replicates would come into the middle of it.
        while may_wake(SERVING) && serve_one(context, state) {}
    }
    while may_wake(BUDGET) && end_wait(context, state, heard_ms, is_active && !is_paused) {}
    if is_active && !is_paused {
        while within(BUDGET) && work_or_sweep(context, state, heard_ms) {}
    }
    if !is_active {
        disconnect::forget_left(state);
    }
    while scan::step(context, state) && within(BUDGET) {}
    while slices::read(context, state) && within(BUDGET) {}
    while within(BUDGET) && checking::step(context, state) {}
    while forget_one(context, state) && within(BUDGET) {}
    while state.index.borrow().has_many_unchecked() && within(BUDGET) {
        state.check_one(context);
    }
    drop(firing);
    arm_again(context, state, is_active && is_paused);
}

/// Says, while it lives, that the timer fires; a panic ends it too.
struct InFiring<'a>(&'a Cell<bool>);

impl<'a> InFiring<'a> {
    fn begin(is_firing: &'a Cell<bool>) -> Self {
        is_firing.set(true);
        Self(is_firing)
    }
}

impl Drop for InFiring<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Looks at the queues for which clients wait, now and then, where the server does not tell: Redis
/// 6.x does not release clients when their slot moves away, and some servers do not say when a key
/// appears.
fn check_waiting(context: Context<'_>, state: &state::State) {
    let now_ms = context.now_ms();
    let hears_of_moves = context.is_7_or_later() || !state.is_cluster.get();
    let hears_of_all = hears_of_moves && state.hears_of_keys.get();
    if hears_of_all || now_ms < state.timer.waiting_check_ms.get() {
        return;
    }
    let mut index = state.index.borrow_mut();
    let queues: Vec<Rc<Entry>> = index.all().filter(|entry| entry.has_waiting()).cloned().collect();
    for entry in &queues {
        index.doubt(entry);
        index.mark(entry);
    }
    let next_ms = if queues.is_empty() { UNKNOWN } else { now_ms.saturating_add(QUEUE_RETRY_MS) };
    state.timer.waiting_check_ms.set(next_ms);
}

/// Serves the first queue in the line; false if there is none.
fn serve_one(context: Context<'_>, state: &state::State) -> bool {
    let Some(entry) = state.index.borrow_mut().take_marked() else { return false };
    if !context.select_db(entry.db) {
        return true;
    }
    if state.is_cluster.get() && !entry.names.slot_is_stable(context) {
        waiting::release_moved(context, &entry);
        let retry_ms = context.now_ms().saturating_add(QUEUE_RETRY_MS);
        let mut index = state.index.borrow_mut();
        // Then it is looked at again, and marked.
        index.set_due(&entry, UNKNOWN);
        index.hold(&entry, retry_ms);
        return true;
    }
    if waiting::serve(context, &entry) {
        state.index.borrow_mut().mark(&entry);
    }
    true
}

/// Does a little to end the wait whose time was over first; false if there is none, or if one of
/// its queues is to be served before.
fn end_wait(context: Context<'_>, state: &state::State, heard_ms: u64, may_write: bool) -> bool {
    let Some(waiting) = waiting::first_out_of_time(state, heard_ms) else { return false };
    if may_write {
        if let Some(entry) = waiting.next_to_try() {
            if state.may_be_due(entry, heard_ms) {
                sweep(context, state, entry, heard_ms);
            }
            return true;
        }
        if waiting.may_be_served() {
            return false;
        }
    }
    waiting.wake(Woken::OutOfTime);
    true
}

/// Does a little for clients that are gone, a little of commands that go on in slices and a little of
/// what is due; false if there is nothing of it.
fn work_or_sweep(context: Context<'_>, state: &state::State, heard_ms: u64) -> bool {
    let has_left = disconnect::step(context, state);
    let has_worked = slices::step(context, state);
    sweep_one(context, state, heard_ms) || has_left || has_worked
}

/// Moves a slice of what is due in the queue that is due for the longest time, or was swept the longest
/// time ago; false if nothing is due.
fn sweep_one(context: Context<'_>, state: &state::State, heard_ms: u64) -> bool {
    let Some((due_ms, entry)) = state.index.borrow().first_due() else { return false };
    if due_ms > heard_ms {
        return false;
    }
    sweep(context, state, &entry, heard_ms);
    true
}

/// Moves a slice of what is due in a queue at that time, unix ms.
fn sweep(context: Context<'_>, state: &state::State, entry: &Rc<Entry>, now_ms: u64) {
    let retry_ms = context.now_ms().saturating_add(QUEUE_RETRY_MS);
    let is_cluster = state.is_cluster.get();
    if !context.select_db(entry.db) || (is_cluster && !entry.names.slot_is_stable(context)) {
        state.index.borrow_mut().hold(entry, retry_ms);
        return;
    }
    let op = Op::Sweep { now_ms, sweep: Sweep { limit: SLICE, same_slot: is_cluster } };
    // After a load that is the only look at most queues.
    let is_first_look = entry.next_due_ms() == UNKNOWN;
    let mut store =
        if is_first_look { open_once(context, entry) } else { open(context, entry, Access::Write) };
    let is_done = execute_on(context, entry, &mut store, &op).is_ok();
    drop(store);
    if !is_done {
        report_failed_sweep(context, state, entry);
    }
    // What is left waits until the other queues that are due had their turn.
    let turn_ms = if entry.next_due_ms() <= now_ms { now_ms } else { UNKNOWN };
    state.index.borrow_mut().hold(entry, if is_done { turn_ms } else { retry_ms });
    // Those that wait only until all that is due was moved may go now.
    if entry.has_waiting() {
        state.index.borrow_mut().mark(entry);
    }
}

/// Looks whether a queue that is remembered is gone; false if none is to be looked at.
fn forget_one(context: Context<'_>, state: &state::State) -> bool {
    let Some(entry) = state.index.borrow_mut().next_to_forget() else { return false };
    if !context.select_db(entry.db) || !state::exists(context, &entry) {
        state.index.borrow_mut().forget(&entry);
    }
    true
}

fn report_failed_sweep(context: Context<'_>, state: &state::State, entry: &Rc<Entry>) {
    let mut totals = state.totals.get();
    totals.sweep_errors = totals.sweep_errors.saturating_add(1);
    state.totals.set(totals);
    let text = format!("queue {}: a key has the wrong type, messages stay due", entry.queue());
    context.warn(&text);
}

fn arm_again(context: Context<'_>, state: &state::State, is_paused: bool) {
    if let Some(delay_ms) = checking::next_ms(&state.checking) {
        arm(context, state, context.now_ms().saturating_add(delay_ms));
    }
    let has_to_check = {
        let index = state.index.borrow();
        index.has_to_forget() || index.has_many_unchecked()
    };
    if state.scan.borrow().is_some() || state.slices.has_readers() || has_to_check {
        arm(context, state, UNKNOWN);
    }
    if state.timer.waiting_check_ms.get() != UNKNOWN {
        arm(context, state, state.timer.waiting_check_ms.get());
    }
    let end_ms = state.ends_of_waits.borrow().first().map_or(NEVER, |(until_ms, _)| *until_ms);
    let now_ms = context.now_ms();
    // Once that is over the timer has to fire, also if nothing else is to be done.
    let settles_ms = state.timer.settles_ms.get();
    arm(context, state, settles_ms.unwrap_or(NEVER));
    let settled_ms = settles_ms.unwrap_or(UNKNOWN);
    arm(context, state, end_ms.max(settled_ms));
    if !state.is_active.get() {
        return;
    }
    let has_work = state.index.borrow().has_marked() || state.slices.has_work();
    let first_due_ms = state.index.borrow().first_due().map_or(NEVER, |(due_ms, _)| due_ms);
    let is_heard = first_due_ms <= state.timer.heard_ms.get();
    let first_due_ms = if is_heard { first_due_ms } else { first_due_ms.max(settled_ms) };
    let due_ms = first_due_ms.min(disconnect::next_ms(context, state));
    let next_ms = if has_work { UNKNOWN } else { due_ms };
    let earliest_ms = now_ms.saturating_add(PAUSE_RETRY_MS);
    arm(context, state, if is_paused { next_ms.max(earliest_ms) } else { next_ms });
}
