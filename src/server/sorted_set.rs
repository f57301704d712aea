//! Sorted sets: what can be done with an open key whose value is one.

use std::ffi::c_int;
use std::ptr;

use redis_module::raw;

use super::api::function;
use super::compact::{COMPACT, SHORT, TOO_LONG};
use super::key::{Key, KeyType};
use super::string::ValueString;

const OK: c_int = raw::REDISMODULE_OK as c_int;

/// The way from one member to the next.
#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

/// Calls a function on an open sorted set.
///
/// - The handle is open, see [`Key`]. On a value of another type each of these does nothing, writes nothing and
///   returns NULL if it returns a pointer; ZsetAdd makes a sorted set where the key is absent. Redis 6.x does
///   not check the type when a range ends: only ranges that were begun are ended.
/// - Members and bounds are copied: the server keeps no reference. The flags of ZsetAdd may be NULL.
/// - ZsetRangeCurrentElement returns a new string, the caller's alone; NULL where no range was begun, or an
///   empty one.
/// - A range leads to the value itself: until it is ended, the sorted set must not be changed.
/// - ZsetRem removes the key with its last member (but see [`remove`](Key::remove)); the handle stays open.
/// - None runs a callback or a command.
macro_rules! on_sorted_set {
    ($function:ident($key:expr $(, $argument:expr)* $(,)?)) => {{
        let key: &Key<'_> = $key;
        // SAFETY: as the contract above says.
        unsafe { function!($function)(key.as_ptr() $(, $argument)*) }
    }};
}

impl Key<'_> {
    /// Sorted set: adds a member or changes its score.
    pub fn add(&mut self, member: &ValueString, score: f64) {
        // Redis 6.0.16 crashes if a member that is too long for the compact encoding is the first of a sorted
        // set.
        let is_long_and_first = member.as_ref().len() > SHORT && self.len() == 0;
        let empty = is_long_and_first.then(|| ValueString::new(b""));
        if let Some(empty) = &empty {
            self.add_only(empty, score);
        }
        self.add_only(member, score);
        if let Some(empty) = &empty {
            self.remove(empty);
        }
        if self.len() == COMPACT {
            let long = ValueString::new(&TOO_LONG);
            self.add_only(&long, score);
            self.remove(&long);
        }
    }

    fn add_only(&mut self, member: &ValueString, score: f64) {
        on_sorted_set!(RedisModule_ZsetAdd(self, score, member.as_ptr(), ptr::null_mut()));
    }

    /// Sorted set: removes a member. True if it was there.
    pub fn remove(&mut self, member: &ValueString) -> bool {
        let mut deleted: c_int = 0;
        on_sorted_set!(RedisModule_ZsetRem(self, member.as_ptr(), &mut deleted));
        if deleted != 0 && self.len() == 0 {
            // Redis before 6.0.11 leaves the empty key, and crashes when it is read.
            self.delete_key();
        }
        deleted != 0
    }

    /// Sorted set: a member's score.
    pub fn score(&self, member: &ValueString) -> Option<f64> {
        let mut score = 0.0;
        let found = on_sorted_set!(RedisModule_ZsetScore(self, member.as_ptr(), &mut score));
        (found == OK).then_some(score)
    }

    /// Sorted set: the member with the lowest score.
    pub fn first(&mut self) -> Option<(ValueString, f64)> {
        self.begin_at_first(f64::NEG_INFINITY, f64::INFINITY).then(|| self.only())?
    }

    /// Sorted set: the member with the highest score in the range; both ends belong to it.
    pub fn last_within(&mut self, [low, high]: [f64; 2]) -> Option<(ValueString, f64)> {
        self.begin_at_last(low, high).then(|| self.only())?
    }

    /// Sorted set: up to `count` members with a score in the range (both ends belong to it), from low
    /// to high, without the first `skip`.
    pub fn range(
        &mut self,
        [low, high]: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(ValueString, f64)> {
        if !self.begin_at_first(low, high) {
            return Vec::new();
        }
        self.collect(skip, count, Direction::Up)
    }

    /// Sorted set: calls `visit` with every member and its score, from low to high.
    pub fn each_member(&mut self, mut visit: impl FnMut(&[u8], f64)) {
        if self.begin_at_first(f64::NEG_INFINITY, f64::INFINITY) {
            let visit = |member: &[u8], score| {
                visit(member, score);
                true
            };
            self.visit(visit, Direction::Up);
        }
    }

    /// Sorted set: calls `visit` with members and their scores, from high to low, while it returns true.
    pub fn each_member_down(&mut self, visit: impl FnMut(&[u8], f64) -> bool) {
        if self.begin_at_last(f64::NEG_INFINITY, f64::INFINITY) {
            self.visit(visit, Direction::Down);
        }
    }

    /// Sorted set: up to `count` members from the highest score down, without the first `skip`.
    pub fn range_down(&mut self, skip: u64, count: u64) -> Vec<(ValueString, f64)> {
        if !self.begin_at_last(f64::NEG_INFINITY, f64::INFINITY) {
            return Vec::new();
        }
        self.collect(skip, count, Direction::Down)
    }

    /// Sorted set whose scores are all equal: up to `count` members from the first one on that is not
    /// before `from`, without the first `skip` of them.
    pub fn range_from(&mut self, from: &[u8], skip: u64, count: u64) -> Vec<ValueString> {
        if self.key_type() != KeyType::SortedSet {
            return Vec::new();
        }
        let mut bound = vec![b'['];
        bound.extend_from_slice(from);
        let (low, high) = (ValueString::new(&bound), ValueString::new(b"+"));
        on_sorted_set!(RedisModule_ZsetFirstInLexRange(self, low.as_ptr(), high.as_ptr()));
        let members = self.collect(skip, count, Direction::Up);
        members.into_iter().map(|(member, _)| member).collect()
    }

    /// Begins a range of scores at its first member. False if the value is no sorted set.
    fn begin_at_first(&mut self, low: f64, high: f64) -> bool {
        let is_sorted_set = self.key_type() == KeyType::SortedSet;
        if is_sorted_set {
            on_sorted_set!(RedisModule_ZsetFirstInScoreRange(self, low, high, 0, 0));
        }
        is_sorted_set
    }

    /// Begins a range of scores at its last member. False if the value is no sorted set.
    fn begin_at_last(&mut self, low: f64, high: f64) -> bool {
        let is_sorted_set = self.key_type() == KeyType::SortedSet;
        if is_sorted_set {
            on_sorted_set!(RedisModule_ZsetLastInScoreRange(self, low, high, 0, 0));
        }
        is_sorted_set
    }

    /// The member at which the range stands.
    fn current(&self) -> Option<(ValueString, f64)> {
        let mut score = 0.0;
        let member = on_sorted_set!(RedisModule_ZsetRangeCurrentElement(self, &mut score));
        // SAFETY: a new string, or NULL.
        unsafe { ValueString::from_raw(member) }.map(|member| (member, score))
    }

    /// Moves the range on. False at its end.
    fn step(&mut self, direction: Direction) -> bool {
        match direction {
            Direction::Up => on_sorted_set!(RedisModule_ZsetRangeNext(self)) != 0,
            Direction::Down => on_sorted_set!(RedisModule_ZsetRangePrev(self)) != 0,
        }
    }

    fn end(&mut self) {
        on_sorted_set!(RedisModule_ZsetRangeStop(self));
    }

    /// The member at which a range was begun, which ends.
    fn only(&mut self) -> Option<(ValueString, f64)> {
        let current = self.current();
        self.end();
        current
    }

    /// Calls `visit` with the members of a range that was begun, while it returns true; ends the range.
    fn visit(&mut self, mut visit: impl FnMut(&[u8], f64) -> bool, direction: Direction) {
        while let Some((member, score)) = self.current() {
            if !visit(member.as_ref(), score) || !self.step(direction) {
                break;
            }
        }
        self.end();
    }

    /// Up to `count` members of a range that was begun, without the first `skip`; ends the range.
    fn collect(&mut self, skip: u64, count: u64, direction: Direction) -> Vec<(ValueString, f64)> {
        let mut found = Vec::new();
        let mut position = 0u64;
        while position < skip.saturating_add(count) {
            if position >= skip {
                let Some(member) = self.current() else { break };
                found.push(member);
            }
            position = position.saturating_add(1);
            if !self.step(direction) {
                break;
            }
        }
        self.end();
        found
    }
}
