//! Bodies and notes that are damaged.

use super::*;

#[test]
fn damaged_bodies_are_found_and_repaired() {
    let rows: [Row; 10] = [
        ("garbage in ready", |k| k.push_back(Part::Ready, b"garbage"), &[(DamagedBody, 1)]),
        ("a body twice in ready", |k| k.push_back(Part::Ready, &body(PLAIN)), &[(TwoPlaces, 1)]),
        (
            "an id twice in ready, with another payload",
            |k| k.push_front(Part::Ready, &[body(PLAIN), b"more".to_vec()].concat()),
            &[(TwoPlaces, 1)],
        ),
        (
            "a body in ready and in flight",
            |k| k.push_back(Part::Ready, &body(IN_FLIGHT)),
            &[(TwoPlaces, 1)],
        ),
        (
            "a body in ready and in messages, with another payload",
            |k| k.put(Part::Messages, &id(PLAIN).0, &[body(PLAIN), b"more".to_vec()].concat()),
            &[(BodyWithoutPlace, 1), (TwoPlaces, 1)],
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
            "the body of a group's message in flight lost",
            |k| k.delete(Part::Messages, &id(20).0),
            &[(PlaceWithoutBody, 1), (NoteWithoutMessage, 1), (WrongGroup, 1), (WrongTurn, 1)],
        ),
    ];
    for (what, damage, expected) in rows {
        damaged(what, damage, expected);
    }
}

#[test]
fn damaged_notes_are_found_and_repaired() {
    let rows: [Row; 11] = [
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
            |k| put_note(k, WAITS_IN_G, |note| note.priority = 10),
            &[(DamagedNote, 1)],
        ),
        (
            "a note under a name that is no id",
            |k| k.put(Part::Notes, b"x", b""),
            &[(DamagedNote, 1)],
        ),
        (
            "a note of a message that is not there",
            |k| put_note(k, 70, |note| note.priority = 1),
            &[(NoteWithoutMessage, 1)],
        ),
        (
            "a note of a plain message",
            |k| put_note(k, PLAIN, |note| note.priority = 1),
            &[(NoteWithoutMessage, 1)],
        ),
        (
            "a lost note of a message with priority",
            |k| k.delete(Part::Notes, &id(PRIORITY).0),
            &[(WrongPlace, 1)],
        ),
        (
            "a lost note of a message in a group",
            |k| k.delete(Part::Notes, &id(WAITS_IN_G).0),
            &[(WrongPlace, 1)],
        ),
        (
            "a lost note of a message with a key and of one with a time to live",
            |k| {
                k.delete(Part::Notes, &id(KEY_HELD).0);
                k.delete(Part::Notes, &id(EXPIRES).0);
            },
            &[(WrongExpiring, 1), (WrongDedup, 1)],
        ),
        (
            "a consumer without a delivery",
            |k| put_note(k, RETURNED, |note| note.consumer = Some(b"worker".to_vec())),
            &[(WrongNote, 1)],
        ),
        (
            "a dead letter with a time to live and a key",
            |k| {
                put_note(k, DEAD, |note| {
                    note.expires_at_ms = Some(NOW_MS);
                    note.dedup = Some(b"a key".to_vec());
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
fn what_a_place_tells_is_kept_where_the_note_is_lost() {
    let queue = damaged(
        "",
        |k| k.unlink(Part::Notes),
        &[
            (WrongPlace, 5),
            (WrongRetried, 2),
            (WrongExpiring, 2),
            (WrongDead, 2),
            (WrongGroup, 2),
            (WrongTurn, 2),
            (WrongDedup, 1),
        ],
    );
    let mut keys = queue.keys();
    assert_eq!(note(&mut keys, PRIORITY).priority, 7);
    let group = Membership { name: b"g".to_vec(), sequence: Some(1) };
    assert_eq!(note(&mut keys, WAITS_IN_G).group, Some(group));
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
        &[(DamagedBody, 1), (DamagedNote, 1), (DamagedPlace, 1), (TwoPlaces, 2), (WrongRetried, 1)],
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
    assert_eq!(ready.len(), 3, "the order of the others stays");
    assert_eq!(ready[1], body(PLAIN));
}
