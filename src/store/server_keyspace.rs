//! The keys of a queue in the server: opened when they are first needed, closed with this value.

use std::cell::{Cell, OnceCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::queue::name::QueueName;
use crate::queue::part::{Kind, Part};
use crate::server::context::Context;
use crate::server::key::{Access, Key, KeyType};
use crate::server::scan::KeyCursor;
use crate::server::string::{ServerString, ValueString};

use super::body::StoredBody;
use super::keys;
use super::keyspace::{Contents, Keyspace};
use super::mirror::{self, Mirror};

/// A body as the server holds it.
pub type Body = StoredBody<ValueString>;

/// The names of a queue's keys, each made when it is first needed: of most queues most are not.
pub struct KeyNames {
    queue: QueueName,
    name: ServerString,
    parts: [OnceCell<ServerString>; Part::ALL.len()],
    wait: OnceCell<ServerString>,
    /// A bit for each part that is seldom there, but was when it was last opened: a guess, which saves
    /// looking first.
    found: Cell<u32>,
    /// Used in cluster mode only.
    probe: OnceCell<ServerString>,
}

impl KeyNames {
    /// Makes the queue's own name only.
    pub fn new(queue: QueueName) -> Self {
        let name = ServerString::new(queue.as_bytes());
        let parts = [const { OnceCell::new() }; Part::ALL.len()];
        Self {
            queue,
            name,
            parts,
            wait: OnceCell::new(),
            found: Cell::new(0),
            probe: OnceCell::new(),
        }
    }

    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn part(&self, part: Part) -> &ServerString {
        self.parts[part as usize].get_or_init(|| self.new_part(part))
    }

    #[cold]
    fn new_part(&self, part: Part) -> ServerString {
        ServerString::new(&keys::key(&self.queue, part))
    }

    /// True if one of the queue's keys exists in the selected database. Keeps no name: it is asked of
    /// many queues that are not used otherwise.
    pub fn has_keys(&self, context: Context<'_>) -> bool {
        let exists = |name: &ServerString| Key::open(context, name, Access::Read).is_some();
        self.parts.iter().zip(Part::ALL).any(|(name, part)| match name.get() {
            Some(name) => exists(name),
            None => exists(&self.new_part(part)),
        })
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
        self.wait.get_or_init(|| ServerString::new(&keys::wait_key(&self.queue)))
    }

    fn was_found(&self, part: Part) -> bool {
        self.found.get() & bit(part) != 0
    }

    fn note_found(&self, part: Part, key: &Key<'_>) {
        let others = self.found.get() & !bit(part);
        let is_there = key.key_type() != KeyType::Absent;
        self.found.set(if is_there { others | bit(part) } else { others });
    }

    /// In cluster mode: true if the queue's slot is served here and is not on its way in or out.
    /// In between, a command would see half of a queue.
    pub fn slot_is_stable(&self, context: Context<'_>) -> bool {
        let probe = self.probe.get_or_init(|| ServerString::new(&keys::probe_key(&self.queue)));
        context.slot_is_stable(self.wait(), probe)
    }
}

/// The keys of a queue in the selected database, during one callback.
pub struct ServerKeyspace<'a> {
    context: Context<'a>,
    names: Rc<KeyNames>,
    access: Access,
    /// None of a part that was not looked at, or is not there.
    open: [ManuallyDrop<Option<Key<'a>>>; Part::ALL.len()],
    /// A bit for each part that was looked at.
    looked_at: u32,
    /// A bit for each key that is open: most of them are not, and need not be looked at in the end.
    is_open: u32,
    /// Of which list an element was read last, and its index: from there the server goes on.
    read_last: Option<(Part, u64)>,
    /// The field or member of each kind that was asked for last: the next op often has the same.
    asked: [Option<ServerString>; NAME_KINDS],
    /// What is written goes into the copy, too, that follows this queue.
    is_mirrored: bool,
}

/// A score as the server shows it.
fn score(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// How many values of a list are copied at once.
const MIRRORED: u64 = 64;

/// From so many members of a sorted set on, which are to be skipped, the server is asked for those at
/// a rank, which takes it O(log n): the module API can only go from one to the next.
const SEEK: u64 = 128;

impl<'a> ServerKeyspace<'a> {
    /// Opens nothing yet.
    #[inline(always)]
    pub fn new(context: Context<'a>, names: Rc<KeyNames>, access: Access) -> Self {
        let is_mirrored = mirror::is_following(|| context.selected_db(), &names.queue);
        Self {
            context,
            names,
            access,
            open: [const { ManuallyDrop::new(None) }; Part::ALL.len()],
            looked_at: 0,
            is_open: 0,
            read_last: None,
            asked: [const { None }; NAME_KINDS],
            is_mirrored,
        }
    }

    /// Does to the copy that follows this queue what is done to its keys.
    #[inline]
    fn mirror(&self, change: impl FnOnce(&mut Mirror)) {
        if self.is_mirrored {
            mirror::with(change);
        }
    }

    /// Reads the next few values of a list into the copy that follows this queue. False if it has no
    /// more.
    pub fn mirror_list(&mut self, list: Part) -> bool {
        let start = mirror::with(|mirror| mirror.read_of(list)).unwrap_or(0);
        let values = self.list(list, start, MIRRORED);
        let length = self.len(list);
        mirror::with(|mirror| mirror.add_read(list, length, &values));
        !values.is_empty()
    }

    /// Reads the next few entries of a hash or a sorted set, from where the cursor stands. False if it
    /// has no more.
    pub fn mirror_some(&mut self, part: Part, cursor: &mut KeyCursor) -> bool {
        let is_hash = part.kind() == Kind::Hash;
        let Some(key) = self.key(part) else { return false };
        key.scan(cursor, |name, value| {
            mirror::with(|mirror| {
                if is_hash {
                    mirror.put(part, name, value);
                } else if let Some(score) = score(value) {
                    mirror.add(part, name, score);
                }
            });
        })
    }

    /// The key of a part, open; None if it is absent and can't or need not be made.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn key(&mut self, part: Part) -> Option<&mut Key<'a>> {
        if self.looked_at & bit(part) == 0 {
            self.look_up(part);
        }
        self.open[part as usize].as_mut()
    }

    #[inline(never)]
    fn look_up(&mut self, part: Part) {
        let name = self.names.part(part);
        // A look costs half of what it takes to open a key that may be made.
        let may_be_absent = self.access == Access::Write && is_seldom_there(part);
        let is_absent = may_be_absent
            && !self.names.was_found(part)
            && Key::open(self.context, name, Access::Read).is_none();
        let key = if is_absent { None } else { Key::open(self.context, name, self.access) };
        if let (true, Some(key)) = (may_be_absent, &key) {
            self.names.note_found(part, key);
        }
        self.set(part, key);
    }

    /// What a command says of a sorted set whose key is there; else 0.
    fn ranks(&mut self, set: Part, ask: impl FnOnce(Context<'_>, &ServerString) -> u64) -> u64 {
        if self.key(set).is_none() {
            return 0;
        }
        ask(self.context, self.names.part(set))
    }

    /// Up to `count` members of a sorted set from that rank on.
    fn by_rank(&mut self, set: Part, start: u64, count: u64) -> Vec<(ValueString, f64)> {
        if self.key(set).is_none() {
            return Vec::new();
        }
        self.context.members_by_rank(self.names.part(set), start, count)
    }

    /// Opens a list anew if its element at an index is found faster from an end of the list than from
    /// where the server stands. That is remembered of one list only: one that was read before is closed.
    fn approach(&mut self, list: Part, index: u64) {
        let Some((part, at)) = self.read_last.take() else { return };
        if part != list || self.key(list).is_some_and(|key| !key.is_near(at, index)) {
            self.close(part);
        }
    }

    /// The key of a part, open to add something; None if this is for reading only.
    #[inline]
    fn key_to_add(&mut self, part: Part) -> Option<&mut Key<'a>> {
        if self.is_open & bit(part) == 0 && self.access == Access::Write {
            let key = Key::open(self.context, self.names.part(part), Access::Write);
            self.set(part, key);
        }
        self.key(part)
    }

    /// Does something to the field or member of that name in the key of a part, if it is there.
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per kind")]
    fn with<T>(
        &mut self,
        part: Part,
        name: &[u8],
        act: impl FnOnce(&mut Key<'a>, &ServerString) -> T,
    ) -> Option<T> {
        self.key(part)?;
        let kind = name_kind(part);
        let asked = self.asked[kind].take().filter(|asked| asked.as_ref() == name);
        let asked = asked.unwrap_or_else(|| ServerString::new(name));
        let result = self.key(part).map(|key| act(key, &asked));
        self.asked[kind] = Some(asked);
        result
    }

    /// The same, to add something.
    fn with_new(&mut self, part: Part, name: &[u8], act: impl FnOnce(&mut Key<'a>, &ServerString)) {
        if self.key_to_add(part).is_some() {
            self.with(part, name, act);
        }
    }

    /// Keeps what was found of a part that is not open.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn set(&mut self, part: Part, key: Option<Key<'a>>) {
        self.looked_at |= bit(part);
        if key.is_some() {
            self.is_open |= bit(part);
            self.open[part as usize] = ManuallyDrop::new(key);
        }
    }

    /// Closes what is open of a part: it is looked at anew when it is needed again.
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn close(&mut self, part: Part) {
        self.looked_at &= !bit(part);
        if self.is_open & bit(part) != 0 {
            self.is_open &= !bit(part);
            drop(self.open[part as usize].take());
        }
    }
}

impl Drop for ServerKeyspace<'_> {
    fn drop(&mut self) {
        while let Some(opened) = self.open.get_mut(self.is_open.trailing_zeros() as usize) {
            drop(opened.take());
            self.is_open &= self.is_open.wrapping_sub(1);
        }
    }
}

const NAME_KINDS: usize = 3;

/// What the names in a part are: deliveries, those that clients choose, or ids.
fn name_kind(part: Part) -> usize {
    match part {
        Part::Inflight => 0,
        Part::Groups | Part::Turns | Part::Dedup | Part::Deduped => 1,
        _ => 2,
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
    match part.kind() {
        Kind::List => KeyType::List,
        Kind::Hash => KeyType::Hash,
        Kind::SortedSet => KeyType::SortedSet,
    }
}

impl Contents for ServerKeyspace<'_> {
    fn queue(&self) -> &QueueName {
        &self.names.queue
    }

    fn len(&mut self, part: Part) -> u64 {
        self.key(part).map_or(0, |key| key.len())
    }

    fn each_element(&mut self, list: Part, visit: impl FnMut(&[u8])) {
        let context = self.context;
        let names = self.names.clone();
        if let Some(key) = self.key(list) {
            key.each_element(context, names.part(list), visit);
        }
        self.read_last = None;
        self.close(list);
    }

    fn each_field(&mut self, hash: Part, visit: impl FnMut(&[u8], &[u8])) {
        if let Some(key) = self.key(hash) {
            key.each_field(visit);
        }
    }

    fn each_member(&mut self, set: Part, visit: impl FnMut(&[u8], f64)) {
        if let Some(key) = self.key(set) {
            key.each_member(visit);
        }
    }
}

impl Keyspace for ServerKeyspace<'_> {
    type Bytes = ValueString;

    fn other(&self, queue: &QueueName) -> Self {
        Self::new(self.context, Rc::new(KeyNames::new(queue.clone())), self.access)
    }

    fn has_its_type(&mut self, part: Part) -> bool {
        let Some(key) = self.key(part) else { return true };
        let found = key.key_type();
        found == KeyType::Absent || found == key_type(part)
    }

    fn unlink(&mut self, part: Part) {
        self.mirror(|mirror| mirror.unlink(part));
        self.close(part);
        Key::unlink(self.context, self.names.part(part));
    }

    fn push_back(&mut self, list: Part, value: &[u8]) {
        self.mirror(|mirror| mirror.push_back(list, value));
        if let Some(key) = self.key_to_add(list) {
            key.push_back(&ServerString::new(value));
        }
    }

    fn push_front(&mut self, list: Part, value: &ValueString) {
        self.mirror(|mirror| mirror.push_front(list, value.as_ref()));
        if let Some(key) = self.key_to_add(list) {
            key.push_front(value);
        }
    }

    fn front(&mut self, list: Part) -> Option<ValueString> {
        self.element(list, 0)
    }

    fn back(&mut self, list: Part) -> Option<ValueString> {
        let last = self.len(list).checked_sub(1)?;
        self.element(list, last)
    }

    fn pop_front(&mut self, list: Part) -> Option<ValueString> {
        self.mirror(|mirror| mirror.pop_front(list));
        self.key(list)?.pop_front()
    }

    fn list(&mut self, list: Part, start: u64, count: u64) -> Vec<ValueString> {
        self.approach(list, start);
        let (context, names) = (self.context, self.names.clone());
        let Some(key) = self.key(list) else { return Vec::new() };
        let values = key.list(context, names.part(list), start, count);
        self.read_last = Some((list, start.saturating_add(count)));
        values
    }

    fn element(&mut self, list: Part, index: u64) -> Option<ValueString> {
        self.approach(list, index);
        let (context, names) = (self.context, self.names.clone());
        let value = self.key(list)?.element(context, names.part(list), index);
        self.read_last = Some((list, index));
        value
    }

    fn remove_elements(&mut self, list: Part, indexes: &[u64]) {
        self.mirror(|mirror| mirror.remove_elements(list, indexes));
        if Key::can_remove_elements() {
            // Forward only: 7.0 removes others on the way back. So the first is to be a fresh start.
            self.close(list);
            self.read_last = None;
            for (removed, index) in (0..).zip(indexes) {
                let index = index.saturating_sub(removed);
                self.approach(list, index);
                if let Some(key) = self.key(list) {
                    key.remove_element(index);
                }
                self.read_last = Some((list, index));
            }
        } else {
            let len = self.len(list);
            self.close(list);
            self.context.remove_from_list(self.names.part(list), len, indexes);
        }
        // The key may be gone.
        self.close(list);
    }

    fn get(&mut self, hash: Part, field: &[u8]) -> Option<ValueString> {
        self.with(hash, field, |key, field| key.get(field))?
    }

    fn has(&mut self, hash: Part, field: &[u8]) -> bool {
        self.with(hash, field, |key, field| key.has(field)).unwrap_or(false)
    }

    fn put(&mut self, hash: Part, field: &[u8], value: &[u8]) {
        self.mirror(|mirror| mirror.put(hash, field, value));
        self.with_new(hash, field, |key, field| key.put(field, &ServerString::new(value)));
    }

    fn put_read(&mut self, hash: Part, field: &[u8], value: &ValueString) {
        self.mirror(|mirror| mirror.put(hash, field, value.as_ref()));
        self.with_new(hash, field, |key, field| key.put_read(field, value));
    }

    fn delete(&mut self, hash: Part, field: &[u8]) {
        self.mirror(|mirror| mirror.delete(hash, field));
        self.with(hash, field, Key::delete);
    }

    fn add(&mut self, set: Part, member: &[u8], score: f64) {
        self.mirror(|mirror| mirror.add(set, member, score));
        self.with_new(set, member, |key, member| key.add(member, score));
    }

    fn remove(&mut self, set: Part, member: &[u8]) -> bool {
        self.mirror(|mirror| mirror.remove(set, member));
        self.with(set, member, Key::remove).unwrap_or(false)
    }

    fn score(&mut self, set: Part, member: &[u8]) -> Option<f64> {
        self.with(set, member, |key, member| key.score(member))?
    }

    fn first(&mut self, set: Part) -> Option<(ValueString, f64)> {
        self.key(set)?.first()
    }

    fn last(&mut self, set: Part) -> Option<(ValueString, f64)> {
        self.last_within(set, [f64::NEG_INFINITY, f64::INFINITY])
    }

    fn last_within(&mut self, set: Part, scores: [f64; 2]) -> Option<(ValueString, f64)> {
        self.key(set)?.last_within(scores)
    }

    fn range(
        &mut self,
        set: Part,
        scores: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(ValueString, f64)> {
        let [low, high] = scores;
        if skip < SEEK {
            return self.key(set).map_or(Vec::new(), |key| key.range(scores, skip, count));
        }
        let before = self.ranks(set, |context, name| context.count_below(name, low));
        let mut members = self.by_rank(set, before.saturating_add(skip), count);
        members.retain(|(_, score)| *score <= high);
        members
    }

    fn count(&mut self, set: Part, scores: [f64; 2]) -> u64 {
        self.ranks(set, |context, name| context.count_scores(name, scores))
    }

    fn range_down(&mut self, set: Part, skip: u64, count: u64) -> Vec<(ValueString, f64)> {
        if skip < SEEK {
            return self.key(set).map_or(Vec::new(), |key| key.range_down(skip, count));
        }
        let end = self.len(set).saturating_sub(skip);
        let start = end.saturating_sub(count);
        let mut members = self.by_rank(set, start, end.saturating_sub(start));
        members.reverse();
        members
    }

    fn range_from(&mut self, set: Part, from: &[u8], skip: u64, count: u64) -> Vec<ValueString> {
        if skip < SEEK {
            return self.key(set).map_or(Vec::new(), |key| key.range_from(from, skip, count));
        }
        let before = self.ranks(set, |context, name| context.count_before(name, from));
        let members = self.by_rank(set, before.saturating_add(skip), count);
        members.into_iter().map(|(member, _)| member).collect()
    }

    fn each_member_down(&mut self, set: Part, visit: impl FnMut(&[u8], f64) -> bool) {
        if let Some(key) = self.key(set) {
            key.each_member_down(visit);
        }
    }
}
