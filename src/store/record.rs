//! The bytes of notes and the small records. The only user of bincode.
//!
//! Each is a version byte, then bincode. Decoding checks every byte: a length in the bytes can't make
//! the server allocate more than the bytes themselves, leftovers are an error, and an unknown version
//! is told apart. Ops are made so as well, see [`op`](super::op); bodies have a form of their own, see
//! [`body`](super::body).

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::Deref;

use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::{Deserialize, Serialize};

use crate::queue::message::{MessageId, Note};
use crate::queue::records::{Duplicate, Group, GroupCounts, Head};

/// That of notes without deliveries.
const NOTE_VERSION: u8 = 1;
/// That of the others: the same, then these.
const NOTE_WITH_DELIVERIES: u8 = 2;
const GROUP_VERSION: u8 = 1;
const DEDUP_VERSION: u8 = 1;

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

/// The bytes of a record, in room that the next one uses again: on the way of a message every
/// allocation counts.
pub struct Encoded(Vec<u8>);

thread_local! {
    /// Never dropped: the server's allocator may be gone when the thread ends.
    static ROOM: ManuallyDrop<Cell<Vec<u8>>> = const { ManuallyDrop::new(Cell::new(Vec::new())) };
}

/// Forgets that room: the module goes.
pub fn forget() {
    ROOM.with(|kept| drop(kept.take()));
}

/// Room that a large record needed is not kept.
const KEPT: usize = 64 * 1024;

impl Encoded {
    /// No bytes yet, but room for so many.
    pub fn new(room: usize) -> Self {
        let mut bytes = ROOM.with(|kept| kept.take());
        bytes.clear();
        bytes.reserve(room);
        Self(bytes)
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if self.0.capacity() <= KEPT {
            ROOM.with(|kept| kept.set(std::mem::take(&mut self.0)));
        }
    }
}

/// A version byte and a value in bincode.
pub fn encode<T: Serialize>(version: u8, value: &T, room: usize) -> Encoded {
    let mut bytes = Encoded::new(room);
    bytes.0.push(version);
    append(value, &mut bytes);
    bytes
}

/// Adds a value in bincode.
pub fn append<T: Serialize>(value: T, bytes: &mut Encoded) {
    let written = bincode::serde::encode_into_writer(value, bytes, config());
    debug_assert!(written.is_ok(), "a Vec takes everything that these types can be");
}

impl Writer for &mut Encoded {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.extend(bytes);
        Ok(())
    }
}

/// The value in bincode that bytes begin with, and how many bytes it has.
pub fn read_first<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, usize), RecordError> {
    bincode::serde::borrow_decode_from_slice(bytes, config()).map_err(|_| RecordError::Damaged)
}

/// What follows the version byte.
fn of_version(version: u8, bytes: &[u8]) -> Result<&[u8], RecordError> {
    match bytes.split_first().ok_or(RecordError::Damaged)? {
        (&first, rest) if first == version => Ok(rest),
        (&first, _) => Err(RecordError::Version(first)),
    }
}

/// The value in bincode that the bytes are.
pub fn read_whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordError> {
    match read_first(bytes)? {
        (value, read) if read == bytes.len() => Ok(value),
        _ => Err(RecordError::Damaged),
    }
}

/// The stored form of a note.
pub fn encode_note(note: &Note) -> Encoded {
    let Some(deliveries) = &note.deliveries else { return encode(NOTE_VERSION, note, 32) };
    let mut bytes = encode(NOTE_WITH_DELIVERIES, note, 48);
    append(deliveries, &mut bytes);
    bytes
}

/// Reads a stored note.
pub fn decode_note(bytes: &[u8]) -> Result<Note, RecordError> {
    let (version, rest) = bytes.split_first().ok_or(RecordError::Damaged)?;
    let note = match *version {
        NOTE_VERSION => read_whole(rest)?,
        NOTE_WITH_DELIVERIES => {
            let (mut note, read) = read_first::<Note>(rest)?;
            note.deliveries = Some(read_whole(rest.get(read..).unwrap_or_default())?);
            note
        }
        other => return Err(RecordError::Version(other)),
    };
    if note.is_valid() { Ok(note) } else { Err(RecordError::Damaged) }
}

/// The bytes of a message in the record of its group: its number, big endian, and its id.
const IN_GROUP: usize = 24;

/// The stored form of what is known of a group: the counts, then the messages of its head.
pub fn encode_group(group: &Group) -> Encoded {
    let head = IN_GROUP.saturating_mul(group.head.len());
    let mut bytes = encode(GROUP_VERSION, &group.counts, head.saturating_add(16));
    for (sequence, id) in &group.head {
        bytes.extend(&sequence.to_be_bytes());
        bytes.extend(&id.0);
    }
    bytes
}

/// Reads what is known of a group.
pub fn decode_group(bytes: &[u8]) -> Result<Group, RecordError> {
    let rest = of_version(GROUP_VERSION, bytes)?;
    let (counts, read) = read_first::<GroupCounts>(rest)?;
    let (messages, []) = rest.get(read..).unwrap_or_default().as_chunks::<IN_GROUP>() else {
        return Err(RecordError::Damaged);
    };
    let head: Head = messages.iter().filter_map(in_group).collect();
    let group = Group { counts, head, is_damaged: false };
    if group.is_valid() { Ok(group) } else { Err(RecordError::Damaged) }
}

fn in_group(bytes: &[u8; IN_GROUP]) -> Option<(u64, MessageId)> {
    let (sequence, id) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*sequence), MessageId(id.try_into().ok()?)))
}

/// The stored form of what is known of a deduplication key.
pub fn encode_duplicate(duplicate: &Duplicate) -> Encoded {
    let mut bytes = Encoded::new(32);
    bytes.0.push(DEDUP_VERSION);
    // As bincode writes it, which would go byte by byte.
    bytes.extend(&duplicate.id.0);
    append(duplicate.until_ms, &mut bytes);
    bytes
}

/// Reads what is known of a deduplication key.
pub fn decode_duplicate(bytes: &[u8]) -> Result<Duplicate, RecordError> {
    let rest = of_version(DEDUP_VERSION, bytes)?;
    let (id, until) = rest.split_first_chunk().ok_or(RecordError::Damaged)?;
    let duplicate = Duplicate { id: MessageId(*id), until_ms: read_whole(until)? };
    if duplicate.is_valid() { Ok(duplicate) } else { Err(RecordError::Damaged) }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::queue::few::Name;
    use crate::queue::message::{Death, DeathReason, Deliveries, Ended, Membership, MessageId};
    use crate::queue::name::QueueName;

    const ID: MessageId =
        MessageId([7, 0xff, 2, 3, 4, 5, 0x76, 7, 0x98, 9, 10, 11, 12, 13, 14, 0xff]);

    fn orders() -> QueueName {
        QueueName::new(b"orders").unwrap()
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let highest = note_with_highest_numbers();
        for note in [Note::default(), highest] {
            assert_eq!(decode_note(&encode_note(&note)), Ok(note));
        }
        for until_ms in [None, Some(0), Some((1 << 43) - 1)] {
            let duplicate = Duplicate { id: ID, until_ms };
            assert_eq!(decode_duplicate(&encode_duplicate(&duplicate)), Ok(duplicate));
        }
    }

    /// The highest number in each field.
    fn note_with_highest_numbers() -> Note {
        let death = Death {
            from: orders(),
            at_ms: (1 << 43) - 1,
            reason: DeathReason::Retries,
            retries: u32::MAX,
        };
        let name = |len| Name::from_slice(&vec![b'x'; len]);
        Note {
            deliveries: Some(Deliveries { count: u32::MAX, first_at_ms: (1 << 43) - 1 }),
            retry_count: u32::MAX,
            last_receipt: (1 << 63) - 1,
            ended: Ended::ByTime,
            death: Some(death),
            priority: 9,
            expires_at_ms: Some((1 << 43) - 1),
            group: Some(Membership { name: name(256), sequence: Some((1 << 56) - 1) }),
            dedup: Some(name(256)),
            consumer: Some(name(256)),
            last_error: Some(vec![b'x'; 1_024]),
        }
    }

    #[test]
    fn a_note_with_a_field_out_of_range_is_damaged() {
        let harms: [fn(&mut Note); 16] = [
            |note| note.deliveries.as_mut().unwrap().count = 0,
            |note| note.deliveries.as_mut().unwrap().first_at_ms = 1 << 43,
            |note| note.last_receipt = 1 << 63,
            |note| note.last_receipt = u64::MAX,
            |note| note.death.as_mut().unwrap().at_ms = 1 << 43,
            |note| note.priority = 10,
            |note| note.priority = 255,
            |note| note.expires_at_ms = Some(1 << 43),
            |note| note.group.as_mut().unwrap().name = Name::new(),
            |note| note.group.as_mut().unwrap().name.push(0),
            |note| note.group.as_mut().unwrap().sequence = Some(1 << 56),
            |note| note.dedup = Some(Name::new()),
            |note| note.dedup.as_mut().unwrap().push(0),
            |note| note.consumer = Some(Name::new()),
            |note| note.consumer.as_mut().unwrap().push(0),
            |note| note.last_error.as_mut().unwrap().push(0),
        ];
        for (number, harm) in harms.into_iter().enumerate() {
            let mut note = note_with_highest_numbers();
            harm(&mut note);
            assert_eq!(decode_note(&encode_note(&note)), Err(RecordError::Damaged), "{number}");
        }
    }

    #[test]
    fn a_note_is_of_version_2_only_with_deliveries() {
        let mut note = Note { retry_count: 3, ..Note::default() };
        let old = encode_note(&note).to_vec();
        note.deliveries = Some(Deliveries { count: 7, first_at_ms: 9 });
        let new = encode_note(&note).to_vec();
        assert_eq!((old[0], new[0]), (1, 2));
        assert_eq!(new[1..], [&old[1..], &[7, 9]].concat());
        for end in 0..new.len() {
            assert!(decode_note(&new[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(decode_note(&[&new[..], &[0]].concat()), Err(RecordError::Damaged));
        assert_eq!(decode_note(&new), Ok(note));
    }

    #[test]
    fn a_group_or_a_key_with_a_number_out_of_range_is_damaged() {
        const MAX: u64 = (1 << 56) - 1;
        let counts = GroupCounts { waiting: MAX, inflight: MAX, held: MAX, next_sequence: MAX };
        let whole = Group { counts, head: smallvec![(MAX, ID)], is_damaged: false };
        assert_eq!(decode_group(&encode_group(&whole)), Ok(whole.clone()));
        let harms: [fn(&mut Group); 5] = [
            |group| group.counts.waiting += 1,
            |group| group.counts.inflight += 1,
            |group| group.counts.held += 1,
            |group| group.counts.next_sequence += 1,
            |group| group.head[0].0 += 1,
        ];
        for (number, harm) in harms.into_iter().enumerate() {
            let mut group = whole.clone();
            harm(&mut group);
            assert_eq!(decode_group(&encode_group(&group)), Err(RecordError::Damaged), "{number}");
        }
        for duplicate in [
            Duplicate { id: ID, until_ms: Some(1 << 43) },
            Duplicate { id: MessageId([0; 16]), until_ms: None },
        ] {
            let bytes = encode_duplicate(&duplicate);
            assert_eq!(decode_duplicate(&bytes), Err(RecordError::Damaged), "{duplicate:?}");
        }
    }

    #[test]
    fn what_was_encoded_of_a_group_is_decoded_and_nothing_else() {
        let counts = GroupCounts { waiting: 300, inflight: 1, held: 0, next_sequence: 1 << 40 };
        let head: Head = (0..8).map(|number| (number, ID)).collect();
        let group = Group { counts, head, is_damaged: false };
        let mut bytes = encode_group(&group).to_vec();
        assert_eq!(bytes[1..7], [251, 44, 1, 1, 0, 253]);
        assert_eq!(bytes.len(), 1 + 3 + 1 + 1 + 9 + 8 * 24);
        let whole_messages: Vec<_> = (0..8).map(|number| 15 + 24 * number).collect();
        for end in 0..bytes.len() {
            let decoded = decode_group(&bytes[..end]);
            assert_eq!(decoded.is_ok(), whole_messages.contains(&end), "cut at {end}");
        }
        assert_eq!(decode_group(&bytes), Ok(group.clone()));
        bytes[0] = 2;
        assert_eq!(decode_group(&bytes), Err(RecordError::Version(2)));
        for head in [smallvec![(1, ID), (0, ID)], (0..9).map(|number| (number, ID)).collect()] {
            let bytes = encode_group(&Group { counts, head, is_damaged: false });
            assert_eq!(decode_group(&bytes), Err(RecordError::Damaged), "{:?}", &bytes[15..]);
        }
    }

    #[test]
    fn an_unknown_version_is_told_apart() {
        assert_eq!(decode_note(&[9, 0]), Err(RecordError::Version(9)));
        assert_eq!(decode_note(&[]), Err(RecordError::Damaged));
    }

    /// What is read from a stream can't be borrowed, and would get room as its length says.
    #[test]
    fn a_note_makes_room_only_for_bytes_that_are_there() {
        let group = Some(Membership { name: Name::from_slice(b"g"), sequence: None });
        let name = || Some(Name::from_slice(b"x"));
        for note in [
            Note { group, ..Note::default() },
            Note { dedup: name(), ..Note::default() },
            Note { consumer: name(), ..Note::default() },
            Note { last_error: Some(b"x".to_vec()), ..Note::default() },
        ] {
            let bytes = encode_note(&note);
            let mut stream = &bytes[1..];
            let read: Result<Note, _> = bincode::serde::decode_from_std_read(&mut stream, config());
            assert!(read.is_err(), "{note:?}");
            assert_eq!(decode_note(&bytes), Ok(note));
        }
    }
}
