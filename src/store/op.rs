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

    /// The same without its payload, which is sent beside it.
    fn append_without_payload_to(&self, bytes: &mut Encoded) {
        self.append_to(bytes);
    }
}

pub fn encode_op(op: &impl Encode) -> Encoded {
    let mut bytes = Encoded::new(op.room());
    bytes.push(OP_VERSION);
    op.append_to(&mut bytes);
    bytes
}

/// A push without its payload.
pub fn encode_without_payload(op: &impl Encode) -> Encoded {
    let mut bytes = Encoded::new(64);
    bytes.push(OP_VERSION);
    op.append_without_payload_to(&mut bytes);
    bytes
}

// The ops with the most messages are written field by field: bincode writes each byte of an id by itself.

impl Encode for op::Push<'_> {
    fn room(&self) -> usize {
        self.payload.len().saturating_add(64)
    }

    #[inline]
    fn append_to(&self, bytes: &mut Encoded) {
        append_push(self, self.payload, bytes);
    }

    fn append_without_payload_to(&self, bytes: &mut Encoded) {
        append_push(self, &[], bytes);
    }
}

#[inline]
fn append_push(push: &op::Push<'_>, payload: &[u8], bytes: &mut Encoded) {
    bytes.push(0);
    bytes.extend(&push.id.0);
    bytes.append_optional(push.due_at_ms);
    bytes.append_bytes(payload);
    append_options(push.options.as_ref(), bytes);
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
    12 op::Redrive, 13 op::Pause, 16 op::Prolong, 17 op::RedriveSlice<'_>, 19 op::PurgeState,
    20 op::Use, 21 op::Expire, 22 op::Schedule, 23 op::Unschedule, 24 op::Ticks, 25 op::Trigger,
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
            Op::Ended(never) => match *never {},
            Op::PurgeState(op) => op.append_to(bytes),
            Op::Use(op) => op.append_to(bytes),
            Op::Expire(op) => op.append_to(bytes),
            Op::Schedule(op) => op.append_to(bytes),
            Op::Unschedule(op) => op.append_to(bytes),
            Op::Ticks(op) => op.append_to(bytes),
            Op::Trigger(op) => op.append_to(bytes),
        }
    }
}

/// Decodes and validates an op with its payload; returns the rules of its version too.
#[cfg(any(test, fuzzing))]
pub fn decode_op(bytes: &[u8]) -> Result<(Op<'_>, Rules), RecordError> {
    decode_with(bytes, None)
}

/// Decodes and validates an op, with the payload that was sent beside it, if any; returns the rules of its version
/// too.
pub fn decode_with<'a>(
    bytes: &'a [u8],
    payload: Option<&'a [u8]>,
) -> Result<(Op<'a>, Rules), RecordError> {
    let (version, op) = bytes.split_first().ok_or(RecordError::Damaged)?;
    let rules = match *version {
        OP_VERSION => Rules::V2,
        OLD_OP_VERSION if op.first().is_none_or(|number| *number < FIRST_OF_2) => Rules::V1,
        OLD_OP_VERSION => return Err(RecordError::Damaged),
        other => return Err(RecordError::Version(other)),
    };
    let mut op: Op<'_> = match op.split_first() {
        Some((&ENDED, rest)) => {
            let (ended, read) = read_first::<Vec<MessageId>>(rest)?;
            let mut op: Op<'_> = read_whole(rest.get(read..).unwrap_or_default())?;
            let is_possible = !ended.is_empty() && op.set_ended(ended);
            if is_possible { op } else { return Err(RecordError::Damaged) }
        }
        _ => read_whole(op)?,
    };
    if let Some(payload) = payload {
        match &mut op {
            Op::Push(push) if rules != Rules::V1 && push.payload.is_empty() => {
                push.payload = payload;
            }
            _ => return Err(RecordError::Damaged),
        }
    }
    let is_known = rules != Rules::V1 || op.is_in_version_1();
    if is_known && op.is_valid() { Ok((op, rules)) } else { Err(RecordError::Damaged) }
}

#[cfg(test)]
mod tests;
