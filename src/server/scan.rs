//! A walk over all keys of a database in small steps.

use std::ffi::c_void;
use std::ptr::NonNull;

use redis_module::raw;

use super::api::{api, guard};
use super::context::Context;
use super::string::bytes_of;

/// Where a walk stands.
pub struct Cursor(NonNull<raw::RedisModuleScanCursor>);

impl Cursor {
    /// At the beginning.
    pub fn new() -> Option<Self> {
        NonNull::new(api!(RedisModule_ScanCursorCreate())).map(Self)
    }

    /// Visits a few keys of the selected database; a key that is there all the time is visited at
    /// least once by a whole walk. False at the end of the walk.
    pub fn step<F: FnMut(&[u8])>(&mut self, context: Context<'_>, mut visit: F) -> bool {
        let data: *mut F = &mut visit;
        api!(RedisModule_Scan(context.raw, self.0.as_ptr(), Some(visited::<F>), data.cast())) != 0
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        api!(RedisModule_ScanCursorDestroy(self.0.as_ptr()));
    }
}

unsafe extern "C" fn visited<F: FnMut(&[u8])>(
    _: *mut raw::RedisModuleCtx,
    name: *mut raw::RedisModuleString,
    _: *mut raw::RedisModuleKey,
    data: *mut c_void,
) {
    // SAFETY: the server's string, valid during this callback; `data` is the closure that `step`
    // passed, and `step` is still running.
    let (name, visit) = unsafe { (bytes_of(name), &mut *data.cast::<F>()) };
    guard(|| visit(name));
}
