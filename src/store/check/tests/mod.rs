//! A sound queue with something in every part, damaged by hand in each of them.

mod indexes;
mod places;
mod random;
mod records;

use smallvec::smallvec;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::check;
use crate::queue::Request;
use crate::queue::effects::Effects;
use crate::queue::finding::Finding;
use crate::queue::message::{
    Body, Delivery, Expiry, Header, Kept, Membership, MessageId, NewMessage, Receipt, Running,
    StateRecord,
};
use crate::queue::name::QueueName;
use crate::queue::op::{self, Class, Dedup, Mode, Op, PushOptions, Return, SweepLimit};
use crate::queue::part::Part;
use crate::queue::pull::Delivered;
use crate::queue::records::{Duplicate, Group, GroupCounts};
use crate::queue::rules::Rules;
use crate::queue::settings::Setting;
use crate::queue::small_vec::NameBytes;
use crate::queue::store::Store;
use crate::queue_tests::scheduled::{every, set, tick};
use crate::store::body::StoredBody;
use crate::store::body::{decode_body_of, decode_delivered, take_head_off, whole_body};
use crate::store::flight::{Format, Head, is_apart};
use crate::store::keyspace::{Contents, Keyspace};
use crate::store::memory::{Database, MemoryKeyspace};
use crate::store::record::{
    decode_group, decode_state, encode_duplicate, encode_group, encode_state,
};
use crate::store::records::Records;

const NOW_MS: u64 = 1_800_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const SWEEP: SweepLimit = SweepLimit { limit: 1_000, same_slot: false };

/// A number for each of the messages that the tests damage.
const PLAIN: u64 = 1;
const IN_FLIGHT: u64 = 3;
/// In flight too, with a large payload.
const LARGE: u64 = 6;
/// Its delivery began under version 1 of ops.
const OLD: u64 = 5;
const DELAYED: u64 = 10;
const PRIORITY: u64 = 11;
const WAITS_IN_G: u64 = 21;
const ALONE_IN_H: u64 = 23;
/// Of group g, too; the number there.
const LAST_OF_HEAD: (u64, u64) = (205, 8);
const BEHIND_HEAD: (u64, u64) = (206, 9);
const EXPIRES: u64 = 30;
const KEY_HELD: u64 = 41;
/// One in the list of each priority from 1 on: this and the priority.
const LISTED: u64 = 80;
const RETURNED: u64 = 50;
const DEAD: u64 = 60;

/// A schedule, and one that is paused.
const HOURLY: &[u8] = b"hourly";
const PAUSED: &[u8] = b"paused";

fn id(number: u64) -> MessageId {
    let mut id = [0u8; 16];
    id[..6].copy_from_slice(&(NOW_MS + number).to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8..].copy_from_slice(&number.to_be_bytes());
    id[8] = 0x80;
    MessageId(id)
}

fn body(number: u64) -> Vec<u8> {
    body_that_says(number, None)
}

fn body_with(number: u64, payload: &[u8]) -> Vec<u8> {
    whole_body(&NewMessage { id: id(number), record: None, headers: &[], payload })
}

fn body_that_says(number: u64, record: Option<&StateRecord>) -> Vec<u8> {
    let payload = format!("payload {number}");
    let message = NewMessage { id: id(number), record, headers: &[], payload: payload.as_bytes() };
    whole_body(&message)
}

fn plain() -> PushOptions<'static> {
    PushOptions { expiry: None, class: Class::Priority(0), dedup: None, headers: Vec::new() }
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

    fn apply<'a, R: Request<'a>>(
        &self,
        queue: &str,
        op: &R,
    ) -> (R::Outcome<StoredBody<Vec<u8>>>, Effects) {
        self.apply_under(Rules::V2, queue, op)
    }

    fn apply_under<'a, R: Request<'a>>(
        &self,
        rules: Rules,
        queue: &str,
        op: &R,
    ) -> (R::Outcome<StoredBody<Vec<u8>>>, Effects) {
        let mut effects = Effects::none();
        let mut store = Records::with_rules(self.keys_of(queue), rules);
        let outcome = op.apply(&mut store, &mut effects).unwrap();
        (outcome, effects)
    }

    fn push(&self, number: u64, delay_ms: Option<u64>, with: Option<PushOptions<'_>>) {
        self.push_to("orders", number, delay_ms, with);
    }

    fn push_to(
        &self,
        queue: &str,
        number: u64,
        delay_ms: Option<u64>,
        with: Option<PushOptions<'_>>,
    ) {
        let mut payload = format!("payload {number}");
        if number == LARGE {
            payload = payload.repeat(700);
        }
        let due_at_ms = delay_ms.map(|ms| NOW_MS + ms);
        let payload = payload.as_bytes();
        self.apply(queue, &op::Push { id: id(number), due_at_ms, payload, options: with });
    }

    fn pull(&mut self, queue: &str, count: u32, now_ms: u64) -> Vec<Delivered<impl Body + use<>>> {
        self.pull_under(Rules::V2, queue, count, now_ms)
    }

    fn pull_under(
        &mut self,
        rules: Rules,
        queue: &str,
        count: u32,
        now_ms: u64,
    ) -> Vec<Delivered<impl Body + use<>>> {
        let consumer = Some(b"worker".as_slice());
        let mode = Mode::AtLeastOnce { visibility_ms: HOUR_MS, consumer };
        let base_receipt = Receipt(self.last_receipt + 1);
        let sweep = SWEEP;
        let acknowledged = Vec::new();
        let ended = Records::new(self.keys_of(queue)).ended(now_ms, count);
        let ended = if rules == Rules::V1 { Vec::new() } else { ended };
        let op = op::Pull { now_ms, count, mode, base_receipt, sweep, acknowledged, ended };
        let (pulled, effects) = self.apply_under(rules, queue, &op);
        self.last_receipt = effects.last_receipt.map_or(self.last_receipt, |receipt| receipt.0);
        pulled.messages.into_vec()
    }

    fn pull_one(&mut self, queue: &str) -> Delivery {
        let message = self.pull(queue, 1, NOW_MS).pop().expect("a message");
        Delivery { id: message.body.id(), receipt: message.receipt.unwrap().0 }
    }

    fn nack(&self, queue: &str, claim: Delivery, delay_ms: u64, reason: Option<&[u8]>) {
        let op = op::Nack {
            now_ms: NOW_MS + 1,
            deliveries: smallvec![claim],
            delay_ms: Some(delay_ms),
            same_slot: false,
            how: Return::Counted,
            reason,
        };
        self.apply(queue, &op);
    }

    fn configure(&self, queue: &str, setting: Setting, text: &str) {
        let changes = vec![(setting, Some(text.as_bytes().to_vec()))];
        self.apply(queue, &op::Configure { changes });
    }

    fn check(&self) -> Vec<(Finding, u64)> {
        check(&mut self.keys())
    }

    fn repair(&self) -> Vec<(Finding, u64)> {
        let before = self.database.borrow().clone();
        let (findings, effects) = self.apply("orders", &op::Repair);
        assert_eq!(effects.changed, *self.database.borrow() != before);
        assert_eq!(effects.changed, !findings.is_empty());
        findings
    }

    /// The bytes of every body where one belongs, and what is in `Damaged`.
    fn bodies(&self) -> [BTreeSet<Vec<u8>>; 2] {
        let [mut bodies, mut damaged] = [BTreeSet::new(), BTreeSet::new()];
        let mut keys = self.keys();
        let mut add = |bytes: &[u8]| bodies.insert(bytes.to_vec());
        for list in Part::READY {
            keys.each_element(*list, |bytes| {
                add(bytes);
            });
        }
        for part in [Part::Messages, Part::Bodies] {
            keys.each_field(part, |_, bytes| {
                add(bytes);
            });
        }
        keys.each_field(Part::Flight, |field, record| {
            if is_apart(record) {
                return;
            }
            let (id, mut body) = (MessageId(field.try_into().unwrap_or_default()), record.to_vec());
            if decode_delivered(id, record).is_ok() && id.is_valid() {
                take_head_off(id, &mut body);
                add(&body);
            } else {
                add(&[field, record].concat());
            }
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
    let expiring = PushOptions { expiry: Some(Expiry::discards(NOW_MS + 2 * HOUR_MS)), ..plain() };
    queue.push(32, None, Some(expiring.clone()));
    assert_eq!(queue.pull("orders", 3, NOW_MS).len(), 3);
    queue.push(LARGE, None, None);
    queue.pull_one("orders");
    queue.push(OLD, None, None);
    assert_eq!(queue.pull_under(Rules::V1, "orders", 1, NOW_MS).len(), 1);
    let in_group = |name| Some(PushOptions { class: Class::Group(name), ..plain() });
    queue.push(20, None, in_group(b"g"));
    queue.pull_one("orders");
    queue.push(WAITS_IN_G, None, in_group(b"g"));
    queue.push(22, None, in_group(b"g"));
    // With these, more than the record of a group names.
    for number in 200..208 {
        queue.push(number, None, in_group(b"g"));
    }
    // Group k holds its slot for a retry, and has one that joins later.
    queue.push(25, None, in_group(b"k"));
    let claim = queue.pull_one("orders");
    queue.nack("orders", claim, HOUR_MS, None);
    queue.push(26, None, in_group(b"k"));
    queue.push(27, Some(HOUR_MS), in_group(b"k"));
    // A returned one, with a reason.
    queue.push(RETURNED, None, None);
    let claim = queue.pull_one("orders");
    queue.nack("orders", claim, 0, Some(b"no paper"));
    queue.push(ALONE_IN_H, None, in_group(b"h"));
    // Two dead letters, one of them delayed.
    queue.configure("mails", Setting::MaxRetries, "0");
    queue.configure("mails", Setting::DeadLetter, "orders");
    for number in [DEAD, DEAD + 1] {
        let with = PushOptions { class: Class::Group(b"tenant"), ..plain() };
        queue.push_to("mails", number, None, Some(with));
        let claim = queue.pull_one("mails");
        queue.nack("mails", claim, 0, None);
    }
    queue.push(DELAYED, Some(HOUR_MS), None);
    let priority = |priority| Some(PushOptions { class: Class::Priority(priority), ..plain() });
    queue.push(PRIORITY, Some(HOUR_MS), priority(7));
    queue.apply(
        "orders",
        &Op::Reschedule(op::Reschedule { now_ms: NOW_MS, id: id(PRIORITY), due_at_ms: 0 }),
    );
    for listed in 1..=9 {
        queue.push(LISTED + u64::from(listed), None, priority(listed));
    }
    queue.push(EXPIRES, None, Some(expiring.clone()));
    queue.push(31, Some(HOUR_MS), Some(expiring));
    let dedup = |key, until_ms| {
        let dedup = Dedup { key, now_ms: NOW_MS, until_ms };
        Some(PushOptions { dedup: Some(dedup), ..plain() })
    };
    queue.push(PLAIN, None, None);
    let headers = vec![Header { name: b"trace", value: b"1" }];
    queue.push(PLAIN + 1, None, Some(PushOptions { headers, ..plain() }));
    queue.push(40, None, dedup(b"window", Some(NOW_MS + HOUR_MS)));
    queue.push(KEY_HELD, None, dedup(b"until done", None));
    queue.apply("orders", &Op::Pause(op::Pause { until_ms: Some(NOW_MS + HOUR_MS) }));
    let next = tick(NOW_MS + HOUR_MS);
    queue.apply("orders", &set("hourly", &every(HOUR_MS), NOW_MS, Some(next)));
    queue.apply("orders", &set("paused", &every(HOUR_MS), NOW_MS, None));
    // 0.1.0 returned the one of group k.
    queue.keys().put(Part::Retries, b"1", b"1");
    queue.keys().add(Part::Retried, &id(25).0, 1.0);
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

/// The member, the score of a delivery that began under version 1 of ops.
fn delivery(keys: &mut MemoryKeyspace, number: u64) -> (Vec<u8>, f64) {
    let all = [f64::NEG_INFINITY, f64::INFINITY];
    let members = keys.range(Part::Inflight, all, 0, 1_000);
    members.into_iter().find(|(member, _)| member[8..] == id(number).0).expect("a delivery")
}

/// Changes the bytes of a record of `Flight`.
fn change_flight(keys: &mut MemoryKeyspace, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let mut record = keys.get(Part::Flight, &id(number).0).unwrap();
    change(&mut record);
    keys.put(Part::Flight, &id(number).0, &record);
}

fn grouped(group: &[u8], sequence: u64, number: u64) -> Vec<u8> {
    let len = u8::try_from(group.len() - 1).unwrap();
    [&[len], group, &sequence.to_be_bytes(), &id(number).0].concat()
}

fn record(keys: &mut MemoryKeyspace, number: u64) -> StateRecord {
    if let Some(bytes) = keys.get(Part::Notes, &id(number).0) {
        return decode_state(&bytes).unwrap();
    }
    let body = keys.get(Part::Messages, &id(number).0);
    let record = keys.get(Part::Flight, &id(number).0);
    let body = match (&body, &record) {
        (Some(bytes), _) => Some(decode_body_of(id(number), bytes).unwrap()),
        (None, record) => {
            record.as_ref().map(|record| decode_delivered(id(number), record).unwrap())
        }
    };
    body.and_then(|body| body.terms.record()).unwrap_or_default()
}

fn put_record(keys: &mut MemoryKeyspace, number: u64, change: impl FnOnce(&mut StateRecord)) {
    let mut record = record(keys, number);
    change(&mut record);
    keys.put(Part::Notes, &id(number).0, &encode_state(&record));
}

fn put_group(keys: &mut MemoryKeyspace, name: &[u8], counts: [u64; 4]) {
    let [waiting, inflight, held, next_sequence] = counts;
    change_group(keys, name, |group| {
        group.counts = GroupCounts { waiting, inflight, held, next_sequence };
    });
}

fn change_group(keys: &mut MemoryKeyspace, name: &[u8], change: impl FnOnce(&mut Group)) {
    let stored = keys.get(Part::Groups, name);
    let mut group = stored.and_then(|bytes| decode_group(&bytes).ok()).unwrap_or_default();
    change(&mut group);
    keys.put(Part::Groups, name, &encode_group(&group));
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
