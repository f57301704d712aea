//! Hashes: what can be done with an open key whose value is one.

use std::ffi::c_int;
use std::ptr;

use redis_module::raw;

use super::api::function;
use super::compact::{COMPACT, TOO_LONG};
use super::key::{Key, KeyType};
use super::string::ValueString;

const NONE: c_int = 0;
const EXISTS: c_int = 1 << 3;

/// The value that removes a field: `REDISMODULE_HASH_DELETE`.
const DELETE: *mut raw::RedisModuleString = ptr::without_provenance_mut(1);

/// Ends the variadic arguments.
const END: *mut raw::RedisModuleString = ptr::null_mut();

/// Calls HashGet or HashSet, which are variadic: flags, then a field and where its value goes or comes from,
/// then [`END`].
///
/// - The handle is open, see [`Key`]. On a value of another type they do nothing and write nothing.
/// - HashGet writes, without flags, a new string that is the caller's alone, or NULL; with [`EXISTS`] a `c_int`.
/// - HashSet copies both strings and keeps no reference. It makes a hash where the key is absent, even to
///   remove a field with [`DELETE`], and removes the key with its last field; the handle stays open.
/// - Neither runs a callback or a command.
macro_rules! on_hash {
    ($function:ident($key:expr, $flags:expr, $field:expr, $value:expr)) => {{
        let (key, field): (&Key<'_>, &ValueString) = ($key, $field);
        // SAFETY: as the contract above says; the value is a string, or where one is written.
        unsafe { function!($function)(key.as_ptr(), $flags, field.as_ptr(), $value, END) }
    }};
}

impl Key<'_> {
    /// Hash: a field's value.
    pub fn get(&self, field: &ValueString) -> Option<ValueString> {
        let mut value: *mut raw::RedisModuleString = ptr::null_mut();
        let out: *mut *mut raw::RedisModuleString = &mut value;
        on_hash!(RedisModule_HashGet(self, NONE, field, out));
        // SAFETY: a new string, or NULL.
        unsafe { ValueString::from_raw(value) }
    }

    /// Hash: true if the field exists.
    pub fn has(&self, field: &ValueString) -> bool {
        let mut exists: c_int = 0;
        let out: *mut c_int = &mut exists;
        on_hash!(RedisModule_HashGet(self, EXISTS, field, out));
        exists != 0
    }

    /// Hash: sets a field.
    pub fn put(&mut self, field: &ValueString, value: &ValueString) {
        on_hash!(RedisModule_HashSet(self, NONE, field, value.as_ptr()));
        if self.len() == COMPACT {
            let long = ValueString::new(&TOO_LONG);
            on_hash!(RedisModule_HashSet(self, NONE, &long, long.as_ptr()));
            self.delete(&long);
        }
    }

    /// Hash: removes a field.
    pub fn delete(&mut self, field: &ValueString) {
        if self.key_type() == KeyType::Hash {
            on_hash!(RedisModule_HashSet(self, NONE, field, DELETE));
        }
    }
}
