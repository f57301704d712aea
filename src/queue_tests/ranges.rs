//! What an op wrote is in the ranges of docs/storage.md, whatever the op found. The ranges are written
//! down here a second time.

use crate::queue::message::{MessageId, StateRecord};
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::records::{Duplicate, Group, GroupCounts};
use crate::queue::schedule::{Rhythm, Schedule, Template, Text, Tick, Timing};
use crate::queue::settings::{Setting, Settings, parse_integer};
use crate::store::body::{decode_body, decode_body_of, decode_delivered};
use crate::store::flight::{Head, is_apart};
use crate::store::keys;
use crate::store::memory::{Database, Value};
use crate::store::record::{decode_duplicate, decode_group, decode_state};
use crate::store::schedules::decode_schedule;

const TIMESTAMPS: f64 = (1u64 << 43) as f64;
const DURATION_MS: u64 = 31_536_000_000;
const DEADLINES: f64 = TIMESTAMPS + DURATION_MS as f64;
const SEQUENCES: u64 = 1 << 56;
const TICKETS: f64 = (1u64 << 52) as f64;

/// Panics if a record that was written is out of range. What is set aside may be anything.
pub fn check_what_was_written(before: &Database, after: &Database) {
    for (key, value) in after {
        let old = before.get(key);
        if old == Some(value) {
            continue;
        }
        let (queue, _) = keys::queue_and_part(key).expect("a key of a queue");
        let part = Part::ALL.into_iter().find(|part| keys::key(&queue, *part) == *key);
        let part = part.expect("a part");
        match (value, old) {
            (Value::List(list), old) if part != Part::Damaged => {
                let old = match old {
                    Some(Value::List(old)) => Some(old),
                    _ => None,
                };
                for bytes in list.iter().filter(|bytes| !old.is_some_and(|old| old.contains(bytes)))
                {
                    assert!(decode_body(bytes).is_ok(), "{part:?} {bytes:?}");
                }
            }
            (Value::Hash(hash), old) => {
                let old = match old {
                    Some(Value::Hash(old)) => Some(old),
                    _ => None,
                };
                for (field, bytes) in hash {
                    if old.and_then(|old| old.get(field)) != Some(bytes) {
                        assert!(
                            is_field(&queue, part, field, bytes),
                            "{part:?} {field:?} {bytes:?}"
                        );
                    }
                }
            }
            (Value::Sorted(set), old) => {
                let old = match old {
                    Some(Value::Sorted(old)) => Some(old),
                    _ => None,
                };
                for (member, score) in set {
                    if old.and_then(|old| old.get(member)) != Some(score) {
                        assert!(is_member(part, member, *score), "{part:?} {member:?} {score}");
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_field(queue: &QueueName, part: Part, field: &[u8], bytes: &[u8]) -> bool {
    match part {
        Part::Messages | Part::Bodies => {
            field.try_into().is_ok_and(|id| decode_body_of(MessageId(id), bytes).is_ok())
        }
        Part::Flight => {
            let body = MessageId(field.try_into().unwrap_or_default());
            Head::decode(bytes).is_some()
                && (is_apart(bytes) || decode_delivered(body, bytes).is_ok())
        }
        Part::Notes => decode_state(bytes).is_ok_and(|record| is_note(&record)),
        Part::Groups => decode_group(bytes).is_ok_and(|group| is_group(&group)),
        Part::Retries => [(field, f64::from(u32::MAX)), (bytes, u64::MAX as f64)]
            .into_iter()
            .all(|(text, most)| parse_integer(text).is_some_and(|n| n >= 1 && n as f64 <= most)),
        Part::Dedup => {
            (1..=268).contains(&field.len())
                && decode_duplicate(bytes).is_ok_and(|duplicate| is_duplicate(&duplicate))
        }
        Part::Schedules => {
            (1..=256).contains(&field.len())
                && decode_schedule(bytes).is_ok_and(|schedule| is_schedule(&schedule))
        }
        _ => {
            let number = parse_integer(bytes);
            let is_below = |limit: f64| number.is_some_and(|n| n >= 0 && (n as f64) < limit);
            match field {
                b"paused_until" | b"rate_window_start" | b"used_at" => is_below(TIMESTAMPS),
                b"rate_window_count" => is_below(2_147_483_648.0),
                _ => Setting::from_name(field).is_some_and(|setting| {
                    let is_itself = setting == Setting::DeadLetter && queue.as_bytes() == bytes;
                    Settings::default().set(setting, bytes) && !is_itself
                }),
            }
        }
    }
}

/// True if all numbers of a state record are in range.
pub fn is_note(record: &StateRecord) -> bool {
    let at_ms =
        record.expires_at_ms().into_iter().chain(record.death.as_ref().map(|death| death.at_ms));
    let sequence = record.group.as_ref().and_then(|group| group.sequence);
    record.last_receipt < 1 << 63
        && record.priority < 10
        && at_ms.into_iter().all(is_timestamp)
        && sequence.is_none_or(|sequence| sequence < SEQUENCES)
        && record.deliveries.is_none_or(|all| all.count > 0 && is_timestamp(all.first_at_ms))
}

/// True if all numbers of the record of a group are in range.
pub fn is_group(group: &Group) -> bool {
    let GroupCounts { waiting, inflight, held, next_sequence } = group.counts;
    let numbers = [waiting, inflight, held, next_sequence].into_iter();
    numbers.chain(group.head.iter().map(|(number, _)| *number)).all(|number| number < SEQUENCES)
}

/// True if all numbers and lengths of a schedule are in range.
pub fn is_schedule(Schedule { definition, history }: &Schedule) -> bool {
    let Timing { rhythm, start_ms, end_ms, limit, jitter_ms } = &definition.timing;
    let Template { payload, life, priority, group, headers } = &definition.message;
    let is_rhythm = match rhythm {
        Rhythm::Every { ms } => (100..=DURATION_MS).contains(ms),
        Rhythm::Cron { expression, zone } => expression.len() <= 256 && zone.len() <= 64,
    };
    let is_tick = |Tick { at_ms, due_ms }| at_ms <= due_ms && is_timestamp(due_ms);
    let moments = [*start_ms, *end_ms, Some(history.phase_ms), history.last_tick_ms];
    let is_name = |name: &Text| (1..=256).contains(&name.0.len());
    let bytes = headers.iter().map(|(name, value)| name.0.len() + value.0.len()).sum::<usize>();
    is_rhythm
        && moments.into_iter().flatten().all(is_timestamp)
        && limit.is_none_or(|limit| (1..1 << 31).contains(&limit))
        && *jitter_ms <= DURATION_MS
        && history.next.is_some() != definition.is_paused
        && history.next.is_none_or(is_tick)
        && history.zones.len() <= 64
        && payload.len() <= 1_048_576
        && life.is_none_or(|life| life.ttl_ms <= DURATION_MS)
        && *priority < 10
        && group.as_ref().is_none_or(is_name)
        && headers.len() <= 61
        && bytes <= 65_024
        && headers.iter().all(|(name, _)| is_name(name))
}

/// True if the end of the window of a deduplication key is in range.
pub fn is_duplicate(duplicate: &Duplicate) -> bool {
    duplicate.until_ms.is_none_or(is_timestamp)
}

fn is_timestamp(at_ms: u64) -> bool {
    (at_ms as f64) < TIMESTAMPS
}

fn is_member(part: Part, member: &[u8], score: f64) -> bool {
    let is_below = |limit: f64| (0.0..limit).contains(&score) && score.fract() == 0.0;
    match part {
        Part::Inflight => {
            let receipt = member.first_chunk().map_or(0, |first| !u64::from_be_bytes(*first));
            let is_end = (0.0..DEADLINES).contains(&-score) && matches!(score.fract(), 0.0 | -0.5);
            member.len() == 24 && (1..1 << 63).contains(&receipt) && is_end
        }
        Part::Ranked => (0.0..10.0 * TIMESTAMPS).contains(&score) && (score * 64.0).fract() == 0.0,
        Part::Delayed => is_below(DEADLINES),
        Part::Retried => is_below(f64::from(u32::MAX) + 1.0),
        Part::Expiring | Part::Deduped | Part::Dead => is_below(TIMESTAMPS),
        Part::Grouped => {
            let sequence = member.len().checked_sub(24).and_then(|at| member[at..].first_chunk());
            let id = member.last_chunk().copied().map(MessageId);
            id.is_some()
                && sequence.is_some_and(|s| u64::from_be_bytes(*s) < SEQUENCES)
                && score == 0.0
        }
        Part::Turns => is_below(TICKETS + 1.0),
        Part::Lanes => is_below(10.0),
        Part::Ticks => {
            (1..=256).contains(&member.len()) && (is_below(TIMESTAMPS) || score == f64::INFINITY)
        }
        _ => false,
    }
}
