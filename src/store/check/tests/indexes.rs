//! Damaged indexes, counts, keys and settings.

use super::*;

#[test]
fn damaged_indexes_are_found_and_repaired() {
    let rows: [Row; 30] = [
        (
            "wrong numbers of retry counts",
            |k| {
                k.put(Part::Retries, b"1", b"7");
                k.put(Part::Retries, b"9", b"1");
                k.put(Part::Retries, b"no number", b"1");
            },
            &[(WrongRetried, 3)],
        ),
        ("all numbers lost", |k| k.unlink(Part::Retries), &[(WrongRetried, 1)]),
        (
            "a retry count of 0.1.0 too many, a wrong one",
            |k| {
                k.add(Part::Retried, &id(PRIORITY).0, 1.0);
                k.add(Part::Retried, &id(RETURNED).0, 9.0);
                k.add(Part::Retried, b"no id", 1.0);
            },
            &[(WrongRetried, 3)],
        ),
        (
            "a message counted twice",
            |k| k.add(Part::Retried, &id(RETURNED).0, 1.0),
            &[(WrongRetried, 1)],
        ),
        ("all retry counts of 0.1.0 lost", |k| k.unlink(Part::Retried), &[(WrongRetried, 1)]),
        (
            "times to live of one without, of one in flight, a wrong one",
            |k| {
                k.add(Part::Expiring, &id(PRIORITY).0, 1.0);
                k.add(Part::Expiring, &id(32).0, (NOW_MS + 2 * HOUR_MS) as f64);
                k.add(Part::Expiring, &id(31).0, 1.0);
                k.add(Part::Expiring, b"no id", 1.0);
            },
            &[(WrongExpiring, 4)],
        ),
        ("all times to live lost", |k| k.unlink(Part::Expiring), &[(WrongExpiring, 2)]),
        (
            "a death too many, a wrong one",
            |k| {
                k.add(Part::Dead, &id(RETURNED).0, 1.0);
                k.add(Part::Dead, &id(DEAD).0, 9.0);
            },
            &[(WrongDead, 2)],
        ),
        (
            "a lane too many, one with another score, one that is none",
            |k| {
                k.unlink(Part::Ready3);
                k.add(Part::Lanes, &[4], 5.0);
                k.add(Part::Lanes, &[10], 10.0);
                k.add(Part::Lanes, &[], 1.0);
            },
            &[(WrongLane, 4)],
        ),
        ("all lanes lost", |k| k.unlink(Part::Lanes), &[(WrongLane, 11)]),
        ("all deaths lost", |k| k.unlink(Part::Dead), &[(WrongDead, 2)]),
        ("wrong counts", |k| put_group(k, b"g", [1, 0, 0, 19]), &[(WrongGroup, 1)]),
        ("a number in use", |k| put_group(k, b"g", [10, 1, 0, 2]), &[(WrongGroup, 1)]),
        (
            "a number too high: a record that is none",
            |k| put_group(k, b"g", [10, 1, 0, 1 << 56]),
            &[(BodyWithoutPlace, 8), (WrongGroup, 1)],
        ),
        ("a group too many", |k| put_group(k, b"z", [1, 0, 0, 1]), &[(WrongGroup, 1)]),
        (
            "garbage for a group",
            |k| k.put(Part::Groups, b"g", b"x"),
            &[(BodyWithoutPlace, 8), (WrongGroup, 1)],
        ),
        ("all groups lost", |k| k.unlink(Part::Groups), &[(BodyWithoutPlace, 10), (WrongGroup, 3)]),
        (
            "turns of groups that have none",
            |k| {
                k.add(Part::Turns, b"g", 70.0);
                k.add(Part::Turns, b"z", 71.0);
            },
            &[(WrongTurn, 2)],
        ),
        (
            "tickets that are none",
            |k| {
                k.add(Part::Turns, b"h", f64::INFINITY);
                k.add(Part::Turns, b"", -1.0);
            },
            &[(WrongTurn, 2)],
        ),
        (
            "a group without a free slot that is lost, one in the line",
            |k| {
                k.remove(Part::Turns, b"g");
                k.add(Part::Turns, b"k", 3.0);
            },
            &[(WrongTurn, 2)],
        ),
        ("all turns lost", |k| k.unlink(Part::Turns), &[(WrongLane, 1), (WrongTurn, 3)]),
        ("garbage for a key", |k| k.put(Part::Dedup, b"window", b"x"), &[(WrongDedup, 2)]),
        ("a key that can't be", |k| put_duplicate(k, b"", PLAIN, None), &[(WrongDedup, 1)]),
        (
            "keys that hold for a message that is not there, or knows nothing of it",
            |k| {
                put_duplicate(k, b"one", 70, None);
                put_duplicate(k, b"two", PRIORITY, None);
                put_duplicate(k, b"three", PLAIN, None);
            },
            &[(WrongDedup, 3)],
        ),
        ("a key with a moment that is not swept", |k| k.unlink(Part::Deduped), &[(WrongDedup, 1)]),
        (
            "wrong moments of keys",
            |k| {
                k.add(Part::Deduped, b"window", 5.0);
                k.add(Part::Deduped, b"until done", 5.0);
                k.add(Part::Deduped, b"unknown", 5.0);
            },
            &[(WrongDedup, 3)],
        ),
        ("all keys lost", |k| k.unlink(Part::Dedup), &[(WrongDedup, 2)]),
        (
            "a key that another message has, one that holds for a time",
            |k| {
                put_record(k, PRIORITY, |record| {
                    record.dedup = Some(NameBytes::from_slice(b"until done"))
                });
                put_record(k, RETURNED, |record| {
                    record.dedup = Some(NameBytes::from_slice(b"window"))
                });
            },
            &[(WrongDedup, 2)],
        ),
        (
            "settings that are none",
            |k| {
                for (field, text) in [
                    ("visibility", "soon"),
                    ("maxlen", "-1"),
                    ("deadletter", "orders"),
                    ("paused_until", "x"),
                    ("rate_window_count", "-1"),
                    ("Delay", "5"),
                ] {
                    k.put(Part::Config, field.as_bytes(), text.as_bytes());
                }
            },
            &[(DamagedSetting, 6)],
        ),
        (
            "another limit for groups",
            |k| k.put(Part::Config, b"groupinflight", b"2"),
            &[(WrongTurn, 2)],
        ),
    ];
    for (what, damage, expected) in rows {
        damaged(what, damage, expected);
    }
}

#[test]
fn damaged_schedules_are_found_and_repaired() {
    let rows: [Row; 8] = [
        (
            "garbage",
            |k| k.put(Part::Schedules, HOURLY, b"\x01garbage"),
            &[(DamagedSchedule, 1), (WrongTick, 1)],
        ),
        (
            "a version to come",
            |k| change_schedule(k, HOURLY, |record| record[0] = 2),
            &[(DamagedSchedule, 1), (WrongTick, 1)],
        ),
        (
            "a byte too many",
            |k| change_schedule(k, PAUSED, |record| record.push(0)),
            &[(DamagedSchedule, 1), (WrongTick, 1)],
        ),
        (
            "names that can't be",
            |k| {
                let record = k.get(Part::Schedules, HOURLY).unwrap();
                k.put(Part::Schedules, b"", &record);
                k.put(Part::Schedules, &[7; 257], &record);
            },
            &[(DamagedSchedule, 2)],
        ),
        (
            "a schedule without a tick",
            |k| {
                let record = k.get(Part::Schedules, HOURLY).unwrap();
                k.put(Part::Schedules, b"another", &record);
            },
            &[(WrongTick, 1)],
        ),
        (
            "ticks at other times",
            |k| {
                k.add(Part::Ticks, HOURLY, f64::INFINITY);
                k.add(Part::Ticks, PAUSED, NOW_MS as f64);
            },
            &[(WrongTick, 2)],
        ),
        ("a tick of nothing", |k| k.add(Part::Ticks, b"another", 5.0), &[(WrongTick, 1)]),
        ("all ticks lost", |k| k.unlink(Part::Ticks), &[(WrongTick, 2)]),
    ];
    for (what, damage, expected) in rows {
        let queue = damaged(what, damage, expected);
        let mut keys = queue.keys();
        assert_eq!(keys.len(Part::Ticks), keys.len(Part::Schedules), "{what}");
    }
}

fn change_schedule(keys: &mut MemoryKeyspace, name: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let mut record = keys.get(Part::Schedules, name).unwrap();
    change(&mut record);
    keys.put(Part::Schedules, name, &record);
}

/// A repair moves these records to `Damaged` in the order of their names, on every server.
#[test]
fn damaged_schedules_are_set_aside() {
    let queue = damaged(
        "",
        |k| {
            k.put(Part::Schedules, b"b", b"second");
            k.put(Part::Schedules, b"a", b"first");
        },
        &[(DamagedSchedule, 2)],
    );
    let mut aside = Vec::new();
    queue.keys().each_element(Part::Damaged, |bytes| aside.push(bytes.to_vec()));
    assert_eq!(aside, [b"a".as_slice(), b"first", b"b", b"second"], "each behind its name");
    assert_eq!(queue.keys().len(Part::Schedules), 2, "the others stay");
}

#[test]
fn a_repair_tells_of_the_next_tick() {
    let queue = sound();
    let mut keys = queue.keys();
    for part in Part::ALL.into_iter().filter(|part| *part != Part::Schedules) {
        keys.unlink(part);
    }
    let (_, effects) = queue.apply("orders", &Op::Repair);
    assert_eq!(effects.next_due, crate::queue::NextDue::AtMost(NOW_MS + HOUR_MS));
}

#[test]
fn a_repair_tells_of_deadlines() {
    let queue = sound();
    queue.keys().unlink(Part::Expiring);
    let (_, effects) = queue.apply("orders", &Op::Repair);
    let due_ms = match effects.next_due {
        crate::queue::NextDue::AtMost(due_ms) => due_ms,
        other => panic!("{other:?}"),
    };
    assert!(due_ms <= NOW_MS + HOUR_MS);
    assert!(effects.became_ready);
}
