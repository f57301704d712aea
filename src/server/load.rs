//! The module's entry points, which the server looks up by name.

use std::ffi::c_int;

use redis_module::raw;

use super::context::Context;
use super::string::Argument;
use super::{guard, has};

const OK: c_int = raw::REDISMODULE_OK as c_int;
const ERROR: c_int = raw::REDISMODULE_ERR as c_int;

#[unsafe(no_mangle)]
unsafe extern "C" fn RedisModule_OnLoad(
    raw: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server's context; name and version are constants.
    let initialized = unsafe { raw::Export_RedisModule_Init(raw, c"mq".as_ptr(), version(), 1) };
    if initialized != OK {
        return ERROR;
    }
    // Every function that is called without asking is in Redis 6.0.16; these came last.
    if !has!(RedisModule_Scan)
        || !has!(RedisModule_AvoidReplicaTraffic)
        || !has!(RedisModule_BlockClientOnKeys)
        || !has!(RedisModule_SetDisconnectCallback)
    {
        eprintln!("mq: Redis 6.0 or later is needed");
        return ERROR;
    }
    // SAFETY: the server's context and arguments, valid during this callback.
    let (context, arguments) = unsafe { (Context::new(raw), Argument::slice(argv, argc)) };
    match guard(|| crate::load(context, arguments)) {
        Some(true) => OK,
        _ => ERROR,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn RedisModule_OnUnload(raw: *mut raw::RedisModuleCtx) -> c_int {
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(raw) };
    match guard(|| crate::unload(context)) {
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
