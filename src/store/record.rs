//! The bytes of bodies, notes and ops: a version byte, then bincode. The only user of bincode.
//!
//! Decoding checks every byte: a length in the bytes can't make the server allocate more than the
//! bytes themselves, leftovers are an error, and an unknown version is told apart.

use serde::{Deserialize, Serialize};

use crate::queue::message::{MessageId, NewMessage, Note};
use crate::queue::op::Op;

const BODY_VERSION: u8 = 1;
const NOTE_VERSION: u8 = 1;
const OP_VERSION: u8 = 1;

/// No record is longer than a payload of 128 MiB and its id.
const LIMIT: usize = 129 * 1024 * 1024;

type Config = bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<LIMIT>,
>;

const fn config() -> Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// They were written by a version of the module that this one does not know.
    Version(u8),
    /// They are damaged.
    Damaged,
}

/// A body as it is stored: the payload last, so that decoding borrows it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRecord<'a> {
    /// The message's id.
    pub id: MessageId,
    /// The message's payload.
    #[serde(borrow, with = "serde_bytes")]
    pub payload: &'a [u8],
}

fn encode<T: Serialize>(version: u8, value: &T, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room);
    bytes.push(version);
    let written = bincode::serde::encode_into_std_write(value, &mut bytes, config());
    debug_assert!(written.is_ok(), "a Vec takes everything that these types can be");
    bytes
}

fn decode<'a, T: Deserialize<'a>>(version: u8, bytes: &'a [u8]) -> Result<T, RecordError> {
    let (&first, rest) = bytes.split_first().ok_or(RecordError::Damaged)?;
    if first != version {
        return Err(RecordError::Version(first));
    }
    match bincode::serde::borrow_decode_from_slice(rest, config()) {
        Ok((value, read)) if read == rest.len() => Ok(value),
        _ => Err(RecordError::Damaged),
    }
}

/// The stored form of a new message's body.
pub fn encode_body(message: &NewMessage<'_>) -> Vec<u8> {
    let record = BodyRecord { id: message.id, payload: message.payload };
    encode(BODY_VERSION, &record, message.payload.len().saturating_add(32))
}

/// Reads a stored body.
pub fn decode_body(bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    decode(BODY_VERSION, bytes)
}

/// The stored form of a note.
pub fn encode_note(note: &Note) -> Vec<u8> {
    encode(NOTE_VERSION, note, 32)
}

/// Reads a stored note.
pub fn decode_note(bytes: &[u8]) -> Result<Note, RecordError> {
    decode(NOTE_VERSION, bytes)
}

/// The form of an op in the replication stream and in the append-only file.
pub fn encode_op(op: &Op<'_>) -> Vec<u8> {
    let room = match op {
        Op::Push { payload, .. } => payload.len().saturating_add(48),
        _ => 64,
    };
    encode(OP_VERSION, op, room)
}

/// Reads an op and checks what it claims.
pub fn decode_op(bytes: &[u8]) -> Result<Op<'_>, RecordError> {
    let op: Op<'_> = decode(OP_VERSION, bytes)?;
    if op.is_valid() { Ok(op) } else { Err(RecordError::Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::message::{Death, DeathReason, Ended};
    use crate::queue::name::QueueName;
    use crate::queue::op::{Claim, Sweep};
    use crate::queue::message::Receipt;
    use crate::queue::settings::Setting;

    const ID: MessageId = MessageId([7; 16]);

    fn ops() -> Vec<Op<'static>> {
        let sweep = Sweep { limit: 300, same_slot: true };
        let claims = vec![Claim { id: ID, receipt: Receipt(77) }];
        vec![
            Op::Push { id: MessageId([1; 16]), due_at_ms: Some(9), payload: b"\x00payload" },
            Op::Push { id: MessageId([0; 16]), due_at_ms: None, payload: b"" },
            Op::Pull { now_ms: 5, count: 3, visibility_ms: 1, base_receipt: Receipt(9), sweep },
            Op::Sweep { now_ms: 5, sweep },
            Op::Acknowledge { deliveries: claims.clone() },
            Op::GiveBack {
                now_ms: 5,
                deliveries: claims.clone(),
                delay_ms: Some(0),
                same_slot: false,
            },
            Op::Extend { now_ms: 5, deliveries: claims, visibility_ms: 8 },
            Op::Configure {
                changes: vec![
                    (Setting::DeadLetter, Some(b"dead".to_vec())),
                    (Setting::MaxRetries, Some(b"-1".to_vec())),
                    (Setting::Delay, None),
                ],
            },
        ]
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for op in ops() {
            assert_eq!(decode_op(&encode_op(&op)), Ok(op));
        }
        let death = Death {
            from: QueueName::new(b"orders").unwrap(),
            at_ms: 1 << 42,
            reason: DeathReason::Retries,
            retries: u32::MAX,
        };
        let note =
            Note { retry_count: 3, last_receipt: u64::MAX, ended: Ended::ByTime, death: Some(death) };
        assert_eq!(decode_note(&encode_note(&note)), Ok(note));
        let message = NewMessage { id: ID, payload: b"\xff\x00" };
        let bytes = encode_body(&message);
        assert_eq!(decode_body(&bytes), Ok(BodyRecord { id: ID, payload: b"\xff\x00" }));
    }

    #[test]
    fn every_cut_and_every_leftover_is_damage() {
        for op in ops() {
            let mut bytes = encode_op(&op);
            for end in 0..bytes.len() {
                assert!(decode_op(&bytes[..end]).is_err(), "{op:?} cut at {end}");
            }
            bytes.push(0);
            assert_eq!(decode_op(&bytes), Err(RecordError::Damaged), "{op:?}");
        }
    }

    #[test]
    fn an_unknown_version_is_told_apart() {
        let mut bytes = encode_op(&ops()[0]);
        bytes[0] = 2;
        assert_eq!(decode_op(&bytes), Err(RecordError::Version(2)));
        assert_eq!(decode_body(&[9, 0]), Err(RecordError::Version(9)));
        assert_eq!(decode_note(&[]), Err(RecordError::Damaged));
    }

    #[test]
    fn a_length_in_the_bytes_can_not_make_the_server_allocate() {
        // An acknowledgment that claims 2^60 deliveries, a push that claims 2^60 bytes.
        let mut acknowledge = vec![1, 3, 253];
        acknowledge.extend_from_slice(&(1u64 << 60).to_le_bytes());
        assert_eq!(decode_op(&acknowledge), Err(RecordError::Damaged));
        let mut push = vec![1, 0];
        push.extend_from_slice(&[0; 17]);
        push.push(253);
        push.extend_from_slice(&(1u64 << 60).to_le_bytes());
        assert_eq!(decode_op(&push), Err(RecordError::Damaged));
    }

    #[test]
    fn an_op_that_claims_the_impossible_is_refused() {
        let sweep = Sweep { limit: 1, same_slot: false };
        let pull = |now_ms, count, visibility_ms, base_receipt| Op::Pull {
            now_ms,
            count,
            visibility_ms,
            base_receipt: Receipt(base_receipt),
            sweep,
        };
        let name = vec![(Setting::DeadLetter, Some(b"{x}".to_vec()))];
        let number = vec![(Setting::Visibility, Some(b"0".to_vec()))];
        for op in [
            pull(1 << 43, 1, 1, 1),
            pull(1, 0, 1, 1),
            pull(1, 10_001, 1, 1),
            pull(1, 1, 0, 1),
            pull(1, 1, u64::MAX, 1),
            pull(1, 1, 1, 0),
            pull(1, 1, 1, 1 << 63),
            Op::Push { id: MessageId([255; 16]), due_at_ms: None, payload: b"" },
            Op::Push { id: ID, due_at_ms: Some(u64::MAX), payload: b"" },
            Op::Configure { changes: name },
            Op::Configure { changes: number },
        ] {
            assert_eq!(decode_op(&encode_op(&op)), Err(RecordError::Damaged), "{op:?}");
        }
    }
}
