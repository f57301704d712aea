//! Records of the lists of ready messages are searched for by id.
//!
//! A list is in the order of its ids, so a search looks at a few records only. One that is out of
//! order, because somebody pushed into it by hand, is found only once a repair has sorted the list.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::message::{Body, MessageId};
use super::store::{Delivery, Part, Store};

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
        let mut list = List { priority, len: store.len(Part::ready(priority)) };
        let mut start = 0u64;
        let mut left = missing.len() as u64;
        for id in std::mem::take(&mut missing) {
            let (index, body) = list.search(store, id, start, left);
            match body {
                Some(body) => found.push(Listed { priority, index, body }),
                None => drop(missing.insert(id)),
            }
            start = index;
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

/// The list of a priority.
struct List {
    priority: u8,
    len: u64,
}

impl List {
    /// Where an id stands from `start` on, and its record; if it is not there, where it would stand.
    /// It is the first of `left` ids that are searched for and rise, so it is expected near `start`.
    fn search<S: Store>(
        &mut self,
        store: &mut S,
        id: MessageId,
        start: u64,
        left: u64,
    ) -> (u64, Option<S::Body>) {
        let [mut low, mut high] = [start, self.len];
        let mut step = high.saturating_sub(low).checked_div(left).unwrap_or(0);
        while low < high {
            let is_near_enough = step == 0 || low.saturating_add(step) >= high;
            let middle = if is_near_enough {
                low.saturating_add(high.saturating_sub(low) / 2)
            } else {
                low.saturating_add(step)
            };
            match self.readable(store, middle, high) {
                Some((index, body)) => match body.id().cmp(&id) {
                    Ordering::Equal => return (index, Some(body)),
                    Ordering::Less => {
                        low = index.saturating_add(1);
                        step = step.saturating_mul(2);
                        continue;
                    }
                    Ordering::Greater => high = middle,
                },
                None => high = middle,
            }
            step = 0;
        }
        (low, None)
    }

    /// The first readable record from `start` on and before `end`, and where it stands.
    fn readable<S: Store>(&self, store: &mut S, start: u64, end: u64) -> Option<(u64, S::Body)> {
        let end = end.min(start.saturating_add(UNREADABLE));
        (start..end).find_map(|index| Some((index, store.ready_at(self.priority, index)??)))
    }
}

/// The running deliveries of these messages, and when they end: one walk over all deliveries, from the
/// one that ends first, until each is found.
pub(super) fn find_deliveries<S: Store>(
    store: &mut S,
    ids: &BTreeSet<MessageId>,
) -> Vec<(Delivery, u64)> {
    let mut found = Vec::new();
    if !ids.is_empty() {
        store.each_inflight(|delivery, until_ms| {
            if ids.contains(&delivery.id) {
                found.push((delivery, until_ms));
            }
            found.len() < ids.len()
        });
    }
    found
}
