//! What the outcome of an op tells about how long messages waited and how long their processing took. Nothing of it is
//! stored: only who decides an op can count it.

use super::claim::Settled;
use super::message::{Body, Delivery};
use super::op::{Acknowledge, Pull};
use super::pull::Pulled;

/// A time that ended with an op, in milliseconds; 0 if the clock was set back meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// From the push to the first delivery; a delay is part of it.
    Delivery(u64),
    /// From a delivery to its acknowledgment.
    Processing(u64),
}

/// The times that end with a pull.
pub(super) fn of_pull<B: Body>(
    pull: &Pull<'_>,
    pulled: &Pulled<B>,
    _: impl FnOnce() -> u64,
    mut count: impl FnMut(Time),
) {
    let now_ms = pull.now_ms;
    of_claims(&pull.acknowledged, &pulled.settled, now_ms, &mut count);
    for message in &pulled.messages {
        let is_first = message.record.as_ref().is_none_or(|record| record.last_receipt == 0);
        if is_first {
            count(Time::Delivery(now_ms.saturating_sub(message.body.id().timestamp_ms())));
        }
    }
}

/// The times that end with acknowledgments.
pub(super) fn of_acknowledge(
    op: &Acknowledge,
    settled: &[Settled],
    now_ms: impl FnOnce() -> u64,
    count: impl FnMut(Time),
) {
    // The op has no time if nothing can be late.
    of_claims(&op.deliveries, settled, op.now_ms.unwrap_or_else(now_ms), count);
}

fn of_claims(claims: &[Delivery], settled: &[Settled], now_ms: u64, mut count: impl FnMut(Time)) {
    for (claim, settled) in claims.iter().zip(settled) {
        if let Settled::Done(_) = settled {
            count(Time::Processing(now_ms.saturating_sub(claim.receipt.timestamp_ms())));
        }
    }
}
