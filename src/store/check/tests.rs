//! A sound queue with something in every part, damaged by hand in each of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::check;
use crate::queue::apply;
use crate::queue::finding::Finding;
use crate::queue::message::{Body, Header, Membership, MessageId, NewMessage, Note, Receipt};
use crate::queue::name::QueueName;
use crate::queue::op::{Claim, Dedup, Line, Mode, Op, Return, Sweep, With};
use crate::queue::pull::Delivered;
use crate::queue::settings::Setting;
use crate::queue::store::{Duplicate, GroupCounts, Part};
use crate::queue::{Effects, Outcome};
use crate::store::keyspace::Keyspace;
use crate::store::memory::{Database, MemoryKeyspace};
use crate::store::record::{decode_note, encode_body, encode_duplicate, encode_group, encode_note};
use crate::store::records::Records;

const NOW_MS: u64 = 1_800_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const SWEEP: Sweep = Sweep { limit: 1_000, same_slot: false };

/// A number for each of the messages that the tests damage.
const PLAIN: u64 = 1;
const IN_FLIGHT: u64 = 3;
const DELAYED: u64 = 10;
const PRIORITY: u64 = 11;
const WAITS_IN_G: u64 = 21;
const ALONE_IN_H: u64 = 23;
const EXPIRES: u64 = 30;
const KEY_HELD: u64 = 41;
const RETURNED: u64 = 50;
const DEAD: u64 = 60;

fn id(number: u64) -> MessageId {
    let mut id = [0u8; 16];
    id[..6].copy_from_slice(&(NOW_MS + number).to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8..].copy_from_slice(&number.to_be_bytes());
    id[8] = 0x80;
    MessageId(id)
}

fn body(number: u64) -> Vec<u8> {
    let payload = format!("payload {number}");
    encode_body(&NewMessage { id: id(number), headers: &[], payload: payload.as_bytes() }).to_vec()
}

fn plain() -> With<'static> {
    With { expires_at_ms: None, line: Line::Priority(0), dedup: None, headers: Vec::new() }
}

struct Queue {
    database: Rc<RefCell<Database>>,
    last_receipt: u64,
}

impl Queue {
    fn new() -> Self {
        Self { database: Rc::default(), last_receipt: 0 }
    }

    fn keys(&self) -> MemoryKeyspace {
        self.keys_of("orders")
    }

    fn keys_of(&self, queue: &str) -> MemoryKeyspace {
        MemoryKeyspace::new(&self.database, &QueueName::new(queue.as_bytes()).unwrap())
    }

    fn apply(&self, queue: &str, op: &Op<'_>) -> (Outcome<impl Body + use<>>, Effects) {
        let mut effects = Effects::none();
        let outcome = apply(&mut Records(self.keys_of(queue)), &mut effects, op).unwrap();
        (outcome, effects)
    }

    fn push(&self, number: u64, delay_ms: Option<u64>, with: Option<With<'_>>) {
        self.push_to("orders", number, delay_ms, with);
    }

    fn push_to(&self, queue: &str, number: u64, delay_ms: Option<u64>, with: Option<With<'_>>) {
        let payload = format!("payload {number}");
        let due_at_ms = delay_ms.map(|ms| NOW_MS + ms);
        let payload = payload.as_bytes();
        self.apply(queue, &Op::Push { id: id(number), due_at_ms, payload, with });
    }

    fn pull(&mut self, queue: &str, count: u32, now_ms: u64) -> Vec<Delivered<impl Body + use<>>> {
        let consumer = Some(b"worker".as_slice());
        let delivery = Mode::Receipt { visibility_ms: HOUR_MS, consumer };
        let base_receipt = Receipt(self.last_receipt + 1);
        let sweep = SWEEP;
        let acknowledged = Vec::new();
        let op = Op::Pull { now_ms, count, delivery, base_receipt, sweep, acknowledged };
        let (Outcome::Pulled(pulled), effects) = self.apply(queue, &op) else { panic!() };
        self.last_receipt = effects.last_receipt.map_or(self.last_receipt, |receipt| receipt.0);
        pulled.messages
    }

    fn pull_one(&mut self, queue: &str) -> Claim {
        let message = self.pull(queue, 1, NOW_MS).pop().expect("a message");
        Claim { id: message.body.id(), receipt: message.receipt.unwrap().0 }
    }

    fn give_back(&self, queue: &str, claim: Claim, delay_ms: u64, reason: Option<&[u8]>) {
        let op = Op::GiveBack {
            now_ms: NOW_MS + 1,
            deliveries: vec![claim],
            delay_ms: Some(delay_ms),
            same_slot: false,
            how: Return::Counted,
            reason,
        };
        self.apply(queue, &op);
    }

    fn configure(&self, queue: &str, setting: Setting, text: &str) {
        let changes = vec![(setting, Some(text.as_bytes().to_vec()))];
        self.apply(queue, &Op::Configure { changes });
    }

    fn check(&self) -> Vec<(Finding, u64)> {
        check(&mut self.keys())
    }

    fn repair(&self) -> Vec<(Finding, u64)> {
        let before = self.database.borrow().clone();
        let (Outcome::Repaired(findings), effects) = self.apply("orders", &Op::Repair) else {
            panic!()
        };
        assert_eq!(effects.changed, *self.database.borrow() != before);
        assert_eq!(effects.changed, !findings.is_empty());
        findings
    }

    /// The bytes of every value of `Ready` and `Messages`, and what is in `Damaged`.
    fn bodies(&self) -> [BTreeSet<Vec<u8>>; 2] {
        let [mut bodies, mut damaged] = [BTreeSet::new(), BTreeSet::new()];
        let mut keys = self.keys();
        let mut add = |bytes: &[u8]| bodies.insert(bytes.to_vec());
        keys.each_element(Part::Ready, |bytes| {
            add(bytes);
        });
        keys.each_field(Part::Messages, |_, bytes| {
            add(bytes);
        });
        keys.each_element(Part::Damaged, |bytes| {
            damaged.insert(bytes.to_vec());
        });
        [bodies, damaged]
    }

    fn copy(&self) -> Self {
        let database = Rc::new(RefCell::new(self.database.borrow().clone()));
        Self { database, last_receipt: self.last_receipt }
    }
}

/// A queue that has something in every part but `Damaged`.
fn sound() -> Queue {
    let mut queue = Queue::new();
    queue.configure("orders", Setting::Backoff, "5");
    queue.configure("orders", Setting::GroupInflight, "1");
    // In flight: plain ones, one with a time to live, one of group g.
    for number in [IN_FLIGHT, IN_FLIGHT + 1] {
        queue.push(number, None, None);
    }
    let expiring = With { expires_at_ms: Some(NOW_MS + 2 * HOUR_MS), ..plain() };
    queue.push(32, None, Some(expiring.clone()));
    assert_eq!(queue.pull("orders", 3, NOW_MS).len(), 3);
    let in_group = |name| Some(With { line: Line::Group(name), ..plain() });
    queue.push(20, None, in_group(b"g"));
    queue.pull_one("orders");
    queue.push(WAITS_IN_G, None, in_group(b"g"));
    queue.push(22, None, in_group(b"g"));
    // Group k holds its slot for a retry, and has one that joins later.
    queue.push(25, None, in_group(b"k"));
    let claim = queue.pull_one("orders");
    queue.give_back("orders", claim, HOUR_MS, None);
    queue.push(26, None, in_group(b"k"));
    queue.push(27, Some(HOUR_MS), in_group(b"k"));
    // One that came back, with a reason.
    queue.push(RETURNED, None, None);
    let claim = queue.pull_one("orders");
    queue.give_back("orders", claim, 0, Some(b"no paper"));
    queue.push(ALONE_IN_H, None, in_group(b"h"));
    // Two dead letters, one of them delayed.
    queue.configure("mails", Setting::MaxRetries, "0");
    queue.configure("mails", Setting::DeadLetter, "orders");
    for number in [DEAD, DEAD + 1] {
        let with = With { line: Line::Group(b"tenant"), ..plain() };
        queue.push_to("mails", number, None, Some(with));
        let claim = queue.pull_one("mails");
        queue.give_back("mails", claim, 0, None);
    }
    queue.push(DELAYED, Some(HOUR_MS), None);
    queue.push(PRIORITY, None, Some(With { line: Line::Priority(7), ..plain() }));
    queue.push(EXPIRES, None, Some(expiring.clone()));
    queue.push(31, Some(HOUR_MS), Some(expiring));
    let dedup = |key, until_ms| {
        let dedup = Dedup { key, now_ms: NOW_MS, until_ms };
        Some(With { dedup: Some(dedup), ..plain() })
    };
    queue.push(40, None, dedup(b"window", Some(NOW_MS + HOUR_MS)));
    queue.push(KEY_HELD, None, dedup(b"until done", None));
    queue.push(PLAIN, None, None);
    let headers = vec![Header { name: b"trace", value: b"1" }];
    queue.push(PLAIN + 1, None, Some(With { headers, ..plain() }));
    queue.apply("orders", &Op::Pause { until_ms: Some(NOW_MS + HOUR_MS) });
    queue
}

#[test]
fn a_sound_queue_is_sound() {
    let queue = sound();
    for part in Part::ALL {
        assert_eq!(queue.keys().len(part) == 0, part == Part::Damaged, "{part:?}");
    }
    assert_eq!(queue.check(), []);
    assert_eq!(queue.repair(), []);
    assert_eq!(check(&mut queue.keys_of("mails")), []);
    assert_eq!(check(&mut queue.keys_of("nothing")), []);
}

/// The member, the score of the first delivery of a message.
fn delivery(keys: &mut MemoryKeyspace, number: u64) -> (Vec<u8>, f64) {
    let all = [f64::NEG_INFINITY, f64::INFINITY];
    let members = keys.range(Part::Inflight, all, 0, 1_000);
    members.into_iter().find(|(member, _)| member[8..] == id(number).0).expect("a delivery")
}

fn grouped(group: &[u8], sequence: u64, number: u64) -> Vec<u8> {
    let len = u8::try_from(group.len() - 1).unwrap();
    [&[len], group, &sequence.to_be_bytes(), &id(number).0].concat()
}

fn note(keys: &mut MemoryKeyspace, number: u64) -> Note {
    keys.get(Part::Notes, &id(number).0).map_or_else(Note::default, |b| decode_note(&b).unwrap())
}

fn put_note(keys: &mut MemoryKeyspace, number: u64, change: impl FnOnce(&mut Note)) {
    let mut note = note(keys, number);
    change(&mut note);
    keys.put(Part::Notes, &id(number).0, &encode_note(&note));
}

fn put_group(keys: &mut MemoryKeyspace, name: &[u8], counts: [u64; 4]) {
    let [waiting, inflight, held, next_sequence] = counts;
    let counts = GroupCounts { waiting, inflight, held, next_sequence };
    keys.put(Part::Groups, name, &encode_group(&counts));
}

fn put_duplicate(keys: &mut MemoryKeyspace, key: &[u8], number: u64, until_ms: Option<u64>) {
    keys.put(Part::Dedup, key, &encode_duplicate(&Duplicate { id: id(number), until_ms }));
}

/// Does damage, and expects that it is found, repaired, and that nothing is lost.
#[track_caller]
fn damaged(
    what: &str,
    damage: impl FnOnce(&mut MemoryKeyspace),
    expected: &[(Finding, u64)],
) -> Queue {
    let queue = sound();
    damage(&mut queue.keys());
    let [before, _] = queue.bodies();
    assert_eq!(queue.check(), expected, "{what}");
    let other = queue.copy();
    assert_eq!(queue.repair(), expected, "{what}, repaired");
    assert_eq!(queue.check(), [], "{what}, after the repair");
    assert_eq!(queue.repair(), [], "{what}, repaired again");
    let [after, aside] = queue.bodies();
    assert!(before.iter().all(|body| after.contains(body) || aside.contains(body)), "{what}: lost");
    other.repair();
    assert_eq!(other.database, queue.database, "{what}: the same on a replica");
    queue
}

use Finding::*;

/// A kind of damage: what is done, and what is found.
type Row = (&'static str, fn(&mut MemoryKeyspace), &'static [(Finding, u64)]);

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
fn damaged_places_are_found_and_repaired() {
    let rows: [Row; 25] = [
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
            "a due time that is no moment",
            |k| k.add(Part::Delayed, &id(DELAYED).0, 0.5),
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1)],
        ),
        (
            "an end of visibility that is no moment",
            |k| {
                let (member, _) = delivery(k, IN_FLIGHT);
                k.add(Part::Inflight, &member, f64::NEG_INFINITY);
            },
            &[(DamagedPlace, 1), (BodyWithoutPlace, 1), (WrongNote, 1)],
        ),
        (
            "a score in a group",
            |k| k.add(Part::Grouped, &grouped(b"g", 1, WAITS_IN_G), 1.0),
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
                let (member, _) = delivery(k, IN_FLIGHT);
                k.remove(Part::Inflight, &member);
            },
            &[(BodyWithoutPlace, 1), (WrongNote, 1)],
        ),
        (
            "a lost place in a group",
            |k| {
                k.remove(Part::Grouped, &grouped(b"g", 1, WAITS_IN_G));
            },
            &[(BodyWithoutPlace, 1)],
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
                let (mut member, score) = delivery(k, IN_FLIGHT);
                member[7] ^= 0x80;
                k.add(Part::Inflight, &member, score - 7.0);
            },
            &[(TwoPlaces, 1)],
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
            |k| put_note(k, RETURNED, |note| note.priority = 3),
            &[(WrongPlace, 1)],
        ),
        (
            "a note with another number, one with another group, one with none",
            |k| {
                let change =
                    |number| move |note: &mut Note| note.group.as_mut().unwrap().sequence = number;
                put_note(k, WAITS_IN_G, change(Some(7)));
                put_note(k, 22, |note| note.group.as_mut().unwrap().name = b"z".to_vec());
                put_note(k, ALONE_IN_H, change(None));
            },
            &[(WrongPlace, 3), (WrongGroup, 2), (WrongTurn, 1)],
        ),
        (
            "a note without the group",
            |k| put_note(k, WAITS_IN_G, |note| note.group = None),
            &[(WrongPlace, 1), (WrongGroup, 1)],
        ),
        (
            "a note that names a group of a message with a rank, and one in flight",
            |k| {
                for number in [PRIORITY, IN_FLIGHT] {
                    let group = Membership { name: b"g".to_vec(), sequence: None };
                    put_note(k, number, |note| note.group = Some(group));
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
            |k| put_note(k, IN_FLIGHT, |note| note.last_receipt = Receipt::LIMIT.0 - 1),
            &[(WrongPlace, 1), (WrongNote, 1)],
        ),
    ];
    for (what, damage, expected) in rows {
        damaged(what, damage, expected);
    }
}

#[test]
fn damaged_indexes_are_found_and_repaired() {
    let rows: [Row; 24] = [
        (
            "a retry count too many, a wrong one",
            |k| {
                k.add(Part::Retried, &id(PRIORITY).0, 1.0);
                k.add(Part::Retried, &id(RETURNED).0, 9.0);
                k.add(Part::Retried, b"no id", 1.0);
            },
            &[(WrongRetried, 3)],
        ),
        ("all retry counts lost", |k| k.unlink(Part::Retried), &[(WrongRetried, 2)]),
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
        ("all deaths lost", |k| k.unlink(Part::Dead), &[(WrongDead, 2)]),
        ("wrong counts", |k| put_group(k, b"g", [1, 0, 0, 9]), &[(WrongGroup, 1)]),
        ("a number in use", |k| put_group(k, b"g", [2, 1, 0, 2]), &[(WrongGroup, 1)]),
        ("a number too high", |k| put_group(k, b"g", [2, 1, 0, 1 << 56]), &[(WrongGroup, 1)]),
        ("a group too many", |k| put_group(k, b"z", [1, 0, 0, 1]), &[(WrongGroup, 1)]),
        ("garbage for counts", |k| k.put(Part::Groups, b"g", b"x"), &[(WrongGroup, 1)]),
        ("all counts lost", |k| k.unlink(Part::Groups), &[(WrongGroup, 3)]),
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
        ("all turns lost", |k| k.unlink(Part::Turns), &[(WrongTurn, 1)]),
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
                put_note(k, PRIORITY, |note| note.dedup = Some(b"until done".to_vec()));
                put_note(k, RETURNED, |note| note.dedup = Some(b"window".to_vec()));
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
            let (member, _) = delivery(k, IN_FLIGHT);
            k.add(Part::Inflight, &member, 1e300);
            receipt = !u64::from_be_bytes(member[..8].try_into().unwrap());
        },
        &[(DamagedPlace, 1), (BodyWithoutPlace, 1), (WrongNote, 1)],
    );
    assert!(queue.keys().score(Part::Ranked, &id(IN_FLIGHT).0).is_some());
    let deliveries = vec![Claim { id: id(IN_FLIGHT), receipt: Receipt(receipt) }];
    let op = Op::Acknowledge { now_ms: Some(NOW_MS), deliveries };
    let (_, effects) = queue.apply("orders", &op);
    assert_eq!((effects.counts.acked, effects.counts.late_acks), (1, 1));
    assert_eq!(queue.check(), []);
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
    assert_eq!(seen.len(), 16, "some findings never came up: {seen:?}");
}

fn damage_somewhere(keys: &mut MemoryKeyspace, random: &mut fastrand::Rng) {
    let numbers = [1, 2, 3, 10, 11, 20, 21, 22, 23, 25, 26, 27, 30, 31, 40, 41, 50, 60, 61, 70];
    let mut number = || numbers[random.usize(0..numbers.len())];
    let [one, other] = [number(), number()];
    let part = Part::ALL[random.usize(0..Part::ALL.len() - 1)];
    let name = *random.choice([b"g".as_slice(), b"h", b"k", b"z", b"", &[7; 257]].iter()).unwrap();
    match part {
        Part::Ready => match random.u8(0..4) {
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
        Part::Groups => match random.u8(0..3) {
            0 => keys.delete(part, name),
            1 => keys.put(part, name, b"garbage"),
            _ => put_group(keys, name, [random.u64(0..3), random.u64(0..3), random.u64(0..2), 1]),
        },
        Part::Dedup => match random.u8(0..4) {
            0 => keys.unlink(part),
            1 => keys.put(part, name, b"garbage"),
            2 => put_duplicate(keys, b"until done", one, None),
            _ => put_duplicate(keys, name, one, Some(5)),
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
    // Without the setting another number of groups can be served.
    queue.repair();
    let mut expected = 0;
    for part in [Part::Ready, Part::Messages] {
        expected += keys.len(part);
    }
    let mut expiring = 0;
    keys.each_field(Part::Notes, |_, note| {
        expiring += u64::from(decode_note(note).unwrap().expires_at_ms.is_some());
    });
    let mut got = 0;
    for round in 1..1_000 {
        let now_ms = NOW_MS + round * 3 * HOUR_MS;
        let messages = queue.pull("orders", 100, now_ms);
        if messages.is_empty() {
            break;
        }
        got += messages.len() as u64;
        let claim = |message: &Delivered<_>| Claim {
            id: Body::id(&message.body),
            receipt: message.receipt.unwrap().0,
        };
        let deliveries = messages.iter().map(claim).collect();
        queue.apply("orders", &Op::Acknowledge { now_ms: Some(now_ms), deliveries });
        assert_eq!(queue.check(), [], "seed {seed}");
    }
    assert!(got + expiring >= expected && got <= expected, "seed {seed}: {got} of {expected}");
    for part in Part::ALL {
        let may_stay = matches!(part, Part::Damaged | Part::Dedup | Part::Deduped | Part::Turns);
        assert!(may_stay || queue.keys().len(part) == 0, "seed {seed}: {part:?} is not empty");
    }
}
