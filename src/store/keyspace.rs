//! The few verbs on lists, hashes and sorted sets that records are kept with.
//!
//! One value stands for the keys of one queue in one database. Every verb takes a part whose type
//! was checked before; on a key of another type it does nothing and finds nothing. A key exists
//! only while it has something in it.

use crate::queue::name::QueueName;
use crate::queue::part::Part;

/// All that is in the keys of a queue.
pub trait Contents {
    /// The queue.
    fn queue(&self) -> &QueueName;
    /// The number of entries.
    fn len(&mut self, part: Part) -> u64;
    /// List: shows every value, in order.
    fn each_element(&mut self, list: Part, visit: impl FnMut(&[u8]));
    /// Hash: shows every field and its value, in no order that anything may depend on.
    fn each_field(&mut self, hash: Part, visit: impl FnMut(&[u8], &[u8]));
    /// Sorted set: shows every member and its score, from low to high.
    fn each_member(&mut self, set: Part, visit: impl FnMut(&[u8], f64));
}

/// See the top of this file.
pub trait Keyspace: Contents + Sized {
    /// Bytes that were read.
    type Bytes: AsRef<[u8]> + AsMut<[u8]>;

    /// The keys of another queue in the same database.
    fn other(&self, queue: &QueueName) -> Self;
    /// True if the key is absent or of the part's type.
    fn has_its_type(&mut self, part: Part) -> bool;

    /// Removes the whole key; its memory is freed in the background.
    fn unlink(&mut self, part: Part);

    /// List: appends.
    fn push_back(&mut self, list: Part, value: &[u8]);
    /// List: puts back in front what was popped.
    fn push_front(&mut self, list: Part, value: &Self::Bytes);
    /// List: the first.
    fn front(&mut self, list: Part) -> Option<Self::Bytes>;
    /// List: the last.
    fn back(&mut self, list: Part) -> Option<Self::Bytes>;
    /// List: takes the first.
    fn pop_front(&mut self, list: Part) -> Option<Self::Bytes>;
    /// List: up to `count` values from the one at `start` on.
    fn list(&mut self, list: Part, start: u64, count: u64) -> Vec<Self::Bytes>;
    /// List: the value at an index, from 0 on. O(log n) in practice: the server skips whole nodes.
    fn element(&mut self, list: Part, index: u64) -> Option<Self::Bytes>;
    /// List: removes the values at these indexes, which rise.
    fn remove_elements(&mut self, list: Part, indexes: &[u64]);

    /// Hash: the value of a field.
    fn get(&mut self, hash: Part, field: &[u8]) -> Option<Self::Bytes>;
    /// Hash: true if the field exists.
    fn has(&mut self, hash: Part, field: &[u8]) -> bool;
    /// Hash: sets a field.
    fn put(&mut self, hash: Part, field: &[u8], value: &[u8]);
    /// Hash: sets a field to what was read before.
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
    /// Sorted set: the member with the highest score in the range; both ends belong to it.
    fn last_within(&mut self, set: Part, scores: [f64; 2]) -> Option<(Self::Bytes, f64)>;
    /// Sorted set: up to `count` members with a score in the range (both ends belong to it), from low
    /// to high, without the first `skip`.
    fn range(
        &mut self,
        set: Part,
        scores: [f64; 2],
        skip: u64,
        count: u64,
    ) -> Vec<(Self::Bytes, f64)>;
    /// Sorted set: how many members have a score in the range; both ends belong to it.
    fn count(&mut self, set: Part, scores: [f64; 2]) -> u64;
    /// Sorted set: up to `count` members from the highest score down, without the first `skip`.
    fn range_down(&mut self, set: Part, skip: u64, count: u64) -> Vec<(Self::Bytes, f64)>;
    /// Sorted set whose scores are all equal: up to `count` members from the first one on that is not
    /// before `from`, without the first `skip` of them.
    fn range_from(&mut self, set: Part, from: &[u8], skip: u64, count: u64) -> Vec<Self::Bytes>;
    /// Sorted set: shows members and their scores, from high to low, while `visit` is true.
    fn each_member_down(&mut self, set: Part, visit: impl FnMut(&[u8], f64) -> bool);
}
