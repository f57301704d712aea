//! What the process remembers about one queue in one database: hints, checked against the keys whenever
//! they matter.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::histogram::Times;
use super::ids;
use crate::queue::Counts;
use crate::queue::message::MessageId;
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::store::Store;
use crate::queue::times::Time;
use crate::server::context::Context;
use crate::server::key::Access;
use crate::store::key_names::KeyNames;
use crate::store::keys;
use crate::store::records::Records;
use crate::store::server_keyspace::ServerKeyspace;

/// It is not known when something is due: to be looked up.
pub const UNKNOWN: u64 = super::alarm::NOW;

/// It is not known which ids the ready lists have: no new id is greater.
const UNKNOWN_ID: MessageId = MessageId([u8::MAX; 16]);

/// See the top of this file.
pub struct Entry {
    pub db: i32,
    /// The queue and the names of its keys.
    pub names: Rc<KeyNames>,
    /// Not later than the earliest deadline, unix ms; or `NEVER`, or [`UNKNOWN`].
    pub(super) next_due_ms: Cell<u64>,
    /// The timer skips the queue until then, unix ms: it could do nothing for it.
    pub(super) held_until_ms: Cell<u64>,
    /// When a command read the queue and the timer looked up again what is due in it, unix ms.
    pub(super) read_at_ms: Cell<u64>,
    /// No record of a ready list has a greater id, as far as is known; or [`UNKNOWN_ID`].
    last_ready: Cell<MessageId>,
    /// The numbers of the blocked clients, in the order in which they came.
    pub waiters: RefCell<BTreeSet<u64>>,
    /// How many of them wait only until what is due was moved.
    pub waiters_for_sweep: Cell<usize>,
    /// One of them goes on waiting although something is ready: that is promised to clients that were woken
    /// and have not run yet.
    pub passed_over: Cell<bool>,
    /// So many schedules, in the order of their ticks, may have been computed with older zone data.
    pub(super) zones_unchecked: Cell<u64>,
    /// Since the server started.
    pub counts: Cell<Counts>,
    /// Since the server started; None before the first one.
    times: OnceCell<Box<Times>>,
    /// The number of this entry in the index; 0: it is not in it.
    pub(super) serial: Cell<u64>,
    /// It is among the queues to be served.
    pub(super) marked: Cell<bool>,
    /// The queue has a message or a setting, as far as is known.
    pub(super) exists: Cell<bool>,
    /// Something changed since that was looked up.
    pub(super) is_unchecked: Cell<bool>,
}

/// The name of a queue's key.
pub fn key_of(queue: &QueueName, part: Part) -> Vec<u8> {
    keys::key(queue, part)
}

impl Entry {
    pub(super) fn new(db: i32, queue: QueueName) -> Self {
        Self {
            db,
            names: Rc::new(KeyNames::new(queue)),
            next_due_ms: Cell::new(UNKNOWN),
            held_until_ms: Cell::new(0),
            read_at_ms: Cell::new(0),
            last_ready: Cell::new(UNKNOWN_ID),
            waiters: RefCell::default(),
            waiters_for_sweep: Cell::new(0),
            passed_over: Cell::new(false),
            zones_unchecked: Cell::new(u64::MAX),
            counts: Cell::default(),
            times: OnceCell::new(),
            serial: Cell::new(0),
            marked: Cell::new(false),
            exists: Cell::new(false),
            is_unchecked: Cell::new(false),
        }
    }

    pub fn queue(&self) -> &QueueName {
        self.names.queue()
    }

    /// The records of the queue, whose database must be selected.
    pub fn open<'a>(&self, context: Context<'a>, access: Access) -> Records<ServerKeyspace<'a>> {
        Records::new(ServerKeyspace::new(context, self.names.clone(), access))
    }

    /// As [`open`](Self::open), for once: the names of the keys are not kept.
    pub fn open_once<'a>(
        &self,
        context: Context<'a>,
        access: Access,
    ) -> Records<ServerKeyspace<'a>> {
        Records::new(ServerKeyspace::new(context, Rc::new(self.names.again()), access))
    }

    /// Reads some of the deliveries of a queue that has many, if what ends when is not known; false if it
    /// is. The queue's database must be selected. Writes nothing.
    pub fn reads_deadlines(&self, context: Context<'_>) -> bool {
        let names = self.names.clone();
        let mut keyspace = ServerKeyspace::new(context, names, Access::Read);
        let has_to_read = keyspace.has_to_read_deadlines();
        if has_to_read {
            keyspace.read_deadlines();
        }
        has_to_read
    }

    /// True if the queue has a message, a setting or anything else. Its database must be selected.
    pub fn has_keys(&self, context: Context<'_>) -> bool {
        self.names.has_keys(context)
    }

    /// Not later than the earliest deadline, unix ms; or `NEVER`, or [`UNKNOWN`].
    pub fn next_due_ms(&self) -> u64 {
        self.next_due_ms.get()
    }

    /// When the timer has to sweep the queue, unix ms.
    pub(super) fn timer_due_ms(&self) -> u64 {
        self.next_due_ms.get().max(self.held_until_ms.get())
    }

    /// True if it is in the index.
    pub fn is_indexed(&self) -> bool {
        self.serial.get() != 0
    }

    /// True if whether the queue exists has to be looked up.
    pub fn is_unchecked(&self) -> bool {
        self.is_unchecked.get()
    }

    /// True if it is among the queues to be served.
    pub fn is_marked(&self) -> bool {
        self.marked.get()
    }

    /// How long messages waited and were processed; None if none was.
    pub fn times(&self) -> Option<&Times> {
        self.times.get().map(Box::as_ref)
    }

    pub(super) fn count_time(&self, time: Time) {
        self.times.get_or_init(Box::default).count(time);
    }

    /// The number of the client that waits longest.
    pub fn first_waiter(&self) -> Option<u64> {
        self.waiters.borrow().first().copied()
    }

    /// True if a client waits.
    pub fn has_waiters(&self) -> bool {
        !self.waiters.borrow().is_empty()
    }

    /// A new id for a message that may be appended to a ready list. These lists are in the order of their
    /// ids: after a restart or a failover the clock may be behind the ids at their ends.
    #[inline]
    pub fn new_id(&self, store: &mut impl Store, now_ms: u64) -> MessageId {
        let id = ids::next(now_ms);
        if self.is_in_order(id) { id } else { self.id_behind(store, id) }
    }

    /// That many new ids, each greater than the one before.
    pub fn new_ids(&self, store: &mut impl Store, now_ms: u64, count: usize) -> Vec<MessageId> {
        let mut last = None;
        let next = || {
            let id = match last {
                None => self.new_id(store, now_ms),
                Some(last) => {
                    let id = ids::next(now_ms);
                    if id > last { id } else { id.moved_behind(last).unwrap_or(id) }
                }
            };
            last = Some(id);
            id
        };
        let ids: Vec<_> = std::iter::repeat_with(next).take(count).collect();
        if let Some(last) = last.filter(|last| !self.is_in_order(*last)) {
            self.last_ready.set(last);
        }
        ids
    }

    /// This id, or one behind the greatest at the ends of the ready lists. If an id there is so late that
    /// none is behind it, the list gets out of order.
    #[cold]
    fn id_behind(&self, store: &mut impl Store, id: MessageId) -> MessageId {
        let last = store.last_ready();
        let new =
            last.filter(|last| id <= *last).and_then(|last| id.moved_behind(last)).unwrap_or(id);
        self.last_ready.set(last.map_or(MessageId([0; 16]), |last| last.max(new)));
        new
    }

    fn is_in_order(&self, id: MessageId) -> bool {
        // As numbers they are compared without a call.
        u128::from_be_bytes(id.0) > u128::from_be_bytes(self.last_ready.get().0)
    }

    /// Another process pushed, or a list was replaced: what the lists end with has to be looked up.
    pub fn forget_last_ready(&self) {
        self.last_ready.set(UNKNOWN_ID);
    }
}
