//! Records of the lists of ready messages are searched for by id.
//!
//! A list is in the order of its ids, so a search looks at a few records only. One that is out of
//! order, because somebody pushed into it by hand, is found only once a repair has sorted the list.

use std::collections::BTreeSet;

use super::message::{Body, Delivery, MessageId};
use super::part::Part;
use super::store::Store;

/// How many unreadable records in a row a search goes past before it looks elsewhere.
const UNREADABLE: u64 = 64;

/// A record of a list of ready messages.
pub(super) struct Listed<B> {
    /// The priority of the list.
    pub priority: u8,
    /// Where it stands in the list.
    pub index: u64,
    /// The record.
    pub body: B,
}

/// The records of these messages in the lists of ready ones, list by list, each in its order.
pub(super) fn find_ready<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<Listed<S::Body>> {
    let mut missing = ids.clone();
    let mut found = Vec::new();
    for priority in store.lanes().into_iter().chain([0]) {
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

/// How many records are read at once in a walk.
const RECORDS: u64 = 256;

/// The same by a walk, as 0.1.0 did: it finds what is out of order, too.
pub(super) fn walk_ready<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<Listed<S::Body>> {
    let mut found = Vec::new();
    for priority in store.lanes().into_iter().chain([0]) {
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

/// How often a search guesses from the ids that it has seen where an id stands.
const GUESSES: u32 = 3;

/// So many are expected in equal distances first.
const MANY: u64 = 1_000;

/// How far behind or before the last guess it looks then; twice as far each time.
const NEAR: u64 = 8;

/// The list of a priority, in which rising ids are searched for.
struct List {
    priority: u8,
    /// All records before are less than what is searched for next.
    start: Border,
    end: Border,
}

/// A place in a list, and an id that belongs near it, if one is known.
#[derive(Clone, Copy)]
struct Border {
    index: u64,
    id: Option<MessageId>,
}

/// Where a search looks next.
#[derive(Clone, Copy)]
enum Next {
    /// Where the first of so many would stand if they stood in equal distances.
    Share(u64),
    /// Where the id would stand if ids rose evenly; so often.
    Guess(u32),
    /// So far from the lower border: the server goes to a near element faster.
    Up(u64),
    /// So far from the upper one.
    Down(u64),
    /// In the middle.
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

    /// Where an id stands, and its record. It is the first of `left` that are searched for.
    fn search<S: Store>(
        &mut self,
        store: &mut S,
        id: MessageId,
        left: u64,
    ) -> Option<(u64, S::Body)> {
        let (mut low, mut high) = (self.start, self.end);
        let mut next = if left > MANY { Next::Share(left) } else { Next::Guess(GUESSES) };
        while low.index < high.index {
            let last = high.index.saturating_sub(1);
            let index = match next {
                Next::Share(left) => {
                    let share = last.abs_diff(low.index).checked_div(left).unwrap_or(0);
                    low.index.saturating_add(share)
                }
                Next::Guess(_) => guess(low, high, id),
                Next::Up(step) => low.index.saturating_add(step),
                Next::Down(step) => last.saturating_sub(step),
                Next::Halve => low.index.midpoint(high.index),
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
            next = match next {
                Next::Share(_) => Next::Guess(GUESSES),
                Next::Guess(left @ 2..) => Next::Guess(left.saturating_sub(1)),
                Next::Guess(_) if is_before => Next::Up(NEAR),
                Next::Guess(_) => Next::Down(NEAR),
                Next::Up(step) if is_before => Next::Up(step.saturating_mul(2)),
                Next::Down(step) if !is_before => Next::Down(step.saturating_mul(2)),
                _ => Next::Halve,
            };
        }
        self.start = Border { index: low.index, id: Some(id) };
        None
    }

    /// The first readable record from `start` on and before `end`, and where it stands.
    fn readable<S: Store>(&self, store: &mut S, start: u64, end: u64) -> Option<(u64, S::Body)> {
        let end = end.min(start.saturating_add(UNREADABLE));
        (start..end).find_map(|index| Some((index, store.ready_at(self.priority, index)??)))
    }
}

/// Where an id would stand between two others if ids rose evenly.
fn guess(low: Border, high: Border, id: MessageId) -> u64 {
    // What is behind the counter of a millisecond is random.
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

/// The running deliveries of these messages, and when they end. Those that began with an op of version 1
/// are found by one walk over all deliveries, from the one that ends first.
pub(super) fn find_deliveries<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<(Delivery, u64)> {
    let (mut found, mut missing) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let last = store.last_delivery(*id);
        match last.and_then(|last| Some((last, store.running(last)?.until_ms))) {
            Some(running) => found.push(running),
            None => drop(missing.insert(*id)),
        }
    }
    if !missing.is_empty() {
        store.each_inflight(|delivery, until_ms| {
            if missing.contains(&delivery.id) {
                found.push((delivery, until_ms));
            }
            found.len() < ids.len()
        });
    }
    found
}
