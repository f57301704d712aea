//! Ops as MQ.APPLY takes them, on queues whose keys any client may have damaged.

use super::world::{START_MS, World};
use crate::queue::message::Expiry;
use crate::queue::name::QueueName;
use crate::queue::op::Op;
use crate::queue::part::Part;
use crate::queue::rules::Rules;
use crate::queue::schedule::{Rhythm, Schedule};
use crate::store::keyspace::{Contents, Keyspace};
use crate::store::op::decode_op;
use crate::store::record::{
    decode_duplicate, decode_group, decode_state, encode_duplicate, encode_group, encode_state,
};
use crate::store::schedules::{decode_schedule, encode_schedule};

const NAMES: [&str; 3] = ["orders", "{orders}:dead", "other"];

/// Later than every timestamp that ops can set by the clock of the tests, unix ms.
const LATE_MS: u64 = START_MS + 1_000_000_000;

/// The bytes are steps: an op for a queue, or damage to its keys. Whatever state results, sweeps
/// terminate, ticks go on, reads change nothing, a repair leaves nothing to repair, and then everything deliverable
/// is delivered.
pub fn apply(bytes: &[u8]) {
    let world = World::default();
    let queues = NAMES.map(|name| QueueName::new(name.as_bytes()).expect("a name"));
    let mut input = Input(bytes);
    while let Some(kind) = input.byte() {
        let queue = &queues[usize::from(kind) % queues.len()];
        if kind < 192 {
            if let Ok((op, rules)) = decode_op(input.bytes()) {
                let _ = world.apply(queue, &op, rules);
            }
        } else {
            harm(&world, queue, &mut input);
        }
    }
    for queue in &queues {
        world.inspect(queue, START_MS);
        world.sweep(queue, LATE_MS);
    }
    for queue in &queues {
        let _ = world.apply(queue, &Op::Repair, Rules::V2);
        world.drain(queue, LATE_MS);
    }
}

/// Damages a record, as any client can.
fn harm(world: &World, queue: &QueueName, input: &mut Input<'_>) {
    let [part, how, which] = [(); 3].map(|()| input.byte().unwrap_or_default());
    let part = Part::ALL[usize::from(part) % Part::ALL.len()];
    let bytes = input.bytes();
    let mut keys = world.keys(queue);
    if how == 255 {
        return world.spoil(queue, part);
    }
    match part {
        list if Part::READY.contains(&list) || list == Part::Damaged => match how % 3 {
            0 => keys.push_back(list, bytes),
            1 => keys.push_front(list, &bytes.to_vec()),
            _ => drop(keys.pop_front(list)),
        },
        hash @ (Part::Messages
        | Part::Notes
        | Part::Groups
        | Part::Dedup
        | Part::Config
        | Part::Schedules) => {
            let mut fields = Vec::new();
            keys.each_field(hash, |field, value| fields.push((field.to_vec(), value.to_vec())));
            let known = fields.get(usize::from(which) % fields.len().max(1)).cloned();
            match (how % 4, known) {
                (0, Some((field, _))) => keys.delete(hash, &field),
                (1, Some((field, value))) if how >= 128 => {
                    let number = EXTREMES[usize::from(how >> 2) % EXTREMES.len()];
                    if let Some(value) = with_number(hash, &value, number, bytes) {
                        keys.put(hash, &field, &value);
                    }
                }
                (1, Some((field, _))) => keys.put(hash, &field, bytes),
                (2, Some((_, value))) => keys.put(hash, bytes, &value),
                _ => keys.put(hash, bytes, input.bytes()),
            }
        }
        set => {
            let mut members = Vec::new();
            keys.each_member(set, |member, score| members.push((member.to_vec(), score)));
            let known = members.get(usize::from(which) % members.len().max(1)).cloned();
            let score = match input.byte().unwrap_or_default() {
                0 => 0.0,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => -(START_MS as f64),
                4 => START_MS as f64,
                number @ 192.. => {
                    let extreme = EXTREMES[usize::from(number >> 1) % EXTREMES.len()] as f64;
                    if number % 2 == 0 { extreme } else { -extreme }
                }
                number => f64::from(number) - 8.5,
            };
            match (how % 4, known) {
                (0, Some((member, _))) => drop(keys.remove(set, &member)),
                (1, Some((member, _))) => keys.add(set, &member, score),
                (2, Some((_, score))) => keys.add(set, bytes, score),
                _ => keys.add(set, bytes, score),
            }
        }
    }
}

/// Numbers at and beyond the limits of the valid ranges.
const EXTREMES: [u64; 16] = [
    u64::MAX,
    1 << 63,
    (1 << 63) - 1,
    (1 << 63) - 2,
    1 << 57,
    1 << 56,
    (1 << 56) - 1,
    (1 << 56) - 2,
    1 << 53,
    1 << 52,
    (1 << 52) - 1,
    (1 << 52) - 2,
    (1 << 43) + 31_536_000_000,
    1 << 43,
    (1 << 43) - 1,
    u32::MAX as u64,
];

/// The record with this number in the field that the first byte selects; None if it has none.
fn with_number(hash: Part, value: &[u8], number: u64, bytes: &[u8]) -> Option<Vec<u8>> {
    let which = bytes.first().copied().unwrap_or_default();
    Some(match hash {
        Part::Notes => {
            let mut record = decode_state(value).ok()?;
            match which % 4 {
                0 => record.last_receipt = number,
                1 => {
                    let kinds = [Expiry::discards, Expiry::kills];
                    record.expiry = Some(kinds[usize::from(which >> 2) % 2](number));
                }
                2 => record.retry_count = number as u32,
                _ => record.group.as_mut()?.sequence = Some(number),
            }
            encode_state(&record).to_vec()
        }
        Part::Groups => {
            let mut group = decode_group(value).ok()?;
            let counts = &mut group.counts;
            match which % 5 {
                0 => counts.waiting = number,
                1 => counts.inflight = number,
                2 => counts.held = number,
                3 => counts.next_sequence = number,
                _ => group.head.last_mut()?.0 = number,
            }
            encode_group(&group).to_vec()
        }
        Part::Dedup => {
            let mut duplicate = decode_duplicate(value).ok()?;
            duplicate.until_ms = Some(number);
            encode_duplicate(&duplicate).to_vec()
        }
        Part::Config => number.to_string().into_bytes(),
        Part::Schedules => {
            let Schedule { mut definition, mut history } = decode_schedule(value).ok()?;
            match which % 8 {
                0 => history.phase_ms = number,
                1 => history.next.as_mut()?.at_ms = number,
                2 => history.next.as_mut()?.due_ms = number,
                3 => history.last_tick_ms = Some(number),
                4 => [history.behind, history.runs, history.missed, history.skipped] = [number; 4],
                5 => definition.timing.rhythm = Rhythm::Every { ms: number },
                6 => definition.timing.jitter_ms = number,
                _ => definition.timing.limit = Some(number as u32),
            }
            encode_schedule(&Schedule { definition, history }).to_vec()
        }
        _ => return None,
    })
}

/// The rest of the fuzzer's input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.0.split_off_first().copied()
    }

    /// As many bytes as the next one says, or all that are left.
    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte().unwrap_or_default());
        self.0.split_off(..len.min(self.0.len())).unwrap_or_default()
    }
}
