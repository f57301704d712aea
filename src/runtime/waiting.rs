//! Blocked clients that wait for messages of one queue or several: first come, first served.
//!
//! A client blocks on a key that never exists, and the module keeps its own wait list for each queue: see
//! ARCHITECTURE.md for why. A client that waits for several queues is in the wait list of each, under the
//! same number, and leaves all of them together. Whatever makes something deliverable marks the queue; the
//! timer then wakes the first waiter, whose callback pulls, replies and replicates like any pull.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::entry::Entry;
use super::index;
use crate::queue::limits;
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::server::blocked::{BlockedClient, Wait};
use crate::server::context::Context;
use crate::server::key::Access;

/// What a client waits for, and how it is answered.
pub trait BlockedPull {
    /// The most messages that it takes.
    fn count(&self) -> u32;
    /// Delivers messages of the first of these queues that has some; else replies that there are none.
    fn deliver(&self, context: Context<'_>, entries: &[&Rc<Entry>]);
    /// Replies that there are no messages.
    fn reply_empty(&self, context: Context<'_>);
    /// Replies that the queues' slot is not served here any more.
    fn reply_moved(&self, context: Context<'_>);
}

/// A client that waits.
pub struct Waiter {
    number: u64,
    /// The queues, in the order in which they are tried.
    entries: Vec<Rc<Entry>>,
    request: Box<dyn BlockedPull>,
    timeout: BlockTimeout,
    /// Since when, unix ms.
    since_ms: u64,
    /// How many of the queues were tried once more since its time is over.
    tried: Cell<usize>,
    /// None once it was woken.
    client: RefCell<Option<BlockedClient>>,
    woken: Cell<Option<Woken>>,
}

/// Why a waiter was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There is something for it.
    Served,
    /// Its time is over.
    TimedOut,
    /// The queue is not served here any more.
    Moved,
}

/// Until when a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockTimeout {
    /// In milliseconds; 0: none.
    Milliseconds(u64),
    /// Until all that is due in the queues was moved, which takes more than one turn of the timer.
    UntilSwept,
}

/// All of them. Never dropped: the server may be gone when its thread ends.
struct Waiters {
    by_number: RefCell<BTreeMap<u64, Rc<Waiter>>>,
    /// When their time is over, unix ms, and their numbers.
    timeouts: RefCell<BTreeSet<(u64, u64)>>,
    /// How many queues those wait for whose callbacks have yet to run: newer servers run these in one go
    /// when the timer is done.
    callbacks: Cell<usize>,
}

thread_local! {
    static WAITERS: ManuallyDrop<Waiters> = const {
        ManuallyDrop::new(Waiters {
            by_number: RefCell::new(BTreeMap::new()),
            timeouts: RefCell::new(BTreeSet::new()),
            callbacks: Cell::new(0),
        })
    };
}

/// How many clients wait.
pub fn count() -> usize {
    WAITERS.with(|waiters| waiters.by_number.borrow().len())
}

/// How many queues the clients wait for whose callbacks have yet to run.
pub fn callbacks() -> usize {
    WAITERS.with(|waiters| waiters.callbacks.get())
}

/// When the time of a waiter is over next, unix ms.
pub fn next_timeout_ms() -> Option<u64> {
    WAITERS.with(|waiters| waiters.timeouts.borrow().first().map(|(until_ms, _)| *until_ms))
}

/// Forgets all: the module is unloaded.
pub fn forget() {
    WAITERS.with(|waiters| {
        waiters.by_number.take();
        waiters.timeouts.take();
    });
}

/// Blocks the client that sent the running command until one of these queues of the selected database has
/// something for it. False if the server does not allow that.
pub fn wait(
    context: Context<'_>,
    entries: &[Rc<Entry>],
    request: Box<dyn BlockedPull>,
    timeout: BlockTimeout,
) -> bool {
    let entries = insert_all(context, entries);
    // One key is enough: all queues of a client are in one slot.
    let key = entries.first().map(|entry| entry.names.wait());
    let Some(client) = BlockedClient::on_keys::<Released>(context, key.into_iter()) else {
        return false;
    };
    let number = client.number();
    let waiter = Rc::new(Waiter {
        number,
        entries,
        request,
        timeout,
        since_ms: context.now_ms(),
        tried: Cell::new(0),
        client: RefCell::new(Some(client)),
        woken: Cell::new(None),
    });
    WAITERS.with(|waiters| {
        waiters.by_number.borrow_mut().insert(number, waiter.clone());
        if let Some(until_ms) = waiter.until_ms() {
            waiters.timeouts.borrow_mut().insert((until_ms, number));
        }
    });
    for entry in &waiter.entries {
        entry.waiters.borrow_mut().insert(number);
        if timeout == BlockTimeout::UntilSwept {
            entry.waiters_for_sweep.set(entry.waiters_for_sweep.get().saturating_add(1));
        }
        // The reason to wait may be over: something ready that others are to get first. The timer also has
        // to learn when the wait ends.
        index::mark(context, entry);
    }
    true
}

/// Inserts queues into the index; returns each of them once, in their order.
fn insert_all(context: Context<'_>, entries: &[Rc<Entry>]) -> Vec<Rc<Entry>> {
    let mut inserted = Vec::with_capacity(entries.len());
    let mut seen = HashSet::new();
    for entry in entries {
        // A queue that is named twice and was not in the index has two entries.
        let found = index::with(|index| index.look_up(entry.db, entry.queue().as_bytes()));
        let entry = found.unwrap_or_else(|_| entry.clone());
        index::insert(context, &entry);
        if entries.len() == 1 || seen.insert(Rc::as_ptr(&entry)) {
            inserted.push(entry);
        }
    }
    inserted
}

fn waiter(number: u64) -> Option<Rc<Waiter>> {
    WAITERS.with(|waiters| waiters.by_number.borrow().get(&number).cloned())
}

/// Wakes the first client in a queue's wait list for which there is something. True if there may be more
/// to do. The queue's database must be selected.
pub fn serve(context: Context<'_>, entry: &Rc<Entry>) -> bool {
    let ready = count_deliverable(context, entry);
    let mut promised = 0u64;
    let mut next = None;
    for waiter in entry.waiters.borrow().iter().filter_map(|number| waiter(*number)) {
        if let Some(reason) = waiter.woken.get() {
            if reason == Woken::Served {
                // On newer servers its callback runs only later.
                promised = promised.saturating_add(waiter.request.count().into());
            }
        } else if ready > promised || waiter.is_swept() {
            next = Some(waiter);
            break;
        } else {
            // There is nothing for this one; one behind it may not have to wait any more.
            entry.passed_over.set(ready > 0);
            if entry.waiters_for_sweep.get() == 0 {
                break;
            }
        }
    }
    let Some(waiter) = next else { return false };
    waiter.wake(Woken::Served);
    true
}

/// The client whose time was over first.
pub fn first_timed_out(now_ms: u64) -> Option<Rc<Waiter>> {
    let (until_ms, number) = WAITERS.with(|waiters| waiters.timeouts.borrow().first().copied())?;
    if until_ms > now_ms { None } else { waiter(number) }
}

/// The queue's slot is not served here any more, or is about to go. Newer servers release the clients that
/// wait themselves; 6.x leaves that to the module.
pub fn release_moved(context: Context<'_>, entry: &Rc<Entry>) {
    if context.is_7_or_later() {
        return;
    }
    let all: Vec<_> = entry.waiters.borrow().iter().filter_map(|number| waiter(*number)).collect();
    for waiter in all {
        waiter.wake(Woken::Moved);
    }
}

impl Waiter {
    /// When its time is over, unix ms; None: never.
    fn until_ms(&self) -> Option<u64> {
        match self.timeout {
            BlockTimeout::Milliseconds(ms @ 1..) => Some(self.since_ms.saturating_add(ms)),
            BlockTimeout::Milliseconds(0) | BlockTimeout::UntilSwept => None,
        }
    }

    fn forget_timeout(&self) {
        if let Some(until_ms) = self.until_ms() {
            WAITERS.with(|all| all.timeouts.borrow_mut().remove(&(until_ms, self.number)));
        }
    }

    /// The next of its queues to be tried once more since its time is over.
    pub fn next_to_try(&self) -> Option<&Rc<Entry>> {
        let entry = self.entries.get(self.tried.get())?;
        self.tried.set(self.tried.get().saturating_add(1));
        Some(entry)
    }

    /// True if one of its queues is yet to be served.
    pub fn may_be_served(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_marked())
    }

    /// True if it waits only until all is moved that was due when it came, and that is done.
    fn is_swept(&self) -> bool {
        self.timeout == BlockTimeout::UntilSwept
            && self.entries.iter().all(|entry| entry.next_due_ms() > self.since_ms)
    }

    /// Lets it be answered, now or soon.
    pub fn wake(&self, why: Woken) {
        let Some(client) = self.client.borrow_mut().take() else { return };
        self.woken.set(Some(why));
        self.forget_timeout();
        change_callbacks(|callbacks| callbacks.saturating_add(self.entries.len()));
        // The callback may run inside of this call.
        client.wake();
    }
}

fn change_callbacks(change: impl FnOnce(usize) -> usize) {
    WAITERS.with(|waiters| waiters.callbacks.set(change(waiters.callbacks.get())));
}

/// How many messages may be delivered. A key of messages that has the wrong type counts as many: the client that is
/// woken for it gets the error.
fn count_deliverable(context: Context<'_>, entry: &Entry) -> u64 {
    let mut store = entry.open(context, Access::Read);
    if store.require(Part::OF_MESSAGES).is_err() {
        return u64::MAX;
    }
    limits::deliverable(&mut store, context.now_ms())
}

struct Released;

impl Wait for Released {
    fn reply(context: Context<'_>, number: u64) {
        let Some(waiter) = leave(context, number) else { return };
        match waiter.woken.get() {
            Some(Woken::Moved) => waiter.request.reply_moved(context),
            Some(Woken::Served) if !context.must_avoid_replica_traffic() => {
                // Messages of a queue in which others wait longer are theirs.
                let is_first = |entry: &&Rc<Entry>| entry.first_waiter().is_none_or(|n| n > number);
                let entries: Vec<_> = waiter.entries.iter().filter(is_first).collect();
                waiter.request.deliver(context, &entries);
            }
            // Its time is over, or CLIENT UNBLOCK ended its wait.
            _ => waiter.request.reply_empty(context),
        }
    }

    fn gone(context: Context<'_>, number: u64) {
        leave(context, number);
    }
}

/// Removes a client from all wait lists. What was promised to it and it does not take is for others.
fn leave(context: Context<'_>, number: u64) -> Option<Rc<Waiter>> {
    let waiter = WAITERS.with(|waiters| waiters.by_number.borrow_mut().remove(&number))?;
    waiter.forget_timeout();
    if waiter.woken.get().is_some() {
        change_callbacks(|callbacks| callbacks.saturating_sub(waiter.entries.len()));
    }
    for entry in &waiter.entries {
        entry.waiters.borrow_mut().remove(&number);
        if waiter.timeout == BlockTimeout::UntilSwept {
            entry.waiters_for_sweep.set(entry.waiters_for_sweep.get().saturating_sub(1));
        }
        if entry.passed_over.take() {
            index::mark(context, entry);
        }
    }
    Some(waiter)
}
