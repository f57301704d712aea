//! Lists: what can be done with an open key whose value is one.

use std::ffi::{c_int, c_long};

use redis_module::raw;

use super::api::{function, has};
use super::by_command::signed;
use super::context::Context;
use super::key::{Key, KeyType};
use super::string::{ServerString, ValueString};

const HEAD: c_int = raw::REDISMODULE_LIST_HEAD as c_int;
const TAIL: c_int = raw::REDISMODULE_LIST_TAIL as c_int;

/// About how many elements of 100 bytes the server keeps together in a node of a list.
const NODE: u64 = 64;

/// How many elements are read at once where they can't be read one by one.
const STEP: usize = 256;

/// Calls a function on an open list.
///
/// - The handle is open, see [`Key`]. On a value of another type each of these does nothing, and returns NULL
///   if it returns a pointer; ListPush makes a list where the key is absent.
/// - What is pushed is copied: the server keeps no reference. No argument may be NULL.
/// - What ListGet and ListPop return is a new string, the caller's alone; NULL for an index that is not there.
/// - ListPop and ListDelete remove the key with its last element; the handle stays open. ListGet and ListDelete
///   keep an iterator in the handle, which those who change the list by this handle end or adjust.
/// - None runs a callback or a command.
macro_rules! on_list {
    ($function:ident($key:expr $(, $argument:expr)* $(,)?)) => {{
        let key: &Key<'_> = $key;
        // SAFETY: as the contract above says.
        unsafe { function!($function)(key.as_ptr() $(, $argument)*) }
    }};
}

impl Key<'_> {
    /// List: appends.
    pub fn push_back(&mut self, value: &ValueString) {
        on_list!(RedisModule_ListPush(self, TAIL, value.as_ptr()));
    }

    /// List: puts a value in front.
    pub fn push_front(&mut self, value: &ValueString) {
        on_list!(RedisModule_ListPush(self, HEAD, value.as_ptr()));
    }

    /// List: takes the first.
    pub fn pop_front(&mut self) -> Option<ValueString> {
        let value = on_list!(RedisModule_ListPop(self, HEAD));
        // SAFETY: a new string, or NULL.
        unsafe { ValueString::from_raw(value) }
    }

    /// List: the value at an index. `name` is the key's own.
    pub fn element(
        &self,
        context: Context<'_>,
        name: &ServerString,
        index: u64,
    ) -> Option<ValueString> {
        let len = self.len();
        if self.key_type() != KeyType::List || index >= len {
            return None;
        }
        let index = i64::try_from(index).ok()?;
        if has!(RedisModule_ListGet) {
            return self.at(index);
        }
        // LINDEX walks from the end that the sign names.
        let len = i64::try_from(len).ok()?;
        let from_end = index.saturating_sub(len);
        let is_nearer = index > from_end.saturating_neg();
        context.list_element(name, if is_nearer { from_end } else { index })
    }

    fn at(&self, index: i64) -> Option<ValueString> {
        let value = on_list!(RedisModule_ListGet(self, index as c_long));
        // SAFETY: a new string, or NULL.
        unsafe { ValueString::from_raw(value) }
    }

    /// True if [`read_front`](Self::read_front) may be used, and then [`Context::trim_list`]: not if that would
    /// notify clients.
    pub fn can_read_front(context: Context<'_>) -> bool {
        has!(RedisModule_ListGet) && !context.notifies_of_lists()
    }

    /// List: hands values from the front to `take`, up to `count`, until it returns one. How many it kept.
    pub fn read_front(
        &self,
        count: u64,
        mut take: impl FnMut(ValueString) -> Option<ValueString>,
    ) -> u64 {
        let count = count.min(self.len());
        let values = (0..signed(count)).map_while(|index| self.at(index));
        values.map_while(|value| take(value).is_none().then_some(())).count() as u64
    }

    /// List: up to `count` values from the one at `start` on. `name` is the key's own.
    pub fn list(
        &self,
        context: Context<'_>,
        name: &ServerString,
        start: u64,
        count: u64,
    ) -> Vec<ValueString> {
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
            on_list!(RedisModule_ListDelete(self, index));
        }
    }

    /// List: calls `visit` with every value, in order. `name` is the key's own.
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
            for start in (0..len).step_by(STEP) {
                for value in context.list_range(name, start, STEP as u64) {
                    visit(value.as_ref());
                }
            }
            return;
        }
        for index in 0..i64::try_from(len).unwrap_or(i64::MAX) {
            let Some(value) = self.at(index) else { return };
            visit(value.as_ref());
        }
    }
}
