//! What holds deliveries back (a pause, MAXINFLIGHT, RATE), and what refuses pushes (MAXLEN).

use super::effects::Effects;
use super::error::QueueError;
use super::group;
use super::op::Mode;
use super::part::Part;
use super::records::StoredNumber;
use super::settings::{Setting, Settings};
use super::store::Store;

/// Requires the parts that hold messages.
pub fn require_waiting<S: Store>(store: &mut S) -> Result<(), QueueError> {
    store.require(&[Part::Messages, Part::Flight, Part::Inflight, Part::Delayed])?;
    require_ready(store)
}

/// Requires the parts that [`waiting`] reads.
pub fn require_ready<S: Store>(store: &mut S) -> Result<(), QueueError> {
    store.require(&[Part::Ready, Part::Lanes, Part::Ranked, Part::Groups])?;
    if store.len(Part::Groups) > 0 {
        store.require(&[Part::Messages, Part::Inflight, Part::Delayed])?;
    }
    for priority in store.ready_priorities() {
        store.require(&[Part::ready(priority)])?;
    }
    Ok(())
}

/// The number of ready messages without a group.
pub(super) fn ungrouped<S: Store>(store: &mut S) -> u64 {
    let plain = store.len(Part::Ready).saturating_add(store.len(Part::Ranked));
    let lists = store.ready_priorities().into_iter().map(Part::ready);
    lists.fold(plain, |sum, list| sum.saturating_add(store.len(list)))
}

/// The number of ready messages of groups: the bodies in `Messages` that are in no other state.
fn grouped<S: Store>(store: &mut S) -> u64 {
    if store.len(Part::Groups) == 0 {
        return 0;
    }
    let elsewhere = [Part::Ranked, Part::Inflight, Part::Delayed].map(|part| store.len(part));
    elsewhere.into_iter().fold(store.len(Part::Messages), u64::saturating_sub)
}

/// The number of ready messages.
pub fn waiting<S: Store>(store: &mut S) -> u64 {
    ungrouped(store).saturating_add(grouped(store))
}

/// The number of messages in all states.
pub fn len<S: Store>(store: &mut S) -> u64 {
    let others = store.count_inflight().saturating_add(store.len(Part::Delayed));
    waiting(store).saturating_add(others)
}

/// True if `more` messages would exceed MAXLEN.
pub(super) fn is_full<S: Store>(store: &mut S, more: usize) -> Result<bool, QueueError> {
    store.require(&[Part::Config])?;
    let max_len = store.number(Setting::MaxLen);
    if max_len == 0 {
        return Ok(false);
    }
    require_waiting(store)?;
    Ok(len(store).saturating_add(more as u64) > max_len)
}

/// True if the queue is paused at this time, unix ms.
pub fn is_paused<S: Store>(store: &mut S, now_ms: u64) -> bool {
    store
        .stored_number(StoredNumber::PausedUntil)
        .is_some_and(|until_ms| until_ms == 0 || until_ms > now_ms)
}

/// How many messages may be delivered at this time, unix ms, whether there are any or not. At-most-once
/// deliveries are never in flight.
pub(super) fn allowed<S: Store>(store: &mut S, now_ms: u64, delivery: Mode<'_>) -> u64 {
    if store.len(Part::Config) == 0 {
        return u64::MAX;
    }
    if is_paused(store, now_ms) {
        return 0;
    }
    let settings = limits(store);
    let max_inflight = match settings.get(Setting::MaxInflight) {
        0 => u64::MAX,
        max => max.saturating_sub(store.count_inflight()),
    };
    let max_inflight = match delivery {
        Mode::AtMostOnce if max_inflight > 0 => u64::MAX,
        _ => max_inflight,
    };
    let rate = match settings.get(Setting::Rate) {
        0 => u64::MAX,
        rate => rate.saturating_sub(window(store, &settings, now_ms).map_or(0, |w| w.count)),
    };
    max_inflight.min(rate)
}

/// A delivery that will be in flight.
const ANY: Mode<'_> = Mode::AtLeastOnce { visibility_ms: 1, consumer: None };

/// A lower bound of what a pull would get at this time, unix ms; 0 only if it would get nothing.
pub fn deliverable<S: Store>(store: &mut S, now_ms: u64) -> u64 {
    let waiting = if group::is_plain(store) {
        store.len(Part::Ready)
    } else {
        ungrouped(store).saturating_add(group::servable(store))
    };
    if waiting == 0 { 0 } else { waiting.min(allowed(store, now_ms, ANY)) }
}

/// Counts deliveries in the rate window.
pub(super) fn count_deliveries<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    count: u64,
    now_ms: u64,
) {
    if store.len(Part::Config) == 0 {
        return;
    }
    let settings = store.settings(&[Setting::Rate, Setting::RatePeriod]);
    if settings.get(Setting::Rate) == 0 || count == 0 {
        return;
    }
    let window = match window(store, &settings, now_ms) {
        Some(window) => Window { count: window.count.saturating_add(count), ..window },
        None => {
            store.put_stored_number(StoredNumber::RateWindowStart, now_ms);
            Window { count, end_ms: now_ms.saturating_add(settings.get(Setting::RatePeriod)) }
        }
    };
    store.put_stored_number(StoredNumber::RateWindowCount, window.count);
    effects.changed = true;
    if window.count >= settings.get(Setting::Rate) {
        effects.next_due.add(window.end_ms);
    }
}

/// When a pause or a full rate window ends that holds deliveries back now, unix ms.
pub(super) fn next_opening<S: Store>(store: &mut S, now_ms: u64) -> Option<u64> {
    if store.len(Part::Config) == 0 {
        return None;
    }
    let pause_ms =
        store.stored_number(StoredNumber::PausedUntil).filter(|until_ms| *until_ms > now_ms);
    let settings = limits(store);
    let full_ms = window(store, &settings, now_ms)
        .filter(|window| {
            settings.get(Setting::Rate) > 0 && window.count >= settings.get(Setting::Rate)
        })
        .map(|window| window.end_ms);
    pause_ms.into_iter().chain(full_ms).min()
}

/// A rate window.
struct Window {
    count: u64,
    end_ms: u64,
}

/// The open rate window. One that begins in the future was opened before the clock was set back.
fn window<S: Store>(store: &mut S, settings: &Settings, now_ms: u64) -> Option<Window> {
    let start_ms = store.stored_number(StoredNumber::RateWindowStart)?;
    let count = store.stored_number(StoredNumber::RateWindowCount)?;
    let end_ms = start_ms.saturating_add(settings.get(Setting::RatePeriod));
    (start_ms..end_ms).contains(&now_ms).then_some(Window { count, end_ms })
}

fn limits<S: Store>(store: &mut S) -> Settings {
    store.settings(&[Setting::MaxInflight, Setting::Rate, Setting::RatePeriod])
}
