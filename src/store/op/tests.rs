//! Tests of `op.rs`.

use smallvec::smallvec;

use super::*;
use crate::queue::message::Died;
use crate::queue::message::{Delivery, Expiry};
use crate::queue::message::{Header, Receipt};
use crate::queue::name::QueueName;
use crate::queue::op::{
    self, BatchMessage, Choice, Class, Dedup, Mode, PushOptions, RedriveSlice, Return, Step,
    SweepLimit, TickOf,
};
use crate::queue::schedule::{Rhythm, Tick};
use crate::queue::settings::Setting;
use crate::queue::small_vec::ShortVec;
use crate::queue::valid::MAX_TIME_MS;
use crate::queue_tests::scheduled;

const ID: MessageId = MessageId([7, 0xff, 2, 3, 4, 5, 0x76, 7, 0x98, 9, 10, 11, 12, 13, 14, 0xff]);

fn orders() -> QueueName {
    QueueName::new(b"orders").unwrap()
}

fn slice(inspect: u32, count: u32, choice: Choice, reason: &'static [u8]) -> Op<'static> {
    Op::RedriveSlice(RedriveSlice {
        now_ms: 1,
        inspect,
        count,
        to: Some(orders()),
        same_slot: true,
        choice,
        from: Some(orders()),
        reason: Some(reason),
    })
}

fn give_back(how: Return) -> Op<'static> {
    let deliveries = smallvec![Delivery { id: ID, receipt: Receipt(77) }];
    let (delay_ms, same_slot, reason) = (None, false, None);
    Op::Nack(op::Nack { now_ms: 5, deliveries, delay_ms, same_slot, how, reason })
}

fn ops() -> Vec<Op<'static>> {
    let sweep = SweepLimit { limit: 300, same_slot: true };
    let claim = Delivery { id: ID, receipt: Receipt(77) };
    let claims: ShortVec<Delivery> = smallvec![claim];
    let mut definition = scheduled::full();
    definition.message.payload.truncate(9);
    definition.message.headers.truncate(2);
    vec![
        Op::Push(op::Push { id: ID, due_at_ms: Some(9), payload: b"\x00payload", options: None }),
        Op::Push(op::Push {
            id: ID,
            due_at_ms: None,
            payload: b"",
            options: Some(with(Class::Group(b"g"))),
        }),
        Op::PushMany(op::PushMany {
            messages: vec![BatchMessage { id: ID, payload: b"x" }],
            due_at_ms: None,
            options: Some(PushOptions { dedup: None, ..with(Class::Priority(9)) }),
        }),
        pull(5, 3, Mode::AtLeastOnce { visibility_ms: 1, consumer: Some(b"me") }, 9),
        pull(5, 3, Mode::AtMostOnce, 9),
        Op::Sweep(op::Sweep { now_ms: 5, sweep, ended: Vec::new() }),
        Op::Sweep(op::Sweep { now_ms: 5, sweep, ended: vec![ID, ID] }),
        Op::Acknowledge(op::Acknowledge { now_ms: None, deliveries: claims.clone() }),
        Op::Nack(op::Nack {
            now_ms: 5,
            deliveries: claims.clone(),
            delay_ms: Some(0),
            same_slot: false,
            how: Return::Rejected,
            reason: Some(b"why"),
        }),
        Op::Extend(op::Extend { now_ms: 5, deliveries: claims, visibility_ms: 8 }),
        Op::Configure(op::Configure {
            changes: vec![
                (Setting::DeadLetter, Some(b"dead".to_vec())),
                (Setting::MaxRetries, Some(b"-1".to_vec())),
                (Setting::Delay, None),
            ],
        }),
        Op::Configure(op::Configure { changes: vec![(Setting::MaxDedup, Some(b"5".to_vec()))] }),
        Op::Configure(op::Configure { changes: vec![(Setting::Expires, Some(b"5".to_vec()))] }),
        give_back(Return::InFront),
        give_back(Return::Abandoned),
        Op::Push(op::Push {
            id: ID,
            due_at_ms: None,
            payload: b"",
            options: Some(PushOptions {
                expiry: Some(Expiry::kills(8)),
                ..with(Class::Priority(0))
            }),
        }),
        Op::Use(op::Use { now_ms: 5 }),
        Op::Expire(op::Expire { now_ms: 5 }),
        Op::Delete(op::Delete { ids: vec![ID] }),
        Op::PurgeState(op::PurgeState { state: op::Waiting::Delayed, limit: 7 }),
        Op::Purge,
        Op::Drop,
        Op::Reschedule(op::Reschedule { now_ms: 1, id: ID, due_at_ms: 2 }),
        Op::Redrive(op::Redrive { now_ms: 1, count: 2, to: Some(orders()), same_slot: true }),
        slice(2, 1, Choice::Ids(vec![ID]), b"why"),
        slice(2, 1, Choice::Died { after: Some(Died { at_ms: 4, id: ID }), until_ms: 5 }, b""),
        Op::Pause(op::Pause { until_ms: Some(1) }),
        Op::Resume,
        Op::Repair,
        Op::Prolong(op::Prolong { now_ms: 5, deliveries: smallvec![claim], visibility_ms: 8 }),
        Op::Schedule(scheduled::set("s", &definition, 5, None)),
        Op::Schedule(scheduled::set("s", &scheduled::cron("@daily"), 5, Some(LATE))),
        Op::Unschedule(op::Unschedule { name: b"s".to_vec() }),
        ticks(vec![
            scheduled::push("s", ID, LATE, 3, Some(LATE)),
            TickOf { name: b"t".to_vec(), step: Step::Pass { missed: u64::MAX }, next: None },
            TickOf { name: b"u".to_vec(), step: Step::Mend, next: None },
            TickOf { name: Vec::new(), step: Step::Mend, next: None },
            TickOf { name: b"v".to_vec(), step: Step::Skip { tick: LATE, missed: 1 }, next: None },
        ]),
        Op::Trigger(op::Trigger { now_ms: 5, id: ID, name: b"s".to_vec() }),
    ]
}

/// A tick with jitter.
const LATE: Tick = Tick { at_ms: 7, due_ms: 9 };

fn ticks(ticks: Vec<TickOf>) -> Op<'static> {
    Op::Ticks(op::Ticks { now_ms: 5, ticks, zones: scheduled::zones() })
}

fn with(class: Class<'static>) -> PushOptions<'static> {
    PushOptions {
        expiry: Some(Expiry::discards(8)),
        class,
        dedup: Some(Dedup { key: b"key", now_ms: 7, until_ms: None }),
        headers: vec![Header { name: b"name", value: b"" }],
    }
}

fn pull(now_ms: u64, count: u32, mode: Mode<'static>, receipt: u64) -> Op<'static> {
    let sweep = SweepLimit { limit: 300, same_slot: true };
    let acknowledged = vec![Delivery { id: ID, receipt: Receipt(77) }];
    let base_receipt = Receipt(receipt);
    let ended = vec![ID; (receipt % 2) as usize];
    Op::Pull(op::Pull { now_ms, count, mode, base_receipt, sweep, acknowledged, ended })
}

#[test]
fn what_was_encoded_is_decoded() {
    for op in ops() {
        assert_eq!(decode_op(&encode_op(&op)), Ok((op, Rules::V2)));
    }
}

#[test]
fn what_is_written_field_by_field_is_what_bincode_writes() {
    for op in ops() {
        let mut expected = Encoded::new(0);
        expected.push(OP_VERSION);
        if let Op::Pull(op::Pull { ended, .. }) | Op::Sweep(op::Sweep { ended, .. }) = &op
            && !ended.is_empty()
        {
            append((ENDED, ended), &mut expected);
        }
        append(&op, &mut expected);
        assert_eq!(encode_op(&op).to_vec(), expected.to_vec(), "{op:?}");
    }
    for number in [0, 250, 251, 0xffff, 0x1_0000, 0xffff_ffff, 1 << 32, u64::MAX] {
        let op = Op::Acknowledge(op::Acknowledge {
            now_ms: Some(number),
            deliveries: smallvec![Delivery { id: ID, receipt: Receipt(number) }; 300],
        });
        let mut expected = Encoded::new(0);
        expected.push(OP_VERSION);
        append(&op, &mut expected);
        assert_eq!(encode_op(&op).to_vec(), expected.to_vec(), "{number}");
    }
}

#[test]
fn the_payload_of_a_push_may_come_beside_it() {
    for op in ops() {
        let Op::Push(push) = &op else {
            let bytes = encode_op(&op);
            assert_eq!(decode_with(&bytes, Some(b"x")), Err(RecordError::Damaged), "{op:?}");
            continue;
        };
        let mut bytes = encode_without_payload(push).to_vec();
        assert_eq!(decode_with(&bytes, Some(push.payload)), Ok((op.clone(), Rules::V2)));
        bytes[0] = OLD_OP_VERSION;
        assert_eq!(decode_with(&bytes, Some(push.payload)), Err(RecordError::Damaged));
        if !push.payload.is_empty() {
            let both = decode_with(&encode_op(push), Some(push.payload)).map(|_| ());
            assert_eq!(both, Err(RecordError::Damaged));
        }
    }
    let Op::Push(push) = &ops()[0] else { panic!("the first is a push") };
    let too_long = vec![0; crate::queue::valid::MAX_PAYLOAD_BYTES + 1];
    let bytes = encode_without_payload(push);
    assert!(decode_with(&bytes, Some(&too_long[1..])).is_ok());
    assert_eq!(decode_with(&bytes, Some(&too_long)).err(), Some(RecordError::Damaged));
}

#[test]
fn every_cut_and_every_leftover_is_damage() {
    for op in ops() {
        let mut bytes = encode_op(&op).to_vec();
        for end in 0..bytes.len() {
            assert!(decode_op(&bytes[..end]).is_err(), "{op:?} cut at {end}");
        }
        bytes.push(0);
        assert_eq!(decode_op(&bytes), Err(RecordError::Damaged), "{op:?}");
    }
}

#[test]
fn an_unknown_version_is_told_apart() {
    let mut bytes = encode_op(&ops()[0]).to_vec();
    bytes[0] = 3;
    assert_eq!(decode_op(&bytes), Err(RecordError::Version(3)));
}

#[test]
fn an_op_of_version_1_is_read_and_has_the_rules_of_0_1_0() {
    for op in ops() {
        let mut bytes = encode_op(&op).to_vec();
        assert_eq!(bytes[0], 2);
        bytes[0] = 1;
        let text = format!("{op:?}");
        let is_later = |word: &&str| text.contains(word);
        let is_old = bytes[1] < 16
            && !["MaxDedup", "Expires", "InFront", "Abandoned", "9223372036854775"]
                .iter()
                .any(is_later);
        let expected = if is_old { Ok((op, Rules::V1)) } else { Err(RecordError::Damaged) };
        assert_eq!(decode_op(&bytes), expected);
    }
}

#[test]
fn a_length_in_the_bytes_can_not_make_the_server_allocate() {
    // An acknowledgment that claims 2^60 deliveries, a push that claims 2^60 bytes.
    let mut acknowledge = vec![2, 3, 0, 253];
    acknowledge.extend_from_slice(&(1u64 << 60).to_le_bytes());
    assert_eq!(decode_op(&acknowledge), Err(RecordError::Damaged));
    let mut push = vec![2, 0];
    push.extend_from_slice(&ID.0);
    push.push(0);
    push.push(253);
    push.extend_from_slice(&(1u64 << 60).to_le_bytes());
    assert_eq!(decode_op(&push), Err(RecordError::Damaged));
}

/// A delivery with NOACK has no receipt.
#[test]
fn a_pull_may_come_as_close_to_the_last_receipt_as_its_count_allows() {
    let visible = Mode::AtLeastOnce { visibility_ms: 1, consumer: None };
    for op in [
        pull(1, 1, visible, (1 << 63) - 1),
        pull(1, 10_000, visible, (1 << 63) - 10_000),
        pull(1, 10_000, Mode::AtMostOnce, 0),
        pull(1, 10_000, Mode::AtMostOnce, u64::MAX),
    ] {
        assert_eq!(decode_op(&encode_op(&op)), Ok((op, Rules::V2)));
    }
}

#[test]
fn an_op_that_claims_the_impossible_is_refused() {
    let visible = |visibility_ms| Mode::AtLeastOnce { visibility_ms, consumer: None };
    let push =
        |with| Op::Push(op::Push { id: ID, due_at_ms: None, payload: b"", options: Some(with) });
    let plain = || PushOptions { dedup: None, ..with(Class::Priority(0)) };
    let key = |key| Some(Dedup { key, now_ms: 1, until_ms: None });
    let long_name: &'static [u8] = Box::leak(vec![b'x'; 257].into());
    let long_key: &'static [u8] = Box::leak(vec![b'x'; 269].into());
    let many = vec![Header { name: b"n", value: b"v" }; 65];
    let back = |reason| {
        Op::Nack(op::Nack {
            now_ms: 1,
            deliveries: ShortVec::new(),
            delay_ms: None,
            same_slot: false,
            how: Return::Counted,
            reason: Some(reason),
        })
    };
    let long_reason: &'static [u8] = Box::leak(vec![b'x'; 1025].into());
    let name = vec![(Setting::DeadLetter, Some(b"{x}".to_vec()))];
    let number = vec![(Setting::Visibility, Some(b"0".to_vec()))];
    for op in [
        pull(1 << 43, 1, visible(1), 1),
        pull(1, 0, visible(1), 1),
        pull(1, 10_001, visible(1), 1),
        pull(1, 1, visible(0), 1),
        pull(1, 1, visible(u64::MAX), 1),
        pull(1, 1, visible(1), 0),
        pull(1, 1, visible(1), 1 << 63),
        pull(1, 2, visible(1), (1 << 63) - 1),
        pull(1, 10_000, visible(1), (1 << 63) - 9_999),
        pull(1, 1, Mode::AtLeastOnce { visibility_ms: 1, consumer: Some(b"") }, 1),
        pull(1, 1, Mode::AtLeastOnce { visibility_ms: 1, consumer: Some(long_name) }, 1),
        Op::Push(op::Push {
            id: MessageId([255; 16]),
            due_at_ms: None,
            payload: b"",
            options: None,
        }),
        Op::Push(op::Push { id: MessageId([0; 16]), due_at_ms: None, payload: b"", options: None }),
        Op::Push(op::Push { id: ID, due_at_ms: Some(u64::MAX), payload: b"", options: None }),
        push(PushOptions { expiry: Some(Expiry::kills(u64::MAX)), ..plain() }),
        push(PushOptions { class: Class::Priority(10), ..plain() }),
        push(PushOptions { class: Class::Group(b""), ..plain() }),
        push(PushOptions { class: Class::Group(long_name), ..plain() }),
        push(PushOptions { dedup: key(b""), ..plain() }),
        push(PushOptions { dedup: key(long_key), ..plain() }),
        push(PushOptions { headers: many, ..plain() }),
        push(PushOptions { headers: vec![Header { name: b"", value: b"v" }], ..plain() }),
        Op::PushMany(op::PushMany { messages: Vec::new(), due_at_ms: None, options: None }),
        Op::PushMany(op::PushMany {
            messages: vec![BatchMessage { id: ID, payload: b"" }],
            due_at_ms: None,
            options: Some(with(Class::Priority(0))),
        }),
        back(long_reason),
        slice(0, 1, Choice::ALL, b""),
        slice(1, 0, Choice::ALL, b""),
        slice(100_001, 1, Choice::ALL, b""),
        slice(1, 1, Choice::Ids(vec![ID; 10_001]), b""),
        slice(1, 1, Choice::Died { after: None, until_ms: MAX_TIME_MS + 1 }, b""),
        slice(
            1,
            1,
            Choice::Died { after: Some(Died { at_ms: MAX_TIME_MS, id: ID }), until_ms: 1 },
            b"",
        ),
        slice(1, 1, Choice::ALL, &[b'x'; 1_025]),
        Op::Redrive(op::Redrive { now_ms: 1, count: 0, to: None, same_slot: false }),
        Op::Redrive(op::Redrive { now_ms: 1, count: 100_001, to: None, same_slot: false }),
        Op::Pause(op::Pause { until_ms: Some(0) }),
        Op::Reschedule(op::Reschedule { now_ms: 1, id: ID, due_at_ms: 1 << 43 }),
        Op::Configure(op::Configure { changes: name }),
        Op::Configure(op::Configure { changes: number }),
    ] {
        assert_eq!(decode_op(&encode_op(&op)), Err(RecordError::Damaged), "{op:?}");
    }
}

#[test]
fn an_op_on_schedules_that_claims_the_impossible_is_refused() {
    let long = || vec![b'x'; 257];
    let set = || scheduled::set("s", &scheduled::every(100), 5, Some(LATE));
    let harms: [fn(&mut op::Schedule); 9] = [
        |op| op.name.clear(),
        |op| op.name = vec![b'x'; 257],
        |op| op.phase_ms = MAX_TIME_MS,
        |op| op.zones = vec![b'x'; 65],
        |op| op.definition.is_paused = true,
        |op| op.next = None,
        |op| op.next = Some(Tick { at_ms: 9, due_ms: 8 }),
        |op| op.next = Some(Tick { at_ms: 9, due_ms: MAX_TIME_MS }),
        |op| op.definition.timing.rhythm = Rhythm::Every { ms: 99 },
    ];
    let sets = harms.map(|harm| {
        let mut op = set();
        harm(&mut op);
        Op::Schedule(op)
    });
    let tick = |tick, next| ticks(vec![scheduled::push("s", ID, tick, 0, next)]);
    let of = |name| TickOf { name, step: Step::Pass { missed: 0 }, next: None };
    let early = Tick { at_ms: 9, due_ms: 8 };
    let no_id = MessageId([0; 16]);
    for op in sets.into_iter().chain([
        Op::Unschedule(op::Unschedule { name: Vec::new() }),
        Op::Unschedule(op::Unschedule { name: long() }),
        tick(early, None),
        tick(LATE, Some(early)),
        tick(LATE, Some(Tick { at_ms: MAX_TIME_MS, due_ms: MAX_TIME_MS })),
        ticks(vec![scheduled::push("s", no_id, LATE, 0, None)]),
        ticks(vec![TickOf { step: Step::Skip { tick: early, missed: 0 }, ..of(b"s".to_vec()) }]),
        ticks(vec![of(Vec::new())]),
        ticks(vec![of(long())]),
        ticks(vec![of(b"s".to_vec()); 10_001]),
        Op::Ticks(op::Ticks { now_ms: MAX_TIME_MS, ticks: Vec::new(), zones: Vec::new() }),
        Op::Ticks(op::Ticks { now_ms: 5, ticks: Vec::new(), zones: vec![b'x'; 65] }),
        Op::Trigger(op::Trigger { now_ms: MAX_TIME_MS, id: ID, name: b"s".to_vec() }),
        Op::Trigger(op::Trigger { now_ms: 5, id: no_id, name: b"s".to_vec() }),
        Op::Trigger(op::Trigger { now_ms: 5, id: ID, name: long() }),
    ]) {
        assert_eq!(decode_op(&encode_op(&op)), Err(RecordError::Damaged), "{op:?}");
    }
}
