//! Walks over large parts of a queue, a step at a time: for a copy, for the order of `Flight`, and for what a
//! consumer holds.

use super::deliveries::AT_ONCE;
use super::flight;
use super::keyspace::{Contents, Keyspace};
use super::mirror;
use super::record::decode_state;
use super::server_keyspace::ServerKeyspace;
use crate::queue::message::MessageId;
use crate::queue::part::{Kind, Part};
use crate::server::scan::KeyCursor;

/// List elements per step of a copy.
const MIRRORED: u64 = 64;

/// How many calls of the server make one step to read a large hash; each visits a few fields.
const CALLS: usize = 100;

/// Parses a score as the server prints it.
fn score(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl ServerKeyspace<'_> {
    /// Copies the next elements of a list. False if there are no more.
    pub fn mirror_list(&mut self, list: Part) -> bool {
        let start = mirror::with(|mirror| mirror.read_of(list)).unwrap_or(0);
        let values = self.list(list, start, MIRRORED);
        let length = self.len(list);
        mirror::with(|mirror| mirror.add_read(list, length, &values));
        !values.is_empty()
    }

    /// Copies the next entries of a hash or a sorted set, from the cursor on. False if there are no
    /// more.
    pub fn mirror_some(&mut self, part: Part, cursor: &mut KeyCursor) -> bool {
        let is_hash = part.kind() == Kind::Hash;
        let Some(key) = self.key(part) else { return false };
        key.scan(cursor, |name, value| {
            mirror::with(|mirror| {
                if is_hash {
                    mirror.put(part, name, value);
                } else if let Some(score) = score(value) {
                    mirror.add(part, name, score);
                }
            });
        })
    }

    /// Visits the ids of some of the state records that name a consumer, from the cursor on. False if there are no
    /// more.
    pub fn read_consumers(
        &mut self,
        cursor: &mut KeyCursor,
        consumer: &[u8],
        mut visit: impl FnMut(MessageId),
    ) -> bool {
        let Some(key) = self.key(Part::Notes) else { return false };
        (0..CALLS).all(|_| {
            key.scan(cursor, |field, bytes| {
                // Most are those of other consumers: these need not be decoded.
                if bytes.windows(consumer.len()).any(|part| part == consumer)
                    && let (Some(id), Ok(record)) = (flight::id(field), decode_state(bytes))
                    && record.consumer.as_deref() == Some(consumer)
                {
                    visit(id);
                }
            })
        })
    }

    /// True if the order of `Flight` is not known and cannot be read in one go.
    pub fn has_to_read_deadlines(&mut self) -> bool {
        let fields = self.len(Part::Flight);
        fields > AT_ONCE
            && !self.names.deadlines.borrow().is_known(fields)
            && self.has_its_type(Part::Flight)
    }

    /// Reads some of `Flight` for its order.
    pub fn read_deadlines(&mut self) {
        let names = self.names.clone();
        let Some(key) = self.key(Part::Flight) else { return };
        let mut reading = names.reading.borrow_mut();
        let mut deadlines = names.deadlines.borrow_mut();
        if reading.is_none() || !deadlines.is_being_read() {
            *reading = KeyCursor::new();
            deadlines.begin();
        }
        let Some(cursor) = &mut *reading else { return };
        for _ in 0..CALLS {
            if !key.scan(cursor, |field, record| deadlines.read(field, record)) {
                *reading = None;
                return deadlines.end(key.len());
            }
        }
    }
}
