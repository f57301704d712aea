//! The module's part of the reply to INFO.

use std::ffi::{CStr, c_int};

use redis_module::raw;

use super::context::Context;
use super::{api, guard};

/// What the module tells in INFO: one section of numbers.
pub trait Inform {
    /// The fields, in their order; the server puts the module's name before each.
    fn fields() -> Vec<(&'static CStr, u64)>;
}

/// Registers the section, which has the module's name. False if the server refuses.
pub fn register<I: Inform>(context: Context<'_>) -> bool {
    api!(RedisModule_RegisterInfoFunc(context.raw, Some(inform::<I>)))
        == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn inform<I: Inform>(info: *mut raw::RedisModuleInfoCtx, _: c_int) {
    guard(|| {
        if api!(RedisModule_InfoAddSection(info, c"".as_ptr())) != raw::REDISMODULE_OK as c_int {
            return;
        }
        for (name, value) in I::fields() {
            api!(RedisModule_InfoAddFieldULongLong(info, name.as_ptr(), value));
        }
    });
}
