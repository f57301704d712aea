//! Clients that wait in MQ.PULL ... BLOCK: first come, first served.
//!
//! A client blocks on a key that never exists, and the module keeps its own line of handles: see
//! ARCHITECTURE.md for why. Whatever makes something deliverable marks the queue; the timer then
//! wakes the first in line, whose callback pulls, replies and replicates like any pull.

use std::rc::Rc;

use crate::commands::pull::{self, Request};
use crate::execute::open;
use crate::index::Entry;
use crate::queue::limits;
use crate::queue::store::{Part, Store};
use crate::server::blocked::{BlockedClient, Wait};
use crate::server::context::Context;
use crate::server::key::Access;
use crate::state;

/// A client that waits.
pub struct Waiting {
    /// None once it was woken.
    client: Option<BlockedClient>,
    request: Request,
    patience: Patience,
    moved: bool,
}

/// Until when a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// So many milliseconds; 0: for ever.
    Milliseconds(u64),
    /// Until all that is due in the queue was moved, which takes more than one turn.
    UntilSwept,
}

/// Lets the client that sent the running command wait. False if the server does not allow it.
pub fn wait(context: Context<'_>, entry: &Rc<Entry>, request: Request, patience: Patience) -> bool {
    let timeout_ms = match patience {
        Patience::Milliseconds(ms) => ms,
        Patience::UntilSwept => 0,
    };
    state::with(|state| {
        let number = state.last_number.get().saturating_add(1);
        state.last_number.set(number);
        let key = entry.names.wait();
        let Some(client) = BlockedClient::on_key::<Line>(context, key, timeout_ms, number) else {
            return false;
        };
        state.adopt(context, entry);
        state.waiting_at.borrow_mut().insert(number, entry.clone());
        let waiting = Waiting { client: Some(client), request, patience, moved: false };
        entry.waiting.borrow_mut().insert(number, waiting);
        if patience == Patience::UntilSwept {
            entry.waiting_for_sweep.set(entry.waiting_for_sweep.get().saturating_add(1));
        }
        // What made it wait may be over: something ready that others are to get first.
        state.mark(context, entry);
        true
    })
}

/// Wakes as many clients, in their order, as there is something for. True if there may be more to
/// do. The queue's database must be selected.
pub fn serve(context: Context<'_>, entry: &Rc<Entry>) -> bool {
    let ready = count_deliverable(context, entry);
    let is_swept = entry.next_due_ms() > context.now_ms();
    let mut promised = 0u64;
    let mut next = None;
    for (number, waiting) in entry.waiting.borrow().iter() {
        match waiting.client {
            // Woken, but on newer servers its callback runs only later.
            None => promised = promised.saturating_add(waiting.request.count().into()),
            Some(_) if ready > promised => {
                next = Some(*number);
                break;
            }
            // There is nothing for this one; one behind it may not have to wait any more.
            Some(_) if !is_swept || entry.waiting_for_sweep.get() == 0 => break,
            Some(_) if waiting.patience == Patience::UntilSwept => {
                next = Some(*number);
                break;
            }
            Some(_) => {}
        }
    }
    let Some(number) = next else { return false };
    wake(entry, number);
    true
}

/// The queue's slot is not served here any more, or is about to go. Newer servers tell the clients
/// that wait themselves; 6.x leaves that to us.
pub fn release_moved(context: Context<'_>, entry: &Rc<Entry>) {
    if context.is_7_or_later() {
        return;
    }
    let numbers: Vec<u64> = entry.waiting.borrow().keys().copied().collect();
    for number in numbers {
        if let Some(waiting) = entry.waiting.borrow_mut().get_mut(&number) {
            waiting.moved = true;
        }
        wake(entry, number);
    }
}

fn wake(entry: &Entry, number: u64) {
    let mut line = entry.waiting.borrow_mut();
    let client = line.get_mut(&number).and_then(|waiting| waiting.client.take());
    // The callback may run inside of this call.
    drop(line);
    if let Some(client) = client {
        client.wake();
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
        let Some((entry, waiting)) = take(number) else { return };
        if waiting.moved {
            context.reply_error("UNBLOCKED the queue's slot is not served here any more");
            return;
        }
        let was_woken = waiting.client.is_none();
        if was_woken && !context.must_avoid_replica_traffic() {
            pull::answer_waiting(context, &entry, &waiting.request);
        } else {
            waiting.request.reply_empty(context);
        }
        if entry.has_waiting() {
            state::with(|state| state.mark(context, &entry));
        }
    }

    fn gone(number: u64) {
        take(number);
    }
}

fn take(number: u64) -> Option<(Rc<Entry>, Waiting)> {
    let entry = state::with(|state| state.waiting_at.borrow_mut().remove(&number))?;
    let waiting = entry.waiting.borrow_mut().remove(&number)?;
    if waiting.patience == Patience::UntilSwept {
        entry.waiting_for_sweep.set(entry.waiting_for_sweep.get().saturating_sub(1));
    }
    Some((entry, waiting))
}
