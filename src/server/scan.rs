//! Walks in small steps: over the keys of a database, over the entries of a hash or a sorted set.

use std::ffi::c_void;
use std::ptr::NonNull;

use redis_module::raw;

use super::api::{function, guard};
use super::context::Context;
use super::key::{Key, KeyType};
use super::string::bytes_of;

/// Where a walk over the keys of a database stands.
pub struct Cursor(RawCursor);

/// Where a walk over the entries of a key stands.
pub struct KeyCursor(RawCursor);

struct RawCursor(NonNull<raw::RedisModuleScanCursor>);

impl RawCursor {
    fn new() -> Option<Self> {
        // SAFETY: it takes nothing; the cursor is ours until we destroy it.
        NonNull::new(unsafe { function!(RedisModule_ScanCursorCreate)() }).map(Self)
    }
}

impl Drop for RawCursor {
    fn drop(&mut self) {
        // SAFETY: nobody else destroys it.
        unsafe { function!(RedisModule_ScanCursorDestroy)(self.0.as_ptr()) }
    }
}

impl Cursor {
    /// At the beginning.
    pub fn new() -> Option<Self> {
        RawCursor::new().map(Self)
    }

    /// Visits a few keys of the selected database; a key that is there all the time is visited at
    /// least once by a whole walk. False at the end of the walk.
    pub fn step<F: FnMut(&[u8])>(&mut self, context: Context<'_>, mut visit: F) -> bool {
        let (cursor, data): (_, *mut F) = (self.0.0.as_ptr(), &mut visit);
        // SAFETY: context and cursor are valid. The callback runs inside of this call only, with `data`, which
        // is an `F` that outlives it; nothing else uses `visit` meanwhile.
        unsafe {
            function!(RedisModule_Scan)(context.raw, cursor, Some(visit_key::<F>), data.cast()) != 0
        }
    }
}

impl KeyCursor {
    /// At the beginning.
    pub fn new() -> Option<Self> {
        RawCursor::new().map(Self)
    }
}

impl Key<'_> {
    /// Hash: calls `visit` with every field and its value, with each at least once.
    pub fn each_field(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        if self.key_type() == KeyType::Hash
            && let Some(mut cursor) = KeyCursor::new()
        {
            while self.scan(&mut cursor, &mut visit) {}
        }
    }

    /// Hash or sorted set: calls `visit` with a few fields and their values, or members and their scores as
    /// text, from where the cursor stands. One that is there all the time is visited at least once before this
    /// returns false: there are no more.
    pub fn scan<F: FnMut(&[u8], &[u8])>(&self, cursor: &mut KeyCursor, mut visit: F) -> bool {
        if !matches!(self.key_type(), KeyType::Hash | KeyType::SortedSet) {
            return false;
        }
        let (cursor, data): (_, *mut F) = (cursor.0.0.as_ptr(), &mut visit);
        // SAFETY: the key is open, see `Key`, and the cursor is valid. The callback runs inside of this call
        // only, with `data`, which is an `F` that outlives it; nothing else uses `visit` meanwhile.
        unsafe {
            function!(RedisModule_ScanKey)(
                self.as_ptr(),
                cursor,
                Some(visit_entry::<F>),
                data.cast(),
            ) != 0
        }
    }
}

unsafe extern "C" fn visit_key<F: FnMut(&[u8])>(
    _: *mut raw::RedisModuleCtx,
    name: *mut raw::RedisModuleString,
    _: *mut raw::RedisModuleKey,
    data: *mut c_void,
) {
    // SAFETY: the server's string, valid during this callback; `data` is the closure that `Cursor::step`
    // passed, which is still running.
    let (name, visit) = unsafe { (bytes_of(name), &mut *data.cast::<F>()) };
    guard(|| visit(name));
}

unsafe extern "C" fn visit_entry<F: FnMut(&[u8], &[u8])>(
    _: *mut raw::RedisModuleKey,
    name: *mut raw::RedisModuleString,
    value: *mut raw::RedisModuleString,
    data: *mut c_void,
) {
    if name.is_null() || value.is_null() {
        return;
    }
    // SAFETY: the server's strings, valid during this callback; `data` is the closure that `Key::scan` passed,
    // which is still running.
    let (name, value, visit) = unsafe { (bytes_of(name), bytes_of(value), &mut *data.cast::<F>()) };
    guard(|| visit(name, value));
}
