//! Damage of any kind at any place.

use std::collections::BTreeMap;

use super::*;

/// Any damage: entries removed, moved, made up, cut, in any number.
#[test]
fn whatever_is_damaged_is_repaired_at_once_and_nothing_is_lost() {
    let sound = sound();
    let mut seen = BTreeMap::new();
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut queue = sound.copy();
        for _ in 0..random.usize(1..8) {
            damage_somewhere(&mut queue.keys(), &mut random);
        }
        let [before, _] = queue.bodies();
        let found = queue.check();
        let other = queue.copy();
        assert_eq!(queue.repair(), found, "seed {seed}");
        assert_eq!(queue.check(), [], "seed {seed}, after {found:?}");
        assert_eq!(queue.repair(), [], "seed {seed}");
        other.repair();
        assert_eq!(other.database, queue.database, "seed {seed}");
        let [after, aside] = queue.bodies();
        let is_kept = |body: &Vec<u8>| after.contains(body) || aside.contains(body);
        assert!(before.iter().all(is_kept), "seed {seed}: a body is lost after {found:?}");
        drain(&mut queue, seed);
        for (finding, count) in found {
            *seen.entry(finding).or_insert(0) += count;
        }
    }
    assert_eq!(seen.len(), 20, "some findings never came up: {seen:?}");
}

fn damage_somewhere(keys: &mut MemoryKeyspace, random: &mut fastrand::Rng) {
    let numbers =
        [1, 2, 3, 5, 6, 10, 11, 20, 21, 22, 23, 25, 26, 27, 30, 31, 40, 41, 50, 60, 61, 70, 81, 87];
    let mut number = || numbers[random.usize(0..numbers.len())];
    let [one, other] = [number(), number()];
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| *part != Part::Damaged).collect();
    let part = parts[random.usize(0..parts.len())];
    let name = *random.choice([b"g".as_slice(), b"h", b"k", b"z", b"", &[7; 269]].iter()).unwrap();
    let schedule = *random.choice([HOURLY, PAUSED, b"z", b"", &[7; 257]].iter()).unwrap();
    match part {
        list if Part::READY.contains(&list) => match random.u8(0..4) {
            0 => keys.push_back(part, b"garbage"),
            1 => keys.push_back(part, &body(one)),
            2 => keys.push_front(part, &[body(one), b"more".to_vec()].concat()),
            _ => {
                keys.pop_front(part);
            }
        },
        Part::Messages | Part::Notes => match random.u8(0..4) {
            0 => keys.delete(part, &id(one).0),
            1 if part == Part::Messages => keys.put(part, &id(one).0, &body(one)),
            2 => keys.put(part, &id(one).0, b"\x01garbage"),
            _ => {
                if let Some(value) = keys.get(part, &id(one).0) {
                    keys.put(part, &id(other).0, &value);
                }
            }
        },
        Part::Bodies => match random.u8(0..3) {
            0 => keys.delete(part, &id(one).0),
            1 => keys.put(part, &id(one).0, &body(one)),
            _ => keys.put(part, &id(one).0, b"garbage"),
        },
        Part::Flight => match random.u8(0..5) {
            0 => keys.delete(part, &id(one).0),
            1 => keys.put(part, &id(one).0, b"garbage"),
            2 => keys.put(part, name, &body(one)),
            3 => {
                if let Some(mut record) = keys.get(part, &id(one).0) {
                    let index = random.usize(0..record.len());
                    record[index] ^= 1 << random.u8(0..8);
                    keys.put(part, &id(one).0, &record);
                }
            }
            _ => {
                let mut record = body(one);
                let running = Running {
                    until_ms: random.u64(0..2 * NOW_MS),
                    has_cleanup: random.bool(),
                    kept: Kept::Whole,
                };
                let receipt = Receipt(random.u64(0..1 << 63));
                let head = Head { receipt, running, format: Format::Payload };
                record[..15].copy_from_slice(&head.encode());
                keys.put(part, &id(one).0, &record);
            }
        },
        Part::Groups => match random.u8(0..5) {
            0 => keys.delete(part, name),
            1 => keys.put(part, name, b"garbage"),
            2 => change_group(keys, name, |group| group.head.push((random.u64(0..9), id(one)))),
            3 => change_group(keys, b"g", |group| {
                let kept = random.u8(..);
                let mut index = 0;
                group.head.retain(|_| {
                    index += 1;
                    kept & 1 << (index % 8) != 0
                });
            }),
            _ => put_group(keys, name, [random.u64(0..3), random.u64(0..3), random.u64(0..2), 1]),
        },
        Part::Dedup => match random.u8(0..4) {
            0 => keys.unlink(part),
            1 => keys.put(part, name, b"garbage"),
            2 => put_duplicate(keys, b"until done", one, None),
            _ => put_duplicate(keys, name, one, Some(5)),
        },
        Part::Schedules => match random.u8(0..4) {
            0 => keys.delete(part, schedule),
            1 => keys.put(part, schedule, b"\x01garbage"),
            2 => {
                let record = keys.get(part, HOURLY).unwrap_or_default();
                keys.put(part, schedule, &record);
            }
            _ => keys.unlink(part),
        },
        Part::Config => {
            let field = *random.choice(Setting::ALL.iter()).unwrap();
            let text = *random.choice(["2", "x", "-1", "orders", ""].iter()).unwrap();
            keys.put(part, field.name().as_bytes(), text.as_bytes());
        }
        _ => {
            let member = match part {
                Part::Grouped => grouped(b"g", random.u64(0..5), one),
                Part::Inflight => [&[random.u8(..); 8], id(one).0.as_slice()].concat(),
                Part::Turns | Part::Deduped => name.to_vec(),
                Part::Lanes => vec![random.u8(0..11)],
                Part::Ticks => schedule.to_vec(),
                _ => id(one).0.to_vec(),
            };
            let score = match random.u8(0..6) {
                0 => 0.0,
                1 => -((NOW_MS + HOUR_MS) as f64),
                2 => NOW_MS as f64,
                3 => ((random.u64(0..11) << 43) + NOW_MS) as f64,
                4 => f64::INFINITY,
                _ => 0.5,
            };
            match random.u8(0..3) {
                0 => keys.add(part, &member, score),
                1 => {
                    keys.remove(part, &member);
                }
                _ => {
                    let all = [f64::NEG_INFINITY, f64::INFINITY];
                    let members = keys.range(part, all, 0, 100);
                    if let Some((member, _)) = random.choice(members.iter()) {
                        keys.remove(part, member);
                    }
                }
            }
        }
    }
}

/// Delivers all that a repaired queue has, but what expires: everything comes, once.
fn drain(queue: &mut Queue, seed: u64) {
    let mut keys = queue.keys();
    keys.unlink(Part::Config);
    // No delivery ends years later.
    let mut records = Vec::new();
    keys.each_field(Part::Flight, |id, record| records.push((id.to_vec(), record.to_vec())));
    for (id, mut record) in records {
        record[8..14].copy_from_slice(&NOW_MS.to_be_bytes()[2..]);
        keys.put(Part::Flight, &id, &record);
    }
    // Without the setting another number of groups can be served.
    queue.repair();
    let mut expected = 0;
    for part in Part::READY.iter().chain([&Part::Messages, &Part::Flight]) {
        expected += keys.len(*part);
    }
    let mut ids = Vec::new();
    for part in [Part::Messages, Part::Flight] {
        keys.each_field(part, |id, _| ids.push(MessageId(id.try_into().unwrap())));
    }
    let expires =
        |id| Records::new(queue.keys()).record(id).unwrap().unwrap_or_default().expires_at_ms();
    let expiring = ids.into_iter().filter(|id| expires(*id).is_some()).count() as u64;
    let mut got = 0;
    for round in 1..1_000 {
        let now_ms = NOW_MS + round * 3 * HOUR_MS;
        let messages = queue.pull("orders", 100, now_ms);
        if messages.is_empty() {
            break;
        }
        got += messages.len() as u64;
        let claim = |message: &Delivered<_>| Delivery {
            id: Body::id(&message.body),
            receipt: message.receipt.unwrap().0,
        };
        let deliveries = messages.iter().map(claim).collect();
        queue.apply(
            "orders",
            &Op::Acknowledge(op::Acknowledge { now_ms: Some(now_ms), deliveries }),
        );
        assert_eq!(queue.check(), [], "seed {seed}");
    }
    assert!(got + expiring >= expected && got <= expected, "seed {seed}: {got} of {expected}");
    for part in Part::ALL {
        let may_stay = matches!(
            part,
            Part::Damaged
                | Part::Dedup
                | Part::Deduped
                | Part::Turns
                | Part::Schedules
                | Part::Ticks
        );
        assert!(may_stay || queue.keys().len(part) == 0, "seed {seed}: {part:?} is not empty");
    }
}
