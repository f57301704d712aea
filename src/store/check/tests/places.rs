//! Places that are damaged, missing, duplicated or wrong.

use smallvec::smallvec;

use super::*;

#[test]
fn damaged_places_are_found_and_repaired() {
    let rows: [Row; 39] = [
        (
            "members that are none of ours",
            |k| {
                for part in [Part::Ranked, Part::Grouped, Part::Inflight, Part::Delayed] {
                    k.add(part, b"no member", 0.0);
                }
            },
            &[(DamagedPlace, 4)],
        ),
        (
            "ids that are none",
            |k| {
                k.add(Part::Ranked, &[0xff; 16], 0.0);
                k.add(Part::Grouped, &[&[0, b'g'], [0u8; 24].as_slice()].concat(), 0.0);
                k.add(Part::Inflight, &[0xff; 24], 0.0);
                k.add(Part::Delayed, &[0; 16], 0.0);
            },
            &[(DamagedPlace, 4)],
        ),
        (
            "a rank that is none",
            |k| k.add(Part::Ranked, &id(RETURNED).0, -1.0),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1)],
        ),
        (
            "a rank beyond the last lane",
            |k| k.add(Part::Ranked, &id(RETURNED).0, 1e300),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1)],
        ),
        (
            "a rank between two ranks",
            |k| k.add(Part::Ranked, &id(RETURNED).0, 1.0 / 128.0),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1)],
        ),
        (
            "a due time that is no moment",
            |k| k.add(Part::Delayed, &id(DELAYED).0, 0.5),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1)],
        ),
        (
            "an end of visibility that is no moment",
            |k| {
                let (member, _) = delivery(k, OLD);
                k.add(Part::Inflight, &member, f64::NEG_INFINITY);
            },
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1), (WrongNote, 1)],
        ),
        (
            "a score in a group",
            |k| k.add(Part::Grouped, &grouped(b"g", BEHIND_HEAD.1, BEHIND_HEAD.0), 1.0),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1)],
        ),
        (
            "a number that no group reaches",
            |k| k.add(Part::Grouped, &grouped(b"g", 1 << 56, WAITS_IN_G), 0.0),
            &[(DamagedPlace, 1)],
        ),
        (
            "a lost rank",
            |k| {
                k.remove(Part::Ranked, &id(PRIORITY).0);
            },
            &[(BodyWithoutPlace, 1)],
        ),
        (
            "a lost delay",
            |k| {
                k.remove(Part::Delayed, &id(25).0);
            },
            &[(BodyWithoutPlace, 1), (WrongGroup, 1), (WrongTurn, 1)],
        ),
        (
            "a lost delay of one that never was in its group",
            |k| {
                k.remove(Part::Delayed, &id(27).0);
            },
            &[(BodyWithoutPlace, 1), (WrongGroup, 1)],
        ),
        (
            "a lost delivery",
            |k| {
                let (member, _) = delivery(k, OLD);
                k.remove(Part::Inflight, &member);
            },
            &[(BodyWithoutPlace, 1), (WrongNote, 1)],
        ),
        (
            "a lost place in a group",
            |k| {
                k.remove(Part::Grouped, &grouped(b"g", BEHIND_HEAD.1, BEHIND_HEAD.0));
            },
            &[(BodyWithoutPlace, 1)],
        ),
        (
            "a lost place at the end of a head",
            |k| change_group(k, b"g", |group| group.head.truncate(7)),
            &[(BodyWithoutPlace, 1)],
        ),
        (
            "the first place of a head lost",
            |k| change_group(k, b"g", |group| group.head.drain(..1).for_each(drop)),
            &[(BodyWithoutPlace, 1), (WrongGroup, 1)],
        ),
        (
            "a head that names one that is not there",
            |k| change_group(k, b"g", |group| group.head[7] = (LAST_OF_HEAD.1, id(72))),
            &[(BodyWithoutPlace, 1), (PlaceWithoutBody, 1), (WrongGroup, 1)],
        ),
        (
            "a head with an id that is none",
            |k| change_group(k, b"h", |group| group.head.push((9, MessageId([0xff; 16])))),
            &[(DamagedPlace, 1), (WrongGroup, 1)],
        ),
        (
            "a head with a number that no group reaches: a record that is none",
            |k| change_group(k, b"k", |group| group.head.push((1 << 56, id(72)))),
            &[(BodyWithoutPlace, 1), (WrongGroup, 1)],
        ),
        (
            "a head that names one in flight",
            |k| change_group(k, b"h", |group| group.head.push((3, id(IN_FLIGHT)))),
            &[(TwoPlaces, 1), (WrongGroup, 1)],
        ),
        (
            "one in a head and behind it",
            |k| k.add(Part::Grouped, &grouped(b"g", 1, WAITS_IN_G), 0.0),
            &[(TwoPlaces, 1)],
        ),
        (
            "one behind a head that belongs before it",
            |k| {
                change_group(k, b"g", |group| group.head.drain(..1).for_each(drop));
                k.add(Part::Grouped, &grouped(b"g", 1, WAITS_IN_G), 0.0);
            },
            &[(WrongGroup, 1)],
        ),
        (
            "places of messages that are not there",
            |k| {
                k.add(Part::Ranked, &id(70).0, 0.0);
                k.add(Part::Delayed, &id(71).0, 0.0);
                k.add(Part::Grouped, &grouped(b"g", 9, 72), 0.0);
                k.add(Part::Inflight, &[&[0; 8], id(73).0.as_slice()].concat(), -1.0);
            },
            &[(PlaceWithoutBody, 4)],
        ),
        (
            "a plain message with a rank",
            |k| k.add(Part::Ranked, &id(PLAIN).0, 0.0),
            &[(TwoPlaces, 1)],
        ),
        (
            "a message in flight that waits and is delayed, too",
            |k| {
                k.add(Part::Ranked, &id(IN_FLIGHT).0, (9u64 << 43) as f64);
                k.add(Part::Delayed, &id(IN_FLIGHT).0, 5.0);
            },
            &[(TwoPlaces, 2)],
        ),
        (
            "two deliveries",
            |k| {
                let (mut member, score) = delivery(k, OLD);
                member[7] ^= 0x80;
                k.add(Part::Inflight, &member, score - 7.0);
            },
            &[(TwoPlaces, 1)],
        ),
        (
            "a delivery of version 1 and one of version 2",
            |k| {
                let receipt = 1u64 << 62;
                let member = [(!receipt).to_be_bytes().as_slice(), &id(IN_FLIGHT).0].concat();
                k.add(Part::Inflight, &member, -((NOW_MS + HOUR_MS) as f64));
            },
            &[(TwoPlaces, 1)],
        ),
        (
            "a message in flight whose body is in the hash of the others, too",
            |k| k.put(Part::Messages, &id(IN_FLIGHT).0, &body(IN_FLIGHT)),
            &[(TwoPlaces, 1)],
        ),
        (
            "the same with another body",
            |k| k.put(Part::Messages, &id(IN_FLIGHT).0, &body_with(IN_FLIGHT, b"another")),
            &[(TwoPlaces, 1)],
        ),
        (
            "a message in flight in a ready list, too",
            |k| k.push_back(Part::Ready, &body_with(IN_FLIGHT, b"another")),
            &[(TwoPlaces, 1), (OutOfOrder, 1)],
        ),
        (
            "a delivery that ended already",
            |k| {
                put_record(k, IN_FLIGHT, |record| {
                    record.last_receipt = 1 << 62;
                    record.consumer = None;
                });
            },
            &[(WrongPlace, 1)],
        ),
        (
            "a message in two groups",
            |k| k.add(Part::Grouped, &grouped(b"a", 1, WAITS_IN_G), 0.0),
            &[(TwoPlaces, 1)],
        ),
        (
            "a rank with another priority",
            |k| k.add(Part::Ranked, &id(PRIORITY).0, (3u64 << 43) as f64),
            &[(WrongPlace, 1)],
        ),
        (
            "a note with another priority",
            |k| put_record(k, RETURNED, |record| record.priority = 3),
            &[(WrongPlace, 1)],
        ),
        (
            "a note with another number, one with another group, one with none",
            |k| {
                let change = |number| {
                    move |record: &mut StateRecord| record.group.as_mut().unwrap().sequence = number
                };
                put_record(k, WAITS_IN_G, change(Some(7)));
                put_record(k, 22, |record| {
                    record.group.as_mut().unwrap().name = NameBytes::from_slice(b"z")
                });
                put_record(k, ALONE_IN_H, change(None));
            },
            &[(WrongPlace, 3), (WrongGroup, 2), (WrongTurn, 1)],
        ),
        (
            "a note without the group",
            |k| put_record(k, WAITS_IN_G, |record| record.group = None),
            &[(WrongPlace, 1), (WrongGroup, 1)],
        ),
        (
            "a note that names a group of a message with a rank, and one in flight",
            |k| {
                for number in [PRIORITY, IN_FLIGHT] {
                    let group = Membership { name: NameBytes::from_slice(b"g"), sequence: None };
                    put_record(k, number, |record| record.group = Some(group));
                }
            },
            &[(WrongPlace, 1), (WrongNote, 1), (WrongGroup, 1)],
        ),
        (
            "a dead letter in a group",
            |k| {
                k.remove(Part::Ranked, &id(DEAD).0);
                k.add(Part::Grouped, &grouped(b"tenant", 0, DEAD), 0.0);
            },
            &[(WrongPlace, 1)],
        ),
        (
            "a receipt that is not newer than the last",
            |k| put_record(k, IN_FLIGHT, |record| record.last_receipt = Receipt::LIMIT.0 - 1),
            &[(WrongPlace, 1), (WrongNote, 1)],
        ),
    ];
    for (what, damage, expected) in rows {
        damaged(what, damage, expected);
    }
}

#[test]
fn a_message_without_place_is_ready_in_its_old_place() {
    let queue = damaged(
        "",
        |k| {
            for number in [PRIORITY, DELAYED, DEAD] {
                k.remove(Part::Ranked, &id(number).0);
                k.remove(Part::Delayed, &id(number).0);
            }
        },
        &[(BodyWithoutPlace, 3)],
    );
    let mut keys = queue.keys();
    let expected = [
        (PRIORITY, 2, id(PRIORITY).timestamp_ms()),
        (DELAYED, 9, id(DELAYED).timestamp_ms()),
        (DEAD, 9, NOW_MS + 1),
    ];
    for (number, lane, since_ms) in expected {
        let rank = ((lane << 43) + since_ms) as f64;
        assert_eq!(keys.score(Part::Ranked, &id(number).0), Some(rank), "{number}");
    }
}

#[test]
fn a_delivery_that_can_not_be_read_is_over_and_can_still_be_acknowledged() {
    let mut receipt = 0;
    let queue = damaged(
        "",
        |k| {
            let (member, _) = delivery(k, OLD);
            k.add(Part::Inflight, &member, 1e300);
            receipt = !u64::from_be_bytes(member[..8].try_into().unwrap());
        },
        &[(DamagedPlace, 1), (BodyWithoutPlace, 1), (WrongNote, 1)],
    );
    is_over(&queue, OLD, receipt);
}

#[test]
fn a_delivery_with_an_end_that_is_none_is_over_and_can_still_be_acknowledged() {
    let mut receipt = 0;
    let queue = damaged(
        "",
        |k| {
            change_flight(k, IN_FLIGHT, |record| {
                record[8] = 0xff;
                receipt = u64::from_be_bytes(record[..8].try_into().unwrap());
            });
        },
        &[(DamagedPlace, 1), (BodyWithoutPlace, 1), (WrongNote, 1)],
    );
    is_over(&queue, IN_FLIGHT, receipt);
}

/// The message is ready again, and the receipt of its delivery still acknowledges it.
fn is_over(queue: &Queue, number: u64, receipt: u64) {
    assert!(queue.keys().score(Part::Ranked, &id(number).0).is_some());
    let deliveries = smallvec![Delivery { id: id(number), receipt: Receipt(receipt) }];
    let op = Op::Acknowledge(op::Acknowledge { now_ms: Some(NOW_MS), deliveries });
    let (_, effects) = queue.apply("orders", &op);
    assert_eq!((effects.counts.acked, effects.counts.late_acks), (1, 1));
    assert_eq!(queue.check(), []);
}
