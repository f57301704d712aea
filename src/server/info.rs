//! INFO: the module's section, and fields of the server's own.

use std::ffi::{CStr, c_int};
use std::ptr;

use redis_module::raw;

use super::api::{function, guard};
use super::context::{Context, OwnContext};

/// The section of the module: its version, then numbers.
pub trait InfoSection {
    /// The module's version, as text.
    const VERSION: &'static CStr;

    /// The fields in their order; the server prefixes each with the module's name. There is no context while the
    /// server writes a crash report: nothing may be called then.
    fn fields(context: Option<Context<'_>>) -> Vec<(&'static CStr, u64)>;
}

/// Registers the section, which is named after the module. False if the server refuses.
pub fn register<I: InfoSection>(context: Context<'_>) -> bool {
    // SAFETY: the context of a callback that runs; the callback has the type that the server wants.
    let registered =
        unsafe { function!(RedisModule_RegisterInfoFunc)(context.raw, Some(inform::<I>)) };
    registered == raw::REDISMODULE_OK as c_int
}

/// Adds to the reply of INFO: `info` is the callback's, names and texts are copied, none is NULL, and nothing
/// else is called or freed.
macro_rules! add_to {
    ($info:expr, $function:ident, $($argument:expr),*) => {
        // SAFETY: as the contract above says.
        unsafe { function!($function)($info, $($argument),*) }
    };
}

unsafe extern "C" fn inform<I: InfoSection>(
    info: *mut raw::RedisModuleInfoCtx,
    has_crashed: c_int,
) {
    guard(|| {
        let added = add_to!(info, RedisModule_InfoAddSection, c"".as_ptr());
        if added != raw::REDISMODULE_OK as c_int {
            return;
        }
        let version = I::VERSION.as_ptr();
        add_to!(info, RedisModule_InfoAddFieldCString, c"version".as_ptr(), version);
        let fields = if has_crashed != 0 {
            I::fields(None)
        } else {
            // INFO gives the module no context.
            I::fields(Some(OwnContext::new().context()))
        };
        for (name, value) in fields {
            add_to!(info, RedisModule_InfoAddFieldULongLong, name.as_ptr(), value);
        }
    });
}

/// A field of a section of the server's own; None if it has none of that name.
pub fn field(section: &CStr, name: &CStr) -> Option<String> {
    let [found] = fields(section, [name]);
    found
}

/// Fields of a section of the server's own, each None if it has none of that name.
pub fn fields<const N: usize>(section: &CStr, names: [&CStr; N]) -> [Option<String>; N] {
    let no_context = ptr::null_mut();
    // SAFETY: the server copies the section into a value that is ours; without a context nothing else refers
    // to it. These sections are the server's own, so no callback of a module runs.
    let info = unsafe { function!(RedisModule_GetServerInfo)(no_context, section.as_ptr()) };
    let found = names.map(|name| {
        // SAFETY: both live during the call. What it returns, NULL or a text, lives as long as `info`.
        let text = unsafe { function!(RedisModule_ServerInfoGetFieldC)(info, name.as_ptr()) };
        // SAFETY: a text that ends with a NUL, see above.
        let found = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) });
        found.map(|text| text.to_string_lossy().into_owned())
    });
    // SAFETY: nobody else frees it, and what it returned was copied.
    unsafe { function!(RedisModule_FreeServerInfo)(no_context, info) };
    found
}

/// Valkey's version: major, minor, patch. None on Redis.
pub fn valkey_version() -> Option<[u32; 3]> {
    let version = field(c"server", c"valkey_version")?;
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    Some([(); 3].map(|()| numbers.next().unwrap_or(0)))
}

/// True if a full server may evict any key, whether or not it has a TTL.
pub fn evicts_any_key() -> bool {
    field(c"memory", c"maxmemory").is_some_and(|limit| limit != "0")
        && field(c"memory", c"maxmemory_policy").is_some_and(|name| name.starts_with("allkeys-"))
}
