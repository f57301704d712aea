//! What the process remembers of queues: a hint for speed, never the truth.
//!
//! For each queue that was touched: when something is due at the latest, who waits, what was
//! counted. Whoever uses a hint checks it against the keys.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::rc::Rc;

use crate::queue::Counts;
use crate::queue::message::MessageId;
use crate::queue::name::{NameError, QueueName};
use crate::store::server_keyspace::KeyNames;
use crate::waiting::Waiting;

/// Nothing is due, as far as is known.
pub const NEVER: u64 = u64::MAX;

/// It is not known what is due: to be looked up.
pub const UNKNOWN: u64 = 0;

/// It is not known which ids the lists of ready messages have: no new id is greater.
const UNKNOWN_ID: MessageId = MessageId([u8::MAX; 16]);

/// Below this number of queues none is forgotten.
const REMEMBERED: usize = 1024;

/// What is remembered of one queue in one database.
pub struct Entry {
    /// The database.
    pub db: i32,
    /// The queue and the names of its keys.
    pub names: Rc<KeyNames>,
    /// Not later than the earliest deadline, unix ms; or [`NEVER`], or [`UNKNOWN`].
    next_due_ms: Cell<u64>,
    /// The timer leaves the queue alone until then, unix ms: it could do nothing for it.
    held_until_ms: Cell<u64>,
    /// No record of a list of ready messages has a greater id, as far as is known; or [`UNKNOWN_ID`].
    last_ready: Cell<MessageId>,
    /// How many clients wait only until what is due was moved.
    pub waiting_for_sweep: Cell<usize>,
    /// The clients that wait, in the order in which they came.
    pub waiting: RefCell<BTreeMap<u64, Rc<Waiting>>>,
    /// One of them waits on, although something is ready: that is promised to clients which were
    /// woken, but whose turn has not come yet.
    pub passed_over: Cell<bool>,
    /// Since the server started.
    pub counts: Cell<Counts>,
    /// The number of this entry in the index; 0: it is not in it.
    serial: Cell<u64>,
    /// It stands in the line of queues to be served.
    marked: Cell<bool>,
    /// The queue has a message or a setting, as far as is known.
    is_there: Cell<bool>,
    /// Something changed since that was looked up.
    is_unchecked: Cell<bool>,
}

impl Entry {
    fn new(db: i32, queue: QueueName) -> Self {
        Self {
            db,
            names: Rc::new(KeyNames::new(queue)),
            next_due_ms: Cell::new(UNKNOWN),
            held_until_ms: Cell::new(0),
            last_ready: Cell::new(UNKNOWN_ID),
            waiting_for_sweep: Cell::new(0),
            waiting: RefCell::default(),
            passed_over: Cell::new(false),
            counts: Cell::default(),
            serial: Cell::new(0),
            marked: Cell::new(false),
            is_there: Cell::new(false),
            is_unchecked: Cell::new(false),
        }
    }

    /// Not later than the earliest deadline, unix ms; or [`NEVER`], or [`UNKNOWN`].
    pub fn next_due_ms(&self) -> u64 {
        self.next_due_ms.get()
    }

    /// When the timer has to look at the queue, unix ms.
    fn timer_due_ms(&self) -> u64 {
        self.next_due_ms.get().max(self.held_until_ms.get())
    }

    /// True if a new message with this id may go to the end of a list of ready ones, as far as is
    /// known.
    pub fn is_in_order(&self, id: MessageId) -> bool {
        // As numbers they are compared without a call.
        u128::from_be_bytes(id.0) > u128::from_be_bytes(self.last_ready.get().0)
    }

    /// Notes the greatest id that the lists of ready messages end with.
    pub fn set_last_ready(&self, id: MessageId) {
        self.last_ready.set(id);
    }

    /// Somebody else pushed, or replaced a list: what it ends with is to be looked up.
    pub fn forget_last_ready(&self) {
        self.last_ready.set(UNKNOWN_ID);
    }

    /// The queue's name.
    pub fn queue(&self) -> &QueueName {
        self.names.queue()
    }

    /// True if it is in the index.
    pub fn is_indexed(&self) -> bool {
        self.serial.get() != 0
    }

    /// True if it has to be looked up whether the queue is there.
    pub fn is_unchecked(&self) -> bool {
        self.is_unchecked.get()
    }

    /// True if it stands in the line of queues to be served.
    pub fn is_marked(&self) -> bool {
        self.marked.get()
    }

    /// The number of the client that waits longest.
    pub fn first_waiting(&self) -> Option<u64> {
        self.waiting.borrow().first_key_value().map(|(number, _)| *number)
    }

    /// True if a client waits.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }
}

/// All entries.
#[derive(Default)]
pub struct Index {
    databases: BTreeMap<i32, HashMap<Box<[u8]>, Rc<Entry>>>,
    /// By deadline and serial number.
    due: BTreeMap<(u64, u64), Rc<Entry>>,
    /// The queues that may have something for clients that wait.
    marked: VecDeque<Rc<Entry>>,
    /// All entries, the one that is to be looked at next for being forgotten in front.
    round: VecDeque<Rc<Entry>>,
    /// How many of them are to be looked at.
    to_look_at: usize,
    /// All entries, by serial number.
    numbered: BTreeMap<u64, Rc<Entry>>,
    /// How many queues are there, as far as is known.
    there: usize,
    /// The entries of which that has to be looked up.
    unchecked: VecDeque<Rc<Entry>>,
    last_serial: u64,
    /// The entry that was looked up last: clients often use one queue many times in a row.
    last_found: RefCell<Option<Rc<Entry>>>,
}

impl Index {
    /// The entry of a queue; a new one, not in the index yet, if there is none.
    pub fn look_up(&self, db: i32, name: &[u8]) -> Result<Rc<Entry>, NameError> {
        let mut last = self.last_found.borrow_mut();
        if let Some(entry) = &*last
            && entry.db == db
            && entry.queue().as_bytes() == name
        {
            return Ok(entry.clone());
        }
        if let Some(entry) = self.databases.get(&db).and_then(|queues| queues.get(name)) {
            *last = Some(entry.clone());
            return Ok(entry.clone());
        }
        Ok(Rc::new(Entry::new(db, QueueName::new(name)?)))
    }

    /// Puts an entry into the index.
    pub fn adopt(&mut self, entry: &Rc<Entry>) {
        if entry.is_indexed() {
            return;
        }
        self.last_serial = self.last_serial.saturating_add(1);
        entry.serial.set(self.last_serial);
        let name = entry.queue().as_bytes().into();
        self.databases.entry(entry.db).or_default().insert(name, entry.clone());
        self.due.insert((entry.timer_due_ms(), self.last_serial), entry.clone());
        self.numbered.insert(self.last_serial, entry.clone());
        self.round.push_back(entry.clone());
        self.touch(entry);
        if self.round.len() > REMEMBERED {
            // Two for each new one: so it does not grow with queues that come and go.
            self.to_look_at = self.to_look_at.saturating_add(2);
        }
    }

    /// True if entries are to be looked at, whether their queues are gone.
    pub fn has_to_forget(&self) -> bool {
        self.to_look_at > 0
    }

    /// The entry that was not looked at for the longest time, if one is to be; it counts as looked
    /// at.
    pub fn next_to_forget(&mut self) -> Option<Rc<Entry>> {
        if self.round.len() <= REMEMBERED {
            self.to_look_at = 0;
        }
        self.to_look_at = self.to_look_at.checked_sub(1)?;
        let entry = self.round.pop_front();
        self.round.extend(entry.clone());
        entry
    }

    /// Takes an entry out of the index, if nobody waits for its queue and
    /// [`next_to_forget`](Self::next_to_forget) just gave it.
    pub fn forget(&mut self, entry: &Rc<Entry>) {
        let is_last = self.round.back().is_some_and(|last| Rc::ptr_eq(last, entry));
        if !is_last || entry.has_waiting() || entry.marked.get() {
            return;
        }
        self.round.pop_back();
        self.last_found.take();
        self.set_there(entry, false);
        let serial = entry.serial.replace(0);
        self.due.remove(&(entry.timer_due_ms(), serial));
        self.numbered.remove(&serial);
        if let Some(queues) = self.databases.get_mut(&entry.db) {
            queues.remove(entry.queue().as_bytes());
        }
    }

    /// A database was emptied, or with None all: its queues are gone, and are forgotten little by little.
    pub fn flushed(&mut self, db: Option<i32>) {
        let databases =
            self.databases.iter().filter(|(number, _)| db.is_none_or(|db| db == **number));
        for entry in databases.flat_map(|(_, queues)| queues.values()) {
            if entry.is_there.replace(false) {
                self.there = self.there.saturating_sub(1);
            }
        }
        self.to_look_at = self.round.len();
    }

    /// Forgets the queues of these databases, but those for which clients wait: to move what is known of
    /// each takes as long as to find them anew, and the server has to stand still for it.
    pub fn forget_databases(&mut self, dbs: [i32; 2]) {
        let is_kept = |entry: &Rc<Entry>| {
            !dbs.contains(&entry.db) || entry.has_waiting() || entry.marked.get()
        };
        self.last_found.take();
        self.round.retain(is_kept);
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
                    self.set_there(&entry, false);
                    entry.serial.set(0);
                    entry.is_unchecked.set(false);
                }
            }
        }
        for entry in kept {
            self.doubt(&entry);
        }
    }

    /// Something changed in a queue: whether it is there is to be looked up.
    pub fn touch(&mut self, entry: &Rc<Entry>) {
        if !entry.is_unchecked.replace(true) {
            self.unchecked.push_back(entry.clone());
            self.set_there(entry, true);
        }
    }

    /// Notes whether a queue is there.
    pub fn set_there(&mut self, entry: &Entry, is_there: bool) {
        let is_there = is_there && entry.is_indexed();
        match (entry.is_there.replace(is_there), is_there) {
            (false, true) => self.there = self.there.saturating_add(1),
            (true, false) => self.there = self.there.saturating_sub(1),
            _ => {}
        }
    }

    /// How many queues are there, as far as is known.
    pub fn there(&self) -> usize {
        self.there
    }

    /// The next entry of which it is to be looked up whether the queue is there.
    pub fn next_unchecked(&mut self) -> Option<Rc<Entry>> {
        let entry = self.unchecked.pop_front()?;
        entry.is_unchecked.set(false);
        Some(entry)
    }

    /// True if there are so many of them that the timer looks.
    pub fn has_many_unchecked(&self) -> bool {
        self.unchecked.len() > REMEMBERED
    }

    /// Notes a queue's next deadline.
    pub fn set_due(&mut self, entry: &Rc<Entry>, next_due_ms: u64) {
        let old = entry.timer_due_ms();
        entry.next_due_ms.set(next_due_ms);
        self.move_due(entry, old);
    }

    /// Lets the timer leave a queue alone until that moment, unix ms, whatever is due in it.
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

    /// The queue that the timer has to look at first, and when.
    pub fn first_due(&self) -> Option<(u64, Rc<Entry>)> {
        let (&(due_ms, _), entry) = self.due.first_key_value()?;
        (due_ms != NEVER).then(|| (due_ms, entry.clone()))
    }

    /// Puts a queue into the line of those to be served.
    pub fn mark(&mut self, entry: &Rc<Entry>) {
        if !entry.marked.replace(true) {
            self.marked.push_back(entry.clone());
        }
    }

    /// Takes the first queue out of that line.
    pub fn take_marked(&mut self) -> Option<Rc<Entry>> {
        let entry = self.marked.pop_front()?;
        entry.marked.set(false);
        Some(entry)
    }

    /// True if a queue is to be served.
    pub fn has_marked(&self) -> bool {
        !self.marked.is_empty()
    }

    /// Up to `count` entries behind that serial number, of all databases, and the last one's number: 0 at
    /// the end. An entry that comes later has a higher number.
    pub fn page(&self, after: u64, count: usize) -> (Vec<Rc<Entry>>, u64) {
        let mut rest = self.numbered.range((Bound::Excluded(after), Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(count).map(|(_, entry)| entry.clone()).collect();
        let last = page.last().map_or(0, |entry| entry.serial.get());
        (page, if rest.next().is_some() { last } else { 0 })
    }

    /// All entries, in no order that matters.
    pub fn all(&self) -> impl Iterator<Item = &Rc<Entry>> {
        self.round.iter()
    }

    /// Forgets what is believed of an entry's keys.
    pub fn doubt(&mut self, entry: &Rc<Entry>) {
        self.hold(entry, 0);
        self.set_due(entry, UNKNOWN);
        entry.forget_last_ready();
    }

    /// Forgets what is believed of all keys.
    pub fn doubt_all(&mut self) {
        for entry in self.all().cloned().collect::<Vec<_>>() {
            self.doubt(&entry);
        }
    }
}
