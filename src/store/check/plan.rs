//! The findings of a check and the changes that repair them.

use std::collections::BTreeMap;

use crate::queue::finding::Finding;
use crate::queue::message::MessageId;
use crate::queue::part::Part;
use crate::store::body::take_head_off;
use crate::store::keyspace::Keyspace;

/// Findings and repairs.
#[derive(Default)]
pub struct Plan {
    pub findings: BTreeMap<Finding, u64>,
    /// In the order in which they must be made.
    pub changes: Vec<Change>,
    /// The ready lists must be rewritten.
    pub ready: bool,
}

/// A change of one record.
pub enum Change {
    /// Adds bytes to `Damaged`.
    SetAside(Vec<u8>),
    /// Moves the body in this field of `Messages` or `Bodies` to `Damaged`.
    SetBodyAside(Part, Vec<u8>),
    /// Removes the body of a message in flight from `Messages`; one with other bytes is set aside.
    DropBody(MessageId),
    /// Removes the body of a message in `Flight` from `Bodies`; one with other bytes is set aside.
    DropLargeBody(MessageId),
    /// Moves this field of `Flight` and its record to `Damaged`.
    SetRecordAside(Vec<u8>),
    /// Moves the body of a message from `Flight` or `Bodies` to `Messages`.
    EndDelivery(MessageId),
    /// Deletes a field of a hash.
    Delete(Part, Vec<u8>),
    /// Sets a field of a hash.
    Put(Part, Vec<u8>, Vec<u8>),
    /// Removes a member of a sorted set.
    Remove(Part, Vec<u8>),
    /// Sets the score of a member.
    Add(Part, Vec<u8>, f64),
}

impl Plan {
    pub fn count(&mut self, finding: Finding) {
        self.count_more(finding, 1);
    }

    pub fn count_more(&mut self, finding: Finding, times: u64) {
        if times > 0 {
            let count = self.findings.entry(finding).or_default();
            *count = count.saturating_add(times);
        }
    }

    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl Change {
    pub fn make<K: Keyspace>(&self, keyspace: &mut K) {
        match self {
            Self::SetAside(bytes) => keyspace.push_back(Part::Damaged, bytes),
            Self::SetBodyAside(part, field) => {
                if let Some(body) = keyspace.get(*part, field) {
                    keyspace.push_back(Part::Damaged, body.as_ref());
                    keyspace.delete(*part, field);
                }
            }
            Self::DropBody(id) => {
                let delivered = delivered_body(keyspace, *id);
                if let Some(body) = keyspace.get(Part::Messages, &id.0) {
                    if delivered.is_none_or(|other| other.as_ref() != body.as_ref()) {
                        keyspace.push_back(Part::Damaged, body.as_ref());
                    }
                    keyspace.delete(Part::Messages, &id.0);
                }
            }
            Self::DropLargeBody(id) => {
                if let Some(body) = keyspace.get(Part::Bodies, &id.0) {
                    keyspace.delete(Part::Bodies, &id.0);
                    let delivered = delivered_body(keyspace, *id);
                    if delivered.is_none_or(|other| other.as_ref() != body.as_ref()) {
                        keyspace.push_back(Part::Damaged, body.as_ref());
                    }
                }
            }
            Self::SetRecordAside(field) => {
                if let Some(record) = keyspace.get(Part::Flight, field) {
                    let bytes = [field.as_slice(), record.as_ref()].concat();
                    keyspace.push_back(Part::Damaged, &bytes);
                    keyspace.delete(Part::Flight, field);
                }
            }
            Self::EndDelivery(id) => {
                if let Some(body) = delivered_body(keyspace, *id) {
                    keyspace.put_read(Part::Messages, &id.0, &body);
                    keyspace.delete(Part::Flight, &id.0);
                    keyspace.delete(Part::Bodies, &id.0);
                }
            }
            Self::Delete(hash, field) => keyspace.delete(*hash, field),
            Self::Put(hash, field, value) => keyspace.put(*hash, field, value),
            Self::Remove(set, member) => {
                keyspace.remove(*set, member);
            }
            Self::Add(set, member, score) => keyspace.add(*set, member, *score),
        }
    }
}

/// The body of a message in flight.
pub fn delivered_body<K: Keyspace>(keyspace: &mut K, id: MessageId) -> Option<K::Bytes> {
    if let Some(body) = keyspace.get(Part::Bodies, &id.0) {
        return Some(body);
    }
    let mut record = keyspace.get(Part::Flight, &id.0)?;
    take_head_off(id, record.as_mut()).then_some(record)
}
