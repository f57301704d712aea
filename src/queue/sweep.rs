//! What is due: deliveries whose visibility is over come back, delayed messages become ready.

use super::acknowledge::PARTS;
use super::message::{Ended, Rank};
use super::op::Sweep;
use super::retry::{End, Moment, end_delivery};
use super::store::{Part, Store, Unreadable};
use super::{Effects, NextDue, QueueError};

/// Moves up to `sweep.limit` messages that are due at `now_ms`: first those whose visibility is
/// over, then those whose delay is. Leaves the earliest deadline that remains in
/// `effects.next_due`; what is due and beyond the limit is such a deadline.
pub fn sweep<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    now_ms: u64,
    sweep: Sweep,
) -> Result<(), QueueError> {
    store.require(&PARTS)?;
    store.require(&[Part::Config, Part::Damaged])?;
    let mut left = sweep.limit;
    return_expired(store, effects, &mut left, Moment { now_ms, same_slot: sweep.same_slot });
    release_delayed(store, effects, &mut left, now_ms);
    let expiry = store.first_inflight().map(|(_, until_ms)| until_ms);
    let release = store.first_delayed().map(|(_, due_at_ms)| due_at_ms);
    effects.next_due = NextDue::Exactly(expiry.into_iter().chain(release).min());
    Ok(())
}

fn return_expired<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, moment: Moment) {
    let mut settings = None;
    while *left > 0 {
        let Some((delivery, until_ms)) = store.first_inflight() else { return };
        if until_ms > moment.now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match delivery {
            Ok(delivery) => {
                let settings = settings.get_or_insert_with(|| store.settings());
                let end = End { how: Ended::ByTime, at_ms: until_ms, delay_ms: None };
                end_delivery(store, effects, settings, delivery, end, moment);
                effects.counts.expired = effects.counts.expired.saturating_add(1);
            }
            Err(member) => set_aside(store, effects, Part::Inflight, &member),
        }
    }
}

fn release_delayed<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32, now_ms: u64) {
    while *left > 0 {
        let Some((id, due_at_ms)) = store.first_delayed() else { return };
        if due_at_ms > now_ms {
            return;
        }
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => {
                store.remove_delayed(id);
                store.add_ranked(id, Rank::plain(due_at_ms));
                effects.became_ready = true;
                effects.changed = true;
            }
            Err(member) => set_aside(store, effects, Part::Delayed, &member),
        }
    }
}

/// Takes a member that is none of ours out of the way.
pub(super) fn set_aside<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    part: Part,
    member: &Unreadable,
) {
    store.set_member_aside(part, member);
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
}
