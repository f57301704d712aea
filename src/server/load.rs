//! The entry points of the module, which the server looks up by name. What the module does in them is passed in.

use std::ffi::{CStr, c_int};

use redis_module::raw;

use super::api::{guard, has};
use super::context::Context;
use super::string::Argument;

const OK: c_int = raw::REDISMODULE_OK as c_int;
const ERROR: c_int = raw::REDISMODULE_ERR as c_int;

/// Defines the functions that the server calls to load and to unload the module: from its name, and the functions
/// that do it; those return false to refuse.
macro_rules! entry_points {
    ($name:expr, $load:expr, $unload:expr $(,)?) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn RedisModule_OnLoad(
            context: *mut redis_module::raw::RedisModuleCtx,
            argv: *mut *mut redis_module::raw::RedisModuleString,
            argc: std::ffi::c_int,
        ) -> std::ffi::c_int {
            // SAFETY: the server calls this, with what `on_load` needs.
            unsafe { $crate::server::load::on_load(context, argv, argc, $name, $load) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn RedisModule_OnUnload(
            context: *mut redis_module::raw::RedisModuleCtx,
        ) -> std::ffi::c_int {
            // SAFETY: the server calls this, with what `on_unload` needs.
            unsafe { $crate::server::load::on_unload(context, $unload) }
        }
    };
}
pub(crate) use entry_points;

/// # Safety
/// The server calls this, in `RedisModule_OnLoad` and with its arguments.
pub unsafe fn on_load(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
    name: &CStr,
    load: fn(Context<'_>, &[Argument<'_>]) -> bool,
) -> c_int {
    // SAFETY: the server's context; the server copies the name.
    let initialized = unsafe { raw::Export_RedisModule_Init(raw, name.as_ptr(), version(), 1) };
    if initialized != OK {
        return ERROR;
    }
    // All functions that are called without checking exist in Redis 6.0.16; these were added last.
    if !has!(RedisModule_Scan)
        || !has!(RedisModule_AvoidReplicaTraffic)
        || !has!(RedisModule_BlockClientOnKeys)
        || !has!(RedisModule_SetDisconnectCallback)
    {
        eprintln!("{}: Redis 6.0 or later is needed", env!("CARGO_PKG_NAME"));
        return ERROR;
    }
    // SAFETY: the server's context and arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    match guard(|| load(context, arguments)) {
        Some(true) => OK,
        _ => ERROR,
    }
}

/// # Safety
/// The server calls this, in `RedisModule_OnUnload` and with its argument.
pub unsafe fn on_unload(raw: *mut raw::RedisModuleCtx, unload: fn(Context<'_>) -> bool) -> c_int {
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    match guard(|| unload(context)) {
        Some(true) => OK,
        _ => ERROR,
    }
}

/// The version as the server shows it: 10203 for 1.2.3.
fn version() -> c_int {
    let number = |text: &str| text.parse::<c_int>().unwrap_or(0);
    let (major, minor, patch) = (
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    );
    major.saturating_mul(10_000).saturating_add(minor.saturating_mul(100)).saturating_add(patch)
}
