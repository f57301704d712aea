//! One-shot timers.

use std::ffi::c_void;
use std::ptr;

use redis_module::raw;

use super::api::{function, guard};
use super::context::Context;

/// What a timer runs.
pub trait TimerCallback {
    /// Called once. Any database may be selected.
    fn fire(context: Context<'_>);
}

/// A timer that has not fired yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer(raw::RedisModuleTimerID);

/// The longest delay: with a longer one the server's event loop spins.
const MAX_DELAY_MS: u64 = i32::MAX as u64;

/// Starts a timer that fires in `delay_ms`, or in [`MAX_DELAY_MS`] if that is less; with 0, as soon as the
/// server is back in its event loop.
pub fn start<F: TimerCallback>(context: Context<'_>, delay_ms: u64) -> Timer {
    let delay = delay_ms.min(MAX_DELAY_MS) as i64;
    let no_data = ptr::null_mut();
    // SAFETY: the context of a callback that runs; the server hands the data on and follows no pointer.
    Timer(unsafe {
        function!(RedisModule_CreateTimer)(context.raw, delay, Some(fired::<F>), no_data)
    })
}

/// Stops a timer that has not fired yet.
pub fn stop(context: Context<'_>, timer: Timer) {
    let no_data = ptr::null_mut();
    // SAFETY: the context of a callback that runs; the server looks up the id, and may not find it.
    unsafe { function!(RedisModule_StopTimer)(context.raw, timer.0, no_data) };
}

unsafe extern "C" fn fired<F: TimerCallback>(context: *mut raw::RedisModuleCtx, _: *mut c_void) {
    // SAFETY: the server's context, valid during this callback.
    let context = unsafe { Context::new(context) };
    guard(|| F::fire(context));
}
