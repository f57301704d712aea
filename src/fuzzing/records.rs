//! Arbitrary bytes as a record, a member, a key or an expression of cron.

use super::world::START_MS;
use crate::calendar::{Cron, Rhythm, Zone};
use crate::queue::message::{Body, Kept, MessageId, NewMessage, Receipt, Running};
use crate::queue::name::QueueName;
use crate::queue::op::{self, Mode, Op};
use crate::queue::part::Part;
use crate::queue::rules::Rules;
use crate::queue::settings::{Setting, Settings, parse_integer};
use crate::queue::valid::DEADLINES;
use crate::queue_tests::ranges;
use crate::store::body::{
    BodyRecord, StoredBody, decode_body, decode_delivered, take_head_off, whole_body,
};
use crate::store::flight::Head;
use crate::store::op::{decode_op, encode_op};
use crate::store::{keys, members, record, schedules};

/// Decodes the bytes as everything that is stored. What can be decoded is in range and survives
/// encoding.
pub fn records(bytes: &[u8]) {
    macro_rules! again {
        ($decode:path, $encode:path, $is_in_range:path) => {
            if let Ok(value) = $decode(bytes) {
                assert!($is_in_range(&value), "{value:?}");
                let written = $encode(&value);
                assert_eq!($decode(&written).as_ref(), Ok(&value));
            }
        };
    }
    if let Ok((op, rules)) = decode_op(bytes) {
        let mut written = encode_op(&op).to_vec();
        assert_eq!(decode_op(&written), Ok((op.clone(), Rules::V2)));
        written[0] = bytes[0];
        assert_eq!(decode_op(&written).as_ref(), Ok(&(op.clone(), rules)));
        if let Op::Pull(op::Pull { base_receipt, count, mode: Mode::AtLeastOnce { .. }, .. }) = op {
            let last = base_receipt.0.checked_add(u64::from(count));
            assert!(last.is_some_and(|end| end <= 1 << 63), "{base_receipt:?} {count}");
        }
    }
    again!(record::decode_state, record::encode_state, ranges::is_note);
    again!(record::decode_group, record::encode_group, ranges::is_group);
    again!(record::decode_duplicate, record::encode_duplicate, ranges::is_duplicate);
    again!(schedules::decode_schedule, schedules::encode_schedule, ranges::is_schedule);
    expression(bytes);
    body(bytes);
    member(bytes);
    names(bytes);
    settings(bytes);
}

/// An expression that is accepted has a tick after any time, and the one after that is later.
fn expression(bytes: &[u8]) {
    let Ok(cron) = Cron::parse(bytes) else { return };
    for zone in ["UTC", "America/New_York", "Australia/Lord_Howe"] {
        let zone = Zone::named(zone.as_bytes()).expect("a zone");
        let rhythm = Rhythm::Cron { cron, zone };
        let first_ms = rhythm.next_after(START_MS).expect("a tick");
        let next_ms = rhythm.next_after(first_ms).expect("another tick");
        assert!(START_MS < first_ms && first_ms < next_ms, "{first_ms} {next_ms}");
        assert_eq!(rhythm.next_after(first_ms - 1), Some(first_ms));
    }
}

fn body(bytes: &[u8]) {
    let id = MessageId([1, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    let head = Head::decode(bytes);
    let mut taken_off = bytes.to_vec();
    if take_head_off(id, &mut taken_off) {
        assert_eq!(decode_delivered(id, bytes), decode_body(&taken_off));
    }
    if let Some(head) = head {
        assert!((1..1 << 63).contains(&head.receipt.0) && head.running.until_ms < DEADLINES);
        assert!(bytes.starts_with(&head.encode()));
    }
    let Ok(body) = decode_body(bytes) else {
        return assert!(StoredBody::read(bytes).is_err());
    };
    assert!(body.id.is_valid());
    let record = body.terms.record();
    let BodyRecord { id, terms, payload } = &body;
    let message = NewMessage { id: *id, record: record.as_ref(), headers: &terms.headers, payload };
    assert_eq!(decode_body(&whole_body(&message)).as_ref(), Ok(&body));
    let mut stored = StoredBody::read(bytes).expect("a body");
    assert_eq!((stored.id(), stored.payload()), (*id, *payload));
    assert_eq!(stored.headers(), terms.headers);
    assert_eq!(stored.take_record(), record.map(Box::new));
    let mut stored = StoredBody::read(bytes.to_vec()).expect("a body");
    let running = Running { until_ms: 1, has_cleanup: true, kept: Kept::Whole };
    stored.put_head_on(Receipt(1), running);
    assert_eq!((stored.payload(), stored.headers()), (body.payload, body.terms.headers));
    assert!(take_head_off(body.id, &mut stored.bytes));
    assert_eq!(stored.bytes, bytes);
}

fn member(bytes: &[u8]) {
    if let Some((group, sequence, id)) = members::grouped(bytes) {
        assert_eq!(members::grouped_member(group, sequence, id), bytes);
        assert!(sequence < 1 << 56);
        assert!(bytes.starts_with(&members::group_prefix(group)));
    }
    if let Ok(delivery) = members::delivery(bytes) {
        assert_eq!(members::inflight_member(delivery), bytes);
        assert!((1..1 << 63).contains(&delivery.receipt.0));
    }
    if let Ok(id) = members::message_id(bytes) {
        assert_eq!(id.0, bytes);
    }
}

/// A key maps to its queue and back.
fn names(bytes: &[u8]) {
    if let Some((queue, _)) = keys::queue_and_part(bytes) {
        assert!(Part::ALL.iter().any(|part| keys::key(&queue, *part) == bytes));
    }
    let Ok(queue) = QueueName::new(bytes) else { return };
    let ready = keys::key(&queue, Part::Ready);
    assert_eq!(keys::queue_and_part(&ready), Some((queue.clone(), Part::Ready)));
    if let Some(dead) = queue.default_dead_letter() {
        assert!(dead.shares_slot_with(&queue));
    }
}

/// A parsed number is printed the same, and no setting accepts a value out of its range.
fn settings(bytes: &[u8]) {
    let number = parse_integer(bytes);
    assert!(number.is_none_or(|number| number.to_string().as_bytes() == bytes));
    for setting in Setting::ALL {
        let mut settings = Settings::default();
        let is_taken = settings.set(setting, bytes);
        if let Some((min, max)) = setting.range() {
            assert_eq!(is_taken, number.is_some_and(|number| (min..=max).contains(&number)));
        }
        if !is_taken {
            assert_eq!(settings, Settings::default(), "{setting:?}");
        }
    }
}
