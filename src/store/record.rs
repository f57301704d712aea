//! The bytes of state records and of the small records. The only user of bincode.
//!
//! Each is a version byte, then bincode. Decoding checks every byte: a length cannot make the server
//! allocate more than the bytes that are there, trailing bytes are an error, and an unknown version is
//! reported as such. Ops are encoded the same way, see [`op`](super::op); bodies have their own format,
//! see [`body`](super::body).

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::Deref;

use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::{Deserialize, Serialize};

use crate::queue::message::{MessageId, StateRecord};
use crate::queue::records::{Duplicate, Group, GroupCounts, Head};

/// State records without deliveries.
const STATE_VERSION: u8 = 1;
/// The same, followed by the deliveries.
const STATE_WITH_DELIVERIES: u8 = 2;
const GROUP_VERSION: u8 = 1;
const DEDUP_VERSION: u8 = 1;

/// The longest record: a payload of 128 MiB and its id.
const LIMIT: usize = 129 * 1024 * 1024;

type Config = bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<LIMIT>,
>;

const fn config() -> Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Why bytes cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// Written by an unknown version of the module.
    Version(u8),
    Damaged,
}

/// The bytes of a record, in a buffer that is reused: every allocation counts in the hot path.
pub struct Encoded(Vec<u8>);

thread_local! {
    /// Never dropped: the server's allocator may be gone when the thread ends.
    static ROOM: ManuallyDrop<Cell<Vec<u8>>> = const { ManuallyDrop::new(Cell::new(Vec::new())) };
}

/// Frees the buffer before the module is unloaded.
pub fn forget() {
    ROOM.with(|kept| drop(kept.take()));
}

/// Larger buffers are not kept.
const KEPT: usize = 64 * 1024;

impl Encoded {
    /// Empty, with room for this many bytes.
    pub fn new(room: usize) -> Self {
        let mut bytes = ROOM.with(|kept| kept.take());
        bytes.clear();
        bytes.reserve(room);
        Self(bytes)
    }

    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.0.push(byte);
    }

    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends a number as bincode does: in one byte, or a mark and 2, 4 or 8.
    #[inline]
    pub fn append_number(&mut self, number: u64) {
        if let Ok(byte) = u8::try_from(number)
            && byte <= 250
        {
            self.push(byte);
        } else if let Ok(number) = u16::try_from(number) {
            self.push(251);
            self.extend(&number.to_le_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.push(252);
            self.extend(&number.to_le_bytes());
        } else {
            self.push(253);
            self.extend(&number.to_le_bytes());
        }
    }

    /// Appends a number that may be absent as bincode does.
    #[inline]
    pub fn append_optional(&mut self, number: Option<u64>) {
        self.push(number.is_some().into());
        if let Some(number) = number {
            self.append_number(number);
        }
    }

    /// Appends bytes and before them their number as bincode does.
    #[inline]
    pub fn append_bytes(&mut self, bytes: &[u8]) {
        self.append_number(bytes.len() as u64);
        self.extend(bytes);
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

/// Encodes a version byte and a value.
pub fn encode<T: Serialize>(version: u8, value: &T, room: usize) -> Encoded {
    let mut bytes = Encoded::new(room);
    bytes.0.push(version);
    append(value, &mut bytes);
    bytes
}

/// Appends a value.
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

/// Decodes a value at the start of the bytes; returns its length too.
pub fn read_first<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, usize), RecordError> {
    bincode::serde::borrow_decode_from_slice(bytes, config()).map_err(|_| RecordError::Damaged)
}

/// The bytes after this version byte.
fn of_version(version: u8, bytes: &[u8]) -> Result<&[u8], RecordError> {
    match bytes.split_first().ok_or(RecordError::Damaged)? {
        (&first, rest) if first == version => Ok(rest),
        (&first, _) => Err(RecordError::Version(first)),
    }
}

/// Decodes bytes that are one value.
pub fn read_whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordError> {
    match read_first(bytes)? {
        (value, read) if read == bytes.len() => Ok(value),
        _ => Err(RecordError::Damaged),
    }
}

pub fn encode_state(record: &StateRecord) -> Encoded {
    let Some(deliveries) = &record.deliveries else { return encode(STATE_VERSION, record, 32) };
    let mut bytes = encode(STATE_WITH_DELIVERIES, record, 48);
    append(deliveries, &mut bytes);
    bytes
}

pub fn decode_state(bytes: &[u8]) -> Result<StateRecord, RecordError> {
    let (version, rest) = bytes.split_first().ok_or(RecordError::Damaged)?;
    let record = match *version {
        STATE_VERSION => read_whole(rest)?,
        STATE_WITH_DELIVERIES => {
            let (mut record, read) = read_first::<StateRecord>(rest)?;
            record.deliveries = Some(read_whole(rest.get(read..).unwrap_or_default())?);
            record
        }
        other => return Err(RecordError::Version(other)),
    };
    if record.is_valid() { Ok(record) } else { Err(RecordError::Damaged) }
}

/// The retry count of a state record, which may be damaged behind it.
pub fn retry_count(bytes: &[u8]) -> Option<u32> {
    match bytes.split_first()? {
        (&(STATE_VERSION | STATE_WITH_DELIVERIES), rest) => {
            read_first(rest).ok().map(|(count, _)| count)
        }
        _ => None,
    }
}

/// A message in the record of its group: its number, big endian, and its id.
const IN_GROUP: usize = 24;

/// The counts, then the next ready messages.
pub fn encode_group(group: &Group) -> Encoded {
    let head = IN_GROUP.saturating_mul(group.head.len());
    let mut bytes = encode(GROUP_VERSION, &group.counts, head.saturating_add(16));
    for (sequence, id) in &group.head {
        bytes.extend(&sequence.to_be_bytes());
        bytes.extend(&id.0);
    }
    bytes
}

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

pub fn encode_duplicate(duplicate: &Duplicate) -> Encoded {
    let mut bytes = Encoded::new(32);
    bytes.0.push(DEDUP_VERSION);
    // The same bytes as bincode, which would write them one by one.
    bytes.extend(&duplicate.id.0);
    append(duplicate.until_ms, &mut bytes);
    bytes
}

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
    use crate::queue::message::{
        Death, DeathReason, Deliveries, Ended, Expiry, Membership, MessageId,
    };
    use crate::queue::name::QueueName;
    use crate::queue::small_vec::NameBytes;

    const ID: MessageId =
        MessageId([7, 0xff, 2, 3, 4, 5, 0x76, 7, 0x98, 9, 10, 11, 12, 13, 14, 0xff]);

    fn orders() -> QueueName {
        QueueName::new(b"orders").unwrap()
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let highest = note_with_highest_numbers();
        for record in [StateRecord::default(), highest] {
            assert_eq!(decode_state(&encode_state(&record)), Ok(record));
        }
        for until_ms in [None, Some(0), Some((1 << 43) - 1)] {
            let duplicate = Duplicate { id: ID, until_ms };
            assert_eq!(decode_duplicate(&encode_duplicate(&duplicate)), Ok(duplicate));
        }
    }

    /// The highest number in each field.
    fn note_with_highest_numbers() -> StateRecord {
        let death = Death {
            from: orders(),
            at_ms: (1 << 43) - 1,
            reason: DeathReason::Retries,
            retries: u32::MAX,
        };
        let name = |len| NameBytes::from_slice(&vec![b'x'; len]);
        StateRecord {
            deliveries: Some(Deliveries { count: u32::MAX, first_at_ms: (1 << 43) - 1 }),
            retry_count: u32::MAX,
            last_receipt: (1 << 63) - 1,
            ended: Ended::ByTime,
            death: Some(death),
            priority: 9,
            expiry: Some(Expiry::kills((1 << 43) - 1)),
            group: Some(Membership { name: name(256), sequence: Some((1 << 56) - 1) }),
            dedup: Some(name(268)),
            consumer: Some(name(256)),
            last_error: Some(vec![b'x'; 1_024]),
        }
    }

    #[test]
    fn a_note_with_a_field_out_of_range_is_damaged() {
        let harms: [fn(&mut StateRecord); 17] = [
            |record| record.deliveries.as_mut().unwrap().count = 0,
            |record| record.deliveries.as_mut().unwrap().first_at_ms = 1 << 43,
            |record| record.last_receipt = 1 << 63,
            |record| record.last_receipt = u64::MAX,
            |record| record.death.as_mut().unwrap().at_ms = 1 << 43,
            |record| record.priority = 10,
            |record| record.priority = 255,
            |record| record.expiry = Some(Expiry::discards(1 << 43)),
            |record| record.expiry = Some(Expiry::kills(1 << 43)),
            |record| record.group.as_mut().unwrap().name = NameBytes::new(),
            |record| record.group.as_mut().unwrap().name.push(0),
            |record| record.group.as_mut().unwrap().sequence = Some(1 << 56),
            |record| record.dedup = Some(NameBytes::new()),
            |record| record.dedup.as_mut().unwrap().push(0),
            |record| record.consumer = Some(NameBytes::new()),
            |record| record.consumer.as_mut().unwrap().push(0),
            |record| record.last_error.as_mut().unwrap().push(0),
        ];
        for (number, harm) in harms.into_iter().enumerate() {
            let mut record = note_with_highest_numbers();
            harm(&mut record);
            assert_eq!(decode_state(&encode_state(&record)), Err(RecordError::Damaged), "{number}");
        }
    }

    #[test]
    fn a_note_is_of_version_2_only_with_deliveries() {
        let mut record = StateRecord { retry_count: 3, ..StateRecord::default() };
        let old = encode_state(&record).to_vec();
        record.deliveries = Some(Deliveries { count: 7, first_at_ms: 9 });
        let new = encode_state(&record).to_vec();
        assert_eq!((old[0], new[0]), (1, 2));
        assert_eq!(new[1..], [&old[1..], &[7, 9]].concat());
        for end in 0..new.len() {
            assert!(decode_state(&new[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(decode_state(&[&new[..], &[0]].concat()), Err(RecordError::Damaged));
        assert_eq!(decode_state(&new), Ok(record));
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
        assert_eq!(decode_state(&[9, 0]), Err(RecordError::Version(9)));
        assert_eq!(decode_state(&[]), Err(RecordError::Damaged));
    }

    /// What is read from a stream can't be borrowed, and would get room as its length says.
    #[test]
    fn a_note_makes_room_only_for_bytes_that_are_there() {
        let group = Some(Membership { name: NameBytes::from_slice(b"g"), sequence: None });
        let name = || Some(NameBytes::from_slice(b"x"));
        for record in [
            StateRecord { group, ..StateRecord::default() },
            StateRecord { dedup: name(), ..StateRecord::default() },
            StateRecord { consumer: name(), ..StateRecord::default() },
            StateRecord { last_error: Some(b"x".to_vec()), ..StateRecord::default() },
        ] {
            let bytes = encode_state(&record);
            let mut stream = &bytes[1..];
            let read: Result<StateRecord, _> =
                bincode::serde::decode_from_std_read(&mut stream, config());
            assert!(read.is_err(), "{record:?}");
            assert_eq!(decode_state(&bytes), Ok(record));
        }
    }
}
