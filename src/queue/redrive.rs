//! Dead letters go back to where they died, as messages that never failed.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{Ended, MessageId, Note};
use super::name::QueueName;
use super::place::Behind;
use super::store::{Part, Store};
use super::{Effects, QueueError, place, retry};

/// What a redrive asks for; see [`Op::Redrive`](super::op::Op::Redrive).
#[derive(Debug, Clone, Copy)]
pub struct Redrive<'a> {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// The most dead letters to look at.
    pub count: u32,
    /// Where they go instead.
    pub to: Option<&'a QueueName>,
    /// They may go to a queue of the same slot only.
    pub same_slot: bool,
}

/// Moves dead letters that wait, the oldest death first; the number of those moved. One whose queue
/// can't take it stays.
pub(super) fn redrive<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    request: Redrive<'_>,
) -> Result<u64, QueueError> {
    store.require(&Part::ALL)?;
    let mut targets = BTreeMap::new();
    let mut moved = 0u64;
    for id in store.dead(request.count.into()) {
        let note = match store.note(id) {
            Ok(Some(note)) => note,
            _ => continue,
        };
        let Some(death) = &note.death else { continue };
        let name = request.to.unwrap_or(&death.from).clone();
        let target = targets.entry(name).or_insert_with_key(|name| open(store, name, request));
        let Some((target, behind)) = target else { continue };
        if move_one(store, effects, target, behind, (id, note), request.now_ms) {
            moved = moved.saturating_add(1);
            effects.others.insert(target.queue().clone());
        }
    }
    effects.counts.redriven = moved;
    Ok(moved)
}

/// The queues to which dead letters that wait would go back, of the first `count`.
pub fn targets<S: Store>(store: &mut S, count: u32) -> Result<BTreeSet<QueueName>, QueueError> {
    store.require(&[Part::Dead, Part::Notes])?;
    let mut targets = BTreeSet::new();
    for id in store.dead(count.into()) {
        if let Ok(Some(Note { death: Some(death), .. })) = store.note(id) {
            targets.insert(death.from);
        }
    }
    Ok(targets)
}

/// The store of a queue that can take messages back.
fn open<S: Store>(store: &S, name: &QueueName, request: Redrive<'_>) -> Option<(S, Behind)> {
    let is_elsewhere = request.same_slot && !name.shares_slot_with(store.queue());
    if is_elsewhere || name == store.queue() {
        return None;
    }
    let mut target = store.other(name);
    target.require(&Part::ALL).ok()?;
    Some((target, Behind::default()))
}

/// Moves a dead letter; false, and it is out of the way, if its body can't be read.
fn move_one<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    target: &mut S,
    behind: &mut Behind,
    (id, note): (MessageId, Note),
    now_ms: u64,
) -> bool {
    if place::take_out(store, id, &note).is_none() {
        return false;
    }
    let Ok(Some(body)) = store.message(id) else {
        retry::set_aside(store, effects, id);
        return false;
    };
    target.put_message(&body);
    let mut restored = Note { retry_count: 0, ended: Ended::Never, death: None, ..note.clone() };
    let mut there = Effects::none();
    let rank = behind.rank(target, &restored, now_ms);
    place::make_ready(target, &mut there, id, &mut restored, rank, None);
    target.put_note(id, &restored);
    place::forget(store, effects, id, Some(&note), None);
    true
}
