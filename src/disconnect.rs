//! Clients that pulled with ONDISCONNECT: what they hold comes back as soon as they are gone.
//!
//! The process remembers which client was delivered what. That is a hint: a delivery that is not in
//! flight any more, under the same receipt, is left alone, and what is not remembered comes back
//! when its visibility ends. Redis 7.0 and later tell when a client goes. Older ones crash when a
//! module listens to that, so the timer asks them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::rc::Rc;

use crate::execute::{execute_on, open};
use crate::index::{Entry, NEVER, UNKNOWN};
use crate::queue::QueueError;
use crate::queue::message::Delivery;
use crate::queue::op::{Op, Return};
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::{state, timer};

/// How many deliveries or clients one step looks at.
const SLICE: usize = 64;

/// How often a server that does not tell is asked which clients are gone, in milliseconds.
const LOOK_MS: u64 = 500;

/// When a queue is tried again whose slot is on the move, in milliseconds, and how often.
const RETRY_MS: u64 = 1_000;
const TRIES: u32 = 60;

/// Up to so many deliveries of a client are remembered without a look whether they are running.
const CROWD: usize = 64;

/// What is remembered.
#[derive(Default)]
pub struct State {
    clients: RefCell<BTreeMap<u64, Client>>,
    /// Clients that hold so much that what they do not hold any more is to be forgotten.
    crowded: RefCell<VecDeque<u64>>,
    /// Clients that are gone.
    gone: RefCell<VecDeque<u64>>,
    /// What they held, to be given back.
    left: RefCell<VecDeque<Left>>,
    /// What could not be given back yet, because its slot is on the move; tried again at `retry_ms`.
    stuck: RefCell<VecDeque<Left>>,
    retry_ms: Cell<u64>,
    /// When the server is asked next, and after which client it is asked then.
    look_ms: Cell<u64>,
    looked_at: Cell<u64>,
}

impl State {
    /// Forgets who holds what: the module goes.
    pub fn forget(&self) {
        self.clients.take();
        self.crowded.take();
        self.gone.take();
        self.left.take();
        self.stuck.take();
    }
}

struct Client {
    held: VecDeque<Held>,
    /// With so many it is crowded.
    limit: usize,
    /// How many of the first of `held` are still to be looked at.
    unseen: usize,
}

struct Held {
    entry: Rc<Entry>,
    claim: Delivery,
}

struct Left {
    entry: Rc<Entry>,
    claims: Vec<Delivery>,
    tries: u32,
}

/// Remembers that a client was delivered these messages of a queue. One that has no connection, as
/// that of another module's call, can't be gone and is not remembered.
pub fn remember(context: Context<'_>, client: u64, entry: &Rc<Entry>, claims: &[Delivery]) {
    state::with(|state| {
        let own = &state.disconnect;
        let mut clients = own.clients.borrow_mut();
        if claims.is_empty() || !clients.contains_key(&client) && !context.is_connected(client) {
            return;
        }
        let is_first = clients.is_empty();
        let new = || Client { held: VecDeque::new(), limit: CROWD, unseen: 0 };
        let known = clients.entry(client).or_insert_with(new);
        known.held.extend(claims.iter().map(|claim| Held { entry: entry.clone(), claim: *claim }));
        if known.unseen == 0 && known.held.len() >= known.limit {
            known.unseen = known.held.len();
            own.crowded.borrow_mut().push_back(client);
        }
        drop(clients);
        if is_first {
            own.look_ms.set(context.now_ms().saturating_add(LOOK_MS));
        }
        timer::arm(context, state, next_ms(context, state));
    });
}

/// The server says that a client is gone.
pub fn client_gone(context: Context<'_>, client: u64) {
    state::with(|state| {
        let own = &state.disconnect;
        if own.clients.borrow().contains_key(&client) {
            own.gone.borrow_mut().push_back(client);
            timer::arm(context, state, UNKNOWN);
        }
    });
}

/// Does a little of what is to be done; false if nothing is. Only where the timer may write.
pub fn step(context: Context<'_>, state: &state::State) -> bool {
    give_back_left(context, state)
        || take_from_gone(&state.disconnect)
        || look_for_gone(context, &state.disconnect)
        || look_at_crowded(context, &state.disconnect)
        || try_stuck(context, &state.disconnect)
}

/// When the next step is to be done, unix ms; [`NEVER`]: as far as is known, none is.
pub fn next_ms(context: Context<'_>, state: &state::State) -> u64 {
    let own = &state.disconnect;
    let has_work = !own.left.borrow().is_empty()
        || !own.gone.borrow().is_empty()
        || !own.crowded.borrow().is_empty();
    if has_work {
        return UNKNOWN;
    }
    let retry_ms = if own.stuck.borrow().is_empty() { NEVER } else { own.retry_ms.get() };
    let has_to_ask = !context.is_7_or_later() && !own.clients.borrow().is_empty();
    retry_ms.min(if has_to_ask { own.look_ms.get() } else { NEVER })
}

/// Forgets what is to be given back: on a replica that is up to its master.
pub fn forget_left(state: &state::State) {
    let own = &state.disconnect;
    while take_from_gone(own) {}
    own.left.borrow_mut().clear();
    own.stuck.borrow_mut().clear();
}

/// Forgets when something was to be done next: after the clock was set.
pub fn look_soon(state: &state::State) {
    state.disconnect.retry_ms.set(UNKNOWN);
    state.disconnect.look_ms.set(UNKNOWN);
}

/// Gives deliveries of one queue back.
fn give_back_left(context: Context<'_>, state: &state::State) -> bool {
    let Some(left) = state.disconnect.left.borrow_mut().pop_front() else { return false };
    let Left { entry: remembered, claims, tries } = left;
    // The queue may have been forgotten, and found again, since the delivery.
    let name = remembered.queue().as_bytes();
    let Ok(entry) = state.index.borrow().look_up(remembered.db, name) else { return true };
    if !context.select_db(entry.db) {
        return true;
    }
    let now_ms = context.now_ms();
    let is_cluster = state.is_cluster.get();
    if is_cluster && !entry.names.slot_is_stable(context) {
        if tries < TRIES {
            state.disconnect.retry_ms.set(now_ms.saturating_add(RETRY_MS));
            let tries = tries.saturating_add(1);
            state.disconnect.stuck.borrow_mut().push_back(Left { entry, claims, tries });
        }
        return true;
    }
    let mut store = open(context, &entry, Access::Write);
    let deliveries = match running(&mut store, claims, now_ms) {
        Ok(deliveries) if !deliveries.is_empty() => deliveries,
        _ => return true,
    };
    let op = Op::GiveBack {
        now_ms,
        deliveries: deliveries.into(),
        delay_ms: None,
        same_slot: is_cluster,
        how: Return::Disconnected,
        reason: None,
    };
    // Where a key has a wrong type the deliveries end by time, like any other.
    let _ = execute_on(context, &entry, &mut store, &op);
    true
}

/// Those of the deliveries that end after that moment, unix ms.
fn running(
    store: &mut impl Store,
    mut claims: Vec<Delivery>,
    now_ms: u64,
) -> Result<Vec<Delivery>, QueueError> {
    store.require(&[Part::Inflight])?;
    claims.retain(|claim| {
        let running = store.running(*claim);
        running.is_some_and(|running| running.until_ms > now_ms)
    });
    Ok(claims)
}

/// Takes what a client held that is gone, to be given back.
fn take_from_gone(own: &State) -> bool {
    let Some(client) = own.gone.borrow_mut().pop_front() else { return false };
    let Some(client) = own.clients.borrow_mut().remove(&client) else { return true };
    let mut held = Vec::from(client.held);
    held.sort_by(|a, b| (a.entry.db, a.entry.queue()).cmp(&(b.entry.db, b.entry.queue())));
    let is_same =
        |a: &Held, b: &Held| a.entry.db == b.entry.db && a.entry.queue() == b.entry.queue();
    let mut left = own.left.borrow_mut();
    for of_one_queue in held.chunk_by(is_same) {
        for slice in of_one_queue.chunks(SLICE) {
            if let Some(Held { entry, .. }) = slice.first() {
                let claims = slice.iter().map(|held| held.claim).collect();
                left.push_back(Left { entry: entry.clone(), claims, tries: 0 });
            }
        }
    }
    true
}

/// Asks a server that does not tell, which of the next clients are gone.
fn look_for_gone(context: Context<'_>, own: &State) -> bool {
    let now_ms = context.now_ms();
    if context.is_7_or_later() || now_ms < own.look_ms.get() || own.clients.borrow().is_empty() {
        return false;
    }
    let from = Bound::Excluded(own.looked_at.get());
    let clients = own.clients.borrow();
    let next = clients.range((from, Bound::Unbounded)).map(|(client, _)| *client).take(SLICE);
    let next: Vec<u64> = next.collect();
    drop(clients);
    match next.last() {
        Some(last) if next.len() == SLICE => own.looked_at.set(*last),
        _ => {
            own.looked_at.set(0);
            own.look_ms.set(now_ms.saturating_add(LOOK_MS));
        }
    }
    let gone = next.into_iter().filter(|client| !context.is_connected(*client));
    own.gone.borrow_mut().extend(gone);
    true
}

/// Forgets deliveries that ended of a client that holds many.
fn look_at_crowded(context: Context<'_>, own: &State) -> bool {
    let Some(number) = own.crowded.borrow().front().copied() else { return false };
    let mut slice = Vec::new();
    if let Some(client) = own.clients.borrow_mut().get_mut(&number) {
        slice.extend(client.held.drain(..client.unseen.min(SLICE)));
        client.unseen = client.unseen.saturating_sub(slice.len());
        if client.unseen == 0 {
            own.crowded.borrow_mut().pop_front();
        }
    } else {
        own.crowded.borrow_mut().pop_front();
    }
    let mut kept = Vec::new();
    for of_one_queue in slice.chunk_by(|a, b| Rc::ptr_eq(&a.entry, &b.entry)) {
        let Some(Held { entry, .. }) = of_one_queue.first() else { continue };
        let claims = of_one_queue.iter().map(|held| held.claim).collect();
        if context.select_db(entry.db) {
            let mut store = open(context, entry, Access::Read);
            let claims = running(&mut store, claims, 0).unwrap_or_default();
            kept.extend(claims.into_iter().map(|claim| Held { entry: entry.clone(), claim }));
        }
    }
    if let Some(client) = own.clients.borrow_mut().get_mut(&number) {
        client.held.extend(kept);
        if client.unseen == 0 {
            client.limit = client.held.len().saturating_mul(2).max(CROWD);
        }
    }
    true
}

/// Tries again what could not be given back.
fn try_stuck(context: Context<'_>, own: &State) -> bool {
    let mut stuck = own.stuck.borrow_mut();
    if stuck.is_empty() || context.now_ms() < own.retry_ms.get() {
        return false;
    }
    own.left.borrow_mut().append(&mut stuck);
    true
}
