//! One-shot timers.

use std::ffi::c_void;
use std::ptr;

use redis_module::raw;

use super::api::{api, guard};
use super::context::Context;

/// What a timer runs.
pub trait Fire {
    /// Called once, with whatever database selected.
    fn fire(context: Context<'_>);
}

/// A timer that has not fired yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer(raw::RedisModuleTimerID);

/// Starts a timer that fires in `delay_ms`, at most 2^31 − 1; with 0, as soon as the server is back
/// in its loop.
pub fn start<F: Fire>(context: Context<'_>, delay_ms: u64) -> Timer {
    let delay = i64::try_from(delay_ms).unwrap_or(i64::MAX / 4096);
    Timer(api!(RedisModule_CreateTimer(context.raw, delay, Some(fired::<F>), ptr::null_mut())))
}

/// Stops a timer that has not fired yet.
pub fn stop(context: Context<'_>, timer: Timer) {
    api!(RedisModule_StopTimer(context.raw, timer.0, ptr::null_mut()));
}

unsafe extern "C" fn fired<F: Fire>(context: *mut raw::RedisModuleCtx, _: *mut c_void) {
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(context) };
    guard(|| F::fire(context));
}
