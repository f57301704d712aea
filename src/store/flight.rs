//! The records of `Flight`: a delivery and its message.
//!
//! The first 15 bytes take the place of the prefix of the body, so that a delivery is stored by
//! overwriting the prefix of what was taken from a ready list: the receipt (8 bytes), the end of
//! visibility, unix ms (6 bytes), both big endian, and flags. The field is the id.

use crate::queue::message::{Kept, MessageId, Receipt, Running};
use crate::queue::valid::DEADLINES;

/// The bytes in front of what a push said: of a head, or of the [prefix](super::body) of a body.
pub const PREFIX: usize = 15;

/// What follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Push options, then the payload.
    Terms,
    Payload,
}

/// There is nothing but a payload behind the head.
const NO_TERMS: u8 = 1;
/// See [`Running::has_cleanup`].
const HAS_CLEANUP: u8 = 2;
/// The record is the head only: the body is in `Bodies`.
const APART: u8 = 4;

/// What a record says besides the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub receipt: Receipt,
    pub running: Running,
    pub format: Format,
}

impl Head {
    pub fn encode(self) -> [u8; PREFIX] {
        let [a, b, c, d, e, f, g, h] = self.receipt.0.to_be_bytes();
        let [_, _, i, j, k, l, m, n] = self.running.until_ms.to_be_bytes();
        let no_terms = if self.format == Format::Payload { NO_TERMS } else { 0 };
        let has_cleanup = if self.running.has_cleanup { HAS_CLEANUP } else { 0 };
        let apart = if self.running.kept == Kept::Apart { APART } else { 0 };
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, no_terms | has_cleanup | apart]
    }

    /// The head of a record; None if it is damaged.
    pub fn decode(record: &[u8]) -> Option<Self> {
        let head = record.first_chunk::<PREFIX>()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, flags] = *head;
        let receipt = Receipt(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let until_ms = u64::from_be_bytes([0, 0, i, j, k, l, m, n]);
        let format = if flags & NO_TERMS != 0 { Format::Payload } else { Format::Terms };
        let is_known = flags & !(NO_TERMS | HAS_CLEANUP | APART) == 0;
        let is_valid = is_known && receipt.is_valid() && until_ms < DEADLINES;
        let has_cleanup = flags & HAS_CLEANUP != 0;
        let kept = if flags & APART != 0 { Kept::Apart } else { Kept::Whole };
        let running = Running { until_ms, has_cleanup, kept };
        is_valid.then_some(Self { receipt, running, format })
    }
}

/// What follows the head, which may be damaged otherwise; None if nothing does, or if it is not known.
pub fn format(record: &[u8]) -> Option<Format> {
    let flags = record.get(PREFIX - 1)?;
    match flags & !HAS_CLEANUP {
        0 => Some(Format::Terms),
        NO_TERMS => Some(Format::Payload),
        _ => None,
    }
}

/// True if the body is in `Bodies`.
pub fn is_apart(head: &[u8]) -> bool {
    head.get(PREFIX - 1).is_some_and(|flags| flags & APART != 0)
}

/// The id that a field is; None if it is none.
pub fn id(field: &[u8]) -> Option<MessageId> {
    field.try_into().ok().map(MessageId).filter(|id| id.is_valid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_where_the_body_is() {
        let running = Running { until_ms: 1, has_cleanup: true, kept: Kept::Apart };
        let head = Head { receipt: Receipt(1), running, format: Format::Payload };
        assert_eq!(Head::decode(&head.encode()), Some(head));
    }

    #[test]
    fn a_head_is_decoded_as_it_was_encoded_and_nothing_else_is() {
        for (receipt, until_ms) in [(1, 0), (Receipt::LIMIT.0 - 1, DEADLINES - 1)] {
            for has_cleanup in [false, true] {
                for format in [Format::Payload, Format::Terms] {
                    let running = Running { until_ms, has_cleanup, kept: Kept::Whole };
                    let head = Head { receipt: Receipt(receipt), running, format };
                    let mut record = head.encode().to_vec();
                    assert_eq!(Head::decode(&record[..14]), None);
                    record.extend(b"payload");
                    assert_eq!(Head::decode(&record), Some(head));
                    record[14] |= 8;
                    assert_eq!(Head::decode(&record), None, "an unknown flag");
                }
            }
        }
        let running = Running { until_ms: 1, has_cleanup: false, kept: Kept::Whole };
        let valid = Head { receipt: Receipt(1), running, format: Format::Terms };
        for damaged in [
            Head { receipt: Receipt::NONE, ..valid },
            Head { receipt: Receipt::LIMIT, ..valid },
            Head { running: Running { until_ms: DEADLINES, ..running }, ..valid },
        ] {
            assert_eq!(Head::decode(&damaged.encode()), None, "{damaged:?}");
        }
    }
}
