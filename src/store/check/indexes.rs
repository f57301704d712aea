//! The parts that are derived from messages, state records and places; and the settings.

use std::collections::{BTreeMap, BTreeSet};

use super::messages::{group_of, join};
use super::plan::{Change, Plan};
use super::read::{Found, Place, grouped_member};
use crate::queue::finding::Finding;
use crate::queue::message::MessageId;
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::records::{Duplicate, Group, GroupCounts, Head, StoredNumber};
use crate::queue::settings::{Setting, Settings};
use crate::queue::valid::{MAX_PRIORITY, TICKETS, is_dedup_key, is_name, next_sequence, whole};
use crate::store::keyspace::{Contents, Keyspace};
use crate::store::record;
use crate::store::schedules::{decode_schedule, tick_score};

/// The effective settings.
pub fn settings<K: Contents>(keyspace: &mut K, plan: &mut Plan) -> Settings {
    let queue = keyspace.queue().clone();
    let mut settings = Settings::default();
    keyspace.each_field(Part::Config, |field, text| {
        if !set(&mut settings, &queue, field, text) {
            plan.count(Finding::DamagedSetting);
            plan.change(Change::Delete(Part::Config, field.to_vec()));
        }
    });
    settings
}

/// False if a field is no setting, or its value is invalid.
fn set(settings: &mut Settings, queue: &QueueName, field: &[u8], text: &[u8]) -> bool {
    let is_name = |name: &str| name.as_bytes() == field;
    if let Some(number) = StoredNumber::ALL.into_iter().find(|number| is_name(number.name())) {
        return number.parse(text).is_some();
    }
    let setting = Setting::ALL.into_iter().find(|setting| is_name(setting.name()));
    setting.is_some_and(|setting| {
        let is_itself = setting == Setting::DeadLetter && text == queue.as_bytes();
        !is_itself && settings.set(setting, text)
    })
}

/// `Retries` and `Retried`, `Expiring`, and `Dead`.
pub fn of_messages<K: Contents>(keyspace: &mut K, plan: &mut Plan, found: &Found) {
    retry_counts(keyspace, plan, found);
    let [mut expiring, mut dead] = [BTreeMap::new(), BTreeMap::new()];
    for (id, message) in &found.messages {
        let Some(record) = &message.record else { continue };
        let member = id.0.to_vec();
        let is_inflight = matches!(message.place, Some(Place::Inflight { .. }));
        if let (Some(death), Some(Place::Ranked { .. })) = (&record.death, &message.place) {
            dead.insert(member.clone(), death.at_ms as f64);
        }
        if let (Some(at_ms), false) = (record.expires_at_ms(), is_inflight) {
            expiring.insert(member, at_ms as f64);
        }
    }
    compare(keyspace, plan, Part::Expiring, Finding::WrongExpiring, expiring);
    compare(keyspace, plan, Part::Dead, Finding::WrongDead, dead);
}

/// `Retried` has the right counts of messages that 0.1.0 returned, `Retries` counts the others.
fn retry_counts<K: Contents>(keyspace: &mut K, plan: &mut Plan, found: &Found) {
    let counts = found.messages.iter().filter_map(|(id, message)| {
        let retry_count = message.record.as_ref()?.retry_count;
        (retry_count > 0).then_some((id.0.to_vec(), retry_count))
    });
    let mut counts: BTreeMap<Vec<u8>, u32> = counts.collect();
    keyspace.each_member(Part::Retried, |member, score| match counts.get(member) {
        Some(retry_count) if f64::from(*retry_count) == score => drop(counts.remove(member)),
        _ => {
            plan.count(Finding::WrongRetried);
            plan.change(Change::Remove(Part::Retried, member.to_vec()));
        }
    });
    let mut numbers: BTreeMap<u32, u64> = BTreeMap::new();
    for retry_count in counts.into_values() {
        let number = numbers.entry(retry_count).or_default();
        *number = number.saturating_add(1);
    }
    let text = |(retry_count, number): (u32, u64)| {
        (retry_count.to_string().into_bytes(), number.to_string().into_bytes())
    };
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = numbers.into_iter().map(text).collect();
    let mut wrong = BTreeMap::new();
    keyspace.each_field(Part::Retries, |field, number| match expected.remove(field) {
        Some(right) if right == number => {}
        right => drop(wrong.insert(field.to_vec(), right)),
    });
    wrong.extend(expected.into_iter().map(|(field, number)| (field, Some(number))));
    for (field, right) in wrong {
        plan.count(Finding::WrongRetried);
        plan.change(match right {
            Some(number) => Change::Put(Part::Retries, field, number),
            None => Change::Delete(Part::Retries, field),
        });
    }
}

/// Counts and fixes the differences of a sorted set from what is expected.
fn compare<K: Contents>(
    keyspace: &mut K,
    plan: &mut Plan,
    part: Part,
    finding: Finding,
    expected: BTreeMap<Vec<u8>, f64>,
) {
    for change in differences(keyspace, part, expected) {
        plan.count(finding);
        plan.change(change);
    }
}

/// The changes that make a sorted set equal to what is expected.
fn differences<K: Contents>(
    keyspace: &mut K,
    part: Part,
    mut expected: BTreeMap<Vec<u8>, f64>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    keyspace.each_member(part, |member, score| match expected.remove(member) {
        Some(right) if right == score => {}
        Some(right) => changes.push(Change::Add(part, member.to_vec(), right)),
        None => changes.push(Change::Remove(part, member.to_vec())),
    });
    let missing = expected.into_iter();
    changes.extend(missing.map(|(member, score)| Change::Add(part, member, score)));
    changes
}

/// `Schedules` and `Ticks`.
pub fn schedules<K: Contents>(keyspace: &mut K, plan: &mut Plan) {
    let mut ticks = BTreeMap::new();
    // Set aside in an order that is the same on every server; that of a hash is not.
    let mut damaged = BTreeMap::new();
    keyspace.each_field(Part::Schedules, |name, record| match decode_schedule(record) {
        Ok(schedule) if is_name(name) => drop(ticks.insert(name.to_vec(), tick_score(&schedule))),
        _ => drop(damaged.insert(name.to_vec(), record.to_vec())),
    });
    for (name, record) in damaged {
        plan.count(Finding::DamagedSchedule);
        plan.change(Change::SetAside(name.clone()));
        plan.change(Change::SetAside(record));
        plan.change(Change::Delete(Part::Schedules, name));
    }
    compare(keyspace, plan, Part::Ticks, Finding::WrongTick, ticks);
}

/// `Groups`, `Grouped` and `Turns`. Messages that join a group get their numbers.
pub fn groups<K: Contents>(
    keyspace: &mut K,
    plan: &mut Plan,
    found: &mut Found,
    joining: Vec<MessageId>,
    group_inflight: u64,
) {
    let mut stored = std::mem::take(&mut found.groups);
    let mut groups = tallies(found);
    for (name, tally) in &mut groups {
        let record = stored.get(name).and_then(Option::as_ref);
        let next = record.map_or(0, |record| record.counts.next_sequence);
        tally.counts.next_sequence = tally.counts.next_sequence.max(next);
    }
    for id in joining {
        let Some(message) = found.messages.get_mut(&id) else { continue };
        let name = message.record.as_deref().and_then(group_of).map(|group| group.name.clone());
        let Some(tally) = name.and_then(|name| groups.get_mut(name.as_slice())) else { continue };
        let sequence = tally.counts.next_sequence;
        join(message, sequence, plan);
        if matches!(message.place, Some(Place::Grouped { .. })) {
            tally.waiting.insert((sequence, id));
        }
        tally.counts.next_sequence = next_sequence(sequence);
    }
    let mut behind = BTreeMap::new();
    let [mut eligible, mut blocked] = [BTreeSet::new(), BTreeSet::new()];
    for (name, Tally { counts, waiting }) in groups {
        let record = stored.remove(&name).flatten();
        let is_first = |head: &[(u64, MessageId)]| waiting.iter().take(head.len()).eq(head);
        let record = record.filter(|record| record.counts == counts && is_first(&record.head));
        let head = record.map(|record| record.head).unwrap_or_else(|| {
            let head = waiting.iter().take(Group::HEAD).copied().collect::<Head>();
            let record = Group { counts, head, is_damaged: false };
            plan.count(Finding::WrongGroup);
            let bytes = record::encode_group(&record).to_vec();
            plan.change(Change::Put(Part::Groups, name.clone(), bytes));
            record.head
        });
        behind
            .extend(waiting.iter().skip(head.len()).map(|one| (grouped_member(&name, *one), 0.0)));
        if counts.waiting > 0 && counts.inflight.saturating_add(counts.held) < group_inflight {
            eligible.insert(name);
        } else if counts.waiting > 0 {
            blocked.insert(name);
        }
    }
    for (name, _) in stored {
        plan.count(Finding::WrongGroup);
        plan.change(Change::Delete(Part::Groups, name));
    }
    // Wrong members were counted with the messages.
    for change in differences(keyspace, Part::Grouped, behind) {
        plan.change(change);
    }
    schedule(keyspace, plan, eligible, blocked);
}

/// The messages of a group.
#[derive(Default)]
struct Tally {
    /// The counts, and the number after the highest in use.
    counts: GroupCounts,
    /// Ready ones.
    waiting: BTreeSet<(u64, MessageId)>,
}

/// The messages of each group.
fn tallies(found: &Found) -> BTreeMap<Vec<u8>, Tally> {
    let mut groups: BTreeMap<Vec<u8>, Tally> = BTreeMap::new();
    for (id, message) in &found.messages {
        let Some(group) = message.record.as_deref().and_then(group_of) else { continue };
        let is_delayed = matches!(message.place, Some(Place::Delayed { .. }));
        if is_delayed && group.sequence.is_none() {
            continue;
        }
        let Tally { counts, waiting } = groups.entry(group.name.to_vec()).or_default();
        let count = match message.place {
            Some(Place::Inflight { .. }) => &mut counts.inflight,
            _ if is_delayed => &mut counts.held,
            _ => {
                waiting.extend(group.sequence.map(|sequence| (sequence, *id)));
                &mut counts.waiting
            }
        };
        *count = count.saturating_add(1);
        let next = group.sequence.map_or(0, next_sequence);
        counts.next_sequence = counts.next_sequence.max(next);
    }
    groups
}

/// The schedule has exactly the groups that can be served, besides the messages without a group. Missing
/// groups are appended in the order of their names. Blocked groups come last.
fn schedule<K: Contents>(
    keyspace: &mut K,
    plan: &mut Plan,
    mut lacking: BTreeSet<Vec<u8>>,
    mut blocked: BTreeSet<Vec<u8>>,
) {
    let mut last = 0;
    keyspace.each_member(Part::Turns, |name, score| match whole(score, TICKETS) {
        None if score == TICKETS as f64 && blocked.remove(name) => {}
        // It is rescored below.
        _ if blocked.contains(name) => {}
        Some(ticket) if lacking.remove(name) || name.is_empty() => last = last.max(ticket),
        // It gets a new ticket below.
        None if lacking.contains(name) => {}
        _ => {
            plan.count(Finding::WrongTurn);
            plan.change(Change::Remove(Part::Turns, name.to_vec()));
        }
    });
    for name in blocked {
        plan.count(Finding::WrongTurn);
        plan.change(Change::Add(Part::Turns, name, TICKETS as f64));
    }
    for name in lacking {
        last = last.saturating_add(1);
        plan.count(Finding::WrongTurn);
        plan.change(Change::Add(Part::Turns, name, last as f64));
    }
}

/// `Dedup` and `Deduped`.
pub fn dedup<K: Contents>(keyspace: &mut K, plan: &mut Plan, found: &mut Found) {
    let mut windows = BTreeMap::new();
    let mut held = BTreeMap::new();
    keyspace.each_field(Part::Dedup, |key, bytes| {
        let duplicate = record::decode_duplicate(bytes).ok();
        match duplicate.filter(|_| is_dedup_key(key)) {
            Some(Duplicate { until_ms: Some(until_ms), .. }) => {
                windows.insert(key.to_vec(), until_ms as f64);
            }
            Some(Duplicate { id, until_ms: None }) if names(found, id, key) => {
                held.insert(key.to_vec(), id);
            }
            _ => {
                plan.count(Finding::WrongDedup);
                plan.change(Change::Delete(Part::Dedup, key.to_vec()));
            }
        }
    });
    for (id, message) in &mut found.messages {
        let Some(record) = &mut message.record else { continue };
        let Some(key) = &record.dedup else { continue };
        if held.get(key.as_slice()) == Some(id) {
            continue;
        }
        plan.count(Finding::WrongDedup);
        if held.contains_key(key.as_slice()) || windows.contains_key(key.as_slice()) {
            record.dedup = None;
            message.new_record = true;
        } else {
            hold(plan, *id, key);
            held.insert(key.to_vec(), *id);
        }
    }
    for (id, key) in &found.keys_of_ready {
        if !held.contains_key(key.as_slice()) && !windows.contains_key(key.as_slice()) {
            plan.count(Finding::WrongDedup);
            hold(plan, *id, key);
        }
    }
    compare(keyspace, plan, Part::Deduped, Finding::WrongDedup, windows);
}

/// Holds a deduplication key until this message is removed.
fn hold(plan: &mut Plan, id: MessageId, key: &[u8]) {
    let bytes = record::encode_duplicate(&Duplicate { id, until_ms: None }).to_vec();
    plan.change(Change::Put(Part::Dedup, key.to_vec(), bytes));
}

/// `Lanes`.
pub fn ready_marks<K: Contents>(keyspace: &mut K, plan: &mut Plan) {
    let expected = marks(keyspace);
    compare(keyspace, plan, Part::Lanes, Finding::WrongLane, expected);
}

/// Updates `Lanes` after a repair.
pub fn repair_marks<K: Keyspace>(keyspace: &mut K) {
    let mut plan = Plan::default();
    ready_marks(keyspace, &mut plan);
    for change in &plan.changes {
        change.make(keyspace);
    }
}

/// The expected members of `Lanes`: one per non-empty ready list with its priority, and a marker each
/// for `Ranked` and `Turns`.
fn marks<K: Contents>(keyspace: &mut K) -> BTreeMap<Vec<u8>, f64> {
    let lists =
        (1..=MAX_PRIORITY).map(|priority| (Part::ready(priority), priority, priority.into()));
    let others = [(Part::Ranked, 0, 0.0), (Part::Turns, 0xff, 0.0)];
    let there = lists.chain(others).filter(|(part, ..)| keyspace.len(*part) > 0);
    there.map(|(_, mark, score)| (vec![mark], score)).collect()
}

/// True if this message holds this key.
fn names(found: &Found, id: MessageId, key: &[u8]) -> bool {
    if found.keys_of_ready.get(&id).is_some_and(|named| named.as_slice() == key) {
        return true;
    }
    let record = found.messages.get(&id).and_then(|message| message.record.as_ref());
    record.is_some_and(|record| record.dedup.as_deref() == Some(key))
}
