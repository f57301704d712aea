//! The bytes of bodies.
//!
//! A body is 15 bytes, then the payload: a waiting message is to take hardly more memory than its
//! payload, and a version byte, a whole id and a length are three bytes more. What else its push said,
//! if it said more, stands between the two.

use serde::{Deserialize, Serialize};

use crate::queue::few::Name;
use crate::queue::message::{Body, Header, Membership, MessageId, NewMessage, Note};
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

/// The stored form of a new message's body. Its id must be [valid](MessageId::is_valid).
pub fn encode_body(message: &NewMessage<'_>) -> Encoded {
    let [first, mut head @ ..] = message.id.0;
    head[5] = first << 5 | head[5] & 0x0f;
    let has_terms = message.note.is_some() || !message.headers.is_empty();
    if !has_terms {
        head[5] |= NO_TERMS;
    }
    let mut bytes = Encoded::new(HEAD.saturating_add(message.payload.len()));
    bytes.extend(&head);
    if has_terms {
        record::append(Terms::of(message), &mut bytes);
    }
    bytes.extend(message.payload);
    bytes
}

/// Reads a stored body.
pub fn decode_body(bytes: &[u8]) -> Result<BodyRecord<'_>, RecordError> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(RecordError::Damaged)?;
    if head[7] & 0xc0 != 0x80 {
        return Err(RecordError::Damaged);
    }
    let (terms, payload) = if head[5] & NO_TERMS == 0 {
        let (terms, read) = record::read_first::<Terms<'_>>(rest)?;
        if !terms.is_possible() {
            return Err(RecordError::Damaged);
        }
        let payload = rest.get(read..).ok_or(RecordError::Damaged)?;
        (terms, payload)
    } else {
        (Terms::default(), rest)
    };
    let mut id = [0; 16];
    let (first, others) = id.split_at_mut(1);
    first.fill(head[5] >> 5);
    others.copy_from_slice(head);
    id[6] = 0x70 | head[5] & 0x0f;
    Ok(BodyRecord { id: MessageId(id), terms, payload })
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

impl<B: AsRef<[u8]>> StoredBody<B> {
    /// The record of a body; the bytes themselves if they are none.
    pub fn read(bytes: B) -> Result<Self, B> {
        let whole = bytes.as_ref();
        match decode_body(whole) {
            Ok(body) => {
                let payload_start = whole.len().saturating_sub(body.payload.len());
                let id = body.id;
                let says_more = payload_start != HEAD;
                let note = if says_more { body.terms.note().map(Box::new) } else { None };
                Ok(Self { bytes, id, note, payload_start })
            }
            Err(_) => Err(bytes),
        }
    }

    /// True if the push said nothing besides the payload.
    pub fn says_only_payload(&self) -> bool {
        self.payload_start == HEAD
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
        decode_body(self.bytes.as_ref()).map(|body| body.terms.headers).unwrap_or_default()
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
