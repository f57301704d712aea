//! The keys of a queue in the server: opened when they are first needed, closed with this value.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use smallvec::SmallVec;

use crate::queue::name::QueueName;
use crate::queue::store::Part;
use crate::server::context::Context;
use crate::server::key::{Access, Key, KeyType};
use crate::server::string::ServerString;

use super::keys;
use super::keyspace::Keyspace;

/// The names of a queue's keys, made once.
pub struct KeyNames {
    queue: QueueName,
    name: ServerString,
    parts: [ServerString; Part::ALL.len()],
    wait: ServerString,
    /// A bit for each part that is seldom there, but was when it was last opened: a guess, which saves
    /// looking first.
    found: Cell<u32>,
    /// Used in cluster mode only.
    probe: OnceCell<ServerString>,
}

impl KeyNames {
    /// Makes the names of a queue's keys.
    pub fn new(queue: QueueName) -> Self {
        let parts = Part::ALL.map(|part| ServerString::new(&keys::key(&queue, part)));
        let name = ServerString::new(queue.as_bytes());
        let wait = ServerString::new(&keys::wait_key(&queue));
        Self { queue, name, parts, wait, found: Cell::new(0), probe: OnceCell::new() }
    }

    /// The queue.
    pub fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// The queue's name, which is the key that commands declare; it never exists.
    pub fn name(&self) -> &ServerString {
        &self.name
    }

    /// The key on which clients wait; it never exists.
    pub fn wait(&self) -> &ServerString {
        &self.wait
    }

    fn was_found(&self, part: Part) -> bool {
        self.found.get() & bit(part) != 0
    }

    fn note_found(&self, part: Part, key: &Key) {
        let others = self.found.get() & !bit(part);
        let is_there = key.key_type() != KeyType::Absent;
        self.found.set(if is_there { others | bit(part) } else { others });
    }

    /// In cluster mode: true if the queue's slot is served here and is not on its way in or out.
    /// In between, a command would see half of a queue.
    pub fn slot_is_stable(&self, context: Context<'_>) -> bool {
        let probe = self.probe.get_or_init(|| ServerString::new(&keys::probe_key(&self.queue)));
        context.slot_is_stable(&self.wait, probe)
    }
}

/// The keys of a queue in the selected database, during one callback.
pub struct ServerKeyspace<'a> {
    context: Context<'a>,
    names: Rc<KeyNames>,
    access: Access,
    parts: [Opened; Part::ALL.len()],
    /// Those that are open; None for one that was closed again.
    keys: SmallVec<[Option<Key>; 8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    NotYet,
    /// Looked at: it is not there.
    Absent,
    /// The number of the open key; there are no more of them than parts.
    Open(u8),
}

impl<'a> ServerKeyspace<'a> {
    /// Opens nothing yet.
    pub fn new(context: Context<'a>, names: Rc<KeyNames>, access: Access) -> Self {
        let parts = [Opened::NotYet; Part::ALL.len()];
        Self { context, names, access, parts, keys: SmallVec::new() }
    }

    /// The key of a part, open; None if it is absent and can't or need not be made.
    #[allow(clippy::indexing_slicing, reason = "both arrays have one entry per part")]
    fn key(&mut self, part: Part) -> Option<&mut Key> {
        let index = part as usize;
        if self.parts[index] == Opened::NotYet {
            let name = &self.names.parts[index];
            // A look costs half of what it takes to open a key that may be made.
            let may_be_absent = self.access == Access::Write && is_seldom_there(part);
            let is_absent = may_be_absent
                && !self.names.was_found(part)
                && Key::open(self.context, name, Access::Read).is_none();
            let key = if is_absent { None } else { Key::open(self.context, name, self.access) };
            if let (true, Some(key)) = (may_be_absent, &key) {
                self.names.note_found(part, key);
            }
            self.keep(part, key);
        }
        match self.parts[index] {
            Opened::Open(number) => self.keys.get_mut(usize::from(number))?.as_mut(),
            Opened::Absent | Opened::NotYet => None,
        }
    }

    /// The key of a part, open to add something; None if this is for reading only.
    #[allow(clippy::indexing_slicing, reason = "both arrays have one entry per part")]
    fn key_to_add(&mut self, part: Part) -> Option<&mut Key> {
        let index = part as usize;
        if !matches!(self.parts[index], Opened::Open(_)) && self.access == Access::Write {
            let key = Key::open(self.context, &self.names.parts[index], Access::Write);
            self.keep(part, key);
        }
        self.key(part)
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn keep(&mut self, part: Part, key: Option<Key>) {
        self.parts[part as usize] = Opened::Absent;
        if key.is_none() {
            return;
        }
        let number = self.keys.iter().position(Option::is_none).unwrap_or(self.keys.len());
        match self.keys.get_mut(number) {
            Some(closed) => *closed = key,
            None => self.keys.push(key),
        }
        self.parts[part as usize] = Opened::Open(number as u8);
    }

    /// Closes the key of a part before something else changes it.
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn close(&mut self, part: Part) {
        if let Opened::Open(number) = self.parts[part as usize]
            && let Some(key) = self.keys.get_mut(usize::from(number))
        {
            *key = None;
        }
        self.parts[part as usize] = Opened::NotYet;
    }
}

fn bit(part: Part) -> u32 {
    1 << part as u32
}

/// True for the parts that a queue without retries, delays and settings does not have.
fn is_seldom_there(part: Part) -> bool {
    !matches!(part, Part::Ready | Part::Messages | Part::Inflight)
}

fn key_type(part: Part) -> KeyType {
    match part {
        Part::Ready
        | Part::Ready1
        | Part::Ready2
        | Part::Ready3
        | Part::Ready4
        | Part::Ready5
        | Part::Ready6
        | Part::Ready7
        | Part::Ready8
        | Part::Ready9
        | Part::Damaged => KeyType::List,
        Part::Messages | Part::Notes | Part::Groups | Part::Dedup | Part::Config => KeyType::Hash,
        Part::Lanes
        | Part::Ranked
        | Part::Inflight
        | Part::Delayed
        | Part::Retried
        | Part::Expiring
        | Part::Grouped
        | Part::Turns
        | Part::Deduped
        | Part::Dead => KeyType::SortedSet,
    }
}

impl Keyspace for ServerKeyspace<'_> {
    type Bytes = ServerString;

    fn queue(&self) -> &QueueName {
        &self.names.queue
    }

    fn other(&self, queue: &QueueName) -> Self {
        Self::new(self.context, Rc::new(KeyNames::new(queue.clone())), self.access)
    }

    fn has_its_type(&mut self, part: Part) -> bool {
        let Some(key) = self.key(part) else { return true };
        let found = key.key_type();
        found == KeyType::Absent || found == key_type(part)
    }

    fn len(&mut self, part: Part) -> u64 {
        self.key(part).map_or(0, |key| key.len())
    }

    #[allow(clippy::indexing_slicing, reason = "both arrays have one entry per part")]
    fn unlink(&mut self, part: Part) {
        self.close(part);
        let name = &self.names.parts[part as usize];
        if let Some(mut key) = Key::open(self.context, name, Access::Write) {
            key.unlink();
        }
    }

    fn push_back(&mut self, list: Part, value: &[u8]) {
        if let Some(key) = self.key_to_add(list) {
            key.push_back(&ServerString::new(value));
        }
    }

    fn push_front(&mut self, list: Part, value: &ServerString) {
        if let Some(key) = self.key_to_add(list) {
            key.push_front(value);
        }
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn front(&mut self, list: Part) -> Option<ServerString> {
        let context = self.context;
        let names = self.names.clone();
        self.key(list)?.front(context, &names.parts[list as usize])
    }

    fn pop_front(&mut self, list: Part) -> Option<ServerString> {
        self.key(list)?.pop_front()
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn list(&mut self, list: Part, start: u64, count: u64) -> Vec<ServerString> {
        if self.key(list).is_none() {
            return Vec::new();
        }
        self.context.list_range(&self.names.parts[list as usize], start, count)
    }

    #[allow(clippy::indexing_slicing, reason = "both arrays have one entry per part")]
    fn take(&mut self, list: Part, value: &ServerString) {
        // The command may remove the key.
        self.close(list);
        self.context.remove_from_list(&self.names.parts[list as usize], value);
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn each_element(&mut self, list: Part, visit: impl FnMut(&[u8])) {
        let context = self.context;
        let names = self.names.clone();
        if let Some(key) = self.key(list) {
            key.each_element(context, &names.parts[list as usize], visit);
        }
    }

    fn get(&mut self, hash: Part, field: &[u8]) -> Option<ServerString> {
        self.key(hash)?.get(&ServerString::new(field))
    }

    fn has(&mut self, hash: Part, field: &[u8]) -> bool {
        self.key(hash).is_some_and(|key| key.has(&ServerString::new(field)))
    }

    fn put(&mut self, hash: Part, field: &[u8], value: &[u8]) {
        if let Some(key) = self.key_to_add(hash) {
            key.put(&ServerString::new(field), &ServerString::new(value));
        }
    }

    fn put_read(&mut self, hash: Part, field: &[u8], value: &ServerString) {
        if let Some(key) = self.key_to_add(hash) {
            key.put(&ServerString::new(field), value);
        }
    }

    fn delete(&mut self, hash: Part, field: &[u8]) {
        if let Some(key) = self.key(hash) {
            key.delete(&ServerString::new(field));
        }
    }

    fn each_field(&mut self, hash: Part, visit: impl FnMut(&[u8], &[u8])) {
        if let Some(key) = self.key(hash) {
            key.each_field(visit);
        }
    }

    fn add(&mut self, set: Part, member: &[u8], score: f64) {
        if let Some(key) = self.key_to_add(set) {
            key.add(&ServerString::new(member), score);
        }
    }

    fn remove(&mut self, set: Part, member: &[u8]) -> bool {
        self.key(set).is_some_and(|key| key.remove(&ServerString::new(member)))
    }

    fn score(&mut self, set: Part, member: &[u8]) -> Option<f64> {
        self.key(set)?.score(&ServerString::new(member))
    }

    fn first(&mut self, set: Part) -> Option<(ServerString, f64)> {
        self.key(set)?.first()
    }

    fn last(&mut self, set: Part) -> Option<(ServerString, f64)> {
        self.key(set)?.last()
    }

    fn range(
        &mut self,
        set: Part,
        scores: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(ServerString, f64)> {
        self.key(set).map_or(Vec::new(), |key| key.range(scores, skip, count))
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn count(&mut self, set: Part, scores: [f64; 2]) -> u64 {
        self.context.count_scores(&self.names.parts[set as usize], scores)
    }

    fn range_down(&mut self, set: Part, skip: u64, count: u64) -> Vec<(ServerString, f64)> {
        self.key(set).map_or(Vec::new(), |key| key.range_down(skip, count))
    }

    fn first_from(&mut self, set: Part, from: &[u8]) -> Option<ServerString> {
        self.key(set)?.first_from(from)
    }

    fn each_member(&mut self, set: Part, visit: impl FnMut(&[u8], f64)) {
        if let Some(key) = self.key(set) {
            key.each_member(visit);
        }
    }
}
