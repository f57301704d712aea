//! Queues under load while their servers are broken: producers and consumers write down what they were
//! told (`journal`), and in the end that must fit together (`checks`).
//!
//! `MQ_CHAOS_SECONDS` says how long each test breaks things (default: 3), `MQ_CHAOS_SEED` repeats the
//! random choices of a run, as far as threads and servers allow.

mod bystander;
mod check_tests;
mod checks;
mod cluster;
mod consumer;
mod consumers;
mod crashes;
mod journal;
mod load;
mod mixed;
mod producer;
mod proxy;
mod replicas;
mod sentinel;
mod tick_checks;
mod ticks;
mod upgrade;

use checks::{assert_none, violations};
use load::Load;
use std::{
    env,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Breaks things, again and again until the time is over; then what clients were told must fit
/// together.
fn break_under(load: Load, mut fault: impl FnMut(&Load, &mut fastrand::Rng)) {
    let mut random = fastrand::Rng::with_seed(load.plan().seed);
    let started = Instant::now();
    while started.elapsed() < duration() {
        fault(&load, &mut random);
    }
    drained(load);
}

/// Lets a load take all that is left, and looks at what its clients were told.
fn drained(load: Load) {
    let plan = *load.plan();
    let journal = load.drain();
    let mut found = violations(&journal, plan.max_retries);
    found.extend(tick_checks::violations(&journal));
    assert_none(&found, &journal);
    assert!(journal.ticks.is_empty() != plan.schedules, "{} ticks", journal.ticks.len());
}

/// How long a test breaks things.
fn duration() -> Duration {
    let seconds = env::var("MQ_CHAOS_SECONDS").map_or(3, |text| text.parse().expect("seconds"));
    Duration::from_secs(seconds)
}

/// Where a test's random choices begin.
fn seed() -> u64 {
    match env::var("MQ_CHAOS_SEED") {
        Ok(text) => text.parse().expect("a seed"),
        Err(_) => fastrand::u64(..),
    }
}

/// Unix time in microseconds: the servers of a test use the same clock.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_micros()).expect("a clock before the year 500,000")
}
