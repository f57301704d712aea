//! The one timer of the module: when it rings next, and whether the clock was set meanwhile.
//!
//! It knows nothing of what is done when it rings; `load` hands that in.

use std::cell::Cell;
use std::time::Instant;

use crate::server::context::Context;
use crate::server::timer::{Timer, TimerCallback, start, stop};

/// As soon as possible, where a time in unix ms is asked for.
pub const NOW: u64 = 0;

/// No need to ring.
pub const NEVER: u64 = u64::MAX;

/// The longest that the timer is set for. For a later time it rings in vain and is armed again. Redis 6.2 and
/// 7.0 count its microseconds in 32 bits: from 36 minutes on they would look for it all the time.
const LONGEST_MS: u64 = 30 * 60 * 1_000;

/// How far the wall clock may drift from the monotonic one before it counts as set, in milliseconds.
const STEP_MS: u64 = 100;

/// Does what is due. Gets the time for which the alarm was set, unix ms; returns when it is to ring next,
/// unix ms, [`NOW`] or [`NEVER`].
pub type Ring = fn(Context<'_>, planned_ms: u64) -> u64;

/// The timer that is pending.
#[derive(Clone, Copy)]
struct Armed {
    timer: Timer,
    /// When it has to ring, unix ms.
    at_ms: u64,
    /// When it was started.
    since: Clocks,
    /// When it rings, unix ms, if the server is not held up.
    planned_ms: u64,
}

/// What both clocks show at a moment.
#[derive(Clone, Copy)]
struct Clocks {
    /// Unix ms.
    wall_ms: u64,
    monotonic: Instant,
}

struct Alarm {
    ring: Cell<Option<Ring>>,
    armed: Cell<Option<Armed>>,
    is_ringing: Cell<bool>,
    /// When the clocks were last compared.
    compared: Cell<Option<Clocks>>,
}

thread_local! {
    static ALARM: Alarm = const {
        Alarm {
            ring: Cell::new(None),
            armed: Cell::new(None),
            is_ringing: Cell::new(false),
            compared: Cell::new(None),
        }
    };
}

/// Sets what is done when the alarm rings.
pub fn install(ring: Ring) {
    ALARM.with(|alarm| alarm.ring.set(Some(ring)));
}

/// Lets the alarm ring at that time, unix ms, or earlier.
///
/// While it rings this does nothing: what is done then says itself when the next time is. The server
/// rounds a timer that is started inside a timer's callback up to 1 ms, and what is due right after would
/// have to wait for it.
pub fn arm(context: Context<'_>, at_ms: u64) {
    ALARM.with(|alarm| {
        if at_ms != NEVER && !alarm.is_ringing.get() {
            alarm.arm(context, at_ms);
        }
    });
}

/// Stops the timer.
pub fn disarm(context: Context<'_>) {
    if let Some(armed) = ALARM.with(|alarm| alarm.armed.take()) {
        stop(context, armed.timer);
    }
}

/// True if the wall clock was set since the last call, or the machine slept: the timer may then ring far
/// too late.
///
/// The server fires a timer when both clocks say so, the oldest one when the wall clock does. Set forward,
/// nothing would happen until the time is over that was left when the timer was started; set back, even a
/// timer for at once would wait until the wall clock has caught up.
pub fn clock_was_set(context: Context<'_>) -> bool {
    let now = Clocks::read(context);
    ALARM.with(|alarm| {
        // It may have been set twice between two looks, and the timer started meanwhile.
        let started = alarm.armed.get().map(|armed| armed.since);
        let known = [alarm.compared.replace(Some(now)), started];
        known.into_iter().flatten().any(|before| now.was_set_since(before))
    })
}

impl Clocks {
    fn read(context: Context<'_>) -> Self {
        Self { wall_ms: context.now_ms(), monotonic: Instant::now() }
    }

    /// True if the wall clock was set in between.
    fn was_set_since(self, before: Self) -> bool {
        let elapsed = self.monotonic.duration_since(before.monotonic).as_millis();
        let elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.wall_ms.abs_diff(before.wall_ms.saturating_add(elapsed_ms)) >= STEP_MS
    }
}

impl Alarm {
    fn arm(&self, context: Context<'_>, at_ms: u64) {
        if let Some(armed) = self.armed.get() {
            if armed.at_ms <= at_ms {
                return;
            }
            stop(context, armed.timer);
        }
        let since = Clocks::read(context);
        let delay_ms = at_ms.saturating_sub(since.wall_ms).min(LONGEST_MS);
        let timer = start::<Rings>(context, delay_ms);
        let planned_ms = since.wall_ms.saturating_add(delay_ms);
        self.armed.set(Some(Armed { timer, at_ms, since, planned_ms }));
    }
}

struct Rings;

impl TimerCallback for Rings {
    fn fire(context: Context<'_>) {
        let (armed, ring) = ALARM.with(|alarm| (alarm.armed.take(), alarm.ring.get()));
        let Some(ring) = ring else { return };
        let ringing = Ringing::begin();
        let next_ms = ring(context, armed.map_or(NEVER, |armed| armed.planned_ms));
        drop(ringing);
        arm(context, next_ms);
    }
}

/// The alarm rings as long as this lives; a panic ends it too.
struct Ringing;

impl Ringing {
    fn begin() -> Self {
        ALARM.with(|alarm| alarm.is_ringing.set(true));
        Self
    }
}

impl Drop for Ringing {
    fn drop(&mut self) {
        ALARM.with(|alarm| alarm.is_ringing.set(false));
    }
}
