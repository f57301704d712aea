//! Returns: a delivery ends by timeout, disconnect or nack. The message is counted and becomes ready
//! again, dies, or is discarded because its TTL is over.

use super::claim::{Settled, refuse};
use super::dead_letter::{DeadLetterQueue, Dying};
use super::effects::Effects;
use super::error::QueueError;
use super::group::Slot;
use super::message::{DeathReason, Delivery, Ended, MessageId, StateRecord};
use super::op::{Decided, Nack, Return};
use super::part::Part;
use super::place::TailRanks;
use super::rules::Rules;
use super::settings::{Setting, Settings};
use super::small_vec::ShortVec;
use super::store::Store;
use super::{damage, place};

const SETTINGS: [Setting; 4] =
    [Setting::MaxRetries, Setting::DeadLetter, Setting::Backoff, Setting::BackoffMax];

/// Nacks each claimed delivery that is still running. Error: [`QueueError::AlreadyDead`] if a dead
/// letter is rejected.
pub(super) fn nack<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    nack: &Nack<'_>,
) -> Result<ShortVec<Settled>, QueueError> {
    store.require(Part::BEHIND_READY)?;
    let is_running = |store: &mut S, delivery: Delivery| {
        let running = store.running(delivery);
        running.is_some_and(|running| running.until_ms > nack.now_ms)
    };
    if nack.how == Return::Rejected {
        for claim in &nack.deliveries {
            if is_running(store, *claim)
                && let Ok(Some(record)) = store.record(claim.id)
                && record.death.is_some()
            {
                return Err(QueueError::AlreadyDead);
            }
        }
    }
    let mut returns = Returns::begin(store);
    let why = match nack.how {
        Return::Counted => Why::Nacked,
        Return::Uncounted => Why::Released,
        Return::Rejected => Why::Rejected,
        Return::Disconnected => Why::Disconnected,
        Return::InFront => Why::ReleasedInFront,
        Return::Abandoned => Why::Abandoned,
    };
    let mut settled = ShortVec::with_capacity(nack.deliveries.len());
    for claim in &nack.deliveries {
        settled.push(if is_running(store, *claim) {
            let Nack { now_ms, delay_ms, same_slot, reason, .. } = *nack;
            let end = End { why, at_ms: now_ms, delay_ms, reason };
            let decided = Decided { now_ms, same_slot };
            end_delivery(store, effects, &mut returns, *claim, end, decided);
            let counter = match why {
                Why::Disconnected | Why::Abandoned => &mut effects.counts.expired,
                _ => &mut effects.counts.nacked,
            };
            *counter = counter.saturating_add(1);
            Settled::Done(0)
        } else {
            refuse(store, effects, claim.id)
        });
    }
    Ok(settled)
}

/// Why a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its visibility ended.
    RanOut,
    /// Its consumer disconnected.
    Disconnected,
    /// MQ.NACK.
    Nacked,
    /// MQ.NACK ... NOCOUNT.
    Released,
    /// MQ.NACK ... DEAD.
    Rejected,
    /// MQ.NACK ... NOCOUNT FRONT.
    ReleasedInFront,
    /// Its consumer disconnected, which does not count.
    Abandoned,
}

impl Why {
    /// How the delivery ended: if nobody nacked it, an acknowledgment may still come.
    fn ended(self) -> Ended {
        match self {
            Self::RanOut | Self::Disconnected => Ended::ByTime,
            Self::Abandoned => Ended::Uncounted,
            Self::Nacked | Self::Released | Self::ReleasedInFront | Self::Rejected => Ended::Nacked,
        }
    }

    /// True if it is a retry.
    fn counts(self) -> bool {
        !matches!(self, Self::Released | Self::ReleasedInFront | Self::Abandoned)
    }
}

/// How and when a delivery ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub why: Why,
    /// Unix ms.
    pub at_ms: u64,
    /// The client's DELAY.
    pub delay_ms: Option<u64>,
    /// The client's REASON.
    pub reason: Option<&'a [u8]>,
}

/// What the returns of one op share.
pub(super) struct Returns<S> {
    settings: Settings,
    target: DeadLetterQueue<S>,
    behind: TailRanks,
}

impl<S: Store> Returns<S> {
    pub(super) fn begin(store: &mut S) -> Self {
        Self {
            settings: store.settings(&SETTINGS),
            target: DeadLetterQueue::default(),
            behind: TailRanks::default(),
        }
    }
}

/// Ends a delivery: the message is counted and becomes ready, delayed or dead, or is
/// discarded. All parts were required.
pub(super) fn end_delivery<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    returns: &mut Returns<S>,
    delivery: Delivery,
    end: End<'_>,
    decided: Decided,
) {
    let Delivery { id, receipt } = delivery;
    effects.delivery_ended = true;
    if !store.end_delivery(delivery) {
        return damage::count_set_aside(effects);
    }
    let mut record = match store.record(id) {
        Ok(record) => record.unwrap_or_default(),
        Err(_) => return damage::set_message_aside(store, effects, id),
    };
    record.consumer = None;
    if store.rules() != Rules::V1 {
        record.add_delivery(receipt);
    }
    record.last_receipt = record.last_receipt.max(receipt.0);
    record.ended = end.why.ended();
    if let Some(reason) = end.reason {
        record.last_error = Some(reason.to_vec());
    }
    let dying = |reason| Dying { reason, from: Some(Slot::Inflight), decided };
    let Returns { settings, target, behind } = &mut *returns;
    if end.why == Why::Rejected
        && target.move_dead(store, effects, settings, id, &record, dying(DeathReason::Rejected))
    {
        return;
    }
    if record.is_expired(decided.now_ms) {
        return expire(store, effects, returns, (id, &record), Some(Slot::Inflight), decided);
    }
    let mut delay_ms = 0;
    if end.why.counts() {
        let retry_count = record.retry_count.saturating_add(1);
        if u64::from(retry_count) > settings.get(Setting::MaxRetries)
            && record.death.is_none()
            && end.why != Why::Rejected
            && target.move_dead(store, effects, settings, id, &record, dying(DeathReason::Retries))
        {
            return;
        }
        store.change_retry_count(id, record.retry_count, retry_count);
        record.retry_count = retry_count;
        // A delivery that timed out has waited for its visibility already; 0.1.0 added the backoff.
        if end.why != Why::RanOut || store.rules() == Rules::V1 {
            delay_ms = settings.backoff_after(retry_count);
        }
    }
    let delay_ms = end.delay_ms.unwrap_or(delay_ms);
    if delay_ms > 0 {
        let due_at_ms = end.at_ms.saturating_add(delay_ms);
        place::make_delayed(store, effects, id, &record, due_at_ms, Some(Slot::Inflight));
    } else {
        // A message that nobody nacked returns to its old place; a nacked one goes behind all ready
        // messages, so that a poison message does not block the others.
        let keeps_place = record.ended.is_by_itself() || end.why == Why::ReleasedInFront;
        let rank = match keeps_place {
            true => record.rank(record.old_place_ms(id)),
            false => behind.rank(store, &record, end.at_ms),
        };
        place::make_ready(store, effects, id, &mut record, rank, Some(Slot::Inflight));
    }
    store.put_record(id, &record);
}

/// Removes a message that has left its place, whose time to live is over: it dies, or else is discarded.
pub(super) fn expire<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    Returns { settings, target, .. }: &mut Returns<S>,
    (id, record): (MessageId, &StateRecord),
    from: Option<Slot>,
    decided: Decided,
) {
    let dying = Dying { reason: DeathReason::Expired, from, decided };
    if record.dies_at_end() && target.move_dead(store, effects, settings, id, record, dying) {
        return;
    }
    place::forget(store, effects, id, Some(record), from);
    effects.counts.ttl_expired = effects.counts.ttl_expired.saturating_add(1);
}
