//! Lists and names that are short most of the time, and then need no memory of their own.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// A list that has one entry most of the time.
pub type Few<T> = SmallVec<[T; 1]>;

/// The name of a group or of a consumer, or a deduplication key.
pub type Name = SmallVec<[u8; 24]>;

/// Writes one as any other list.
pub fn serialize<T: Serialize, S: Serializer>(few: &Few<T>, to: S) -> Result<S::Ok, S::Error> {
    few.as_slice().serialize(to)
}

/// Reads one; a list that claims to be long makes room only for what is there.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Few<T>, D::Error> {
    Vec::deserialize(from).map(SmallVec::from_vec)
}
