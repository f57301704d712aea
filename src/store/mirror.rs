//! A copy of one queue, made in small steps while the queue changes.
//!
//! Every write of this process to the queue's keys is applied to the copy too, so it is complete once
//! all keys have been read; then another thread can check it without blocking the server. Payloads are
//! not copied.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use crate::queue::message::MessageId;
use crate::queue::name::QueueName;
use crate::queue::part::Part;

use super::body::{BodyRecord, decode_body, decode_body_of, decode_delivered};
use super::keyspace::Contents;

/// Inline storage for an id and a receipt.
type Bytes = SmallVec<[u8; 24]>;

pub struct Mirror {
    queue: QueueName,
    lists: BTreeMap<Part, List>,
    hashes: BTreeMap<Part, BTreeMap<Bytes, Bytes>>,
    sets: BTreeMap<Part, BTreeMap<Bytes, f64>>,
}

/// The first elements of a list, or all of them.
#[derive(Default)]
struct List {
    values: VecDeque<Bytes>,
    is_whole: bool,
}

thread_local! {
    /// The active copy and the database of its queue.
    static FOLLOWING: RefCell<Option<(i32, Mirror)>> = const { RefCell::new(None) };
}

/// Every command asks, and a static is faster to read than a thread-local.
static IS_FOLLOWING: AtomicBool = AtomicBool::new(false);

/// Starts a copy of a queue; returns the one that was active before.
pub fn follow(db: i32, queue: &QueueName) -> Option<Mirror> {
    IS_FOLLOWING.store(true, Ordering::Relaxed);
    FOLLOWING.replace(Some((db, Mirror::new(queue)))).map(|(_, mirror)| mirror)
}

/// Ends the copy and returns it.
pub fn take() -> Option<Mirror> {
    IS_FOLLOWING.store(false, Ordering::Relaxed);
    FOLLOWING.take().map(|(_, mirror)| mirror)
}

/// True if a copy of that queue is active. `db` is called only if there is a copy.
#[inline]
pub fn is_following(db: impl FnOnce() -> i32, queue: &QueueName) -> bool {
    IS_FOLLOWING.load(Ordering::Relaxed) && is_that(db(), queue)
}

#[cold]
fn is_that(db: i32, queue: &QueueName) -> bool {
    FOLLOWING.with_borrow(|following| {
        following.as_ref().is_some_and(|(of, mirror)| mirror.queue == *queue && *of == db)
    })
}

/// Runs `change` on the active copy. Cold, so that the writes stay short.
#[cold]
pub fn with<T>(change: impl FnOnce(&mut Mirror) -> T) -> Option<T> {
    FOLLOWING.with_borrow_mut(|following| following.as_mut().map(|(_, mirror)| change(mirror)))
}

impl Mirror {
    pub fn new(queue: &QueueName) -> Self {
        Self {
            queue: queue.clone(),
            lists: BTreeMap::new(),
            hashes: BTreeMap::new(),
            sets: BTreeMap::new(),
        }
    }

    /// The number of elements read so far.
    pub fn read_of(&self, list: Part) -> u64 {
        self.lists.get(&list).map_or(0, |list| list.values.len() as u64)
    }

    /// Adds the next elements of a list of that length; none if there are no more.
    pub fn add_read<B: AsRef<[u8]>>(&mut self, list: Part, length: u64, values: &[B]) {
        let list = self.lists.entry(list).or_default();
        if list.values.is_empty() {
            // Growing later would copy all elements at once.
            list.values.reserve(usize::try_from(length).unwrap_or(0));
        }
        list.values.extend(values.iter().map(|value| listed(value.as_ref())));
        list.is_whole |= values.is_empty();
    }

    pub fn push_back(&mut self, list: Part, value: &[u8]) {
        let list = self.lists.entry(list).or_default();
        if list.is_whole {
            list.values.push_back(listed(value));
        }
    }

    pub fn push_front(&mut self, list: Part, value: &[u8]) {
        let list = self.lists.entry(list).or_default();
        if list.is_whole || !list.values.is_empty() {
            list.values.push_front(listed(value));
        }
    }

    pub fn pop_front(&mut self, list: Part) {
        self.lists.entry(list).or_default().values.pop_front();
    }

    /// Ascending indexes.
    pub fn remove_elements(&mut self, list: Part, indexes: &[u64]) {
        let values = &mut self.lists.entry(list).or_default().values;
        for index in indexes.iter().rev() {
            values.remove(usize::try_from(*index).unwrap_or(usize::MAX));
        }
    }

    pub fn put(&mut self, hash: Part, field: &[u8], value: &[u8]) {
        let id = MessageId(field.try_into().unwrap_or_default());
        let value = match hash {
            Part::Messages | Part::Bodies => without_payload(value, decode_body_of(id, value)),
            Part::Flight => without_payload(value, decode_delivered(id, value)),
            _ => value.into(),
        };
        self.hashes.entry(hash).or_default().insert(field.into(), value);
    }

    pub fn delete(&mut self, hash: Part, field: &[u8]) {
        self.hashes.entry(hash).or_default().remove(field);
    }

    pub fn add(&mut self, set: Part, member: &[u8], score: f64) {
        self.sets.entry(set).or_default().insert(member.into(), score);
    }

    pub fn remove(&mut self, set: Part, member: &[u8]) {
        self.sets.entry(set).or_default().remove(member);
    }

    pub fn unlink(&mut self, part: Part) {
        if let Some(list) = self.lists.get_mut(&part) {
            list.values.clear();
        }
        self.hashes.remove(&part);
        self.sets.remove(&part);
    }
}

/// A body without its payload; unreadable bytes as they are.
fn without_payload<E>(bytes: &[u8], body: Result<BodyRecord<'_>, E>) -> Bytes {
    let payload = body.map_or(0, |body| body.payload.len());
    bytes.get(..bytes.len().saturating_sub(payload)).unwrap_or(bytes).into()
}

fn listed(value: &[u8]) -> Bytes {
    without_payload(value, decode_body(value))
}

impl Contents for Mirror {
    fn queue(&self) -> &QueueName {
        &self.queue
    }

    fn len(&mut self, part: Part) -> u64 {
        let list = self.lists.get(&part).map_or(0, |list| list.values.len());
        let hash = self.hashes.get(&part).map_or(0, BTreeMap::len);
        let set = self.sets.get(&part).map_or(0, BTreeMap::len);
        list.max(hash).max(set) as u64
    }

    fn each_element(&mut self, list: Part, mut visit: impl FnMut(&[u8])) {
        self.lists.get(&list).into_iter().flat_map(|list| &list.values).for_each(|v| visit(v));
    }

    fn each_field(&mut self, hash: Part, mut visit: impl FnMut(&[u8], &[u8])) {
        self.hashes.get(&hash).into_iter().flatten().for_each(|(field, value)| visit(field, value));
    }

    fn each_member(&mut self, set: Part, mut visit: impl FnMut(&[u8], f64)) {
        let mut members: Vec<_> = self.sets.get(&set).into_iter().flatten().collect();
        members.sort_by(|one, other| one.1.total_cmp(other.1));
        members.into_iter().for_each(|(member, score)| visit(member, *score));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its values, each of one byte.
    fn values(mirror: &mut Mirror) -> Vec<u8> {
        let mut values = Vec::new();
        mirror.each_element(Part::Ready, |value| values.extend(value));
        values
    }

    #[test]
    fn what_comes_to_the_end_of_a_list_is_read_there_or_added_once_all_was_read() {
        let mut mirror = Mirror::new(&QueueName::new(b"orders").expect("a name"));
        mirror.push_front(Part::Ready, b"0");
        mirror.push_back(Part::Ready, b"3");
        assert!(values(&mut mirror).is_empty());
        mirror.add_read(Part::Ready, 3, &[b"1", b"2"]);
        mirror.push_front(Part::Ready, b"0");
        mirror.push_back(Part::Ready, b"4");
        assert_eq!(values(&mut mirror), b"012");
        mirror.add_read(Part::Ready, 4, &[b"3", b"4"]);
        mirror.add_read::<&[u8]>(Part::Ready, 4, &[]);
        mirror.push_back(Part::Ready, b"5");
        assert_eq!(values(&mut mirror), b"012345");
    }
}
