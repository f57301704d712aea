//! The keys of a queue in the server: opened on first use, closed with this value.

use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::queue::name::QueueName;
use crate::queue::part::{Kind, Part};
use crate::server::context::Context;
use crate::server::key::{Access, Key, KeyType};
use crate::server::string::{ServerString, ValueString};

use super::body::StoredBody;
use super::deadlines::Deadlines;
use super::key_names::{KeyNames, bit};
use super::keyspace::{Contents, Keyspace};
use super::mirror::{self, Mirror};

/// A body as the server holds it.
pub type Body = StoredBody<ValueString>;

/// The keys of a queue in the selected database, during one callback.
pub struct ServerKeyspace<'a> {
    context: Context<'a>,
    pub(super) names: Rc<KeyNames>,
    access: Access,
    /// None if the part was not looked up, or is absent.
    open: [ManuallyDrop<Option<Key<'a>>>; Part::ALL.len()],
    /// One bit per part that was looked up.
    looked_up: u32,
    /// One bit per open key: most are not open and need not be visited on drop.
    is_open: u32,
    /// The list and index read last: the server continues from there.
    read_last: Option<(Part, u64)>,
    /// An active copy of this queue gets all writes too.
    is_mirrored: bool,
}

/// From this many elements on, it is cheaper to read them one by one and to remove them together than to pop each:
/// removing them takes a command.
const TRIMMED: u64 = 8;

/// From this many skipped members on the server is asked by rank, O(log n): the module API can only step
/// from one to the next.
const SEEK: u64 = 128;

impl<'a> ServerKeyspace<'a> {
    #[inline(always)]
    pub fn new(context: Context<'a>, names: Rc<KeyNames>, access: Access) -> Self {
        let is_mirrored = mirror::is_following(|| context.selected_db(), names.queue());
        Self {
            context,
            names,
            access,
            open: [const { ManuallyDrop::new(None) }; Part::ALL.len()],
            looked_up: 0,
            is_open: 0,
            read_last: None,
            is_mirrored,
        }
    }

    /// Applies a write to the active copy of this queue.
    #[inline]
    fn mirror(&self, change: impl FnOnce(&mut Mirror)) {
        if self.is_mirrored {
            mirror::with(change);
        }
    }

    /// The open key of a part; None if it is absent and cannot or need not be created.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    pub(super) fn key(&mut self, part: Part) -> Option<&mut Key<'a>> {
        if self.looked_up & bit(part) == 0 {
            self.look_up(part);
        }
        self.open[part as usize].as_mut()
    }

    #[inline(never)]
    fn look_up(&mut self, part: Part) {
        let name = self.names.part(part);
        // A lookup costs half of opening a key for writing.
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

    /// The answer of a command about an existing sorted set; else 0.
    fn ranks(&mut self, set: Part, ask: impl FnOnce(Context<'_>, &ServerString) -> u64) -> u64 {
        if self.key(set).is_none() {
            return 0;
        }
        ask(self.context, self.names.part(set))
    }

    /// Up to `count` members of a sorted set from this rank on.
    fn by_rank(&mut self, set: Part, start: u64, count: u64) -> Vec<(ValueString, f64)> {
        if self.key(set).is_none() {
            return Vec::new();
        }
        self.context.members_by_rank(self.names.part(set), start, count)
    }

    /// Reopens a list if the element is nearer to one of its ends than to the position of the server,
    /// which is tracked for one list only.
    fn approach(&mut self, list: Part, index: u64) {
        let Some((part, at)) = self.read_last.take() else { return };
        if part != list || self.key(list).is_some_and(|key| !key.is_near(at, index)) {
            self.close(part);
        }
    }

    /// The open key of a part, created if necessary; None when reading only.
    #[inline]
    fn key_to_add(&mut self, part: Part) -> Option<&mut Key<'a>> {
        if self.is_open & bit(part) == 0 && self.access == Access::Write {
            let key = Key::open(self.context, self.names.part(part), Access::Write);
            self.set(part, key);
        }
        self.key(part)
    }

    /// Runs `act` on a field or member of an existing key.
    fn with<T>(
        &mut self,
        part: Part,
        name: &[u8],
        act: impl FnOnce(&mut Key<'a>, &ValueString) -> T,
    ) -> Option<T> {
        self.key(part)?;
        let field = self.names.take_field(part, name);
        let result = self.key(part).map(|key| act(key, &field));
        self.names.keep_field(part, field);
        result
    }

    /// As [`with`](Self::with), and creates the key.
    fn with_new(&mut self, part: Part, name: &[u8], act: impl FnOnce(&mut Key<'a>, &ValueString)) {
        if self.key_to_add(part).is_some() {
            self.with(part, name, act);
        }
    }

    /// Stores the result of a lookup.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn set(&mut self, part: Part, key: Option<Key<'a>>) {
        self.looked_up |= bit(part);
        if key.is_some() {
            self.is_open |= bit(part);
            self.open[part as usize] = ManuallyDrop::new(key);
        }
    }

    /// Closes the key of a part: it is looked up again on next use.
    #[allow(clippy::indexing_slicing, reason = "the array has one entry per part")]
    fn close(&mut self, part: Part) {
        self.looked_up &= !bit(part);
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

/// True for parts that do not exist in a queue without retries, delays and settings.
fn is_seldom_there(part: Part) -> bool {
    !matches!(part, Part::Ready | Part::Flight)
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
        self.names.queue()
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

    #[inline]
    fn deadlines<T>(&mut self, work: impl FnOnce(&mut Deadlines) -> T) -> T {
        work(&mut self.names.deadlines.borrow_mut())
    }

    fn unlink(&mut self, part: Part) {
        self.mirror(|mirror| mirror.unlink(part));
        self.close(part);
        Key::unlink(self.context, self.names.part(part));
    }

    fn push_back_joined(&mut self, list: Part, value: [&[u8]; 2]) {
        let value = self.names.take_value(value);
        self.mirror(|mirror| mirror.push_back(list, value.as_ref()));
        if let Some(key) = self.key_to_add(list) {
            key.push_back(&value);
        }
        self.names.keep_value(value);
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

    fn take_front(
        &mut self,
        list: Part,
        count: u64,
        mut take: impl FnMut(ValueString) -> Option<ValueString>,
    ) {
        if count < TRIMMED || !Key::can_read_front(self.context) {
            for _ in 0..count {
                let Some(value) = self.pop_front(list) else { break };
                if let Some(value) = take(value) {
                    self.push_front(list, &value);
                    break;
                }
            }
            return;
        }
        self.approach(list, 0);
        let Some(key) = self.key(list) else { return };
        let len = key.len();
        let taken = key.read_front(count, take);
        self.mirror(|mirror| (0..taken).for_each(|_| mirror.pop_front(list)));
        self.read_last = None;
        self.close(list);
        let name = self.names.part(list);
        if taken == len {
            Key::unlink(self.context, name);
        } else if taken > 0 && !self.context.trim_list(name, taken) {
            // The server has no LTRIM, or one of another name.
            if let Some(key) = self.key(list) {
                (0..taken).for_each(|_| drop(key.pop_front()));
            }
        }
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
            // Forward only: 7.0 removes other elements on the way back. So start afresh.
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

    fn put_joined(&mut self, hash: Part, field: &[u8], value: [&[u8]; 2]) {
        let value = self.names.take_value(value);
        self.mirror(|mirror| mirror.put(hash, field, value.as_ref()));
        self.with_new(hash, field, |key, field| key.put(field, &value));
        self.names.keep_value(value);
    }

    fn put_read(&mut self, hash: Part, field: &[u8], value: &ValueString) {
        self.mirror(|mirror| mirror.put(hash, field, value.as_ref()));
        self.with_new(hash, field, |key, field| key.put(field, value));
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
