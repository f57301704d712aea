//! A check of a whole queue, and its repair.
//!
//! Reads all keys of the queue and says what does not fit together. What it expects is written down
//! here a second time, from docs/storage.md: nothing of the rules is used, so that a fault of theirs
//! shows. It looks at no clock, and at the same keys always does the same.

mod indexes;
mod messages;
mod plan;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::body::as_pushed;
use super::keyspace::{Contents, Keyspace};
use crate::queue::finding::Finding;
use crate::queue::message::MessageId;
use crate::queue::part::Part;
use crate::queue::rules::Rules;
use crate::queue::settings::Setting;
use crate::queue::valid::MAX_PRIORITY;
use plan::Plan;

/// What was found in a queue whose parts have their types, how often each, in the order of
/// [`Finding`].
pub fn check<K: Contents>(keyspace: &mut K) -> Vec<(Finding, u64)> {
    plan(keyspace, Rules::V2).0.findings.into_iter().collect()
}

/// Puts right what [`check`] finds, and returns that. A check finds nothing then, and no body is
/// lost: those that can't be read are in `Damaged`. 0.1.0 left lists out of order.
pub fn repair<K: Keyspace>(keyspace: &mut K, rules: Rules) -> Vec<(Finding, u64)> {
    let (plan, found) = plan(keyspace, rules);
    for change in &plan.changes {
        change.make(keyspace);
    }
    if plan.ready {
        rewrite_ready(keyspace, &found);
        for list in Part::READY.iter().filter(|_| rules != Rules::V1) {
            sort_ready(keyspace, *list);
        }
    }
    if !plan.findings.is_empty() {
        indexes::repair_lanes(keyspace);
    }
    plan.findings.into_iter().collect()
}

/// What is to be done about what is there.
fn plan<K: Contents>(keyspace: &mut K, rules: Rules) -> (Plan, read::Found) {
    let mut plan = Plan::default();
    if rules != Rules::V1 {
        read::order(keyspace, &mut plan);
    }
    let mut found = read::Found::read(keyspace, &mut plan);
    let settings = indexes::settings(keyspace, &mut plan);
    let joining = messages::settle(&mut found, &mut plan);
    indexes::groups(keyspace, &mut plan, &mut found, joining, settings.get(Setting::GroupInflight));
    indexes::dedup(keyspace, &mut plan, &mut found);
    messages::write_notes(&found, &mut plan);
    indexes::of_messages(keyspace, &mut plan, &found);
    indexes::lanes(keyspace, &mut plan);
    (plan, found)
}

/// Takes out of the lists of ready messages what can't be read and what is there or in `Messages`
/// already, by turning each list round once. A body with other bytes than the one that stays is set
/// aside; one of another priority goes to the end of its own list.
fn rewrite_ready<K: Keyspace>(keyspace: &mut K, found: &read::Found) {
    let mut kept: BTreeMap<MessageId, Option<Vec<u8>>> =
        found.repeated().map(|id| (id, None)).collect();
    let mut moved = Vec::new();
    for priority in 0..=MAX_PRIORITY {
        let list = Part::ready(priority);
        for _ in 0..keyspace.len(list) {
            let Some(bytes) = keyspace.pop_front(list) else { break };
            let Some((id, said)) = read::ready(bytes.as_ref()) else {
                keyspace.push_back(Part::Damaged, bytes.as_ref());
                continue;
            };
            if found.messages.contains_key(&id) {
                let other = keyspace.get(Part::Messages, &id.0);
                if other.is_none_or(|other| as_pushed(id, other.as_ref()) != bytes.as_ref()) {
                    keyspace.push_back(Part::Damaged, bytes.as_ref());
                }
                continue;
            }
            if let Some(Some(first)) = kept.get(&id) {
                if first != bytes.as_ref() {
                    keyspace.push_back(Part::Damaged, bytes.as_ref());
                }
                continue;
            }
            let home = Part::ready(said.map_or(0, |said| said.priority));
            if let Some(first) = kept.get_mut(&id) {
                *first = Some(bytes.as_ref().to_vec());
            }
            if home == list {
                keyspace.push_back(list, bytes.as_ref());
            } else {
                moved.push((home, bytes.as_ref().to_vec()));
            }
        }
    }
    for (home, bytes) in moved {
        keyspace.push_back(home, &bytes);
    }
}

/// Puts the records of a list of ready messages, all of which can be read, in the order of their ids.
fn sort_ready<K: Keyspace>(keyspace: &mut K, list: Part) {
    let mut ids = Vec::new();
    keyspace.each_element(list, |bytes| ids.extend(read::ready(bytes).map(|(id, _)| id)));
    if ids.is_sorted() {
        return;
    }
    let mut records = Vec::new();
    while let Some(bytes) = keyspace.pop_front(list) {
        records.push(bytes);
    }
    records.sort_by_cached_key(|bytes| read::ready(bytes.as_ref()).map(|(id, _)| id));
    for bytes in records {
        keyspace.push_back(list, bytes.as_ref());
    }
}
