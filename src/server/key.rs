//! Open keys of the selected database. What can be done with a value is in a file for each type: `list.rs`,
//! `hash.rs`, `sorted_set.rs`.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr::NonNull;

use redis_module::raw;

use super::api::function;
use super::context::Context;
use super::string::ServerString;

/// What a key is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: functions that would change the value do nothing.
    Read,
    /// Reading and changing.
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

/// An open key; closed when dropped, at the latest when the callback ends whose context opened it. The
/// functions for one type do nothing, and find nothing, on a value of another type.
///
/// The server leads from it to the value without looking again. So while it is open, the key must not be
/// changed in another way: by a second handle, or by a command ([`call!`](super::call)). Types do not prevent
/// that: whoever opens keys has at most one handle of each, and drops it before such a command.
pub struct Key<'a> {
    raw: NonNull<raw::RedisModuleKey>,
    context: PhantomData<Context<'a>>,
}

/// Calls a function on an open key, whatever its value is.
///
/// - The handle is open: only dropping the [`Key`] closes it, and the value was not changed in another way.
/// - UnlinkKey and DeleteKey free the value; the handle stays open, for an absent key. They do nothing if it was
///   opened for reading. Elements of a list must not have been read by this handle: it keeps an iterator then,
///   which they leave behind, and closing it fails an assertion of the server.
/// - None returns a pointer, or runs a callback or a command.
macro_rules! on_key {
    ($function:ident($key:expr)) => {{
        let key: &Key<'_> = $key;
        // SAFETY: as the contract above says.
        unsafe { function!($function)(key.as_ptr()) }
    }};
}

impl<'a> Key<'a> {
    /// Opens a key. None if it is opened for reading and does not exist.
    pub fn open(context: Context<'a>, name: &ServerString, access: Access) -> Option<Self> {
        let mode = match access {
            // Not a use by a client: it shows neither in the key's idle time nor in hits and misses.
            Access::Read => {
                raw::REDISMODULE_READ
                    | raw::REDISMODULE_OPEN_KEY_NOTOUCH
                    | raw::REDISMODULE_OPEN_KEY_NONOTIFY
                    | raw::REDISMODULE_OPEN_KEY_NOSTATS
            }
            Access::Write => raw::REDISMODULE_READ | raw::REDISMODULE_WRITE,
        };
        // SAFETY: the context's callback runs; of the name the server takes a reference of its own. A key that
        // has expired is removed first, and the event of that may come back to this module inside this call.
        let key =
            unsafe { function!(RedisModule_OpenKey)(context.raw, name.as_ptr(), mode as c_int) };
        NonNull::new(key.cast()).map(|raw| Self { raw, context: PhantomData })
    }

    pub(super) fn as_ptr(&self) -> *mut raw::RedisModuleKey {
        self.raw.as_ptr()
    }

    /// The type of its value.
    pub fn key_type(&self) -> KeyType {
        match on_key!(RedisModule_KeyType(self)) as isize {
            raw::REDISMODULE_KEYTYPE_EMPTY => KeyType::Absent,
            raw::REDISMODULE_KEYTYPE_LIST => KeyType::List,
            raw::REDISMODULE_KEYTYPE_HASH => KeyType::Hash,
            raw::REDISMODULE_KEYTYPE_ZSET => KeyType::SortedSet,
            _ => KeyType::Other,
        }
    }

    /// The number of entries; 0 if it is absent.
    pub fn len(&self) -> u64 {
        on_key!(RedisModule_ValueLength(self)) as u64
    }

    /// Removes a key that is not open; its memory is freed in the background.
    pub fn unlink(context: Context<'a>, name: &ServerString) {
        // By a handle of its own: closing one whose list was read before would abort the server.
        if let Some(key) = Self::open(context, name, Access::Write) {
            on_key!(RedisModule_UnlinkKey(&key));
        }
    }

    /// Removes the key, whose value is no list.
    pub(super) fn delete_key(&mut self) {
        on_key!(RedisModule_DeleteKey(self));
    }
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody else closes it, and its context is still valid.
        unsafe { function!(RedisModule_CloseKey)(self.as_ptr()) }
    }
}
