//! An in-memory keyspace for tests and fuzzing of the rules. It behaves as the server's, wrong types and
//! damaged bytes included.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::deadlines::Deadlines;
use super::keys;
use super::keyspace::{Contents, Keyspace};
use crate::queue::name::QueueName;
use crate::queue::part::{Kind, Part};

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    List(VecDeque<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Sorted(BTreeMap<Vec<u8>, f64>),
    /// Any other type.
    Text,
}

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

fn count_reads(entries: usize) {
    READS.set(READS.get() + entries as u64);
}

/// How many list elements and members of ranges this thread has read.
#[cfg(any(test, fuzzing))]
pub fn reads() -> u64 {
    READS.get()
}

/// All keys of a database.
pub type Database = BTreeMap<Vec<u8>, Value>;

thread_local! {
    /// How often [`Keyspace::other`] was called.
    pub static OPENED: Cell<u64> = const { Cell::new(0) };
}

/// The keys of one queue in a shared database.
pub struct MemoryKeyspace {
    database: Rc<RefCell<Database>>,
    queue: QueueName,
    deadlines: Rc<RefCell<Deadlines>>,
}

impl MemoryKeyspace {
    pub fn new(database: &Rc<RefCell<Database>>, queue: &QueueName) -> Self {
        Self::with_deadlines(database, queue, &Rc::new(RefCell::new(Deadlines::UNKNOWN)))
    }

    /// With the order of `Flight` that was kept of this queue.
    pub fn with_deadlines(
        database: &Rc<RefCell<Database>>,
        queue: &QueueName,
        deadlines: &Rc<RefCell<Deadlines>>,
    ) -> Self {
        Self { database: database.clone(), queue: queue.clone(), deadlines: deadlines.clone() }
    }

    /// Runs `work` on the value of a part, created if it is absent and removed if it ends up empty.
    fn with<T>(&mut self, part: Part, work: impl FnOnce(&mut Value) -> T) -> T {
        let mut database = self.database.borrow_mut();
        let key = keys::key(&self.queue, part);
        let value = database.entry(key.clone()).or_insert_with(|| empty(part));
        let result = work(value);
        let is_empty = match value {
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Sorted(set) => set.is_empty(),
            Value::Text => false,
        };
        if is_empty {
            database.remove(&key);
        }
        result
    }

    fn on_list<T: Default>(
        &mut self,
        part: Part,
        work: impl FnOnce(&mut VecDeque<Vec<u8>>) -> T,
    ) -> T {
        self.with(part, |value| match value {
            Value::List(list) => work(list),
            _ => T::default(),
        })
    }

    fn hash<T: Default>(
        &mut self,
        part: Part,
        work: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>) -> T,
    ) -> T {
        self.with(part, |value| match value {
            Value::Hash(hash) => work(hash),
            _ => T::default(),
        })
    }

    fn sorted<T: Default>(
        &mut self,
        part: Part,
        work: impl FnOnce(&mut BTreeMap<Vec<u8>, f64>) -> T,
    ) -> T {
        self.with(part, |value| match value {
            Value::Sorted(set) => work(set),
            _ => T::default(),
        })
    }

    fn by_score(&mut self, part: Part) -> Vec<(f64, Vec<u8>)> {
        self.sorted(part, |set| {
            let mut entries: Vec<_> = set.iter().map(|(m, s)| (*s, m.clone())).collect();
            entries.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
            entries
        })
    }
}

fn empty(part: Part) -> Value {
    match part.kind() {
        Kind::List => Value::List(VecDeque::new()),
        Kind::Hash => Value::Hash(BTreeMap::new()),
        Kind::SortedSet => Value::Sorted(BTreeMap::new()),
    }
}

impl Contents for MemoryKeyspace {
    fn queue(&self) -> &QueueName {
        &self.queue
    }

    fn len(&mut self, part: Part) -> u64 {
        self.with(part, |value| match value {
            Value::List(list) => list.len() as u64,
            Value::Hash(hash) => hash.len() as u64,
            Value::Sorted(set) => set.len() as u64,
            Value::Text => 0,
        })
    }

    fn each_element(&mut self, list: Part, visit: impl FnMut(&[u8])) {
        self.on_list(list, |list| list.iter().map(Vec::as_slice).for_each(visit));
    }

    fn each_field(&mut self, hash: Part, mut visit: impl FnMut(&[u8], &[u8])) {
        self.hash(hash, |hash| hash.iter().for_each(|(field, value)| visit(field, value)));
    }

    fn each_member(&mut self, set: Part, mut visit: impl FnMut(&[u8], f64)) {
        self.by_score(set).into_iter().for_each(|(score, member)| visit(&member, score));
    }
}

impl Keyspace for MemoryKeyspace {
    type Bytes = Vec<u8>;

    fn other(&self, queue: &QueueName) -> Self {
        OPENED.set(OPENED.get().saturating_add(1));
        Self::new(&self.database, queue)
    }

    fn has_its_type(&mut self, part: Part) -> bool {
        self.with(part, |value| {
            std::mem::discriminant(value) == std::mem::discriminant(&empty(part))
        })
    }

    fn deadlines<T>(&mut self, work: impl FnOnce(&mut Deadlines) -> T) -> T {
        work(&mut self.deadlines.borrow_mut())
    }

    fn unlink(&mut self, part: Part) {
        self.database.borrow_mut().remove(&keys::key(&self.queue, part));
    }

    fn push_back_joined(&mut self, list: Part, value: [&[u8]; 2]) {
        self.on_list(list, |list| list.push_back(value.concat()));
    }

    fn push_front(&mut self, list: Part, value: &Vec<u8>) {
        self.on_list(list, |list| list.push_front(value.clone()));
    }

    fn front(&mut self, list: Part) -> Option<Vec<u8>> {
        self.on_list(list, |list| list.front().cloned())
    }

    fn back(&mut self, list: Part) -> Option<Vec<u8>> {
        self.on_list(list, |list| list.back().cloned())
    }

    fn pop_front(&mut self, list: Part) -> Option<Vec<u8>> {
        self.on_list(list, VecDeque::pop_front)
    }

    fn take_front(
        &mut self,
        list: Part,
        count: u64,
        mut take: impl FnMut(Vec<u8>) -> Option<Vec<u8>>,
    ) {
        self.on_list(list, |list| {
            for _ in 0..count {
                let Some(value) = list.pop_front() else { break };
                if let Some(value) = take(value) {
                    list.push_front(value);
                    break;
                }
            }
        });
    }

    fn list(&mut self, list: Part, start: u64, count: u64) -> Vec<Vec<u8>> {
        let elements: Vec<Vec<u8>> = self.on_list(list, |list| {
            list.iter().skip(start as usize).take(count as usize).cloned().collect()
        });
        count_reads(elements.len());
        elements
    }

    fn element(&mut self, list: Part, index: u64) -> Option<Vec<u8>> {
        count_reads(1);
        self.on_list(list, |list| list.get(index as usize).cloned())
    }

    fn remove_elements(&mut self, list: Part, indexes: &[u64]) {
        self.on_list(list, |list| {
            for index in indexes.iter().rev() {
                list.remove(*index as usize);
            }
        });
    }

    fn get(&mut self, hash: Part, field: &[u8]) -> Option<Vec<u8>> {
        self.hash(hash, |hash| hash.get(field).cloned())
    }

    fn has(&mut self, hash: Part, field: &[u8]) -> bool {
        self.hash(hash, |hash| hash.contains_key(field))
    }

    fn put_joined(&mut self, hash: Part, field: &[u8], value: [&[u8]; 2]) {
        self.hash(hash, |hash| {
            hash.insert(field.to_vec(), value.concat());
        });
    }

    fn put_read(&mut self, hash: Part, field: &[u8], value: &Vec<u8>) {
        self.put(hash, field, value);
    }

    fn delete(&mut self, hash: Part, field: &[u8]) {
        self.hash(hash, |hash| {
            hash.remove(field);
        });
    }

    fn add(&mut self, set: Part, member: &[u8], score: f64) {
        self.sorted(set, |set| {
            set.insert(member.to_vec(), score);
        });
    }

    fn remove(&mut self, set: Part, member: &[u8]) -> bool {
        self.sorted(set, |set| set.remove(member).is_some())
    }

    fn score(&mut self, set: Part, member: &[u8]) -> Option<f64> {
        self.sorted(set, |set| set.get(member).copied())
    }

    fn first(&mut self, set: Part) -> Option<(Vec<u8>, f64)> {
        self.by_score(set).into_iter().next().map(|(score, member)| (member, score))
    }

    fn last(&mut self, set: Part) -> Option<(Vec<u8>, f64)> {
        self.by_score(set).pop().map(|(score, member)| (member, score))
    }

    fn last_within(&mut self, set: Part, [low, high]: [f64; 2]) -> Option<(Vec<u8>, f64)> {
        let members = self.by_score(set).into_iter().rev();
        let mut members = members.filter(|(score, _)| (low..=high).contains(score));
        members.next().map(|(score, member)| (member, score))
    }

    fn range(
        &mut self,
        set: Part,
        [low, high]: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(Vec<u8>, f64)> {
        let members = self.by_score(set).into_iter().map(|(score, member)| (member, score));
        let members = members.filter(|(_, score)| (low..=high).contains(score));
        let found: Vec<_> = members.skip(skip as usize).take(count as usize).collect();
        count_reads(found.len());
        found
    }

    fn count(&mut self, set: Part, [low, high]: [f64; 2]) -> u64 {
        self.sorted(set, |set| set.values().filter(|s| (low..=high).contains(*s)).count() as u64)
    }

    fn range_down(&mut self, set: Part, skip: u64, count: u64) -> Vec<(Vec<u8>, f64)> {
        let members = self.by_score(set).into_iter().rev();
        let members = members.map(|(score, member)| (member, score));
        members.skip(skip as usize).take(count as usize).collect()
    }

    fn range_from(&mut self, set: Part, from: &[u8], skip: u64, count: u64) -> Vec<Vec<u8>> {
        self.sorted(set, |set| {
            let members = set.range(from.to_vec()..).map(|(member, _)| member.clone());
            members.skip(skip as usize).take(count as usize).collect()
        })
    }

    fn each_member_down(&mut self, set: Part, mut visit: impl FnMut(&[u8], f64) -> bool) {
        for (score, member) in self.by_score(set).into_iter().rev() {
            if !visit(&member, score) {
                break;
            }
        }
    }
}
