//! The bytes of message bodies.
//!
//! A body is a prefix of 15 bytes and the payload, so that a ready message takes hardly more memory than
//! its payload: a version byte, a whole id and a length would be three bytes more. The other push
//! options, if any, are stored between the two.
//!
//! A delivery writes its receipt into the prefix, in place of most of the id, which is the field in
//! `Messages` as well. So the running delivery of a message is found by its id.

use serde::{Deserialize, Serialize};

use crate::queue::message::{
    Body, Header, Membership, MessageId, NewMessage, Receipt, StateRecord,
};
use crate::queue::small_vec::NameBytes;
use crate::queue::valid::{is_membership, is_name, is_priority, is_timestamp};

use super::record::{self, Encoded, RecordError};

/// A decoded body.
#[derive(Debug, PartialEq, Eq)]
pub struct BodyRecord<'a> {
    pub id: MessageId,
    pub terms: Terms<'a>,
    pub payload: &'a [u8],
}

/// The push options of a message, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms<'a> {
    pub priority: u8,
    /// Unix ms.
    pub expires_at_ms: Option<u64>,
    /// Name, and the number if the message was ready at once.
    #[serde(borrow)]
    pub group: Option<(&'a serde_bytes::Bytes, Option<u64>)>,
    /// UNTILDONE only.
    #[serde(borrow)]
    pub dedup: Option<&'a serde_bytes::Bytes>,
    #[serde(borrow)]
    pub headers: Vec<Header<'a>>,
}

impl<'a> Terms<'a> {
    fn of(message: &NewMessage<'a>) -> Self {
        let mut terms = Self { headers: message.headers.to_vec(), ..Self::default() };
        if let Some(record) = message.record {
            terms.priority = record.priority;
            terms.expires_at_ms = record.expires_at_ms;
            let group = record.group.as_ref();
            terms.group = group.map(|group| (group.name.as_slice().into(), group.sequence));
            terms.dedup = record.dedup.as_deref().map(Into::into);
        }
        terms
    }

    /// True if a push can have stored them.
    fn is_possible(&self) -> bool {
        is_priority(self.priority)
            && self.expires_at_ms.is_none_or(is_timestamp)
            && self.dedup.is_none_or(|key| is_name(key))
            && self.group.is_none_or(|(name, sequence)| is_membership(name, sequence))
    }

    /// The state record of a message that is not changed yet; None if there is nothing but headers.
    pub fn record(&self) -> Option<StateRecord> {
        let record = StateRecord {
            priority: self.priority,
            expires_at_ms: self.expires_at_ms,
            group: self
                .group
                .map(|(name, sequence)| Membership { name: NameBytes::from_slice(name), sequence }),
            dedup: self.dedup.map(|key| NameBytes::from_slice(key)),
            ..StateRecord::default()
        };
        (record != StateRecord::default()).then_some(record)
    }
}

/// The prefix of a body: the id without its first byte. Six bits are the same in every UUID of version
/// 7; they hold the three bits of the first byte that are not always 0 (timestamps are below 2^43) and
/// the format: byte 5 is `aaapbbbb`, with a from byte 0 of the id and b from its byte 6, and byte 7
/// begins with `10`. The bit p is 1 if the payload follows at once, and 0 if [`Terms`] come before it.
const PREFIX: usize = 15;
const NO_TERMS: u8 = 0x10;

fn prefix_of(id: MessageId, format: u8) -> [u8; PREFIX] {
    let [first, mut prefix @ ..] = id.0;
    prefix[5] = first << 5 | format | prefix[5] & 0x0f;
    prefix
}

/// The prefix of a delivered body: the last six bytes of the id with the format among them, then the
/// receipt.
fn delivered_prefix(id: MessageId, receipt: Receipt, format: u8) -> [u8; PREFIX] {
    let [.., a, b, c, d, e, f] = id.0;
    let [g, h, i, j, k, l, m, n] = receipt.0.to_be_bytes();
    [a, b, c, d, e, format, f, g, h, i, j, k, l, m, n]
}

/// The receipt in this message's body; None if it was not delivered, or is another message's.
pub fn last_delivery(id: MessageId, bytes: &[u8]) -> Option<Receipt> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    let receipt = Receipt(u64::from_be_bytes(*prefix.last_chunk()?));
    // The prefix of an undelivered body would be an invalid receipt.
    let is_delivered =
        receipt.is_valid() && *prefix == delivered_prefix(id, receipt, prefix[5] & NO_TERMS);
    is_delivered.then_some(receipt)
}

/// Encodes the body of a new message. Its id must be [valid](MessageId::is_valid).
pub fn encode_body(message: &NewMessage<'_>) -> Encoded {
    let has_terms = message.record.is_some() || !message.headers.is_empty();
    let mut bytes = Encoded::new(PREFIX.saturating_add(message.payload.len()));
    bytes.extend(&prefix_of(message.id, if has_terms { 0 } else { NO_TERMS }));
    if has_terms {
        record::append(Terms::of(message), &mut bytes);
    }
    bytes.extend(message.payload);
    bytes
}

/// Decodes a body that was not delivered.
pub fn decode_body(bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>().ok_or(RecordError::Damaged)?;
    if prefix[7] & 0xc0 != 0x80 {
        return Err(RecordError::Damaged);
    }
    let (terms, payload) = decode_rest(prefix, rest)?;
    let mut id = [0; 16];
    let (first, others) = id.split_at_mut(1);
    first.fill(prefix[5] >> 5);
    others.copy_from_slice(prefix);
    id[6] = 0x70 | prefix[5] & 0x0f;
    Ok(BodyRecord { id: MessageId(id), terms, payload })
}

/// Decodes the body of this message, delivered or not.
pub fn decode_body_of(id: MessageId, bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    if last_delivery(id, bytes).is_none() {
        return decode_body(bytes)
            .and_then(|body| if body.id == id { Ok(body) } else { Err(RecordError::Damaged) });
    }
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>().ok_or(RecordError::Damaged)?;
    let (terms, payload) = decode_rest(prefix, rest)?;
    Ok(BodyRecord { id, terms, payload })
}

fn decode_rest<'a>(
    prefix: &[u8; PREFIX],
    rest: &'a [u8],
) -> Result<(Terms<'a>, &'a [u8]), RecordError> {
    if prefix[5] & NO_TERMS != 0 {
        return Ok((Terms::default(), rest));
    }
    let (terms, read) = record::read_first::<Terms<'_>>(rest)?;
    if !terms.is_possible() {
        return Err(RecordError::Damaged);
    }
    let payload = rest.get(read..).ok_or(RecordError::Damaged)?;
    Ok((terms, payload))
}

/// The body as its push stored it; unreadable bytes as they are.
pub fn as_pushed(id: MessageId, bytes: &[u8]) -> Vec<u8> {
    let mut pushed = bytes.to_vec();
    if last_delivery(id, bytes).is_some()
        && let Some(prefix) = pushed.first_chunk_mut::<PREFIX>()
    {
        *prefix = prefix_of(id, prefix[5] & NO_TERMS);
    }
    pushed
}

/// A stored body and what was decoded of it.
#[derive(Debug)]
pub struct StoredBody<B> {
    pub bytes: B,
    id: MessageId,
    record: Option<Box<StateRecord>>,
    payload_start: usize,
}

/// What was decoded.
struct Parsed {
    id: MessageId,
    record: Option<Box<StateRecord>>,
    payload_start: usize,
}

impl<B: AsRef<[u8]>> StoredBody<B> {
    /// A body that was not delivered; Err(bytes) if it is unreadable.
    pub fn read(bytes: B) -> Result<Self, B> {
        let parsed = decode_body(bytes.as_ref()).map(|body| Self::parsed(&body, bytes.as_ref()));
        Self::holding(parsed, bytes)
    }

    /// The body of this message, delivered or not; Err(bytes) if it is unreadable.
    pub fn read_of(id: MessageId, bytes: B) -> Result<Self, B> {
        let whole = bytes.as_ref();
        let parsed = decode_body_of(id, whole).map(|body| Self::parsed(&body, whole));
        Self::holding(parsed, bytes)
    }

    #[inline]
    fn parsed(body: &BodyRecord<'_>, whole: &[u8]) -> Parsed {
        let payload_start = whole.len().saturating_sub(body.payload.len());
        let says_more = payload_start != PREFIX;
        let record = if says_more { body.terms.record().map(Box::new) } else { None };
        Parsed { id: body.id, record, payload_start }
    }

    #[inline]
    fn holding(parsed: Result<Parsed, RecordError>, bytes: B) -> Result<Self, B> {
        match parsed {
            Ok(Parsed { id, record, payload_start }) => {
                Ok(Self { bytes, id, record, payload_start })
            }
            Err(_) => Err(bytes),
        }
    }

    /// True if there is nothing but a payload.
    pub fn says_only_payload(&self) -> bool {
        self.payload_start == PREFIX
    }
}

impl<B: AsMut<[u8]>> StoredBody<B> {
    /// Writes the receipt of the last delivery over the id.
    pub fn set_last_delivery(&mut self, receipt: Receipt) {
        if let Some(prefix) = self.bytes.as_mut().first_chunk_mut::<PREFIX>() {
            *prefix = delivered_prefix(self.id, receipt, prefix[5] & NO_TERMS);
        }
    }
}

impl<B: AsRef<[u8]>> Body for StoredBody<B> {
    fn id(&self) -> MessageId {
        self.id
    }

    fn headers(&self) -> Vec<Header<'_>> {
        if self.says_only_payload() {
            return Vec::new();
        }
        let body = decode_body_of(self.id, self.bytes.as_ref());
        body.map(|body| body.terms.headers).unwrap_or_default()
    }

    fn take_record(&mut self) -> Option<Box<StateRecord>> {
        self.record.take()
    }

    fn payload(&self) -> &[u8] {
        self.bytes.as_ref().get(self.payload_start..).unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.bytes.as_ref().len().saturating_sub(PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId =
        MessageId([7, 0xff, 2, 3, 4, 5, 0x76, 7, 0x98, 9, 10, 11, 12, 13, 14, 0xff]);

    #[test]
    fn a_body_is_fifteen_bytes_and_the_payload() {
        let zeros = MessageId([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        for id in [ID, zeros] {
            for payload in [b"\xff\x00".as_slice(), b""] {
                let bytes = encode_body(&NewMessage { id, record: None, headers: &[], payload });
                assert_eq!(bytes.len(), 15 + payload.len());
                let terms = Terms::default();
                assert_eq!(decode_body(&bytes), Ok(BodyRecord { id, terms, payload }));
            }
        }
    }

    #[test]
    fn what_the_push_said_stands_between_head_and_payload() {
        let record = StateRecord {
            priority: 7,
            expires_at_ms: Some(1),
            group: Some(Membership { name: NameBytes::from_slice(b"g"), sequence: Some(2) }),
            dedup: Some(NameBytes::from_slice(b"key")),
            ..StateRecord::default()
        };
        let said = NewMessage { id: ID, record: Some(&record), headers: &[], payload: b"payload" };
        let bytes = encode_body(&said);
        assert_eq!(&bytes[15..], b"\x07\x01\x01\x01\x01g\x01\x02\x01\x03key\x00payload");
        assert_eq!(decode_body(&bytes).unwrap().terms.record(), Some(record.clone()));
        for impossible in [
            StateRecord { priority: 10, ..record.clone() },
            StateRecord { expires_at_ms: Some(1 << 43), ..record.clone() },
            StateRecord { dedup: Some(NameBytes::new()), ..record.clone() },
            StateRecord { dedup: Some(NameBytes::from_elem(0, 257)), ..record.clone() },
            StateRecord {
                group: Some(Membership { name: NameBytes::new(), sequence: None }),
                ..record.clone()
            },
            StateRecord {
                group: Some(Membership {
                    name: NameBytes::from_slice(b"g"),
                    sequence: Some(1 << 56),
                }),
                ..record.clone()
            },
        ] {
            let bytes = encode_body(&NewMessage { record: Some(&impossible), ..said });
            assert_eq!(decode_body(&bytes), Err(RecordError::Damaged), "{impossible:?}");
        }
    }

    #[test]
    fn headers_stand_before_the_payload() {
        let headers = vec![Header { name: b"a", value: b"1" }, Header { name: b"b", value: b"" }];
        let bytes = encode_body(&NewMessage {
            id: ID,
            record: None,
            headers: &headers,
            payload: b"payload",
        });
        assert_eq!(&bytes[15..], b"\0\0\0\0\x02\x01a\x011\x01b\0payload");
        let terms = Terms { headers, ..Terms::default() };
        let read = BodyRecord { id: ID, terms, payload: b"payload" };
        assert_eq!(decode_body(&bytes), Ok(read));
        assert_eq!(decode_body(&bytes[..18]), Err(RecordError::Damaged), "cut in the headers");
    }

    #[test]
    fn a_body_that_was_delivered_has_a_receipt_in_place_of_the_id() {
        let headers = vec![Header { name: b"a", value: b"1" }];
        for headers in [headers.as_slice(), &[]] {
            let message = NewMessage { id: ID, record: None, headers, payload: b"payload" };
            let pushed = encode_body(&message).to_vec();
            assert_eq!(last_delivery(ID, &pushed), None);
            let mut body = StoredBody::read(pushed.clone()).unwrap();
            for receipt in [Receipt(1), Receipt(Receipt::LIMIT.0 - 1)] {
                body.set_last_delivery(receipt);
                assert_eq!(last_delivery(ID, &body.bytes), Some(receipt));
                assert_eq!((body.id(), body.payload()), (ID, b"payload".as_slice()));
                assert_eq!(body.headers(), headers);
                assert_eq!(decode_body_of(ID, &body.bytes), decode_body(&pushed));
                assert_eq!(decode_body(&body.bytes), Err(RecordError::Damaged), "in a list");
                assert_eq!(as_pushed(ID, &body.bytes), pushed);
            }
            let mut other = ID;
            other.0[12] ^= 1;
            for id in [ID, other] {
                let is_read = decode_body_of(id, &body.bytes).is_ok();
                assert_eq!(
                    (is_read, last_delivery(id, &body.bytes).is_some()),
                    (id == ID, id == ID)
                );
            }
            for out_of_range in [Receipt::NONE, Receipt::LIMIT] {
                body.set_last_delivery(out_of_range);
                assert_eq!(last_delivery(ID, &body.bytes), None);
                assert_eq!(decode_body_of(ID, &body.bytes), Err(RecordError::Damaged));
            }
        }
    }

    #[test]
    fn text_and_short_bytes_are_no_body() {
        for other in ["", "short", "a text of more than fifteen letters", "000000000000000000"] {
            assert_eq!(decode_body(other.as_bytes()), Err(RecordError::Damaged), "{other}");
        }
        let mut bytes =
            encode_body(&NewMessage { id: ID, record: None, headers: &[], payload: b"" }).to_vec();
        bytes.pop();
        assert_eq!(decode_body(&bytes), Err(RecordError::Damaged));
    }
}
