//! Damaged bodies and state records.

use super::*;

#[test]
fn damaged_bodies_are_found_and_repaired() {
    let rows: [Row; 25] = [
        ("garbage in ready", |k| k.push_back(Part::Ready, b"garbage"), &[(DamagedBody, 1)]),
        (
            "a body twice in ready",
            |k| k.push_back(Part::Ready, &body(PLAIN)),
            &[(TwoPlaces, 1), (OutOfOrder, 1)],
        ),
        (
            "bodies behind later ones",
            |k| {
                for _ in 0..2 {
                    let bytes = k.pop_front(Part::Ready).unwrap();
                    k.push_back(Part::Ready, &bytes);
                }
            },
            &[(OutOfOrder, 2)],
        ),
        (
            "an id twice in ready, with another payload",
            |k| k.push_front(Part::Ready, &[body(PLAIN), b"more".to_vec()].concat()),
            &[(TwoPlaces, 1)],
        ),
        (
            "a body in ready and in flight",
            |k| k.push_back(Part::Ready, &body(IN_FLIGHT)),
            &[(TwoPlaces, 1), (OutOfOrder, 1)],
        ),
        (
            "a body in ready and in messages, with another payload",
            |k| k.put(Part::Messages, &id(PLAIN).0, &[body(PLAIN), b"more".to_vec()].concat()),
            &[(BodyWithoutPlace, 1), (TwoPlaces, 1)],
        ),
        (
            "a body in the list of another priority, which was the last of its own",
            |k| {
                let bytes = k.pop_front(Part::Ready3).unwrap();
                k.push_back(Part::Ready5, &bytes);
            },
            &[(WrongPlace, 1), (OutOfOrder, 1), (WrongLane, 1)],
        ),
        (
            "a body twice, in lists of two priorities",
            |k| {
                let bytes = k.front(Part::Ready3).unwrap();
                k.push_back(Part::Ready, &bytes);
                k.push_back(Part::Ready5, &bytes);
            },
            &[(TwoPlaces, 2), (WrongPlace, 2), (OutOfOrder, 1)],
        ),
        (
            "bodies in ready that say a group and a time to live",
            |k| {
                let group = Membership { name: NameBytes::from_slice(b"g"), sequence: Some(7) };
                let says = StateRecord { group: Some(group), ..StateRecord::default() };
                k.push_back(Part::Ready, &body_that_says(70, Some(&says)));
                let says = StateRecord {
                    expiry: Some(Expiry::discards(NOW_MS)),
                    ..StateRecord::default()
                };
                k.push_back(Part::Ready, &body_that_says(71, Some(&says)));
            },
            &[(DamagedBody, 2)],
        ),
        (
            "a body that says what can't be",
            |k| {
                let says = StateRecord { priority: 10, ..StateRecord::default() };
                k.put(Part::Messages, &id(DELAYED).0, &body_that_says(DELAYED, Some(&says)));
            },
            &[(DamagedBody, 1), (PlaceWithoutBody, 1)],
        ),
        (
            "a cut body",
            |k| k.put(Part::Messages, &id(DELAYED).0, b"short"),
            &[(DamagedBody, 1), (PlaceWithoutBody, 1)],
        ),
        (
            "another message's body",
            |k| k.put(Part::Messages, &id(RETURNED).0, &body(DELAYED)),
            &[(DamagedBody, 1), (PlaceWithoutBody, 1), (NoteWithoutMessage, 1), (WrongRetried, 1)],
        ),
        (
            "a body under a name that is no id",
            |k| k.put(Part::Messages, b"no id", &body(70)),
            &[(DamagedBody, 1)],
        ),
        (
            "a body too many",
            |k| k.put(Part::Messages, &id(70).0, &body(70)),
            &[(BodyWithoutPlace, 1)],
        ),
        (
            "the body of a delivery of version 1 lost",
            |k| k.delete(Part::Messages, &id(OLD).0),
            &[(PlaceWithoutBody, 1), (NoteWithoutMessage, 1)],
        ),
        (
            "a group's message in flight lost",
            |k| k.delete(Part::Flight, &id(20).0),
            &[(NoteWithoutMessage, 1), (WrongGroup, 1), (WrongTurn, 1)],
        ),
        (
            "the body of a large message in flight lost",
            |k| k.delete(Part::Bodies, &id(LARGE).0),
            &[(PlaceWithoutBody, 1), (NoteWithoutMessage, 1)],
        ),
        (
            "the body of a large message in flight that is none",
            |k| k.put(Part::Bodies, &id(LARGE).0, b"garbage"),
            &[(DamagedBody, 1), (PlaceWithoutBody, 1), (NoteWithoutMessage, 1)],
        ),
        (
            "the delivery of a large message lost",
            |k| k.delete(Part::Flight, &id(LARGE).0),
            &[(BodyWithoutPlace, 1), (WrongNote, 1)],
        ),
        (
            "a message in flight with its body in two hashes",
            |k| {
                k.put(Part::Bodies, &id(IN_FLIGHT).0, &body(IN_FLIGHT));
                k.put(Part::Bodies, &id(IN_FLIGHT + 1).0, &body_with(IN_FLIGHT + 1, b"another"));
                k.put(Part::Messages, &id(LARGE).0, &body(LARGE));
            },
            &[(TwoPlaces, 3)],
        ),
        (
            "a large message whose delivery is cut",
            |k| k.put(Part::Flight, &id(LARGE).0, b"short"),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1), (WrongNote, 1)],
        ),
        (
            "a delivery whose body is none",
            |k| {
                change_flight(k, 32, |record| {
                    record.truncate(16);
                });
            },
            &[(DamagedBody, 1), (NoteWithoutMessage, 1)],
        ),
        (
            "a delivery that is cut",
            |k| k.put(Part::Flight, &id(IN_FLIGHT).0, b"short"),
            &[(DamagedBody, 1), (NoteWithoutMessage, 1)],
        ),
        (
            "a delivery of a later version",
            |k| change_flight(k, IN_FLIGHT, |record| record[14] |= 0x80),
            &[(DamagedBody, 1), (NoteWithoutMessage, 1)],
        ),
        (
            "a delivery under a name that is no id",
            |k| {
                let record = k.get(Part::Flight, &id(IN_FLIGHT).0).unwrap();
                k.put(Part::Flight, b"no id", &record);
            },
            &[(DamagedBody, 1)],
        ),
    ];
    for (what, damage, expected) in rows {
        damaged(what, damage, expected);
    }
}

#[test]
fn damaged_notes_are_found_and_repaired() {
    let rows: [Row; 10] = [
        (
            "garbage for a note",
            |k| k.put(Part::Notes, &id(RETURNED).0, b"garbage"),
            &[(DamagedNote, 1), (WrongRetried, 1)],
        ),
        (
            "a note of another version",
            |k| k.put(Part::Notes, &id(PRIORITY).0, b"\x02"),
            &[(DamagedNote, 1)],
        ),
        (
            "a note that says what can't be",
            |k| put_record(k, WAITS_IN_G, |record| record.priority = 10),
            &[(DamagedNote, 1)],
        ),
        (
            "a note under a name that is no id",
            |k| k.put(Part::Notes, b"x", b""),
            &[(DamagedNote, 1)],
        ),
        (
            "a note of a message that is not there",
            |k| put_record(k, 70, |record| record.priority = 1),
            &[(NoteWithoutMessage, 1)],
        ),
        (
            "a note of a plain message",
            |k| put_record(k, PLAIN, |record| record.priority = 1),
            &[(NoteWithoutMessage, 1)],
        ),
        (
            "a damaged note of a message whose body says more",
            |k| k.put(Part::Notes, &id(EXPIRES).0, b"garbage"),
            &[(DamagedNote, 1), (WrongExpiring, 1)],
        ),
        (
            "in flight in a group, and neither a mark nor a note tells",
            |k| {
                change_flight(k, 20, |record| {
                    assert_eq!(record[14] & 2, 2);
                    record[14] &= !2;
                });
                k.delete(Part::Notes, &id(20).0);
            },
            &[(WrongNote, 1)],
        ),
        (
            "a consumer without a delivery",
            |k| {
                put_record(k, RETURNED, |record| {
                    record.consumer = Some(NameBytes::from_slice(b"worker"))
                })
            },
            &[(WrongNote, 1)],
        ),
        (
            "a dead letter with a key",
            |k| {
                put_record(k, DEAD, |record| {
                    record.dedup = Some(NameBytes::from_slice(b"a key"));
                });
            },
            &[(WrongNote, 1)],
        ),
    ];
    for (what, damage, expected) in rows {
        damaged(what, damage, expected);
    }
}

#[test]
fn what_a_place_tells_is_kept_where_nothing_else_tells_it() {
    let queue = damaged(
        "",
        |k| {
            for number in [PRIORITY, WAITS_IN_G] {
                k.put(Part::Messages, &id(number).0, &body(number));
            }
        },
        &[(WrongPlace, 2)],
    );
    let mut keys = queue.keys();
    assert_eq!(record(&mut keys, PRIORITY).priority, 7);
    let group = Membership { name: NameBytes::from_slice(b"g"), sequence: Some(1) };
    assert_eq!(record(&mut keys, WAITS_IN_G).group, Some(group));
}

#[test]
fn without_notes_the_bodies_tell() {
    let queue = damaged(
        "",
        |k| k.unlink(Part::Notes),
        &[(WrongPlace, 2), (WrongRetried, 2), (WrongDead, 2), (WrongGroup, 1), (WrongTurn, 1)],
    );
    let mut keys = queue.keys();
    assert_eq!(record(&mut keys, PRIORITY).priority, 7);
    assert_eq!(keys.len(Part::Notes), 0);
}

#[test]
fn other_bytes_are_kept_in_damaged() {
    let queue = damaged(
        "",
        |k| {
            k.push_back(Part::Ready, b"garbage");
            k.push_back(Part::Ready, &body(IN_FLIGHT));
            k.push_back(Part::Ready, &[body(IN_FLIGHT), b"more".to_vec()].concat());
            k.add(Part::Delayed, b"no member", 0.0);
            k.put(Part::Notes, &id(RETURNED).0, b"no note");
        },
        &[
            (DamagedBody, 1),
            (DamagedNote, 1),
            (DamagedPlace, 1),
            (TwoPlaces, 2),
            (OutOfOrder, 2),
            (WrongRetried, 1),
        ],
    );
    let [_, aside] = queue.bodies();
    let expected = [
        b"garbage".to_vec(),
        [body(IN_FLIGHT), b"more".to_vec()].concat(),
        b"no member".to_vec(),
        [id(RETURNED).0.as_slice(), b"no note"].concat(),
    ];
    assert_eq!(aside, BTreeSet::from(expected));
    let mut ready = Vec::new();
    queue.keys().each_element(Part::Ready, |bytes| ready.push(bytes.to_vec()));
    assert_eq!(ready.len(), 4, "the order of the others stays");
    assert_eq!(ready[0], body(PLAIN));
}
