//! Open keys: the lists, hashes and sorted sets of the selected database.

use std::ffi::{c_int, c_long, c_void};
use std::ptr::{self, NonNull};

use redis_module::raw;

use super::api::{api, guard, has};
use super::context::Context;
use super::string::{ServerString, bytes_of};

/// What a key is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looked at.
    Read,
    /// Changed.
    Write,
}

/// The type of a key's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyType {
    /// There is no such key.
    Absent,
    /// A list.
    List,
    /// A hash.
    Hash,
    /// A sorted set.
    SortedSet,
    /// Anything else.
    Other,
}

/// An open key. To be closed, by dropping it, before the callback ends. The functions for one type
/// do and find nothing on a key of another one.
pub struct Key(NonNull<raw::RedisModuleKey>);

const HEAD: c_int = raw::REDISMODULE_LIST_HEAD as c_int;
const TAIL: c_int = raw::REDISMODULE_LIST_TAIL as c_int;
const OK: c_int = raw::REDISMODULE_OK as c_int;
const HASH_NONE: c_int = 0;
const HASH_EXISTS: c_int = 1 << 3;

/// The value that removes a field: `REDISMODULE_HASH_DELETE`.
const HASH_DELETE: *mut raw::RedisModuleString = ptr::without_provenance_mut(1);
/// The server keeps a small hash or sorted set as one run of bytes, which it walks through for every
/// change: up to 128 or 512 entries, as long as all are short. At this number of entries one that is
/// too long for that form is put in and taken out again: the content is the same, but from then on
/// the server finds entries directly. bench/README.md has the difference.
const COMPACT: u64 = 16;

/// The longest member of a fixed length; the others have a name in it that a client chose.
const SHORT: usize = 24;

/// More than the server keeps in its compact form (64 bytes, unless the operator raised that limit),
/// and longer than any entry of ours: clients choose the names of groups and deduplication keys, which
/// may be 256 bytes, and a member with a name in it may be 281.
const TOO_LONG: [u8; 300] = [0; 300];

/// About how many elements of 100 bytes the server keeps together in a node of a list.
const NODE: u64 = 64;

/// How many elements of a list are read at once where they can't be read one by one.
const LIST_STEP: usize = 256;

const NULL: *mut raw::RedisModuleString = ptr::null_mut();

impl Key {
    /// Opens a key. None if it is opened for reading and does not exist.
    pub fn open(context: Context<'_>, name: &ServerString, access: Access) -> Option<Self> {
        let mode = match access {
            // Looking is not using: it leaves no trace in the key's age or in the statistics.
            Access::Read => {
                raw::REDISMODULE_READ
                    | raw::REDISMODULE_OPEN_KEY_NOTOUCH
                    | raw::REDISMODULE_OPEN_KEY_NONOTIFY
                    | raw::REDISMODULE_OPEN_KEY_NOSTATS
            }
            Access::Write => raw::REDISMODULE_READ | raw::REDISMODULE_WRITE,
        };
        let key = api!(RedisModule_OpenKey(context.raw, name.as_ptr(), mode as c_int));
        NonNull::new(key).map(Self)
    }

    /// The type of its value.
    pub fn key_type(&self) -> KeyType {
        match api!(RedisModule_KeyType(self.0.as_ptr())) as isize {
            raw::REDISMODULE_KEYTYPE_EMPTY => KeyType::Absent,
            raw::REDISMODULE_KEYTYPE_LIST => KeyType::List,
            raw::REDISMODULE_KEYTYPE_HASH => KeyType::Hash,
            raw::REDISMODULE_KEYTYPE_ZSET => KeyType::SortedSet,
            _ => KeyType::Other,
        }
    }

    /// The number of entries; 0 if it is absent.
    pub fn len(&self) -> u64 {
        api!(RedisModule_ValueLength(self.0.as_ptr())) as u64
    }

    /// Removes the key; its memory is freed in the background.
    pub fn unlink(&mut self) {
        api!(RedisModule_UnlinkKey(self.0.as_ptr()));
    }

    /// List: appends.
    pub fn push_back(&mut self, value: &ServerString) {
        api!(RedisModule_ListPush(self.0.as_ptr(), TAIL, value.as_ptr()));
    }

    /// List: puts a value in front.
    pub fn push_front(&mut self, value: &ServerString) {
        api!(RedisModule_ListPush(self.0.as_ptr(), HEAD, value.as_ptr()));
    }

    /// List: the value at an index. `name` is the key's own.
    pub fn element(
        &self,
        context: Context<'_>,
        name: &ServerString,
        index: u64,
    ) -> Option<ServerString> {
        let len = self.len();
        if self.key_type() != KeyType::List || index >= len {
            return None;
        }
        let index = i64::try_from(index).ok()?;
        if has!(RedisModule_ListGet) {
            let value = api!(RedisModule_ListGet(self.0.as_ptr(), index as c_long));
            return ServerString::from_raw(value);
        }
        // Old servers walk from the end that the sign names.
        let len = i64::try_from(len).ok()?;
        let from_end = index.saturating_sub(len);
        let is_nearer = index > from_end.saturating_neg();
        context.list_element(name, if is_nearer { from_end } else { index })
    }

    /// List: up to `count` values from the one at `start` on. `name` is the key's own.
    pub fn list(
        &self,
        context: Context<'_>,
        name: &ServerString,
        start: u64,
        count: u64,
    ) -> Vec<ServerString> {
        if self.key_type() != KeyType::List {
            return Vec::new();
        }
        if !has!(RedisModule_ListGet) {
            return context.list_range(name, start, count);
        }
        let end = start.saturating_add(count).min(self.len());
        (start..end).map_while(|index| self.element(context, name, index)).collect()
    }

    /// List: true if the server reaches the element at an index as fast from the one at `at`, which was
    /// read last, as from an end of the list: from there it goes element by element, from an end by
    /// nodes, which hold about as many elements of 100 bytes as [`NODE`] says.
    pub fn is_near(&self, at: u64, index: u64) -> bool {
        let from_end = index.min(self.len().saturating_sub(index));
        index.abs_diff(at) <= NODE.saturating_add(from_end / NODE)
    }

    /// True if this server can remove an element of a list by its index.
    pub fn can_remove_elements() -> bool {
        has!(RedisModule_ListDelete)
    }

    /// List: removes the value at an index, where [`can_remove_elements`](Self::can_remove_elements).
    pub fn remove_element(&mut self, index: u64) {
        if self.key_type() == KeyType::List
            && index < self.len()
            && let Ok(index) = c_long::try_from(index)
        {
            api!(RedisModule_ListDelete(self.0.as_ptr(), index));
        }
    }

    /// List: takes the first.
    pub fn pop_front(&mut self) -> Option<ServerString> {
        ServerString::from_raw(api!(RedisModule_ListPop(self.0.as_ptr(), HEAD)))
    }

    /// List: shows every value, in order. `name` is the key's own.
    pub fn each_element(
        &self,
        context: Context<'_>,
        name: &ServerString,
        mut visit: impl FnMut(&[u8]),
    ) {
        if self.key_type() != KeyType::List {
            return;
        }
        let len = self.len();
        if !has!(RedisModule_ListGet) {
            for start in (0..len).step_by(LIST_STEP) {
                for value in context.list_range(name, start, LIST_STEP as u64) {
                    visit(value.as_ref());
                }
            }
            return;
        }
        for index in 0..i64::try_from(len).unwrap_or(i64::MAX) {
            let value = api!(RedisModule_ListGet(self.0.as_ptr(), index as c_long));
            let Some(value) = ServerString::from_raw(value) else { return };
            visit(value.as_ref());
        }
    }

    /// Hash: a field's value.
    pub fn get(&self, field: &ServerString) -> Option<ServerString> {
        let mut value: *mut raw::RedisModuleString = ptr::null_mut();
        let out: *mut *mut raw::RedisModuleString = &mut value;
        api!(RedisModule_HashGet(self.0.as_ptr(), HASH_NONE, field.as_ptr(), out, NULL));
        ServerString::from_raw(value)
    }

    /// Hash: true if the field exists.
    pub fn has(&self, field: &ServerString) -> bool {
        let mut exists: c_int = 0;
        let out: *mut c_int = &mut exists;
        api!(RedisModule_HashGet(self.0.as_ptr(), HASH_EXISTS, field.as_ptr(), out, NULL));
        exists != 0
    }

    /// Hash: sets a field.
    pub fn put(&mut self, field: &ServerString, value: &ServerString) {
        api!(RedisModule_HashSet(self.0.as_ptr(), HASH_NONE, field.as_ptr(), value.as_ptr(), NULL));
        if self.len() == COMPACT {
            let long = ServerString::new(&TOO_LONG);
            api!(RedisModule_HashSet(
                self.0.as_ptr(),
                HASH_NONE,
                long.as_ptr(),
                long.as_ptr(),
                NULL
            ));
            self.delete(&long);
        }
    }

    /// Hash: removes a field.
    pub fn delete(&mut self, field: &ServerString) {
        if self.key_type() == KeyType::Hash {
            api!(RedisModule_HashSet(
                self.0.as_ptr(),
                HASH_NONE,
                field.as_ptr(),
                HASH_DELETE,
                NULL
            ));
        }
    }

    /// Hash: shows every field and its value, each at least once.
    pub fn each_field<F: FnMut(&[u8], &[u8])>(&self, mut visit: F) {
        if self.key_type() != KeyType::Hash {
            return;
        }
        let Some(cursor) = NonNull::new(api!(RedisModule_ScanCursorCreate())) else { return };
        let data: *mut F = &mut visit;
        let scan = Some(visited::<F> as ScanCallback);
        while api!(RedisModule_ScanKey(self.0.as_ptr(), cursor.as_ptr(), scan, data.cast())) != 0 {}
        api!(RedisModule_ScanCursorDestroy(cursor.as_ptr()));
    }

    /// Hash or sorted set: shows a few fields and their values, or members and their scores as text,
    /// from where the cursor stands. One that is there all the time is shown at least once before this
    /// is false: there are no more.
    pub fn scan<F: FnMut(&[u8], &[u8])>(&self, cursor: &mut KeyCursor, mut visit: F) -> bool {
        if !matches!(self.key_type(), KeyType::Hash | KeyType::SortedSet) {
            return false;
        }
        let data: *mut F = &mut visit;
        let scan = Some(visited::<F> as ScanCallback);
        let cursor = cursor.0.as_ptr();
        api!(RedisModule_ScanKey(self.0.as_ptr(), cursor, scan, data.cast())) != 0
    }

    /// Sorted set: adds a member or changes its score.
    pub fn add(&mut self, member: &ServerString, score: f64) {
        // Redis 6.0.16 does not survive that a member which is too long for the compact form is the
        // first of a sorted set.
        let is_long_and_first = member.as_ref().len() > SHORT && self.len() == 0;
        let empty = is_long_and_first.then(|| ServerString::new(b""));
        if let Some(empty) = &empty {
            api!(RedisModule_ZsetAdd(self.0.as_ptr(), score, empty.as_ptr(), ptr::null_mut()));
        }
        api!(RedisModule_ZsetAdd(self.0.as_ptr(), score, member.as_ptr(), ptr::null_mut()));
        if let Some(empty) = &empty {
            self.remove(empty);
        }
        if self.len() == COMPACT {
            let long = ServerString::new(&TOO_LONG);
            api!(RedisModule_ZsetAdd(self.0.as_ptr(), score, long.as_ptr(), ptr::null_mut()));
            self.remove(&long);
        }
    }

    /// Sorted set: removes a member. True if it was there.
    pub fn remove(&mut self, member: &ServerString) -> bool {
        let mut deleted: c_int = 0;
        api!(RedisModule_ZsetRem(self.0.as_ptr(), member.as_ptr(), &mut deleted));
        if deleted != 0 && self.len() == 0 {
            // Redis before 6.0.11 leaves the empty key, and does not survive a look at it.
            api!(RedisModule_DeleteKey(self.0.as_ptr()));
        }
        deleted != 0
    }

    /// Sorted set: a member's score.
    pub fn score(&self, member: &ServerString) -> Option<f64> {
        let mut score = 0.0;
        let found = api!(RedisModule_ZsetScore(self.0.as_ptr(), member.as_ptr(), &mut score));
        (found == OK).then_some(score)
    }

    /// Sorted set: the member with the lowest score.
    pub fn first(&mut self) -> Option<(ServerString, f64)> {
        if self.key_type() != KeyType::SortedSet {
            return None;
        }
        api!(RedisModule_ZsetFirstInScoreRange(
            self.0.as_ptr(),
            f64::NEG_INFINITY,
            f64::INFINITY,
            0,
            0
        ));
        self.current()
    }

    /// Sorted set: the member with the highest score in the range; both ends belong to it.
    pub fn last_within(&mut self, [low, high]: [f64; 2]) -> Option<(ServerString, f64)> {
        if self.key_type() != KeyType::SortedSet {
            return None;
        }
        api!(RedisModule_ZsetLastInScoreRange(self.0.as_ptr(), low, high, 0, 0));
        self.current()
    }

    /// Sorted set: up to `count` members with a score in the range (both ends belong to it), from low
    /// to high, without the first `skip`.
    pub fn range(
        &mut self,
        [low, high]: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(ServerString, f64)> {
        if self.key_type() != KeyType::SortedSet {
            return Vec::new();
        }
        api!(RedisModule_ZsetFirstInScoreRange(self.0.as_ptr(), low, high, 0, 0));
        self.walk(skip, count, |key| api!(RedisModule_ZsetRangeNext(key)))
    }

    /// Sorted set: shows every member and its score, from low to high.
    pub fn each_member(&mut self, mut visit: impl FnMut(&[u8], f64)) {
        if self.key_type() == KeyType::SortedSet {
            api!(RedisModule_ZsetFirstInScoreRange(
                self.0.as_ptr(),
                f64::NEG_INFINITY,
                f64::INFINITY,
                0,
                0
            ));
            let visit = |member: &[u8], score| {
                visit(member, score);
                true
            };
            self.visit(visit, |key| api!(RedisModule_ZsetRangeNext(key)));
        }
    }

    /// Sorted set: shows members and their scores, from high to low, while `visit` is true.
    pub fn each_member_down(&mut self, visit: impl FnMut(&[u8], f64) -> bool) {
        if self.key_type() == KeyType::SortedSet {
            api!(RedisModule_ZsetLastInScoreRange(
                self.0.as_ptr(),
                f64::NEG_INFINITY,
                f64::INFINITY,
                0,
                0
            ));
            self.visit(visit, |key| api!(RedisModule_ZsetRangePrev(key)));
        }
    }

    /// Sorted set: up to `count` members from the highest score down, without the first `skip`.
    pub fn range_down(&mut self, skip: u64, count: u64) -> Vec<(ServerString, f64)> {
        if self.key_type() != KeyType::SortedSet {
            return Vec::new();
        }
        api!(RedisModule_ZsetLastInScoreRange(
            self.0.as_ptr(),
            f64::NEG_INFINITY,
            f64::INFINITY,
            0,
            0
        ));
        self.walk(skip, count, |key| api!(RedisModule_ZsetRangePrev(key)))
    }

    /// Sorted set whose scores are all equal: up to `count` members from the first one on that is not
    /// before `from`, without the first `skip` of them.
    pub fn range_from(&mut self, from: &[u8], skip: u64, count: u64) -> Vec<ServerString> {
        if self.key_type() != KeyType::SortedSet {
            return Vec::new();
        }
        let mut bound = vec![b'['];
        bound.extend_from_slice(from);
        let (low, high) = (ServerString::new(&bound), ServerString::new(b"+"));
        api!(RedisModule_ZsetFirstInLexRange(self.0.as_ptr(), low.as_ptr(), high.as_ptr()));
        let members = self.walk(skip, count, |key| api!(RedisModule_ZsetRangeNext(key)));
        members.into_iter().map(|(member, _)| member).collect()
    }

    /// Shows members from where a range stands that was just begun, by `step`, while `visit` is true;
    /// ends the range.
    fn visit(
        &mut self,
        mut visit: impl FnMut(&[u8], f64) -> bool,
        step: impl Fn(*mut raw::RedisModuleKey) -> c_int,
    ) {
        loop {
            let mut score = 0.0;
            let member = api!(RedisModule_ZsetRangeCurrentElement(self.0.as_ptr(), &mut score));
            let Some(member) = ServerString::from_raw(member) else { break };
            if !visit(member.as_ref(), score) || step(self.0.as_ptr()) == 0 {
                break;
            }
        }
        api!(RedisModule_ZsetRangeStop(self.0.as_ptr()));
    }

    /// Goes on from where a range stands that was just begun, by `step`; ends the range.
    fn walk(
        &mut self,
        skip: u64,
        count: u64,
        step: impl Fn(*mut raw::RedisModuleKey) -> c_int,
    ) -> Vec<(ServerString, f64)> {
        let mut found = Vec::new();
        let mut place = 0u64;
        while place < skip.saturating_add(count) {
            if place >= skip {
                let mut score = 0.0;
                let member = api!(RedisModule_ZsetRangeCurrentElement(self.0.as_ptr(), &mut score));
                let Some(member) = ServerString::from_raw(member) else { break };
                found.push((member, score));
            }
            place = place.saturating_add(1);
            if step(self.0.as_ptr()) == 0 {
                break;
            }
        }
        api!(RedisModule_ZsetRangeStop(self.0.as_ptr()));
        found
    }

    /// The member at which a range stands that was just begun; ends the range.
    fn current(&mut self) -> Option<(ServerString, f64)> {
        let mut score = 0.0;
        let member = api!(RedisModule_ZsetRangeCurrentElement(self.0.as_ptr(), &mut score));
        api!(RedisModule_ZsetRangeStop(self.0.as_ptr()));
        ServerString::from_raw(member).map(|member| (member, score))
    }
}

/// Where the walk over a hash or a sorted set stands.
pub struct KeyCursor(NonNull<raw::RedisModuleScanCursor>);

impl KeyCursor {
    /// At the beginning.
    pub fn new() -> Option<Self> {
        NonNull::new(api!(RedisModule_ScanCursorCreate())).map(Self)
    }
}

impl Drop for KeyCursor {
    fn drop(&mut self) {
        api!(RedisModule_ScanCursorDestroy(self.0.as_ptr()));
    }
}

type ScanCallback = unsafe extern "C" fn(
    *mut raw::RedisModuleKey,
    *mut raw::RedisModuleString,
    *mut raw::RedisModuleString,
    *mut c_void,
);

unsafe extern "C" fn visited<F: FnMut(&[u8], &[u8])>(
    _: *mut raw::RedisModuleKey,
    field: *mut raw::RedisModuleString,
    value: *mut raw::RedisModuleString,
    data: *mut c_void,
) {
    if field.is_null() || value.is_null() {
        return;
    }
    // SAFETY: the server's strings, valid during this callback; `data` is the closure that
    // `each_field` passed, and `each_field` is still running.
    let (field, value, visit) =
        unsafe { (bytes_of(field), bytes_of(value), &mut *data.cast::<F>()) };
    guard(|| visit(field, value));
}

impl Drop for Key {
    fn drop(&mut self) {
        api!(RedisModule_CloseKey(self.0.as_ptr()));
    }
}
