//! A delivery comes back, by time or because it was given back: the message is counted, and waits
//! again, dies, or is discarded because its time to live is over.

use super::claim::{Settled, refuse};
use super::dead_letter::Grave;
use super::effects::Effects;
use super::error::QueueError;
use super::few::Few;
use super::group::Slot;
use super::message::{DeathReason, Delivery, Ended};
use super::op::{Moment, Return};
use super::part::Part;
use super::place::Behind;
use super::rules::Rules;
use super::settings::{Setting, Settings};
use super::store::Store;
use super::{damage, place};

/// The settings that returns depend on.
const SETTINGS: [Setting; 4] =
    [Setting::MaxRetries, Setting::DeadLetter, Setting::Backoff, Setting::BackoffMax];

/// How deliveries are given back; see [`Op::GiveBack`](super::op::Op::GiveBack).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GiveBack<'a> {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// How long until the messages are ready again; None: as the backoff says.
    pub delay_ms: Option<u64>,
    /// Dead messages may go to a queue of the same slot only.
    pub same_slot: bool,
    /// What it means for the messages.
    pub how: Return,
    /// What went wrong.
    pub reason: Option<&'a [u8]>,
}

/// Gives each claimed delivery back that is still running. Error: [`QueueError::AlreadyDead`] if a
/// dead letter is rejected.
pub(super) fn give_back<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Delivery],
    rule: GiveBack<'_>,
) -> Result<Few<Settled>, QueueError> {
    store.require(Part::BEHIND_READY)?;
    let is_running = |store: &mut S, delivery: Delivery| {
        let running = store.running(delivery);
        running.is_some_and(|running| running.until_ms > rule.now_ms)
    };
    if rule.how == Return::Rejected {
        for claim in claims {
            if is_running(store, *claim)
                && let Ok(Some(note)) = store.note(claim.id)
                && note.death.is_some()
            {
                return Err(QueueError::AlreadyDead);
            }
        }
    }
    let mut returns = Returns::begin(store);
    let why = match rule.how {
        Return::Counted => Why::GivenBack,
        Return::Uncounted => Why::Released,
        Return::Rejected => Why::Rejected,
        Return::Disconnected => Why::Disconnected,
    };
    let mut settled = Few::with_capacity(claims.len());
    for claim in claims {
        settled.push(if is_running(store, *claim) {
            let GiveBack { now_ms, delay_ms, same_slot, reason, .. } = rule;
            let end = End { why, at_ms: now_ms, delay_ms, reason };
            let moment = Moment { now_ms, same_slot };
            end_delivery(store, effects, &mut returns, *claim, end, moment);
            let counter = match why {
                Why::Disconnected => &mut effects.counts.expired,
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
    /// Its visibility did.
    RanOut,
    /// Its consumer was gone.
    Disconnected,
    /// It was given back.
    GivenBack,
    /// It was given back by a consumer that did not work on it.
    Released,
    /// It was given back as one that can't be worked off.
    Rejected,
}

impl Why {
    /// True if nobody gave it back: an acknowledgment may still come.
    fn is_by_itself(self) -> bool {
        matches!(self, Self::RanOut | Self::Disconnected)
    }
}

/// How and when a delivery ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    /// Why.
    pub why: Why,
    /// When, unix ms.
    pub at_ms: u64,
    /// The delay that the client asked for.
    pub delay_ms: Option<u64>,
    /// What the client says went wrong.
    pub reason: Option<&'a [u8]>,
}

/// What the returns of one op share.
pub(super) struct Returns<S> {
    settings: Settings,
    grave: Grave<S>,
    behind: Behind,
}

impl<S: Store> Returns<S> {
    /// Reads the settings.
    pub(super) fn begin(store: &mut S) -> Self {
        Self {
            settings: store.settings(&SETTINGS),
            grave: Grave::default(),
            behind: Behind::default(),
        }
    }
}

/// Ends a delivery that is in `Inflight`: the message is counted, and waits again, dies or is
/// discarded. All parts were required.
pub(super) fn end_delivery<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    Returns { settings, grave, behind }: &mut Returns<S>,
    delivery: Delivery,
    end: End<'_>,
    moment: Moment,
) {
    let Delivery { id, receipt } = delivery;
    store.remove_inflight(delivery);
    effects.delivery_ended = true;
    let mut note = match store.note(id) {
        Ok(note) => note.unwrap_or_default(),
        Err(_) => return damage::set_message_aside(store, effects, id),
    };
    note.consumer = None;
    if store.rules() != Rules::V1 {
        note.add_delivery(receipt);
    }
    note.last_receipt = note.last_receipt.max(receipt.0);
    note.ended = if end.why.is_by_itself() { Ended::ByTime } else { Ended::GivenBack };
    if let Some(reason) = end.reason {
        note.last_error = Some(reason.to_vec());
    }
    if end.why == Why::Rejected
        && grave.bury(store, effects, settings, id, &note, (DeathReason::Rejected, moment))
    {
        return;
    }
    if note.is_expired(moment.now_ms) {
        place::forget(store, effects, id, Some(&note), Some(Slot::Inflight));
        effects.counts.ttl_expired = effects.counts.ttl_expired.saturating_add(1);
        return;
    }
    let mut delay_ms = 0;
    if end.why != Why::Released {
        let retry_count = note.retry_count.saturating_add(1);
        if u64::from(retry_count) > settings.get(Setting::MaxRetries)
            && note.death.is_none()
            && end.why != Why::Rejected
            && grave.bury(store, effects, settings, id, &note, (DeathReason::Retries, moment))
        {
            return;
        }
        note.retry_count = retry_count;
        // The visibility was the delay of one that ran out; 0.1.0 added the backoff.
        if end.why != Why::RanOut || store.rules() == Rules::V1 {
            delay_ms = settings.backoff_after(retry_count);
        }
    }
    let delay_ms = end.delay_ms.unwrap_or(delay_ms);
    if delay_ms > 0 {
        let due_at_ms = end.at_ms.saturating_add(delay_ms);
        place::make_delayed(store, effects, id, &note, due_at_ms, Some(Slot::Inflight));
    } else {
        // One that nobody gave back goes to its old place; one that was given back stands behind all
        // that wait, so that one bad message does not hold up the others.
        let rank = match end.why.is_by_itself() {
            true => note.rank(note.old_place_ms(id)),
            false => behind.rank(store, &note, end.at_ms),
        };
        place::make_ready(store, effects, id, &mut note, rank, Some(Slot::Inflight));
    }
    store.put_note(id, &note);
}
