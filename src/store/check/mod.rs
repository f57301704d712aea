//! MQ.CHECK: checks and repairs a whole queue.
//!
//! Reads all keys of the queue and reports what is inconsistent. The expectations are written down here
//! a second time, from docs/storage.md, without using the rules, so that a bug in those shows. Uses no
//! clock and is deterministic.

mod indexes;
mod messages;
mod plan;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::deadlines::Deadlines;
use super::keyspace::{Contents, Keyspace};
use crate::queue::finding::Finding;
use crate::queue::message::MessageId;
use crate::queue::part::Part;
use crate::queue::rules::Rules;
use crate::queue::settings::Setting;
use crate::queue::valid::MAX_PRIORITY;
use plan::{Plan, delivered_body};

/// The findings in a queue whose parts have their types and how often each occurred, in the order of
/// [`Finding`].
pub fn check<K: Contents>(keyspace: &mut K) -> Vec<(Finding, u64)> {
    plan(keyspace, Rules::V2).0.findings.into_iter().collect()
}

/// Repairs what [`check`] finds, and returns the findings. After that a check finds nothing. No body is
/// lost: unreadable ones are in `Damaged`. 0.1.0 left lists out of order.
pub fn repair<K: Keyspace>(keyspace: &mut K, rules: Rules) -> Vec<(Finding, u64)> {
    let (plan, found) = plan(keyspace, rules);
    for change in &plan.changes {
        change.make(keyspace);
    }
    if !plan.changes.is_empty() {
        keyspace.deadlines(|deadlines| *deadlines = Deadlines::UNKNOWN);
    }
    if plan.ready {
        rewrite_ready(keyspace, &found);
        for list in Part::READY.iter().filter(|_| rules != Rules::V1) {
            sort_ready(keyspace, *list);
        }
    }
    if !plan.findings.is_empty() {
        indexes::repair_marks(keyspace);
    }
    plan.findings.into_iter().collect()
}

/// Plans the repair.
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
    messages::write_records(&found, &mut plan);
    indexes::of_messages(keyspace, &mut plan, &found);
    indexes::ready_marks(keyspace, &mut plan);
    indexes::schedules(keyspace, &mut plan);
    (plan, found)
}

/// Removes from the ready lists what is unreadable, duplicated, or stored elsewhere as well, by rotating
/// each list once. A duplicate with other bytes is set aside; a record of another priority moves to the
/// end of its own list.
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
                let other = other.or_else(|| delivered_body(keyspace, id));
                if other.is_none_or(|other| other.as_ref() != bytes.as_ref()) {
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

/// Sorts a ready list, whose records are all readable, by id.
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
