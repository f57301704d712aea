//! The operations on lists, hashes and sorted sets that records are stored with.
//!
//! A keyspace is the keys of one queue in one database. Every method takes a part whose type was checked
//! before; on a key of another type it does nothing and finds nothing. A key exists only while it is not
//! empty.

use super::deadlines::Deadlines;
use crate::queue::name::QueueName;
use crate::queue::part::Part;

/// Read access to a queue's keys.
pub trait Contents {
    fn queue(&self) -> &QueueName;
    fn len(&mut self, part: Part) -> u64;
    /// List: visits every element, in order.
    fn each_element(&mut self, list: Part, visit: impl FnMut(&[u8]));
    /// Hash: visits every field and value, in an order that nothing may depend on.
    fn each_field(&mut self, hash: Part, visit: impl FnMut(&[u8], &[u8]));
    /// Sorted set: visits every member and score, ascending.
    fn each_member(&mut self, set: Part, visit: impl FnMut(&[u8], f64));
}

/// See the top of this file.
pub trait Keyspace: Contents + Sized {
    /// Bytes as they were read.
    type Bytes: AsRef<[u8]> + AsMut<[u8]>;

    /// The keys of another queue in the same database.
    fn other(&self, queue: &QueueName) -> Self;
    /// True if the key is absent or of the part's type.
    fn has_its_type(&mut self, part: Part) -> bool;

    /// The order of `Flight` as far as it is known.
    fn deadlines<T>(&mut self, work: impl FnOnce(&mut Deadlines) -> T) -> T;

    /// Removes the whole key; its memory is freed in the background.
    fn unlink(&mut self, part: Part);

    /// List: appends.
    fn push_back(&mut self, list: Part, value: &[u8]) {
        self.push_back_joined(list, [value, &[]]);
    }
    /// List: appends a value that is given in two pieces.
    fn push_back_joined(&mut self, list: Part, value: [&[u8]; 2]);
    /// List: puts a popped element back in front.
    fn push_front(&mut self, list: Part, value: &Self::Bytes);
    /// List: the first.
    fn front(&mut self, list: Part) -> Option<Self::Bytes>;
    /// List: the last.
    fn back(&mut self, list: Part) -> Option<Self::Bytes>;
    /// List: removes the first.
    fn pop_front(&mut self, list: Part) -> Option<Self::Bytes>;
    /// List: hands elements from the front to `take`, up to `count`, until it returns one: that one stays, the
    /// others are removed. `take` is called before or after an element is removed.
    fn take_front(
        &mut self,
        list: Part,
        count: u64,
        take: impl FnMut(Self::Bytes) -> Option<Self::Bytes>,
    );
    /// List: up to `count` elements from index `start` on.
    fn list(&mut self, list: Part, start: u64, count: u64) -> Vec<Self::Bytes>;
    /// List: the element at an index. Fast in practice: the server skips whole nodes.
    fn element(&mut self, list: Part, index: u64) -> Option<Self::Bytes>;
    /// List: removes the elements at these ascending indexes.
    fn remove_elements(&mut self, list: Part, indexes: &[u64]);

    /// Hash: the value of a field.
    fn get(&mut self, hash: Part, field: &[u8]) -> Option<Self::Bytes>;
    /// Hash: true if the field exists.
    fn has(&mut self, hash: Part, field: &[u8]) -> bool;
    /// Hash: sets a field.
    fn put(&mut self, hash: Part, field: &[u8], value: &[u8]) {
        self.put_joined(hash, field, [value, &[]]);
    }
    /// Hash: sets a field to a value that is given in two pieces.
    fn put_joined(&mut self, hash: Part, field: &[u8], value: [&[u8]; 2]);
    /// Hash: sets a field to bytes that were read before.
    fn put_read(&mut self, hash: Part, field: &[u8], value: &Self::Bytes);
    /// Hash: removes a field.
    fn delete(&mut self, hash: Part, field: &[u8]);

    /// Sorted set: adds a member or changes its score.
    fn add(&mut self, set: Part, member: &[u8], score: f64);
    /// Sorted set: removes a member. True if it was there.
    fn remove(&mut self, set: Part, member: &[u8]) -> bool;
    /// Sorted set: a member's score.
    fn score(&mut self, set: Part, member: &[u8]) -> Option<f64>;
    /// Sorted set: the member with the lowest score.
    fn first(&mut self, set: Part) -> Option<(Self::Bytes, f64)>;
    /// Sorted set: the member with the highest score.
    fn last(&mut self, set: Part) -> Option<(Self::Bytes, f64)>;
    /// Sorted set: the member with the highest score in an inclusive range.
    fn last_within(&mut self, set: Part, scores: [f64; 2]) -> Option<(Self::Bytes, f64)>;
    /// Sorted set: up to `count` members in an inclusive range of scores, ascending, without the first
    /// `skip`.
    fn range(
        &mut self,
        set: Part,
        scores: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(Self::Bytes, f64)>;
    /// Sorted set: the number of members in an inclusive range of scores.
    fn count(&mut self, set: Part, scores: [f64; 2]) -> u64;
    /// Sorted set: up to `count` members, descending, without the first `skip`.
    fn range_down(&mut self, set: Part, skip: u64, count: u64) -> Vec<(Self::Bytes, f64)>;
    /// Sorted set with equal scores: up to `count` members not less than `from`, without the first
    /// `skip`.
    fn range_from(&mut self, set: Part, from: &[u8], skip: u64, count: u64) -> Vec<Self::Bytes>;
    /// Sorted set: visits members and scores, descending, while `visit` returns true.
    fn each_member_down(&mut self, set: Part, visit: impl FnMut(&[u8], f64) -> bool);
}
