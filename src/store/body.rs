//! The bytes of bodies.
//!
//! A body is 15 bytes, then the payload: a waiting message is to take hardly more memory than its
//! payload, and a version byte, a whole id and a length are three bytes more. What else its push said,
//! if it said more, stands between the two.
//!
//! The body of a message that was delivered has the receipt of its last delivery in these 15 bytes, in
//! place of most of the id, which the field of `Messages` has too: so a delivery is found by the id.

use serde::{Deserialize, Serialize};

use crate::queue::few::Name;
use crate::queue::message::{Body, Header, Membership, MessageId, NewMessage, Note, Receipt};
use crate::queue::valid::{is_membership, is_name, is_priority, is_timestamp};

use super::record::{self, Encoded, RecordError};

/// A body as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub struct BodyRecord<'a> {
    /// The message's id.
    pub id: MessageId,
    /// What the push said besides the payload.
    pub terms: Terms<'a>,
    /// The message's payload.
    pub payload: &'a [u8],
}

/// What a push said besides the payload, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms<'a> {
    /// The priority.
    pub priority: u8,
    /// The end of its time to live, unix ms.
    pub expires_at_ms: Option<u64>,
    /// Its group, and its number there if it was ready at once.
    #[serde(borrow)]
    pub group: Option<(&'a serde_bytes::Bytes, Option<u64>)>,
    /// The deduplication key that is released when the message is gone.
    #[serde(borrow)]
    pub dedup: Option<&'a serde_bytes::Bytes>,
    /// The message's headers.
    #[serde(borrow)]
    pub headers: Vec<Header<'a>>,
}

impl<'a> Terms<'a> {
    fn of(message: &NewMessage<'a>) -> Self {
        let mut terms = Self { headers: message.headers.to_vec(), ..Self::default() };
        if let Some(note) = message.note {
            terms.priority = note.priority;
            terms.expires_at_ms = note.expires_at_ms;
            let group = note.group.as_ref();
            terms.group = group.map(|group| (group.name.as_slice().into(), group.sequence));
            terms.dedup = note.dedup.as_deref().map(Into::into);
        }
        terms
    }

    /// True if a push can have said this.
    fn is_possible(&self) -> bool {
        is_priority(self.priority)
            && self.expires_at_ms.is_none_or(is_timestamp)
            && self.dedup.is_none_or(|key| is_name(key))
            && self.group.is_none_or(|(name, sequence)| is_membership(name, sequence))
    }

    /// What they say of the message besides its headers; None if nothing.
    pub fn note(&self) -> Option<Note> {
        let note = Note {
            priority: self.priority,
            expires_at_ms: self.expires_at_ms,
            group: self
                .group
                .map(|(name, sequence)| Membership { name: Name::from_slice(name), sequence }),
            dedup: self.dedup.map(|key| Name::from_slice(key)),
            ..Note::default()
        };
        (note != Note::default()).then_some(note)
    }
}

/// The head of a body: the id without its first byte. The six bits of a UUID that are the same in
/// every id of ours make room for the three of the first byte that are not always 0 (a moment is
/// less than 2^43 ms), and tell the format:
/// byte 5 is `aaapbbbb`, a from byte 0 of the id and b from its byte 6, and byte 7 begins with `10`.
/// The bit p is 1 if the payload follows at once, and 0 if [`Terms`] stand before it.
const HEAD: usize = 15;
const NO_TERMS: u8 = 0x10;

fn head_of(id: MessageId, format: u8) -> [u8; HEAD] {
    let [first, mut head @ ..] = id.0;
    head[5] = first << 5 | format | head[5] & 0x0f;
    head
}

/// The head of a body that was delivered: the last six bytes of the id, with the format between them,
/// then the receipt.
fn delivered_head(id: MessageId, receipt: Receipt, format: u8) -> [u8; HEAD] {
    let [.., a, b, c, d, e, f] = id.0;
    let [g, h, i, j, k, l, m, n] = receipt.0.to_be_bytes();
    [a, b, c, d, e, format, f, g, h, i, j, k, l, m, n]
}

/// The receipt that the body of this message has; None if it was not delivered, or is none.
pub fn last_delivery(id: MessageId, bytes: &[u8]) -> Option<Receipt> {
    let head = bytes.first_chunk::<HEAD>()?;
    let receipt = Receipt(u64::from_be_bytes(*head.last_chunk()?));
    // The head of a body that was not delivered would be a receipt out of range.
    let is_head = receipt.is_valid() && *head == delivered_head(id, receipt, head[5] & NO_TERMS);
    is_head.then_some(receipt)
}

/// The stored form of a new message's body. Its id must be [valid](MessageId::is_valid).
pub fn encode_body(message: &NewMessage<'_>) -> Encoded {
    let has_terms = message.note.is_some() || !message.headers.is_empty();
    let mut bytes = Encoded::new(HEAD.saturating_add(message.payload.len()));
    bytes.extend(&head_of(message.id, if has_terms { 0 } else { NO_TERMS }));
    if has_terms {
        record::append(Terms::of(message), &mut bytes);
    }
    bytes.extend(message.payload);
    bytes
}

/// Reads a body that was not delivered yet.
pub fn decode_body(bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(RecordError::Damaged)?;
    if head[7] & 0xc0 != 0x80 {
        return Err(RecordError::Damaged);
    }
    let (terms, payload) = decode_rest(head, rest)?;
    let mut id = [0; 16];
    let (first, others) = id.split_at_mut(1);
    first.fill(head[5] >> 5);
    others.copy_from_slice(head);
    id[6] = 0x70 | head[5] & 0x0f;
    Ok(BodyRecord { id: MessageId(id), terms, payload })
}

/// Reads the body of this message, delivered or not.
pub fn decode_body_of(id: MessageId, bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    if last_delivery(id, bytes).is_none() {
        return decode_body(bytes)
            .and_then(|body| if body.id == id { Ok(body) } else { Err(RecordError::Damaged) });
    }
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(RecordError::Damaged)?;
    let (terms, payload) = decode_rest(head, rest)?;
    Ok(BodyRecord { id, terms, payload })
}

fn decode_rest<'a>(
    head: &[u8; HEAD],
    rest: &'a [u8],
) -> Result<(Terms<'a>, &'a [u8]), RecordError> {
    if head[5] & NO_TERMS != 0 {
        return Ok((Terms::default(), rest));
    }
    let (terms, read) = record::read_first::<Terms<'_>>(rest)?;
    if !terms.is_possible() {
        return Err(RecordError::Damaged);
    }
    let payload = rest.get(read..).ok_or(RecordError::Damaged)?;
    Ok((terms, payload))
}

/// The body of this message as its push stored it; other bytes as they are.
pub fn as_pushed(id: MessageId, bytes: &[u8]) -> Vec<u8> {
    let mut pushed = bytes.to_vec();
    if last_delivery(id, bytes).is_some()
        && let Some(head) = pushed.first_chunk_mut::<HEAD>()
    {
        *head = head_of(id, head[5] & NO_TERMS);
    }
    pushed
}

/// A body that was read: the bytes as they are stored, and what was found in them.
#[derive(Debug)]
pub struct StoredBody<B> {
    /// As they are stored.
    pub bytes: B,
    id: MessageId,
    note: Option<Box<Note>>,
    payload_start: usize,
}

/// What is in the bytes of a body.
struct Found {
    id: MessageId,
    note: Option<Box<Note>>,
    payload_start: usize,
}

impl<B: AsRef<[u8]>> StoredBody<B> {
    /// A body that was not delivered yet; the bytes themselves if they are none.
    pub fn read(bytes: B) -> Result<Self, B> {
        let found = decode_body(bytes.as_ref()).map(|body| Self::found(&body, bytes.as_ref()));
        Self::holding(found, bytes)
    }

    /// The body of this message, delivered or not; the bytes themselves if they are none.
    pub fn read_of(id: MessageId, bytes: B) -> Result<Self, B> {
        let whole = bytes.as_ref();
        let found = decode_body_of(id, whole).map(|body| Self::found(&body, whole));
        Self::holding(found, bytes)
    }

    #[inline]
    fn found(body: &BodyRecord<'_>, whole: &[u8]) -> Found {
        let payload_start = whole.len().saturating_sub(body.payload.len());
        let says_more = payload_start != HEAD;
        let note = if says_more { body.terms.note().map(Box::new) } else { None };
        Found { id: body.id, note, payload_start }
    }

    #[inline]
    fn holding(found: Result<Found, RecordError>, bytes: B) -> Result<Self, B> {
        match found {
            Ok(Found { id, note, payload_start }) => Ok(Self { bytes, id, note, payload_start }),
            Err(_) => Err(bytes),
        }
    }

    /// True if the push said nothing besides the payload.
    pub fn says_only_payload(&self) -> bool {
        self.payload_start == HEAD
    }
}

impl<B: AsMut<[u8]>> StoredBody<B> {
    /// Puts the receipt of its last delivery in place of the id.
    pub fn set_last_delivery(&mut self, receipt: Receipt) {
        if let Some(head) = self.bytes.as_mut().first_chunk_mut::<HEAD>() {
            *head = delivered_head(self.id, receipt, head[5] & NO_TERMS);
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

    fn take_note(&mut self) -> Option<Box<Note>> {
        self.note.take()
    }

    fn payload(&self) -> &[u8] {
        self.bytes.as_ref().get(self.payload_start..).unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.bytes.as_ref().len().saturating_sub(HEAD)
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
                let bytes = encode_body(&NewMessage { id, note: None, headers: &[], payload });
                assert_eq!(bytes.len(), 15 + payload.len());
                let terms = Terms::default();
                assert_eq!(decode_body(&bytes), Ok(BodyRecord { id, terms, payload }));
            }
        }
    }

    #[test]
    fn what_the_push_said_stands_between_head_and_payload() {
        let note = Note {
            priority: 7,
            expires_at_ms: Some(1),
            group: Some(Membership { name: Name::from_slice(b"g"), sequence: Some(2) }),
            dedup: Some(Name::from_slice(b"key")),
            ..Note::default()
        };
        let said = NewMessage { id: ID, note: Some(&note), headers: &[], payload: b"payload" };
        let bytes = encode_body(&said);
        assert_eq!(&bytes[15..], b"\x07\x01\x01\x01\x01g\x01\x02\x01\x03key\x00payload");
        assert_eq!(decode_body(&bytes).unwrap().terms.note(), Some(note.clone()));
        for impossible in [
            Note { priority: 10, ..note.clone() },
            Note { expires_at_ms: Some(1 << 43), ..note.clone() },
            Note { dedup: Some(Name::new()), ..note.clone() },
            Note { dedup: Some(Name::from_elem(0, 257)), ..note.clone() },
            Note { group: Some(Membership { name: Name::new(), sequence: None }), ..note.clone() },
            Note {
                group: Some(Membership { name: Name::from_slice(b"g"), sequence: Some(1 << 56) }),
                ..note.clone()
            },
        ] {
            let bytes = encode_body(&NewMessage { note: Some(&impossible), ..said });
            assert_eq!(decode_body(&bytes), Err(RecordError::Damaged), "{impossible:?}");
        }
    }

    #[test]
    fn headers_stand_before_the_payload() {
        let headers = vec![Header { name: b"a", value: b"1" }, Header { name: b"b", value: b"" }];
        let bytes =
            encode_body(&NewMessage { id: ID, note: None, headers: &headers, payload: b"payload" });
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
            let message = NewMessage { id: ID, note: None, headers, payload: b"payload" };
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
            encode_body(&NewMessage { id: ID, note: None, headers: &[], payload: b"" }).to_vec();
        bytes.pop();
        assert_eq!(decode_body(&bytes), Err(RecordError::Damaged));
    }
}
