//! The state of the process: what is not data of a queue. Only the server's main thread has it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::execute::{open, setting};
use crate::ids::Ids;
use crate::index::{Entry, Index, NEVER, UNKNOWN};
use crate::queue::message::MessageId;
use crate::queue::name::{NameError, QueueName};
use crate::queue::settings::Setting;
use crate::queue::store::Store;
use crate::queue::valid::MAX_DURATION_MS;
use crate::queue::{Counts, Effects, NextDue, valid};
use crate::receipts::Receipts;
use crate::scan::Scan;
use crate::server::context::{Context, LATEST_MS};
use crate::server::key::Access;
use crate::waiting::Waiting;
use crate::{checking, disconnect, slices, timer};

/// See the top of this file.
pub struct State {
    /// What is remembered of queues.
    pub index: RefCell<Index>,
    /// The clients that wait, by their number.
    pub waiting: RefCell<HashMap<u64, Rc<Waiting>>>,
    /// When their waits end that end by time, unix ms, with their numbers.
    pub ends_of_waits: RefCell<BTreeSet<(u64, u64)>>,
    /// How many queues the clients wait for whose callbacks have yet to run: on newer servers these
    /// run in one go when the timer is done.
    pub callbacks: Cell<usize>,
    /// The last number given to a client that waits.
    pub last_number: Cell<u64>,
    /// The walk over all keys that finds the queues, while it is under way.
    pub scan: RefCell<Option<Scan>>,
    /// What clients hold that pulled with ONDISCONNECT.
    pub disconnect: disconnect::State,
    /// The work of commands that goes on in slices.
    pub slices: slices::State,
    /// The checks that are under way.
    pub checking: checking::State,
    /// The module's timer.
    pub timer: timer::State,
    /// A master that is not loading: only then may a timer write.
    pub is_active: Cell<bool>,
    /// The server tells when a key appears or goes away; else hints may be late, and are not used.
    pub hears_of_keys: Cell<bool>,
    /// Cluster mode.
    pub is_cluster: Cell<bool>,
    /// In cluster mode: keys of a slot that only arrives look like others; see [`may_show`].
    pub shows_stable_slots_only: Cell<bool>,
    /// The server may delete queues when it is full, as far as was known last.
    pub evicts_any_key: Cell<bool>,
    /// No command runs any more. Valkey 9.1 then unloads the module, unless its timer is pending or
    /// clients wait.
    pub is_shutting_down: Cell<bool>,
    /// What receipts begin with.
    pub receipts: Receipts,
    /// Counted over all queues, and what concerns none.
    pub totals: Cell<Totals>,
    last_warning: Cell<Option<Instant>>,
    ids: Ids,
}

/// Counters since the server started.
#[derive(Clone, Copy, Default)]
pub struct Totals {
    /// Over all queues.
    pub counts: Counts,
    /// Ops of a master or of the append-only file that could not be applied.
    pub apply_errors: u64,
    /// Ops of clients that were refused.
    pub apply_refused: u64,
    /// Sweeps that could not be done, because a key has the wrong type.
    pub sweep_errors: u64,
}

/// Every timestamp that an op has is valid: that of the clock, and a length of time later.
const _: () = assert!(valid::is_timestamp(LATEST_MS + MAX_DURATION_MS));

thread_local! {
    /// Never dropped: the strings in it are the server's, which ends without asking for them.
    static STATE: ManuallyDrop<State> = ManuallyDrop::new(State::new());
}

/// Runs with the state. Nothing in it may stay borrowed over a call that can lead back here: a call
/// of the server, that is.
pub fn with<T>(work: impl FnOnce(&State) -> T) -> T {
    STATE.with(|state| work(state))
}

impl State {
    fn new() -> Self {
        Self {
            index: RefCell::default(),
            waiting: RefCell::default(),
            ends_of_waits: RefCell::default(),
            callbacks: Cell::new(0),
            last_number: Cell::new(0),
            scan: RefCell::new(None),
            disconnect: disconnect::State::default(),
            slices: slices::State::default(),
            checking: checking::State::default(),
            timer: timer::State::default(),
            is_active: Cell::new(false),
            hears_of_keys: Cell::new(true),
            is_cluster: Cell::new(false),
            shows_stable_slots_only: Cell::new(false),
            evicts_any_key: Cell::new(false),
            is_shutting_down: Cell::new(false),
            receipts: Receipts::default(),
            totals: Cell::default(),
            last_warning: Cell::new(None),
            ids: Ids::default(),
        }
    }

    /// Forgets all that needs memory: the module goes.
    pub fn forget(&self) {
        self.index.take();
        self.waiting.take();
        self.ends_of_waits.take();
        self.scan.take();
        self.disconnect.forget();
        self.slices.forget();
    }

    /// A new id for a message that may go to the end of a list of ready ones. Lists are in the order of
    /// their ids: after a restart or a failover the clock may be behind what they end with.
    #[inline]
    pub fn new_id_in(&self, entry: &Entry, store: &mut impl Store, now_ms: u64) -> MessageId {
        let id = self.ids.next(now_ms);
        if entry.is_in_order(id) { id } else { id_behind(entry, store, id) }
    }

    /// So many new ids for messages that may go there, each greater than the one before.
    pub fn new_ids_in(
        &self,
        entry: &Entry,
        store: &mut impl Store,
        now_ms: u64,
        count: usize,
    ) -> Vec<MessageId> {
        let mut last = None;
        let next = || {
            let id = match last {
                None => self.new_id_in(entry, store, now_ms),
                Some(last) => {
                    let id = self.ids.next(now_ms);
                    if id > last { id } else { id.moved_behind(last).unwrap_or(id) }
                }
            };
            last = Some(id);
            id
        };
        let ids: Vec<_> = std::iter::repeat_with(next).take(count).collect();
        if let Some(last) = last.filter(|last| !entry.is_in_order(*last)) {
            entry.set_last_ready(last);
        }
        ids
    }

    /// The entry of a queue in the selected database.
    pub fn entry(&self, context: Context<'_>, queue: &[u8]) -> Result<Rc<Entry>, NameError> {
        self.index.borrow().look_up(context.selected_db(), queue)
    }

    /// True if something may be due in a queue by that moment, unix ms.
    pub fn may_be_due(&self, entry: &Entry, now_ms: u64) -> bool {
        entry.next_due_ms() <= now_ms || !self.hears_of_keys.get()
    }

    /// Puts an entry into the index. The timer looks what is due in it.
    pub fn adopt(&self, context: Context<'_>, entry: &Rc<Entry>) {
        let mut index = self.index.borrow_mut();
        index.adopt(entry);
        let has_to_look = self.is_active.get() && entry.next_due_ms() == UNKNOWN;
        let has_to_check = index.has_to_forget() || index.has_many_unchecked();
        drop(index);
        if has_to_look || has_to_check {
            timer::arm(context, self, UNKNOWN);
        }
    }

    /// Notes what an op did to a queue.
    pub fn note(&self, context: Context<'_>, entry: &Rc<Entry>, effects: Effects) {
        let is_new = effects.changed && !entry.is_indexed();
        if is_new {
            self.adopt(context, entry);
        } else if effects.changed && !entry.is_unchecked() {
            self.touch(context, entry);
        }
        self.count(entry, &effects.counts);
        let known = entry.next_due_ms();
        let next_due_ms = match effects.next_due {
            NextDue::NotEarlier => known,
            NextDue::AtMost(due_ms) => due_ms.min(known),
            NextDue::Exactly(due_ms) => due_ms.unwrap_or(NEVER),
        };
        if is_new || next_due_ms != known {
            self.index.borrow_mut().set_due(entry, next_due_ms);
            if self.is_active.get() {
                timer::arm(context, self, next_due_ms);
            }
        }
        self.warn(context, entry, &effects.counts);
        if entry.has_waiting()
            && (effects.became_ready || effects.delivery_ended && has_room_now(context, entry))
        {
            self.mark(context, entry);
        }
        if let Some(others) = effects.others {
            for (queue, next_due) in *others {
                self.note_other(context, entry.db, &queue, next_due);
            }
        }
    }

    /// Something changed in a queue: it may be gone, or there again.
    #[cold]
    fn touch(&self, context: Context<'_>, entry: &Rc<Entry>) {
        let mut index = self.index.borrow_mut();
        index.touch(entry);
        let has_to_check = index.has_many_unchecked();
        drop(index);
        if has_to_check {
            timer::arm(context, self, UNKNOWN);
        }
    }

    /// Looks up whether the next queue in which something changed is there; false if there is none.
    pub fn check_one(&self, context: Context<'_>) -> bool {
        let Some(entry) = self.index.borrow_mut().next_unchecked() else { return false };
        let is_there = context.select_db(entry.db) && exists(context, &entry);
        self.index.borrow_mut().set_there(&entry, is_there);
        true
    }

    /// Something changed in another queue than the one that an op was for.
    fn note_other(&self, context: Context<'_>, db: i32, queue: &QueueName, next_due: NextDue) {
        let Ok(entry) = self.index.borrow().look_up(db, queue.as_bytes()) else { return };
        context.signal_modified(entry.names.name());
        self.adopt(context, &entry);
        if !entry.is_unchecked() {
            self.touch(context, &entry);
        }
        if let NextDue::AtMost(due_ms) = next_due
            && due_ms < entry.next_due_ms()
        {
            self.index.borrow_mut().set_due(&entry, due_ms);
            if self.is_active.get() {
                timer::arm(context, self, due_ms);
            }
        }
        if entry.has_waiting() {
            self.mark(context, &entry);
        }
    }

    /// Lets the clients that wait for a queue be served soon.
    pub fn mark(&self, context: Context<'_>, entry: &Rc<Entry>) {
        if self.is_active.get() {
            self.index.borrow_mut().mark(entry);
            timer::arm(context, self, 0);
        }
    }

    /// Tells the log of what an operator should look at; once a second at most.
    fn warn(&self, context: Context<'_>, entry: &Entry, counts: &Counts) {
        let what = match counts {
            Counts { damaged: 1.., .. } => "records can't be read, see its damaged key",
            Counts { dead_letters_refused: 1.., .. } => {
                "the dead-letter queue can't take its dead messages, they stay"
            }
            _ => return,
        };
        let now = Instant::now();
        let last = self.last_warning.get();
        if last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1)) {
            self.last_warning.set(Some(now));
            context.warn(&format!("queue {}: {what}", entry.queue()));
        }
    }

    fn count(&self, entry: &Entry, counts: &Counts) {
        let mut totals = self.totals.get();
        totals.counts.add(counts);
        self.totals.set(totals);
        let mut own = entry.counts.get();
        own.add(counts);
        entry.counts.set(own);
    }
}

/// This id, or one behind what the lists of ready messages end with. Where an id in a list is so late
/// that none is behind it, the list gets out of order.
#[cold]
fn id_behind(entry: &Entry, store: &mut impl Store, id: MessageId) -> MessageId {
    let last = store.last_ready();
    let new = last.filter(|last| id <= *last).and_then(|last| id.moved_behind(last)).unwrap_or(id);
    entry.set_last_ready(last.map_or(MessageId([0; 16]), |last| last.max(new)));
    new
}

/// True if the end of a delivery makes room for another one, because their number is limited.
fn has_room_now(context: Context<'_>, entry: &Entry) -> bool {
    let mut store = open(context, entry, Access::Read);
    setting(&mut store, Setting::MaxInflight).is_ok_and(|max_inflight| max_inflight > 0)
}

/// True if a queue may be shown in the list: in cluster mode not while it only arrives. A replica
/// shows all: Redis 8.4 and later may look for the master's master there, round and round.
pub fn may_show(context: Context<'_>, entry: &Entry) -> bool {
    with(|state| {
        !state.is_cluster.get()
            || !state.is_active.get()
            || context.may_show(entry.names.name())
                && (!state.shows_stable_slots_only.get() || entry.names.slot_is_stable(context))
    })
}

/// True if a queue has a message, a setting or anything else. Its database must be selected.
pub fn exists(context: Context<'_>, entry: &Entry) -> bool {
    entry.names.has_keys(context)
}
