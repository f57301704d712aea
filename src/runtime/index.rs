//! The entries of all queues that the process knows: which is due next, which is to be served, which may
//! be gone. A hint for speed; the keys are the truth.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::ManuallyDrop;
use std::ops::Bound;
use std::rc::Rc;

use super::alarm::{self, NEVER, NOW};
use super::entry::{Entry, UNKNOWN};
use super::facts::{HAS_KEYSPACE_EVENTS, IS_ACTIVE};
use crate::queue::name::{NameError, QueueName};
use crate::server::context::Context;

/// Below this number of entries none is evicted.
const KEPT: usize = 1024;

/// See [`note_read`], in milliseconds.
const READ_MS: u64 = 1_000;

/// See the top of this file.
pub struct Index {
    databases: BTreeMap<i32, HashMap<Box<[u8]>, Rc<Entry>>>,
    /// By deadline and serial number.
    due: BTreeMap<(u64, u64), Rc<Entry>>,
    /// The queues that may have something for blocked clients.
    marked: VecDeque<Rc<Entry>>,
    /// All entries in eviction order, clock hand first.
    clock: VecDeque<Rc<Entry>>,
    /// How many of them are to be checked for eviction.
    to_check: usize,
    /// All entries, by serial number.
    numbered: BTreeMap<u64, Rc<Entry>>,
    /// How many queues exist, as far as is known.
    existing: usize,
    /// The entries for which that has to be looked up.
    unchecked: VecDeque<Rc<Entry>>,
    last_serial: u64,
    /// The entry that was looked up last: clients often use one queue many times in a row.
    last_found: Option<Rc<Entry>>,
}

thread_local! {
    /// Never dropped: the strings in it are the server's, which ends without asking for them.
    static INDEX: ManuallyDrop<RefCell<Index>> =
        const { ManuallyDrop::new(RefCell::new(Index::new())) };
}

/// Runs with the index, which is borrowed meanwhile: nothing may be called that can lead back here, that
/// is, nothing of the server's.
pub fn with<T>(work: impl FnOnce(&mut Index) -> T) -> T {
    INDEX.with(|index| work(&mut index.borrow_mut()))
}

/// Forgets all entries: the module is unloaded.
pub fn forget() {
    with(|index| *index = Index::new());
}

/// The entry of a queue in the selected database.
pub fn entry(context: Context<'_>, queue: &[u8]) -> Result<Rc<Entry>, NameError> {
    let db = context.selected_db();
    with(|index| index.look_up(db, queue))
}

/// True if something may be due in a queue at that time, unix ms.
pub fn may_be_due(entry: &Entry, now_ms: u64) -> bool {
    entry.next_due_ms() <= now_ms || !HAS_KEYSPACE_EVENTS.get()
}

/// Puts an entry into the index. The timer looks up what is due in it.
pub fn insert(context: Context<'_>, entry: &Rc<Entry>) {
    let has_to_check = with(|index| {
        index.insert(entry);
        index.has_to_evict() || index.has_many_unchecked()
    });
    if has_to_check || IS_ACTIVE.get() && entry.next_due_ms() == UNKNOWN {
        alarm::arm(context, NOW);
    }
}

/// Keeps the entry of a queue that was swept: the next pull need not look for what is due.
pub fn keep(context: Context<'_>, entry: &Rc<Entry>) {
    if !entry.is_indexed() && entry.next_due_ms() != UNKNOWN {
        insert(context, entry);
    }
}

/// A command reads a queue. Where the server does not report keys, other keys may have taken the place of its own: the
/// timer looks up again what is due, once a second at most.
pub fn note_read(context: Context<'_>, entry: &Rc<Entry>) {
    if HAS_KEYSPACE_EVENTS.get() || !IS_ACTIVE.get() {
        return;
    }
    let now_ms = context.now_ms();
    if !entry.is_indexed() {
        if entry.has_keys(context) {
            insert(context, entry);
        }
    } else if entry.read_at_ms.get().abs_diff(now_ms) >= READ_MS {
        entry.read_at_ms.set(now_ms);
        set_due(context, entry, UNKNOWN);
    }
}

/// Something changed in a queue: whether it exists has to be looked up.
pub fn touch(context: Context<'_>, entry: &Rc<Entry>) {
    let has_to_check = with(|index| {
        index.touch(entry);
        index.has_many_unchecked()
    });
    if has_to_check {
        alarm::arm(context, NOW);
    }
}

/// Sets a queue's next deadline, unix ms.
pub fn set_due(context: Context<'_>, entry: &Rc<Entry>, next_due_ms: u64) {
    with(|index| index.set_due(entry, next_due_ms));
    if IS_ACTIVE.get() {
        alarm::arm(context, next_due_ms);
    }
}

/// Lets the clients that wait for a queue be served soon.
pub fn mark(context: Context<'_>, entry: &Rc<Entry>) {
    if IS_ACTIVE.get() {
        with(|index| index.mark(entry));
        alarm::arm(context, NOW);
    }
}

/// Looks up whether the next queue in which something changed exists; false if there is none.
pub fn check_one(context: Context<'_>) -> bool {
    let Some(entry) = with(Index::next_unchecked) else { return false };
    let exists = context.select_db(entry.db) && entry.has_keys(context);
    with(|index| index.set_exists(&entry, exists));
    true
}

/// Evicts the entry at the clock hand if its queue is gone; false if none is to be checked.
pub fn evict_one(context: Context<'_>) -> bool {
    let Some(entry) = with(Index::next_to_evict) else { return false };
    if !context.select_db(entry.db) || !entry.has_keys(context) {
        with(|index| index.evict(&entry));
    }
    true
}

impl Index {
    const fn new() -> Self {
        Self {
            databases: BTreeMap::new(),
            due: BTreeMap::new(),
            marked: VecDeque::new(),
            clock: VecDeque::new(),
            to_check: 0,
            numbered: BTreeMap::new(),
            existing: 0,
            unchecked: VecDeque::new(),
            last_serial: 0,
            last_found: None,
        }
    }

    /// The entry of a queue; a new one that is not in the index yet if there is none.
    pub fn look_up(&mut self, db: i32, name: &[u8]) -> Result<Rc<Entry>, NameError> {
        if let Some(entry) = &self.last_found
            && entry.db == db
            && entry.queue().as_bytes() == name
        {
            return Ok(entry.clone());
        }
        if let Some(entry) = self.databases.get(&db).and_then(|queues| queues.get(name)) {
            self.last_found = Some(entry.clone());
            return Ok(entry.clone());
        }
        Ok(Rc::new(Entry::new(db, QueueName::new(name)?)))
    }

    /// Puts an entry into the index.
    pub fn insert(&mut self, entry: &Rc<Entry>) {
        if entry.is_indexed() {
            return;
        }
        self.last_serial = self.last_serial.saturating_add(1);
        entry.serial.set(self.last_serial);
        let name = entry.queue().as_bytes().into();
        self.databases.entry(entry.db).or_default().insert(name, entry.clone());
        self.due.insert((entry.timer_due_ms(), self.last_serial), entry.clone());
        self.numbered.insert(self.last_serial, entry.clone());
        self.clock.push_back(entry.clone());
        self.touch(entry);
        if self.clock.len() > KEPT {
            // Two for each new one: the index does not grow with queues that come and go.
            self.to_check = self.to_check.saturating_add(2);
        }
    }

    /// True if there are so few entries that each may keep the names of all its keys: more than a kilobyte.
    pub fn has_few(&self) -> bool {
        self.clock.len() <= KEPT
    }

    /// True if entries are to be checked for eviction.
    pub fn has_to_evict(&self) -> bool {
        self.to_check > 0
    }

    /// Advances the clock hand and returns the entry it pointed at, if one is to be checked.
    fn next_to_evict(&mut self) -> Option<Rc<Entry>> {
        if self.clock.len() <= KEPT {
            self.to_check = 0;
        }
        self.to_check = self.to_check.checked_sub(1)?;
        let entry = self.clock.pop_front();
        self.clock.extend(entry.clone());
        entry
    }

    /// Removes an entry that [`next_to_evict`](Self::next_to_evict) just returned, unless a client waits
    /// for its queue.
    fn evict(&mut self, entry: &Rc<Entry>) {
        let is_last = self.clock.back().is_some_and(|last| Rc::ptr_eq(last, entry));
        if !is_last || entry.has_waiters() || entry.is_marked() {
            return;
        }
        self.clock.pop_back();
        self.last_found = None;
        self.set_exists(entry, false);
        let serial = entry.serial.replace(0);
        self.due.remove(&(entry.timer_due_ms(), serial));
        self.numbered.remove(&serial);
        if let Some(queues) = self.databases.get_mut(&entry.db) {
            queues.remove(entry.queue().as_bytes());
        }
    }

    /// A database was flushed, or with None all of them: their queues are gone, and their entries are
    /// evicted bit by bit.
    pub fn flushed(&mut self, db: Option<i32>) {
        let databases =
            self.databases.iter().filter(|(number, _)| db.is_none_or(|db| db == **number));
        for entry in databases.flat_map(|(_, queues)| queues.values()) {
            if entry.exists.replace(false) {
                self.existing = self.existing.saturating_sub(1);
            }
        }
        self.to_check = self.clock.len();
    }

    /// Drops the entries of these databases, except those for which clients wait: to move each takes as
    /// long as to find it anew, and the server would have to wait.
    pub fn forget_databases(&mut self, dbs: [i32; 2]) {
        let is_kept = |entry: &Rc<Entry>| {
            !dbs.contains(&entry.db) || entry.has_waiters() || entry.is_marked()
        };
        self.last_found = None;
        self.clock.retain(is_kept);
        self.unchecked.retain(is_kept);
        self.due.retain(|_, entry| is_kept(entry));
        self.numbered.retain(|_, entry| is_kept(entry));
        let mut kept = Vec::new();
        for db in dbs {
            for (name, entry) in self.databases.remove(&db).unwrap_or_default() {
                if is_kept(&entry) {
                    kept.push(entry.clone());
                    self.databases.entry(db).or_default().insert(name, entry);
                } else {
                    self.set_exists(&entry, false);
                    entry.serial.set(0);
                    entry.is_unchecked.set(false);
                }
            }
        }
        for entry in kept {
            self.replaced(&entry);
        }
    }

    /// Something changed in a queue: whether it exists has to be looked up.
    pub fn touch(&mut self, entry: &Rc<Entry>) {
        if !entry.is_unchecked.replace(true) {
            self.unchecked.push_back(entry.clone());
            self.set_exists(entry, true);
        }
    }

    fn set_exists(&mut self, entry: &Entry, exists: bool) {
        let exists = exists && entry.is_indexed();
        match (entry.exists.replace(exists), exists) {
            (false, true) => self.existing = self.existing.saturating_add(1),
            (true, false) => self.existing = self.existing.saturating_sub(1),
            _ => {}
        }
    }

    /// How many queues exist, as far as is known.
    pub fn existing(&self) -> usize {
        self.existing
    }

    /// The next entry for which it has to be looked up whether the queue exists.
    fn next_unchecked(&mut self) -> Option<Rc<Entry>> {
        let entry = self.unchecked.pop_front()?;
        entry.is_unchecked.set(false);
        Some(entry)
    }

    /// True if there are so many of these that the timer checks them.
    pub fn has_many_unchecked(&self) -> bool {
        self.unchecked.len() > KEPT
    }

    /// Sets a queue's next deadline, unix ms.
    pub fn set_due(&mut self, entry: &Rc<Entry>, next_due_ms: u64) {
        let old = entry.timer_due_ms();
        entry.next_due_ms.set(next_due_ms);
        self.move_due(entry, old);
    }

    /// Lets the timer skip a queue until that time, unix ms, whatever is due in it.
    pub fn hold(&mut self, entry: &Rc<Entry>, until_ms: u64) {
        let old = entry.timer_due_ms();
        entry.held_until_ms.set(until_ms);
        self.move_due(entry, old);
    }

    fn move_due(&mut self, entry: &Rc<Entry>, old_ms: u64) {
        let serial = entry.serial.get();
        let new_ms = entry.timer_due_ms();
        if new_ms != old_ms && serial != 0 {
            self.due.remove(&(old_ms, serial));
            self.due.insert((new_ms, serial), entry.clone());
        }
    }

    /// The queue that the timer has to sweep next, and when.
    pub fn first_due(&self) -> Option<(u64, Rc<Entry>)> {
        let (&(due_ms, _), entry) = self.due.first_key_value()?;
        (due_ms != NEVER).then(|| (due_ms, entry.clone()))
    }

    /// Adds a queue to those to be served.
    pub fn mark(&mut self, entry: &Rc<Entry>) {
        if !entry.marked.replace(true) {
            self.marked.push_back(entry.clone());
        }
    }

    /// Takes the first of the queues to be served.
    pub fn take_marked(&mut self) -> Option<Rc<Entry>> {
        let entry = self.marked.pop_front()?;
        entry.marked.set(false);
        Some(entry)
    }

    /// True if a queue is to be served.
    pub fn has_marked(&self) -> bool {
        !self.marked.is_empty()
    }

    /// Up to `count` entries behind that serial number, of all databases, and the number of the last one; 0
    /// at the end. An entry that is inserted later has a higher number.
    pub fn page(&self, after: u64, count: usize) -> (Vec<Rc<Entry>>, u64) {
        let mut rest = self.numbered.range((Bound::Excluded(after), Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(count).map(|(_, entry)| entry.clone()).collect();
        let last = page.last().map_or(0, |entry| entry.serial.get());
        (page, if rest.next().is_some() { last } else { 0 })
    }

    /// The entries of queues for which clients wait.
    pub fn awaited(&self) -> Vec<Rc<Entry>> {
        self.clock.iter().filter(|entry| entry.has_waiters()).cloned().collect()
    }

    /// Drops all hints about a queue.
    pub fn invalidate(&mut self, entry: &Rc<Entry>) {
        self.hold(entry, 0);
        self.set_due(entry, UNKNOWN);
        entry.forget_last_ready();
    }

    /// Drops all hints about all queues.
    pub fn invalidate_all(&mut self) {
        for entry in self.clock.iter().cloned().collect::<Vec<_>>() {
            self.invalidate(&entry);
        }
    }

    /// Other keys took the place of a queue's: nothing is known of it.
    pub fn replaced(&mut self, entry: &Rc<Entry>) {
        self.invalidate(entry);
        entry.names.forget_contents();
        entry.zones_unchecked.set(u64::MAX);
    }

    /// The same of all queues.
    pub fn all_replaced(&mut self) {
        for entry in self.clock.iter().cloned().collect::<Vec<_>>() {
            self.replaced(&entry);
        }
    }
}
