//! Lists that have one entry most of the time, which then needs no memory of its own.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// See the top of this file.
pub type Few<T> = SmallVec<[T; 1]>;

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
