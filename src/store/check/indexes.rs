//! The parts that follow from messages, notes and places, and the settings.

use std::collections::{BTreeMap, BTreeSet};

use super::messages::{group_of, join};
use super::read::{DEADLINES, Found, Place, is_name, whole};
use super::{Change, Plan};
use crate::queue::finding::Finding;
use crate::queue::message::{MAX_PRIORITY, MAX_TIME_MS, MessageId};
use crate::queue::name::QueueName;
use crate::queue::settings::{MAX_COUNT, Setting, Settings, parse_integer};
use crate::queue::store::{Duplicate, GroupCounts, Part};
use crate::store::body::MAX_SEQUENCE;
use crate::store::keyspace::Keyspace;
use crate::store::record;

/// Tickets stay below this, far from where numbers are not exact any more.
const TICKETS: u64 = 1 << 52;

/// The settings that hold.
pub fn settings<K: Keyspace>(keyspace: &mut K, plan: &mut Plan) -> Settings {
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

/// False if a field is no setting, or its text no value of it.
fn set(settings: &mut Settings, queue: &QueueName, field: &[u8], text: &[u8]) -> bool {
    let number = |limit: u64| {
        let number = parse_integer(text).and_then(|number| u64::try_from(number).ok());
        number.is_some_and(|number| number < limit)
    };
    match field {
        b"paused_until" | b"rate_window_start" => number(MAX_TIME_MS),
        b"rate_window_count" => number(MAX_COUNT.unsigned_abs().saturating_add(1)),
        b"deadletter" if text == queue.as_bytes() => false,
        _ => Setting::ALL
            .into_iter()
            .find(|setting| setting.name().as_bytes() == field)
            .is_some_and(|setting| settings.set(setting, text)),
    }
}

/// `Retried`, `Expiring` and `Dead`.
pub fn of_messages<K: Keyspace>(keyspace: &mut K, plan: &mut Plan, found: &Found) {
    let [mut retried, mut expiring, mut dead] = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    for (id, message) in &found.messages {
        let Some(note) = &message.note else { continue };
        let member = id.0.to_vec();
        if note.retry_count > 0 {
            retried.insert(member.clone(), f64::from(note.retry_count));
        }
        let is_inflight = matches!(message.place, Some(Place::Inflight { .. }));
        match (&note.death, note.expires_at_ms) {
            (Some(death), _) if matches!(message.place, Some(Place::Ranked { .. })) => {
                dead.insert(member, death.at_ms as f64);
            }
            (None, Some(at_ms)) if !is_inflight => {
                expiring.insert(member, at_ms as f64);
            }
            _ => {}
        }
    }
    compare(keyspace, plan, Part::Retried, Finding::WrongRetried, retried);
    compare(keyspace, plan, Part::Expiring, Finding::WrongExpiring, expiring);
    compare(keyspace, plan, Part::Dead, Finding::WrongDead, dead);
}

/// Counts where a sorted set differs from what is expected of it, and makes it so.
fn compare<K: Keyspace>(
    keyspace: &mut K,
    plan: &mut Plan,
    part: Part,
    finding: Finding,
    mut expected: BTreeMap<Vec<u8>, f64>,
) {
    keyspace.each_member(part, |member, score| {
        let change = match expected.remove(member) {
            Some(right) if right == score => return,
            Some(right) => Change::Add(part, member.to_vec(), right),
            None => Change::Remove(part, member.to_vec()),
        };
        plan.count(finding);
        plan.change(change);
    });
    for (member, score) in expected {
        plan.count(finding);
        plan.change(Change::Add(part, member, score));
    }
}

/// `Groups` and `Turns`. Those that join a group get their numbers there.
pub fn groups<K: Keyspace>(
    keyspace: &mut K,
    plan: &mut Plan,
    found: &mut Found,
    joining: Vec<MessageId>,
    group_inflight: u64,
) {
    let mut stored = BTreeMap::new();
    keyspace.each_field(Part::Groups, |name, bytes| {
        let counts = record::decode_group(bytes).ok();
        stored.insert(name.to_vec(), counts.filter(|counts| counts.next_sequence < MAX_SEQUENCE));
    });
    let mut groups = tallies(found);
    for (name, counts) in &mut groups {
        let next = stored.get(name).copied().flatten().map_or(0, |counts| counts.next_sequence);
        counts.next_sequence = counts.next_sequence.max(next);
    }
    for id in joining {
        let Some(message) = found.messages.get_mut(&id) else { continue };
        let name = message.note.as_deref().and_then(group_of).map(|group| group.name.clone());
        let Some(counts) = name.and_then(|name| groups.get_mut(&name)) else { continue };
        join(id, message, counts.next_sequence, plan);
        counts.next_sequence = counts.next_sequence.saturating_add(1);
    }
    for (name, counts) in &groups {
        if stored.remove(name) != Some(Some(*counts)) {
            plan.count(Finding::WrongGroup);
            let bytes = record::encode_group(counts).to_vec();
            plan.change(Change::Put(Part::Groups, name.clone(), bytes));
        }
    }
    for (name, _) in stored {
        plan.count(Finding::WrongGroup);
        plan.change(Change::Delete(Part::Groups, name));
    }
    let eligible = groups.into_iter().filter(|(_, counts)| {
        counts.waiting > 0 && counts.inflight.saturating_add(counts.held) < group_inflight
    });
    turns(keyspace, plan, eligible.map(|(name, _)| name).collect());
}

/// How many messages of each group are where, and the number after the highest in use.
fn tallies(found: &Found) -> BTreeMap<Vec<u8>, GroupCounts> {
    let mut groups: BTreeMap<Vec<u8>, GroupCounts> = BTreeMap::new();
    for message in found.messages.values() {
        let Some(group) = message.note.as_deref().and_then(group_of) else { continue };
        let is_delayed = matches!(message.place, Some(Place::Delayed { .. }));
        if is_delayed && group.sequence.is_none() {
            continue;
        }
        let counts = groups.entry(group.name.clone()).or_default();
        let count = match message.place {
            Some(Place::Inflight { .. }) => &mut counts.inflight,
            _ if is_delayed => &mut counts.held,
            _ => &mut counts.waiting,
        };
        *count = count.saturating_add(1);
        let next = group.sequence.map_or(0, |sequence| sequence.saturating_add(1));
        counts.next_sequence = counts.next_sequence.max(next);
    }
    groups
}

/// The line of turns has these groups and no other, except for the ungrouped messages. Groups that
/// lack come to its end, in the order of `Grouped`.
fn turns<K: Keyspace>(keyspace: &mut K, plan: &mut Plan, mut lacking: BTreeSet<Vec<u8>>) {
    let mut last = 0;
    keyspace.each_member(Part::Turns, |name, score| match whole(score, TICKETS) {
        Some(ticket) if lacking.remove(name) || name.is_empty() => last = last.max(ticket),
        // It gets another ticket.
        None if lacking.contains(name) => {}
        _ => {
            plan.count(Finding::WrongTurn);
            plan.change(Change::Remove(Part::Turns, name.to_vec()));
        }
    });
    let mut lacking: Vec<Vec<u8>> = lacking.into_iter().collect();
    lacking.sort_by_key(Vec::len);
    for name in lacking {
        last = last.saturating_add(1);
        plan.count(Finding::WrongTurn);
        plan.change(Change::Add(Part::Turns, name, last as f64));
    }
}

/// `Dedup` and `Deduped`.
pub fn dedup<K: Keyspace>(keyspace: &mut K, plan: &mut Plan, found: &mut Found) {
    let mut windows = BTreeMap::new();
    let mut held = BTreeMap::new();
    keyspace.each_field(Part::Dedup, |key, bytes| {
        let duplicate = record::decode_duplicate(bytes).ok();
        match duplicate.filter(|duplicate| is_name(key) && duplicate.id.is_valid()) {
            Some(Duplicate { until_ms: Some(until_ms), .. }) if until_ms < DEADLINES => {
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
        let Some(note) = &mut message.note else { continue };
        let Some(key) = &note.dedup else { continue };
        if held.get(key) == Some(id) {
            continue;
        }
        plan.count(Finding::WrongDedup);
        if held.contains_key(key) || windows.contains_key(key) {
            note.dedup = None;
            message.new_note = true;
        } else {
            hold(plan, *id, key);
            held.insert(key.clone(), *id);
        }
    }
    for (id, key) in &found.keys_of_ready {
        if !held.contains_key(key) && !windows.contains_key(key) {
            plan.count(Finding::WrongDedup);
            hold(plan, *id, key);
        }
    }
    compare(keyspace, plan, Part::Deduped, Finding::WrongDedup, windows);
}

/// A deduplication key is held until this message is gone.
fn hold(plan: &mut Plan, id: MessageId, key: &[u8]) {
    let bytes = record::encode_duplicate(&Duplicate { id, until_ms: None }).to_vec();
    plan.change(Change::Put(Part::Dedup, key.to_vec(), bytes));
}

/// `Lanes`.
pub fn lanes<K: Keyspace>(keyspace: &mut K, plan: &mut Plan) {
    let expected = marks(keyspace);
    compare(keyspace, plan, Part::Lanes, Finding::WrongLane, expected);
}

/// Makes `Lanes` fit what a repair left.
pub fn repair_lanes<K: Keyspace>(keyspace: &mut K) {
    let mut plan = Plan::default();
    lanes(keyspace, &mut plan);
    for change in &plan.changes {
        change.make(keyspace);
    }
}

/// The members of `Lanes` and their scores: each list that is not empty by its priority, and a byte
/// each for `Ranked` and `Turns`.
fn marks<K: Keyspace>(keyspace: &mut K) -> BTreeMap<Vec<u8>, f64> {
    let lists =
        (1..=MAX_PRIORITY).map(|priority| (Part::ready(priority), priority, priority.into()));
    let others = [(Part::Ranked, 0, 0.0), (Part::Turns, 0xff, 0.0)];
    let there = lists.chain(others).filter(|(part, ..)| keyspace.len(*part) > 0);
    there.map(|(_, mark, score)| (vec![mark], score)).collect()
}

/// True if a message is there that names this key.
fn names(found: &Found, id: MessageId, key: &[u8]) -> bool {
    if found.keys_of_ready.get(&id).is_some_and(|named| named == key) {
        return true;
    }
    let note = found.messages.get(&id).and_then(|message| message.note.as_ref());
    note.is_some_and(|note| note.dedup.as_deref() == Some(key))
}
