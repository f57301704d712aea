//! Search by id: in the ready lists, and among running deliveries.
//!
//! A ready list is in the order of its ids, so a search reads a few records only. One that is out of
//! order, because another client pushed into the list, is found only after a repair has sorted the list.

use std::collections::BTreeSet;

use super::message::{Body, Delivery, MessageId, Running};
use super::part::Part;
use super::store::Store;

/// Unreadable records in a row that a search skips before it tries elsewhere.
const UNREADABLE: u64 = 64;

/// A record of a ready list.
pub(super) struct Listed<B> {
    pub priority: u8,
    /// Its index in the list.
    pub index: u64,
    pub body: B,
}

/// Finds messages in the ready lists; list by list, each in its order.
pub(super) fn find_ready<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<Listed<S::Body>> {
    let mut missing = ids.clone();
    let mut found = Vec::new();
    for priority in store.ready_priorities().into_iter().chain([0]) {
        let mut list = List::new(store, priority);
        let mut left = missing.len() as u64;
        for id in std::mem::take(&mut missing) {
            match list.search(store, id, left) {
                Some((index, body)) => found.push(Listed { priority, index, body }),
                None => drop(missing.insert(id)),
            }
            left = left.saturating_sub(1);
        }
    }
    found
}

/// Records per read of a walk.
const RECORDS: u64 = 256;

/// The same by a walk, as 0.1.0 did, which also finds records that are out of order.
pub(super) fn walk_ready<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<Listed<S::Body>> {
    let mut found = Vec::new();
    for priority in store.ready_priorities().into_iter().chain([0]) {
        let mut start = 0u64;
        while found.len() < ids.len() {
            let records = store.ready(priority, start, RECORDS);
            if records.is_empty() {
                break;
            }
            let places = (start..).zip(records);
            let wanted = places.filter_map(|(index, body)| {
                let body = body.filter(|body| ids.contains(&body.id()))?;
                Some(Listed { priority, index, body })
            });
            found.extend(wanted);
            start = start.saturating_add(RECORDS);
        }
    }
    found
}

/// Interpolation steps before a search falls back to halving.
const GUESSES: u32 = 3;

/// From this many ids on, they are expected at equal distances.
const MANY: u64 = 1_000;

/// First step away from the last guess; doubled each time.
const NEAR: u64 = 8;

/// A ready list in which ascending ids are searched.
struct List {
    priority: u8,
    /// All records before it are less than the next id.
    start: Border,
    end: Border,
}

/// An index, and an id near it if one is known.
#[derive(Clone, Copy)]
struct Border {
    index: u64,
    id: Option<MessageId>,
}

/// The next index to read.
#[derive(Clone, Copy)]
enum Probe {
    /// The first of this many ids at equal distances.
    Share(u64),
    /// Interpolation between two known ids; this many more.
    Guess(u32),
    /// This far above the lower bound: the server reaches a near element faster.
    Up(u64),
    /// This far below the upper bound.
    Down(u64),
    /// Binary search.
    Halve,
}

impl List {
    fn new<S: Store>(store: &mut S, priority: u8) -> Self {
        let len = store.len(Part::ready(priority));
        let mut id_at = |index| Some(store.ready_at(priority, index)??.id());
        let first = if len > 0 { id_at(0) } else { None };
        let last = if len > 0 { id_at(len.saturating_sub(1)) } else { None };
        Self {
            priority,
            start: Border { index: 0, id: first },
            end: Border { index: len, id: last },
        }
    }

    /// The index and the record of an id, the first of `left` that are searched.
    fn search<S: Store>(
        &mut self,
        store: &mut S,
        id: MessageId,
        left: u64,
    ) -> Option<(u64, S::Body)> {
        let (mut low, mut high) = (self.start, self.end);
        let mut probe = if left > MANY { Probe::Share(left) } else { Probe::Guess(GUESSES) };
        while low.index < high.index {
            let last = high.index.saturating_sub(1);
            let index = match probe {
                Probe::Share(left) => {
                    let share = last.abs_diff(low.index).checked_div(left).unwrap_or(0);
                    low.index.saturating_add(share)
                }
                Probe::Guess(_) => guess(low, high, id),
                Probe::Up(step) => low.index.saturating_add(step),
                Probe::Down(step) => last.saturating_sub(step),
                Probe::Halve => low.index.midpoint(high.index),
            };
            let index = index.clamp(low.index, last);
            let found = self.readable(store, index, high.index);
            let is_before = found.as_ref().is_some_and(|(_, body)| body.id() < id);
            match found {
                Some((index, body)) if body.id() == id => {
                    self.start = Border { index, id: Some(id) };
                    return Some((index, body));
                }
                Some((index, body)) if is_before => {
                    low = Border { index: index.saturating_add(1), id: Some(body.id()) };
                }
                found => high = Border { index, id: found.map(|(_, body)| body.id()) },
            }
            probe = match probe {
                Probe::Share(_) => Probe::Guess(GUESSES),
                Probe::Guess(left @ 2..) => Probe::Guess(left.saturating_sub(1)),
                Probe::Guess(_) if is_before => Probe::Up(NEAR),
                Probe::Guess(_) => Probe::Down(NEAR),
                Probe::Up(step) if is_before => Probe::Up(step.saturating_mul(2)),
                Probe::Down(step) if !is_before => Probe::Down(step.saturating_mul(2)),
                _ => Probe::Halve,
            };
        }
        self.start = Border { index: low.index, id: Some(id) };
        None
    }

    /// The first readable record from `start` on and before `end`, with its index.
    fn readable<S: Store>(&self, store: &mut S, start: u64, end: u64) -> Option<(u64, S::Body)> {
        let end = end.min(start.saturating_add(UNREADABLE));
        (start..end).find_map(|index| Some((index, store.ready_at(self.priority, index)??)))
    }
}

/// Interpolates the index of an id between two others.
fn guess(low: Border, high: Border, id: MessageId) -> u64 {
    // Behind the counter within a millisecond an id is random.
    let number = |id: MessageId| u128::from_be_bytes(id.0) >> 32;
    let (Some(first), Some(last)) = (low.id.map(number), high.id.map(number)) else {
        return low.index.midpoint(high.index);
    };
    let distance = u128::from(high.index.abs_diff(low.index));
    let share = number(id).clamp(first, last.max(first)).saturating_sub(first);
    let steps = share.saturating_mul(distance).checked_div(last.saturating_sub(first));
    let steps = steps.and_then(|steps| u64::try_from(steps).ok()).unwrap_or(0);
    low.index.saturating_add(steps)
}

/// The running deliveries of these messages. Those that began under version 1 of ops come last; they are
/// found by one walk over all such deliveries, the one that ends first at the start.
pub(super) fn find_deliveries<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<(Delivery, Running)> {
    let (mut found, mut missing) = (Vec::new(), BTreeSet::new());
    for id in ids {
        match store.delivery_of(*id) {
            Ok(Some(running)) => found.push(running),
            _ => drop(missing.insert(*id)),
        }
    }
    if !missing.is_empty() {
        store.each_old_delivery(|delivery, running| {
            if missing.contains(&delivery.id) {
                found.push((delivery, running));
            }
            found.len() < ids.len()
        });
    }
    found
}
