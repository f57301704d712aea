//! Waiting with a deadline, and the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long anything may take before a test gives up: generous, for slow and busy machines.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until `condition` holds; fails with `what` at the deadline.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    let mut pause = Duration::from_micros(200);
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "did not happen within {DEADLINE:?}: {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Unix time in milliseconds, as the server on this machine sees it.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("a clock after 1970").as_millis())
        .expect("a clock before the year 292 million")
}

/// Returns as soon as the clock shows `moment_ms`.
pub fn sleep_until_ms(moment_ms: i64) {
    let left = moment_ms - now_ms();
    if let Ok(left) = u64::try_from(left) {
        std::thread::sleep(Duration::from_millis(left));
    }
    while now_ms() < moment_ms {
        std::thread::sleep(Duration::from_micros(100));
    }
}
