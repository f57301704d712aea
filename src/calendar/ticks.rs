//! The ticks of a cron expression: the moments at which the clocks of a zone show a selected minute.
//!
//! Where the clocks are set forward, the minutes that they skip tick once, at the change. Where they are set back,
//! they show some minutes twice: an expression whose hour field begins with `*` means a distance in time and ticks
//! each time; any other means a time of day and ticks the first time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::cron::Cron;
use super::zone::Zone;

/// How many times without a change of the clocks are looked at: that of the moment, and the two around the only
/// change that there can be within [`FARTHEST_OFFSET_S`] of the next selected minute, before and after it. A test
/// reads from the database that changes are farther apart.
const SEARCHED_PERIODS: usize = 3;

/// No clock is farther from UTC, in seconds.
pub(super) const FARTHEST_OFFSET_S: i64 = 26 * 3_600;

/// The first tick that is strictly later than a moment, both unix ms.
pub(super) fn next(cron: &Cron, zone: &Zone, after_ms: u64) -> Option<u64> {
    // Ticks are whole seconds, so the fraction makes no difference.
    let after = i64::try_from(after_ms.checked_div(1_000)?).ok()?;
    let tick = next_moment(cron, zone, Timestamp::from_second(after).ok()?)?;
    u64::try_from(tick.as_millisecond()).ok()
}

fn next_moment(cron: &Cron, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
    let mut period = zone.period(after);
    let mut shown = period.offset.to_datetime(after);
    if !cron.has_any_hour() {
        // Minutes that are shown for the second time are over.
        shown = zone.shown_before_change(after).map_or(shown, |before| before.max(shown));
    }
    let mut minute = cron.next_minute(shown)?;
    for _ in 0..SEARCHED_PERIODS {
        let tick = moment(minute, period.offset)?;
        let Some(change) = period.end.filter(|change| change.at <= tick) else {
            return Some(tick);
        };
        if moment(minute, change.offset)? < change.at {
            return Some(change.at);
        }
        if cron.has_any_hour() && change.offset < period.offset {
            // What the clocks show again may come before what they have not shown yet.
            minute = cron.next_minute(change.offset.to_datetime(earlier(change.at, 1)?))?;
        }
        // Nothing ticks from the change until the clocks of any zone could show that minute.
        let near = earlier(moment(minute, Offset::UTC)?, FARTHEST_OFFSET_S)?;
        period = zone.period(near.max(change.at));
    }
    None
}

/// The moment at which clocks with this offset show a minute.
fn moment(minute: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(minute).ok()
}

fn earlier(moment: Timestamp, seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(moment.as_second().checked_sub(seconds)?).ok()
}
