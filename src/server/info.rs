//! INFO: the module's part of its reply, and what the server tells there.

use std::ffi::{CStr, c_int};
use std::ptr;

use redis_module::raw;

use super::api::{api, guard};
use super::context::Context;

/// What the module tells in INFO: one section, its version first, then numbers.
pub trait Inform {
    /// The module's version, as text.
    const VERSION: &'static CStr;

    /// The fields, in their order; the server puts the module's name before each. When it writes the
    /// report of its crash, there is no context: it must not be asked for anything.
    fn fields(context: Option<Context<'_>>) -> Vec<(&'static CStr, u64)>;
}

/// Registers the section, which has the module's name. False if the server refuses.
pub fn register<I: Inform>(context: Context<'_>) -> bool {
    api!(RedisModule_RegisterInfoFunc(context.raw, Some(inform::<I>)))
        == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn inform<I: Inform>(info: *mut raw::RedisModuleInfoCtx, has_crashed: c_int) {
    guard(|| {
        if api!(RedisModule_InfoAddSection(info, c"".as_ptr())) != raw::REDISMODULE_OK as c_int {
            return;
        }
        api!(RedisModule_InfoAddFieldCString(info, c"version".as_ptr(), I::VERSION.as_ptr()));
        let fields = if has_crashed != 0 { I::fields(None) } else { with_context(I::fields) };
        for (name, value) in fields {
            api!(RedisModule_InfoAddFieldULongLong(info, name.as_ptr(), value));
        }
    });
}

/// INFO gives the module no context of its own: one is made for it.
fn with_context<T>(work: impl FnOnce(Option<Context<'_>>) -> T) -> T {
    let raw = api!(RedisModule_GetThreadSafeContext(ptr::null_mut()));
    // SAFETY: the server's context, valid until it is freed below; this is the main thread.
    let result = work(Some(unsafe { Context::new(raw) }));
    api!(RedisModule_FreeThreadSafeContext(raw));
    result
}

/// A field of a section of the server's own; None if it has none of that name.
pub fn field(section: &CStr, name: &CStr) -> Option<String> {
    let [found] = fields(section, [name]);
    found
}

/// Fields of a section of the server's own, each None if it has none of that name.
pub fn fields<const N: usize>(section: &CStr, names: [&CStr; N]) -> [Option<String>; N] {
    let no_context = ptr::null_mut();
    let info = api!(RedisModule_GetServerInfo(no_context, section.as_ptr()));
    let found = names.map(|name| {
        let text = api!(RedisModule_ServerInfoGetFieldC(info, name.as_ptr()));
        // SAFETY: a text of the server's, which lives as long as `info`.
        let found = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) });
        found.map(|text| text.to_string_lossy().into_owned())
    });
    api!(RedisModule_FreeServerInfo(no_context, info));
    found
}

/// Valkey's version: major, minor, patch. None on Redis.
pub fn valkey_version() -> Option<[u32; 3]> {
    let version = field(c"server", c"valkey_version")?;
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    Some([(); 3].map(|()| numbers.next().unwrap_or(0)))
}

/// True if the server makes room by deleting whatever keys it likes, once it is full.
pub fn evicts_any_key() -> bool {
    field(c"memory", c"maxmemory").is_some_and(|limit| limit != "0")
        && field(c"memory", c"maxmemory_policy").is_some_and(|name| name.starts_with("allkeys-"))
}
