//! The bytes of ops in the replication stream and in the append-only file: a version byte, then bincode.

use crate::queue::message::MessageId;
use crate::queue::op::{self, Op, PushOptions};
use crate::queue::rules::Rules;

use super::record::{Encoded, RecordError, append, read_first, read_whole};

/// The version of the ops that this module decides.
pub const OP_VERSION: u8 = 2;
/// The version of 0.1.0, whose ops have numbers below [`FIRST_OF_2`].
const OLD_OP_VERSION: u8 = 1;
/// The first op that version 1 does not have.
const FIRST_OF_2: u8 = 16;
/// In place of the number of an op: ids follow, see [`op::Sweep::ended`], then the op.
const ENDED: u8 = 18;

/// An op, or a type of its own for one, that can be encoded.
pub trait Encode {
    /// About how many bytes it takes.
    fn room(&self) -> usize {
        64
    }

    /// Appends its number and its fields: what bincode writes for an [`Op`].
    fn append_to(&self, bytes: &mut Encoded);
}

pub fn encode_op(op: &impl Encode) -> Encoded {
    let mut bytes = Encoded::new(op.room());
    bytes.push(OP_VERSION);
    op.append_to(&mut bytes);
    bytes
}

// The ops with the most messages are written field by field: bincode writes each byte of an id by itself.

impl Encode for op::Push<'_> {
    fn room(&self) -> usize {
        self.payload.len().saturating_add(64)
    }

    #[inline]
    fn append_to(&self, bytes: &mut Encoded) {
        bytes.push(0);
        bytes.extend(&self.id.0);
        bytes.append_optional(self.due_at_ms);
        bytes.append_bytes(self.payload);
        append_options(self.options.as_ref(), bytes);
    }
}

impl Encode for op::PushMany<'_> {
    fn room(&self) -> usize {
        let sizes = self.messages.iter().map(|message| message.payload.len().saturating_add(21));
        sizes.fold(64, usize::saturating_add)
    }

    fn append_to(&self, bytes: &mut Encoded) {
        bytes.push(1);
        bytes.append_number(self.messages.len() as u64);
        for message in &self.messages {
            bytes.extend(&message.id.0);
            bytes.append_bytes(message.payload);
        }
        bytes.append_optional(self.due_at_ms);
        append_options(self.options.as_ref(), bytes);
    }
}

impl Encode for op::Acknowledge {
    fn room(&self) -> usize {
        self.deliveries.len().saturating_mul(25).saturating_add(64)
    }

    #[inline]
    fn append_to(&self, bytes: &mut Encoded) {
        bytes.push(4);
        bytes.append_optional(self.now_ms);
        bytes.append_number(self.deliveries.len() as u64);
        for delivery in &self.deliveries {
            bytes.extend(&delivery.id.0);
            bytes.append_number(delivery.receipt.0);
        }
    }
}

fn append_options(options: Option<&PushOptions<'_>>, bytes: &mut Encoded) {
    bytes.push(options.is_some().into());
    if let Some(options) = options {
        append(options, bytes);
    }
}

impl Encode for op::Pull<'_> {
    #[inline]
    fn append_to(&self, bytes: &mut Encoded) {
        append_ended(&self.ended, bytes);
        bytes.push(2);
        append(self, bytes);
    }
}

impl Encode for op::Sweep {
    fn append_to(&self, bytes: &mut Encoded) {
        append_ended(&self.ended, bytes);
        bytes.push(3);
        append(self, bytes);
    }
}

/// Appends what stands before an op that returns messages in flight.
fn append_ended(ended: &[MessageId], bytes: &mut Encoded) {
    if !ended.is_empty() {
        bytes.push(ENDED);
        append(ended, bytes);
    }
}

/// Ops that bincode writes, with their numbers.
macro_rules! by_bincode {
    ($($number:literal $op:ty),* $(,)?) => {
        $(impl Encode for $op {
            fn append_to(&self, bytes: &mut Encoded) {
                bytes.push($number);
                append(self, bytes);
            }
        })*
    };
}

by_bincode! {
    5 op::Nack<'_>, 6 op::Extend, 7 op::Configure, 8 op::Delete, 11 op::Reschedule,
    12 op::Redrive, 13 op::Pause, 16 op::Prolong, 17 op::RedriveSlice<'_>,
}

/// Ops without fields, with their numbers.
macro_rules! by_number {
    ($($number:literal $op:ty),* $(,)?) => {
        $(impl Encode for $op {
            fn append_to(&self, bytes: &mut Encoded) {
                bytes.push($number);
            }
        })*
    };
}

by_number! { 9 op::Purge, 10 op::Drop, 14 op::Resume, 15 op::Repair }

impl Encode for Op<'_> {
    fn append_to(&self, bytes: &mut Encoded) {
        match self {
            Op::Push(op) => op.append_to(bytes),
            Op::PushMany(op) => op.append_to(bytes),
            Op::Pull(op) => op.append_to(bytes),
            Op::Sweep(op) => op.append_to(bytes),
            Op::Acknowledge(op) => op.append_to(bytes),
            Op::Nack(op) => op.append_to(bytes),
            Op::Extend(op) => op.append_to(bytes),
            Op::Configure(op) => op.append_to(bytes),
            Op::Delete(op) => op.append_to(bytes),
            Op::Purge => op::Purge.append_to(bytes),
            Op::Drop => op::Drop.append_to(bytes),
            Op::Reschedule(op) => op.append_to(bytes),
            Op::Redrive(op) => op.append_to(bytes),
            Op::Pause(op) => op.append_to(bytes),
            Op::Resume => op::Resume.append_to(bytes),
            Op::Repair => op::Repair.append_to(bytes),
            Op::Prolong(op) => op.append_to(bytes),
            Op::RedriveSlice(op) => op.append_to(bytes),
        }
    }
}

/// Decodes and validates an op; returns the rules of its version too.
pub fn decode_op(bytes: &[u8]) -> Result<(Op<'_>, Rules), RecordError> {
    let (version, op) = bytes.split_first().ok_or(RecordError::Damaged)?;
    let rules = match *version {
        OP_VERSION => Rules::V2,
        OLD_OP_VERSION if op.first().is_none_or(|number| *number < FIRST_OF_2) => Rules::V1,
        OLD_OP_VERSION => return Err(RecordError::Damaged),
        other => return Err(RecordError::Version(other)),
    };
    let op: Op<'_> = match op.split_first() {
        Some((&ENDED, rest)) => {
            let (ended, read) = read_first::<Vec<MessageId>>(rest)?;
            let mut op: Op<'_> = read_whole(rest.get(read..).unwrap_or_default())?;
            let is_possible = !ended.is_empty() && op.set_ended(ended);
            if is_possible { op } else { return Err(RecordError::Damaged) }
        }
        _ => read_whole(op)?,
    };
    let is_known = rules != Rules::V1 || op.is_in_version_1();
    if is_known && op.is_valid() { Ok((op, rules)) } else { Err(RecordError::Damaged) }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::queue::message::Delivery;
    use crate::queue::message::Died;
    use crate::queue::message::{Header, Receipt};
    use crate::queue::name::QueueName;
    use crate::queue::op::{
        self, BatchMessage, Choice, Class, Dedup, Mode, PushOptions, RedriveSlice, Return,
        SweepLimit,
    };
    use crate::queue::settings::Setting;
    use crate::queue::small_vec::ShortVec;
    use crate::queue::valid::MAX_TIME_MS;

    const ID: MessageId =
        MessageId([7, 0xff, 2, 3, 4, 5, 0x76, 7, 0x98, 9, 10, 11, 12, 13, 14, 0xff]);

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

    fn ops() -> Vec<Op<'static>> {
        let sweep = SweepLimit { limit: 300, same_slot: true };
        let claim = Delivery { id: ID, receipt: Receipt(77) };
        let claims: ShortVec<Delivery> = smallvec![claim];
        vec![
            Op::Push(op::Push {
                id: ID,
                due_at_ms: Some(9),
                payload: b"\x00payload",
                options: None,
            }),
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
            Op::Configure(op::Configure {
                changes: vec![(Setting::MaxDedup, Some(b"5".to_vec()))],
            }),
            Op::Delete(op::Delete { ids: vec![ID] }),
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
        ]
    }

    fn with(class: Class<'static>) -> PushOptions<'static> {
        PushOptions {
            expires_at_ms: Some(8),
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
            let is_old = bytes[1] < 16 && !format!("{op:?}").contains("MaxDedup");
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
        let push = |with| {
            Op::Push(op::Push { id: ID, due_at_ms: None, payload: b"", options: Some(with) })
        };
        let plain = || PushOptions { dedup: None, ..with(Class::Priority(0)) };
        let key = |key| Some(Dedup { key, now_ms: 1, until_ms: None });
        let long_name: &'static [u8] = Box::leak(vec![b'x'; 257].into());
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
            Op::Push(op::Push {
                id: MessageId([0; 16]),
                due_at_ms: None,
                payload: b"",
                options: None,
            }),
            Op::Push(op::Push { id: ID, due_at_ms: Some(u64::MAX), payload: b"", options: None }),
            push(PushOptions { expires_at_ms: Some(u64::MAX), ..plain() }),
            push(PushOptions { class: Class::Priority(10), ..plain() }),
            push(PushOptions { class: Class::Group(b""), ..plain() }),
            push(PushOptions { class: Class::Group(long_name), ..plain() }),
            push(PushOptions { dedup: key(b""), ..plain() }),
            push(PushOptions { dedup: key(long_name), ..plain() }),
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
}
