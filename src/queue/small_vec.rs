//! Small vectors: lists and names that need no allocation while they are short, as they are most of the time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// A list that has one entry most of the time.
pub type ShortVec<T> = SmallVec<[T; 1]>;

/// The name of a group or a consumer, or a deduplication key.
pub type NameBytes = SmallVec<[u8; 24]>;

/// Writes one as any other list.
pub fn serialize<T: Serialize, S: Serializer>(
    list: &ShortVec<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    list.as_slice().serialize(to)
}

/// Reads one; a list that claims to be long allocates only for what is there.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<ShortVec<T>, D::Error> {
    Vec::deserialize(from).map(SmallVec::from_vec)
}
