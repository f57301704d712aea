//! MQ.PURGE ... READY and DELAYED: removal of the messages of one state, some at a time. The others stay,
//! so each message is taken out of its place.

use super::effects::Effects;
use super::error::QueueError;
use super::group;
use super::message::Body;
use super::op::{PurgeState, Waiting};
use super::part::Part;
use super::remove::{count_deleted, delete_waiting};
use super::store::Store;
use super::{damage, dedup};

/// The result of a purge of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    pub deleted: u64,
    /// The limit was reached: there may be more.
    pub has_more: bool,
}

/// Removes up to `limit` messages of a state.
pub(super) fn purge<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    PurgeState { state, limit }: PurgeState,
) -> Result<Purged, QueueError> {
    store.require(&Part::ALL)?;
    let mut left = limit;
    match state {
        Waiting::Ready => {
            purge_lists(store, effects, &mut left);
            purge_ranked(store, effects, &mut left);
            purge_groups(store, effects, &mut left);
        }
        Waiting::Delayed => purge_delayed(store, effects, &mut left),
    }
    Ok(Purged { deleted: effects.counts.deleted, has_more: left == 0 })
}

fn purge_lists<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32) {
    for priority in store.ready_priorities().into_iter().chain([0]) {
        while *left > 0 && store.len(Part::ready(priority)) > 0 {
            let mut removed = Vec::new();
            // All parts were required: what stops it is an unreadable record.
            let taken = store.take_ready(priority, (*left).into(), &[], |mut body| {
                removed.push((body.id(), body.take_record()));
                None
            });
            *left = left.saturating_sub(u32::try_from(removed.len()).unwrap_or(u32::MAX));
            count_deleted(effects, removed.len() as u64);
            effects.changed = true;
            for (id, record) in &removed {
                if let Some(record) = record {
                    dedup::release(store, *id, record);
                }
            }
            if taken.is_err() && *left > 0 {
                damage::set_ready_aside(store, effects, priority);
                *left = left.saturating_sub(1);
            }
        }
    }
}

fn purge_ranked<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32) {
    while *left > 0 {
        let Some((id, _)) = store.first_ranked() else { return };
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => drop(delete_waiting(store, effects, id)),
            Err(member) => damage::set_member_aside(store, effects, Part::Ranked, &member),
        }
    }
}

/// Groups with ready messages are scheduled or blocked, so the schedule names them all.
fn purge_groups<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32) {
    let mut passed = 0u64;
    while *left > 0 {
        let Some((name, _)) = store.groups(passed, 1).pop() else { return };
        let group = store.group(&name);
        let mut deleted = false;
        for id in group::waiting(store, &name, &group, 0, (*left).into()) {
            deleted |= delete_waiting(store, effects, id);
            *left = left.saturating_sub(1);
        }
        // The messages without a group, or a record that does not match its messages.
        if !deleted {
            passed = passed.saturating_add(1);
        }
    }
}

fn purge_delayed<S: Store>(store: &mut S, effects: &mut Effects, left: &mut u32) {
    while *left > 0 {
        let Some((id, _)) = store.first_timed(Part::Delayed) else { return };
        *left = left.saturating_sub(1);
        match id {
            Ok(id) => drop(delete_waiting(store, effects, id)),
            Err(member) => damage::set_member_aside(store, effects, Part::Delayed, &member),
        }
    }
}
