//! Clients that wait for messages, of one queue or of several: first come, first served.
//!
//! A client blocks on keys that never exist, and the module keeps its own line for each queue: see
//! ARCHITECTURE.md for why. One that waits for several queues is in the line of each, under the same
//! number, and leaves all of them together. Whatever makes something deliverable marks the queue; the
//! timer then wakes the first in line, whose callback pulls, replies and replicates like any pull.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use crate::commands::pull::{self, Request};
use crate::execute::open;
use crate::index::Entry;
use crate::queue::limits;
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::server::blocked::{BlockedClient, Wait};
use crate::server::context::Context;
use crate::server::key::Access;
use crate::state::{self, State};

/// A client that waits.
pub struct Waiting {
    number: u64,
    /// The queues, in the order in which they are tried.
    entries: Vec<Rc<Entry>>,
    request: Request,
    patience: Patience,
    /// Since when, unix ms.
    since_ms: u64,
    /// How many of the queues were looked at for the last time, because its time is over.
    tried: Cell<usize>,
    client: RefCell<Option<BlockedClient>>,
    woken: Cell<Option<Woken>>,
}

/// Why a client that waits was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There is something for it.
    Served,
    /// Its time is over.
    OutOfTime,
    /// The queue is not served here any more.
    Moved,
}

/// Until when a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// So many milliseconds; 0: for ever.
    Milliseconds(u64),
    /// Until all that is due in the queues was moved, which takes more than one turn.
    UntilSwept,
}

/// Lets the client that sent the running command wait for queues of the selected database. False if
/// the server does not allow it.
pub fn wait(
    context: Context<'_>,
    entries: &[Rc<Entry>],
    request: &Request,
    patience: Patience,
) -> bool {
    state::with(|state| {
        let entries = adopt_all(context, state, entries);
        let number = state.last_number.get().saturating_add(1);
        state.last_number.set(number);
        // One key is enough: all queues of a client are in one slot.
        let key = entries.first().map(|entry| entry.names.wait());
        let Some(client) = BlockedClient::on_keys::<Line>(context, key.into_iter(), number) else {
            return false;
        };
        let waiting = Rc::new(Waiting {
            number,
            entries,
            request: request.clone(),
            patience,
            since_ms: context.now_ms(),
            tried: Cell::new(0),
            client: RefCell::new(Some(client)),
            woken: Cell::new(None),
        });
        state.waiting.borrow_mut().insert(number, waiting.clone());
        if let Some(until_ms) = waiting.until_ms() {
            state.ends_of_waits.borrow_mut().insert((until_ms, number));
        }
        for entry in &waiting.entries {
            entry.waiting.borrow_mut().insert(number, waiting.clone());
            if patience == Patience::UntilSwept {
                entry.waiting_for_sweep.set(entry.waiting_for_sweep.get().saturating_add(1));
            }
            // What made it wait may be over: something ready that others are to get first. The timer
            // also has to learn when the wait ends.
            state.mark(context, entry);
        }
        true
    })
}

/// Puts queues into the index; each is in what is returned once, in their order.
fn adopt_all(context: Context<'_>, state: &State, entries: &[Rc<Entry>]) -> Vec<Rc<Entry>> {
    let mut adopted = Vec::with_capacity(entries.len());
    let mut seen = HashSet::new();
    for entry in entries {
        // Of a queue that is named twice and was not in the index there are two.
        let found = state.index.borrow().look_up(entry.db, entry.queue().as_bytes());
        let entry = found.unwrap_or_else(|_| entry.clone());
        state.adopt(context, &entry);
        if entries.len() == 1 || seen.insert(Rc::as_ptr(&entry)) {
            adopted.push(entry);
        }
    }
    adopted
}

/// Wakes the first client in a queue's line for which there is something. True if there may be more
/// to do. The queue's database must be selected.
pub fn serve(context: Context<'_>, entry: &Rc<Entry>) -> bool {
    let ready = count_deliverable(context, entry);
    let mut promised = 0u64;
    let mut next = None;
    for waiting in entry.waiting.borrow().values() {
        if waiting.was_woken() {
            if waiting.woken.get() != Some(Woken::Served) {
                continue;
            }
            // On newer servers its callback runs only later.
            promised = promised.saturating_add(waiting.request.count().into());
        } else if ready > promised || waiting.has_seen_sweep() {
            next = Some(waiting.clone());
            break;
        } else {
            // There is nothing for this one; one behind it may not have to wait any more.
            entry.passed_over.set(ready > 0);
            if entry.waiting_for_sweep.get() == 0 {
                break;
            }
        }
    }
    let Some(waiting) = next else { return false };
    waiting.wake(Woken::Served);
    true
}

/// The client whose time was over first.
pub fn first_out_of_time(state: &State, now_ms: u64) -> Option<Rc<Waiting>> {
    let (until_ms, number) = *state.ends_of_waits.borrow().first()?;
    if until_ms > now_ms { None } else { state.waiting.borrow().get(&number).cloned() }
}

/// The queue's slot is not served here any more, or is about to go. Newer servers tell the clients
/// that wait themselves; 6.x leaves that to us.
pub fn release_moved(context: Context<'_>, entry: &Rc<Entry>) {
    if context.is_7_or_later() {
        return;
    }
    let line: Vec<Rc<Waiting>> = entry.waiting.borrow().values().cloned().collect();
    for waiting in line {
        waiting.wake(Woken::Moved);
    }
}

impl Waiting {
    fn was_woken(&self) -> bool {
        self.woken.get().is_some()
    }

    /// When its time is over, unix ms; None: never.
    fn until_ms(&self) -> Option<u64> {
        match self.patience {
            Patience::Milliseconds(ms @ 1..) => Some(self.since_ms.saturating_add(ms)),
            Patience::Milliseconds(0) | Patience::UntilSwept => None,
        }
    }

    fn forget_end(&self, state: &State) {
        if let Some(until_ms) = self.until_ms() {
            state.ends_of_waits.borrow_mut().remove(&(until_ms, self.number));
        }
    }

    /// The next of its queues that was not looked at since its time is over.
    pub fn next_to_try(&self) -> Option<&Rc<Entry>> {
        let entry = self.entries.get(self.tried.get())?;
        self.tried.set(self.tried.get().saturating_add(1));
        Some(entry)
    }

    /// True if one of its queues is to be served still.
    pub fn may_be_served(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_marked())
    }

    /// True if it waits only until all is moved that was due when it came, and that is done.
    fn has_seen_sweep(&self) -> bool {
        self.patience == Patience::UntilSwept
            && self.entries.iter().all(|entry| entry.next_due_ms() > self.since_ms)
    }

    /// Lets it be answered, now or soon.
    pub fn wake(&self, why: Woken) {
        let client = self.client.borrow_mut().take();
        if client.is_some() {
            self.woken.set(Some(why));
            state::with(|state| {
                self.forget_end(state);
                state.callbacks.set(state.callbacks.get().saturating_add(self.entries.len()));
            });
        }
        if let Some(client) = client {
            // The callback may run inside of this call.
            client.wake();
        }
    }
}

/// How many messages may be delivered. A key of the wrong type counts as many: the client that is
/// woken for it gets the error.
fn count_deliverable(context: Context<'_>, entry: &Entry) -> u64 {
    let mut store = open(context, entry, Access::Read);
    if store.require(&Part::ALL).is_err() {
        return u64::MAX;
    }
    limits::deliverable(&mut store, context.now_ms())
}

struct Line;

impl Wait for Line {
    fn reply(context: Context<'_>, number: u64) {
        let Some(waiting) = leave(context, number) else { return };
        match waiting.woken.get() {
            Some(Woken::Moved) => {
                context.reply_error("UNBLOCKED the queue's slot is not served here any more");
            }
            Some(Woken::Served) if !context.must_avoid_replica_traffic() => {
                // Messages of a queue in which others wait longer are theirs.
                let is_first =
                    |entry: &&Rc<Entry>| entry.first_waiting().is_none_or(|n| n > number);
                let entries = waiting.entries.iter().filter(is_first);
                pull::answer_waiting(context, entries, &waiting.request);
            }
            // Its time is over, or CLIENT UNBLOCK ended its wait.
            _ => waiting.request.reply_empty(context),
        }
    }

    fn gone(context: Context<'_>, number: u64) {
        leave(context, number);
    }
}

/// Takes a client out of all lines. What was promised to it and it does not take is for others.
fn leave(context: Context<'_>, number: u64) -> Option<Rc<Waiting>> {
    state::with(|state| {
        let waiting = state.waiting.borrow_mut().remove(&number)?;
        waiting.forget_end(state);
        if waiting.was_woken() {
            state.callbacks.set(state.callbacks.get().saturating_sub(waiting.entries.len()));
        }
        for entry in &waiting.entries {
            entry.waiting.borrow_mut().remove(&number);
            if waiting.patience == Patience::UntilSwept {
                entry.waiting_for_sweep.set(entry.waiting_for_sweep.get().saturating_sub(1));
            }
            if entry.passed_over.take() {
                state.mark(context, entry);
            }
        }
        Some(waiting)
    })
}
