//! Clients that pulled with ONDISCONNECT: their messages return as soon as their connection ends.
//!
//! The process remembers what was delivered to which client. That is a hint: a delivery that is no longer
//! in flight under the same receipt is left alone, and what is not remembered returns when its visibility
//! ends. Redis 7.0 and later report when a connection ends. Older ones crash when a module subscribes to
//! that, so the timer polls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::ManuallyDrop;
use std::ops::Bound;
use std::rc::Rc;

use super::alarm::{self, NEVER, NOW};
use super::entry::Entry;
use super::execute::execute_on;
use super::facts::IS_CLUSTER;
use super::index;
use crate::queue::QueueError;
use crate::queue::message::Delivery;
use crate::queue::name::QueueName;
use crate::queue::op::{self, Return};
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::server::context::Context;
use crate::server::key::Access;

/// How many deliveries or clients one step handles.
const SLICE: usize = 64;

/// How often a server that does not report it is asked which clients are gone, in milliseconds.
const POLL_MS: u64 = 500;

/// When a queue is tried again whose slot is moving, in milliseconds, and how often.
const RETRY_MS: u64 = 1_000;
const TRIES: u32 = 60;

/// Up to this many deliveries of a client are remembered without checking whether they are in flight.
const CROWD: usize = 64;

/// What is remembered.
struct Holders {
    clients: RefCell<BTreeMap<u64, Client>>,
    /// Clients with so many deliveries that those that ended are to be forgotten.
    crowded: RefCell<VecDeque<u64>>,
    /// Clients that are gone.
    gone: RefCell<VecDeque<u64>>,
    /// What they held, to be returned.
    left: RefCell<VecDeque<Left>>,
    /// What is returned when its time of grace is over, by that time, unix ms.
    graces: RefCell<BTreeMap<u64, Vec<Left>>>,
    /// The deliveries in there that nobody has extended since.
    in_grace: RefCell<BTreeSet<Delivery>>,
    /// What could not be returned yet because its slot is moving; tried again at `retry_ms`.
    stuck: RefCell<VecDeque<Left>>,
    retry_ms: Cell<u64>,
    /// When the server is polled next, and after which client it is polled then.
    poll_ms: Cell<u64>,
    polled: Cell<u64>,
}

struct Client {
    held: VecDeque<Held>,
    /// With this many it is crowded.
    limit: usize,
    /// How many of the first of `held` are still to be checked.
    unchecked: usize,
}

/// What becomes of a client's deliveries when its connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parting {
    /// It counts as a retry.
    pub counts: bool,
    /// How much later they return, in milliseconds, unless somebody extends them meanwhile.
    pub grace_ms: u64,
}

struct Held {
    entry: Rc<Entry>,
    delivery: Delivery,
    parting: Parting,
}

impl Held {
    /// Those with equal keys are returned together.
    fn key(&self) -> (i32, &QueueName, Parting) {
        (self.entry.db, self.entry.queue(), self.parting)
    }
}

struct Left {
    entry: Rc<Entry>,
    deliveries: Vec<Delivery>,
    counts: bool,
    tries: u32,
}

thread_local! {
    /// Never dropped: the server may be gone when its thread ends.
    static HOLDERS: ManuallyDrop<Holders> = const {
        ManuallyDrop::new(Holders {
            clients: RefCell::new(BTreeMap::new()),
            crowded: RefCell::new(VecDeque::new()),
            gone: RefCell::new(VecDeque::new()),
            left: RefCell::new(VecDeque::new()),
            graces: RefCell::new(BTreeMap::new()),
            in_grace: RefCell::new(BTreeSet::new()),
            stuck: RefCell::new(VecDeque::new()),
            retry_ms: Cell::new(0),
            poll_ms: Cell::new(0),
            polled: Cell::new(0),
        })
    };
}

/// Forgets who holds what: the module is unloaded.
pub fn forget() {
    HOLDERS.with(|holders| {
        holders.clients.take();
        holders.crowded.take();
        holders.gone.take();
        holders.left.take();
        holders.graces.take();
        holders.in_grace.take();
        holders.stuck.take();
    });
}

/// Remembers that these messages of a queue were delivered to a client. One without a connection, as in a
/// call of another module, can't be gone and is not remembered.
pub fn remember(
    context: Context<'_>,
    client: u64,
    entry: &Rc<Entry>,
    deliveries: &[Delivery],
    parting: Parting,
) {
    HOLDERS.with(|holders| {
        let mut clients = holders.clients.borrow_mut();
        if deliveries.is_empty() || !clients.contains_key(&client) && !context.is_connected(client)
        {
            return;
        }
        let is_first = clients.is_empty();
        let new = || Client { held: VecDeque::new(), limit: CROWD, unchecked: 0 };
        let known = clients.entry(client).or_insert_with(new);
        known.held.extend(deliveries.iter().map(|delivery| Held {
            entry: entry.clone(),
            delivery: *delivery,
            parting,
        }));
        if known.unchecked == 0 && known.held.len() >= known.limit {
            known.unchecked = known.held.len();
            holders.crowded.borrow_mut().push_back(client);
        }
        drop(clients);
        if is_first {
            holders.poll_ms.set(context.now_ms().saturating_add(POLL_MS));
        }
    });
    alarm::arm(context, next_ms(context));
}

/// The server reports that a client is gone.
pub fn client_gone(context: Context<'_>, client: u64) {
    HOLDERS.with(|holders| {
        if holders.clients.borrow().contains_key(&client) {
            holders.gone.borrow_mut().push_back(client);
            alarm::arm(context, NOW);
        }
    });
}

/// Somebody extends these deliveries: those in their time of grace are not returned at its end.
pub fn extended(deliveries: &[Delivery]) {
    HOLDERS.with(|holders| {
        let mut in_grace = holders.in_grace.borrow_mut();
        if !in_grace.is_empty() {
            for delivery in deliveries {
                in_grace.remove(delivery);
            }
        }
    });
}

/// Does a step; false if there is nothing to do. Only where the timer may write.
pub fn step(context: Context<'_>) -> bool {
    HOLDERS.with(|holders| {
        holders.return_left(context)
            || holders.take_from_gone(context.now_ms())
            || holders.end_grace(context.now_ms())
            || holders.poll(context)
            || holders.check_crowded(context)
            || holders.retry_stuck(context)
    })
}

/// When the next step is to be done, unix ms; [`NEVER`]: as far as is known, none is.
pub fn next_ms(context: Context<'_>) -> u64 {
    HOLDERS.with(|holders| {
        let has_work = !holders.left.borrow().is_empty()
            || !holders.gone.borrow().is_empty()
            || !holders.crowded.borrow().is_empty();
        if has_work {
            return NOW;
        }
        let retry_ms =
            if holders.stuck.borrow().is_empty() { NEVER } else { holders.retry_ms.get() };
        let grace_ms = holders.graces.borrow().first_key_value().map_or(NEVER, |(ms, _)| *ms);
        let retry_ms = retry_ms.min(grace_ms);
        let has_to_poll = !context.is_7_or_later() && !holders.clients.borrow().is_empty();
        retry_ms.min(if has_to_poll { holders.poll_ms.get() } else { NEVER })
    })
}

/// Forgets what is to be returned: on a replica that is up to its master.
pub fn forget_left() {
    HOLDERS.with(|holders| {
        while holders.take_from_gone(0) {}
        holders.left.borrow_mut().clear();
        holders.graces.borrow_mut().clear();
        holders.in_grace.borrow_mut().clear();
        holders.stuck.borrow_mut().clear();
    });
}

/// Does at once what was to be done later: after the clock was set.
pub fn clock_set() {
    HOLDERS.with(|holders| {
        holders.retry_ms.set(NOW);
        holders.poll_ms.set(NOW);
    });
}

impl Holders {
    /// Returns deliveries of one queue.
    fn return_left(&self, context: Context<'_>) -> bool {
        let Some(left) = self.left.borrow_mut().pop_front() else { return false };
        let Left { entry: remembered, deliveries, counts, tries } = left;
        // The entry may have been evicted and made anew since the delivery.
        let name = remembered.queue().as_bytes();
        let found = index::with(|index| index.look_up(remembered.db, name));
        let Ok(entry) = found else { return true };
        if !context.select_db(entry.db) {
            return true;
        }
        let now_ms = context.now_ms();
        let is_cluster = IS_CLUSTER.get();
        if is_cluster && !entry.names.slot_is_stable(context) {
            if tries < TRIES {
                self.retry_ms.set(now_ms.saturating_add(RETRY_MS));
                let tries = tries.saturating_add(1);
                self.stuck.borrow_mut().push_back(Left { entry, deliveries, counts, tries });
            }
            return true;
        }
        let mut store = entry.open(context, Access::Write);
        let deliveries = match running(&mut store, deliveries, now_ms) {
            Ok(deliveries) if !deliveries.is_empty() => deliveries,
            _ => return true,
        };
        let op = op::Nack {
            now_ms,
            deliveries: deliveries.into(),
            delay_ms: None,
            same_slot: is_cluster,
            how: if counts { Return::Disconnected } else { Return::Abandoned },
            reason: None,
        };
        // If a key has the wrong type the deliveries end by time, like any other.
        let _ = execute_on(context, &entry, &mut store, op);
        true
    }

    /// Takes what a client held that is gone, to be returned now or after its time of grace.
    fn take_from_gone(&self, now_ms: u64) -> bool {
        let Some(client) = self.gone.borrow_mut().pop_front() else { return false };
        let Some(client) = self.clients.borrow_mut().remove(&client) else { return true };
        let mut held = Vec::from(client.held);
        held.sort_by(|a, b| a.key().cmp(&b.key()));
        for together in held.chunk_by(|a, b| a.key() == b.key()) {
            for slice in together.chunks(SLICE) {
                let Some(Held { entry, parting, .. }) = slice.first() else { continue };
                let deliveries: Vec<_> = slice.iter().map(|held| held.delivery).collect();
                let Parting { counts, grace_ms } = *parting;
                if grace_ms > 0 {
                    self.in_grace.borrow_mut().extend(&deliveries);
                }
                let left = Left { entry: entry.clone(), deliveries, counts, tries: 0 };
                if grace_ms > 0 {
                    let until_ms = now_ms.saturating_add(grace_ms);
                    self.graces.borrow_mut().entry(until_ms).or_default().push(left);
                } else {
                    self.left.borrow_mut().push_back(left);
                }
            }
        }
        true
    }

    /// Takes what is to be returned because its time of grace is over.
    fn end_grace(&self, now_ms: u64) -> bool {
        let mut graces = self.graces.borrow_mut();
        let Some(first) = graces.first_entry().filter(|first| *first.key() <= now_ms) else {
            return false;
        };
        let mut in_grace = self.in_grace.borrow_mut();
        for mut left in first.remove() {
            left.deliveries.retain(|delivery| in_grace.remove(delivery));
            self.left.borrow_mut().push_back(left);
        }
        true
    }

    /// Asks a server that does not report it which of the next clients are gone.
    fn poll(&self, context: Context<'_>) -> bool {
        let now_ms = context.now_ms();
        if context.is_7_or_later()
            || now_ms < self.poll_ms.get()
            || self.clients.borrow().is_empty()
        {
            return false;
        }
        let from = Bound::Excluded(self.polled.get());
        let clients = self.clients.borrow();
        let next = clients.range((from, Bound::Unbounded)).map(|(client, _)| *client).take(SLICE);
        let next: Vec<u64> = next.collect();
        drop(clients);
        match next.last() {
            Some(last) if next.len() == SLICE => self.polled.set(*last),
            _ => {
                self.polled.set(0);
                self.poll_ms.set(now_ms.saturating_add(POLL_MS));
            }
        }
        let gone = next.into_iter().filter(|client| !context.is_connected(*client));
        self.gone.borrow_mut().extend(gone);
        true
    }

    /// Forgets deliveries that ended, of a client with many of them.
    fn check_crowded(&self, context: Context<'_>) -> bool {
        let Some(number) = self.crowded.borrow().front().copied() else { return false };
        let mut slice = Vec::new();
        if let Some(client) = self.clients.borrow_mut().get_mut(&number) {
            slice.extend(client.held.drain(..client.unchecked.min(SLICE)));
            client.unchecked = client.unchecked.saturating_sub(slice.len());
            if client.unchecked == 0 {
                self.crowded.borrow_mut().pop_front();
            }
        } else {
            self.crowded.borrow_mut().pop_front();
        }
        let mut kept = Vec::new();
        let is_same = |a: &Held, b: &Held| Rc::ptr_eq(&a.entry, &b.entry) && a.parting == b.parting;
        for of_one_queue in slice.chunk_by(is_same) {
            let Some(Held { entry, parting, .. }) = of_one_queue.first() else { continue };
            let deliveries = of_one_queue.iter().map(|held| held.delivery).collect();
            if context.select_db(entry.db) {
                let mut store = entry.open(context, Access::Read);
                let deliveries = running(&mut store, deliveries, 0).unwrap_or_default();
                let parting = *parting;
                kept.extend(deliveries.into_iter().map(|delivery| Held {
                    entry: entry.clone(),
                    delivery,
                    parting,
                }));
            }
        }
        if let Some(client) = self.clients.borrow_mut().get_mut(&number) {
            client.held.extend(kept);
            if client.unchecked == 0 {
                client.limit = client.held.len().saturating_mul(2).max(CROWD);
            }
        }
        true
    }

    /// Tries again what could not be returned.
    fn retry_stuck(&self, context: Context<'_>) -> bool {
        let mut stuck = self.stuck.borrow_mut();
        if stuck.is_empty() || context.now_ms() < self.retry_ms.get() {
            return false;
        }
        self.left.borrow_mut().append(&mut stuck);
        true
    }
}

/// Those of the deliveries that end after that time, unix ms.
fn running(
    store: &mut impl Store,
    mut deliveries: Vec<Delivery>,
    now_ms: u64,
) -> Result<Vec<Delivery>, QueueError> {
    store.require(&[Part::Flight, Part::Inflight])?;
    deliveries.retain(|delivery| {
        let running = store.running(*delivery);
        running.is_some_and(|running| running.until_ms > now_ms)
    });
    Ok(deliveries)
}
