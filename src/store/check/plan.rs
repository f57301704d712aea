//! What a check found, and the changes that would put it right.

use std::collections::BTreeMap;

use crate::queue::finding::Finding;
use crate::queue::part::Part;
use crate::store::keyspace::Keyspace;

/// What was found, and what is to be done about it.
#[derive(Default)]
pub struct Plan {
    pub findings: BTreeMap<Finding, u64>,
    /// In the order in which they are to be made.
    pub changes: Vec<Change>,
    /// The lists of ready messages are to be written anew.
    pub ready: bool,
}

/// One change of one record.
pub enum Change {
    /// These bytes go to `Damaged`.
    SetAside(Vec<u8>),
    /// A body goes from this field of `Messages` to `Damaged`.
    SetBodyAside(Vec<u8>),
    /// A field of a hash goes.
    Delete(Part, Vec<u8>),
    /// A field of a hash gets a value.
    Put(Part, Vec<u8>, Vec<u8>),
    /// A member of a sorted set goes.
    Remove(Part, Vec<u8>),
    /// A member of a sorted set gets a score.
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
            Self::SetBodyAside(field) => {
                if let Some(body) = keyspace.get(Part::Messages, field) {
                    keyspace.push_back(Part::Damaged, body.as_ref());
                    keyspace.delete(Part::Messages, field);
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
