//! A delivery comes back, by time or because it was given back: the message is counted, and waits
//! again or dies.

use super::acknowledge::{PARTS, refuse};
use super::message::{Ended, MessageId, Note, Rank};
use super::op::Claim;
use super::settings::Settings;
use super::store::{Delivery, Part, Store};
use super::{Effects, QueueError, Settled, dead_letter};

/// How deliveries are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GiveBack {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// How long until the messages are ready again; None: as the backoff says.
    pub delay_ms: Option<u64>,
    /// Dead messages may go to a queue of the same slot only.
    pub same_slot: bool,
}

/// Gives each claimed delivery back that is still running.
pub fn give_back<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    claims: &[Claim],
    rule: GiveBack,
) -> Result<Vec<Settled>, QueueError> {
    store.require(&PARTS)?;
    store.require(&[Part::Config, Part::Damaged])?;
    let settings = store.settings();
    let mut settled = Vec::with_capacity(claims.len());
    for &Claim { id, receipt } in claims {
        let delivery = Delivery { id, receipt };
        let running = store.inflight_until(delivery).is_some_and(|until| until > rule.now_ms);
        settled.push(if running {
            let end = End { how: Ended::GivenBack, at_ms: rule.now_ms, delay_ms: rule.delay_ms };
            let moment = Moment { now_ms: rule.now_ms, same_slot: rule.same_slot };
            end_delivery(store, effects, &settings, delivery, end, moment);
            effects.counts.nacked = effects.counts.nacked.saturating_add(1);
            Settled::Done(0)
        } else {
            refuse(store, effects, id)
        });
    }
    Ok(settled)
}

/// How and when a delivery ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// By time, or given back.
    pub how: Ended,
    /// When, unix ms.
    pub at_ms: u64,
    /// The delay that the client asked for.
    pub delay_ms: Option<u64>,
}

/// What the server that decided knew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Its clock, unix ms.
    pub now_ms: u64,
    /// See [`GiveBack::same_slot`].
    pub same_slot: bool,
}

/// Ends a delivery that is in `Inflight`: the message is counted, and waits again or dies. All of
/// [`PARTS`] and `Damaged` were required.
pub(super) fn end_delivery<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    settings: &Settings,
    delivery: Delivery,
    end: End,
    moment: Moment,
) {
    let Delivery { id, receipt } = delivery;
    store.remove_inflight(delivery);
    effects.changed = true;
    let mut note = match store.note(id) {
        Ok(note) => note.unwrap_or_default(),
        Err(_) => {
            set_aside(store, effects, id);
            return;
        }
    };
    let retry_count = note.retry_count.saturating_add(1);
    note.last_receipt = note.last_receipt.max(receipt.0);
    note.ended = end.how;
    if settings.max_retries.is_some_and(|max| retry_count > max)
        && note.death.is_none()
        && dead_letter::bury(store, effects, settings, id, &note, moment)
    {
        return;
    }
    note.retry_count = retry_count;
    store.put_note(id, &note);
    place(store, effects, settings, delivery, end, &note);
}

/// Puts a message that came back where it waits.
fn place<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    settings: &Settings,
    delivery: Delivery,
    end: End,
    note: &Note,
) {
    let id = delivery.id;
    let delay_ms = end.delay_ms.unwrap_or_else(|| settings.backoff_after(note.retry_count));
    if delay_ms > 0 {
        let due_at_ms = end.at_ms.saturating_add(delay_ms);
        store.add_delayed(id, due_at_ms);
        effects.next_due.add(due_at_ms);
        return;
    }
    // One that ran out goes back to its old place; one that was given back stands behind all that
    // wait, so that one bad message does not hold up the others.
    let ready_since_ms = match end.how {
        Ended::GivenBack => end.at_ms,
        Ended::ByTime | Ended::Never => id.timestamp_ms(),
    };
    store.add_ranked(id, Rank::plain(ready_since_ms));
    effects.became_ready = true;
}

/// Takes a message that can't be read, and has no place any more, out of the way.
pub(super) fn set_aside<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) {
    store.set_message_aside(id);
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
}
