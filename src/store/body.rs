//! The bytes of message bodies.
//!
//! A body is a prefix of 15 bytes and the payload, so that a ready message takes hardly more memory than
//! its payload: a version byte, a whole id and a length would be three bytes more. The other push
//! options, if any, are stored between the two.
//!
//! While a message is in flight, the head of its delivery takes the place of the prefix: see
//! [`flight`](super::flight).

use serde::{Deserialize, Serialize};

use crate::queue::message::{
    Body, Expiry, Header, Membership, MessageId, NewMessage, Receipt, Running, StateRecord,
};
use crate::queue::small_vec::NameBytes;
use crate::queue::valid::{is_dedup_key, is_membership, is_priority};

use super::flight::{self, Format, Head, PREFIX};
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
    pub expiry: Option<Expiry>,
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
            terms.expiry = record.expiry;
            let group = record.group.as_ref();
            terms.group = group.map(|group| (group.name.as_slice().into(), group.sequence));
            terms.dedup = record.dedup.as_deref().map(Into::into);
        }
        terms
    }

    /// True if a push can have stored them.
    fn is_possible(&self) -> bool {
        is_priority(self.priority)
            && self.expiry.is_none_or(Expiry::is_valid)
            && self.dedup.is_none_or(|key| is_dedup_key(key))
            && self.group.is_none_or(|(name, sequence)| is_membership(name, sequence))
    }

    /// The state record of a message that is not changed yet; None if there is nothing but headers.
    pub fn record(&self) -> Option<StateRecord> {
        let record = StateRecord {
            priority: self.priority,
            expiry: self.expiry,
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
const NO_TERMS: u8 = 0x10;

fn prefix_of(id: MessageId, format: Format) -> [u8; PREFIX] {
    let [first, mut prefix @ ..] = id.0;
    let no_terms = if format == Format::Payload { NO_TERMS } else { 0 };
    prefix[5] = first << 5 | no_terms | prefix[5] & 0x0f;
    prefix
}

/// Encodes the body of a new message, and hands it to `store` in two pieces: the payload, which may be large, is not
/// copied. The id must be [valid](MessageId::is_valid).
#[inline]
pub fn encode_body(message: &NewMessage<'_>, store: impl FnOnce([&[u8]; 2])) {
    let NewMessage { id, record, headers, payload } = *message;
    if record.is_none() && headers.is_empty() {
        return store([&prefix_of(id, Format::Payload), payload]);
    }
    let mut start = Encoded::new(PREFIX);
    start.extend(&prefix_of(id, Format::Terms));
    record::append(Terms::of(message), &mut start);
    store([&start, payload]);
}

/// As [`encode_body`], in one piece.
#[cfg(any(test, fuzzing))]
pub fn whole_body(message: &NewMessage<'_>) -> Vec<u8> {
    let mut whole = Vec::new();
    encode_body(message, |pieces| whole = pieces.concat());
    whole
}

/// Decodes a body.
pub fn decode_body(bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>().ok_or(RecordError::Damaged)?;
    if prefix[7] & 0xc0 != 0x80 {
        return Err(RecordError::Damaged);
    }
    let format = if prefix[5] & NO_TERMS != 0 { Format::Payload } else { Format::Terms };
    let (terms, payload) = decode_rest(format, rest)?;
    let mut id = [0; 16];
    let (first, others) = id.split_at_mut(1);
    first.fill(prefix[5] >> 5);
    others.copy_from_slice(prefix);
    id[6] = 0x70 | prefix[5] & 0x0f;
    Ok(BodyRecord { id: MessageId(id), terms, payload })
}

/// Decodes the body of this message.
pub fn decode_body_of(id: MessageId, bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    decode_body(bytes)
        .and_then(|body| if body.id == id { Ok(body) } else { Err(RecordError::Damaged) })
}

/// Decodes the body in a record of `Flight`, whatever its receipt and its end.
pub fn decode_delivered(id: MessageId, record: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    let format = flight::format(record).ok_or(RecordError::Damaged)?;
    let (terms, payload) = decode_rest(format, record.get(PREFIX..).unwrap_or_default())?;
    Ok(BodyRecord { id, terms, payload })
}

fn decode_rest(format: Format, rest: &[u8]) -> Result<(Terms<'_>, &[u8]), RecordError> {
    if format == Format::Payload {
        return Ok((Terms::default(), rest));
    }
    let (terms, read) = record::read_first::<Terms<'_>>(rest)?;
    if !terms.is_possible() {
        return Err(RecordError::Damaged);
    }
    let payload = rest.get(read..).ok_or(RecordError::Damaged)?;
    Ok((terms, payload))
}

/// Makes a record of `Flight` the body of its message, whatever its receipt and its end; false if that is
/// not possible.
pub fn take_head_off(id: MessageId, record: &mut [u8]) -> bool {
    let Some(format) = flight::format(record) else { return false };
    let Some(prefix) = record.first_chunk_mut::<PREFIX>() else { return false };
    *prefix = prefix_of(id, format);
    true
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
    /// A body; Err(bytes) if it is unreadable.
    pub fn read(bytes: B) -> Result<Self, B> {
        let parsed = decode_body(bytes.as_ref()).map(|body| Self::parsed(&body, bytes.as_ref()));
        Self::holding(parsed, bytes)
    }

    /// The body of this message; Err(bytes) if it is unreadable.
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

impl<B: AsRef<[u8]> + AsMut<[u8]>> StoredBody<B> {
    /// Makes the bytes a record of `Flight`.
    pub fn put_head_on(&mut self, receipt: Receipt, running: Running) {
        let only_payload = self.says_only_payload();
        let format = if only_payload { Format::Payload } else { Format::Terms };
        if let Some(prefix) = self.bytes.as_mut().first_chunk_mut::<PREFIX>() {
            *prefix = Head { receipt, running, format }.encode();
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
        let rest = self.bytes.as_ref().get(PREFIX..).unwrap_or_default();
        let rest = decode_rest(Format::Terms, rest);
        rest.map(|(terms, _)| terms.headers).unwrap_or_default()
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
    use crate::queue::message::Kept;

    const ID: MessageId =
        MessageId([7, 0xff, 2, 3, 4, 5, 0x76, 7, 0x98, 9, 10, 11, 12, 13, 14, 0xff]);

    #[test]
    fn a_body_is_fifteen_bytes_and_the_payload() {
        let zeros = MessageId([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        for id in [ID, zeros] {
            for payload in [b"\xff\x00".as_slice(), b""] {
                let bytes = whole_body(&NewMessage { id, record: None, headers: &[], payload });
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
            expiry: Some(Expiry::discards(1)),
            group: Some(Membership { name: NameBytes::from_slice(b"g"), sequence: Some(2) }),
            dedup: Some(NameBytes::from_slice(b"key")),
            ..StateRecord::default()
        };
        let said = NewMessage { id: ID, record: Some(&record), headers: &[], payload: b"payload" };
        let bytes = whole_body(&said);
        assert_eq!(&bytes[15..], b"\x07\x01\x01\x01\x01g\x01\x02\x01\x03key\x00payload");
        assert_eq!(decode_body(&bytes).unwrap().terms.record(), Some(record.clone()));
        for impossible in [
            StateRecord { priority: 10, ..record.clone() },
            StateRecord { expiry: Some(Expiry::discards(1 << 43)), ..record.clone() },
            StateRecord { expiry: Some(Expiry::kills(1 << 43)), ..record.clone() },
            StateRecord { dedup: Some(NameBytes::new()), ..record.clone() },
            StateRecord { dedup: Some(NameBytes::from_elem(0, 269)), ..record.clone() },
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
            let bytes = whole_body(&NewMessage { record: Some(&impossible), ..said });
            assert_eq!(decode_body(&bytes), Err(RecordError::Damaged), "{impossible:?}");
        }
    }

    #[test]
    fn headers_stand_before_the_payload() {
        let headers = vec![Header { name: b"a", value: b"1" }, Header { name: b"b", value: b"" }];
        let bytes = whole_body(&NewMessage {
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
    fn a_delivery_has_a_head_in_place_of_the_prefix() {
        let headers = vec![Header { name: b"a", value: b"1" }];
        for headers in [headers.as_slice(), &[]] {
            let message = NewMessage { id: ID, record: None, headers, payload: b"payload" };
            let pushed = whole_body(&message);
            let mut body = StoredBody::read(pushed.clone()).unwrap();
            for receipt in [Receipt(1), Receipt(Receipt::LIMIT.0 - 1)] {
                let running = Running { until_ms: 1, has_cleanup: false, kept: Kept::Whole };
                body.put_head_on(receipt, running);
                let head = Head::decode(&body.bytes).unwrap();
                assert_eq!((head.receipt, head.running), (receipt, running));
                assert_eq!((body.id(), body.payload()), (ID, b"payload".as_slice()));
                assert_eq!(body.headers(), headers);
                assert_eq!(decode_delivered(ID, &body.bytes), decode_body(&pushed));
                let mut back = body.bytes.clone();
                assert!(take_head_off(ID, &mut back));
                assert_eq!(back, pushed);
            }
            for cut in 0..15 {
                let mut record = body.bytes[..cut].to_vec();
                assert_eq!(decode_delivered(ID, &record), Err(RecordError::Damaged));
                assert!(!take_head_off(ID, &mut record), "{cut}");
            }
        }
    }

    #[test]
    fn text_and_short_bytes_are_no_body() {
        for other in ["", "short", "a text of more than fifteen letters", "000000000000000000"] {
            assert_eq!(decode_body(other.as_bytes()), Err(RecordError::Damaged), "{other}");
        }
        let mut bytes =
            whole_body(&NewMessage { id: ID, record: None, headers: &[], payload: b"" });
        bytes.pop();
        assert_eq!(decode_body(&bytes), Err(RecordError::Damaged));
    }
}
