//! Queue names: which are valid, and how a name becomes part of the queue's keys.
//!
//! All keys of a queue hash to the slot of its name, so a name that has a hash tag keeps it and
//! any other is put in braces (hash tags: the Redis Cluster specification). No key access here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest queue name, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// A checked queue name: 1 to [`MAX_NAME_BYTES`] bytes, any byte, braces only as a hash tag.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Box<[u8]>);

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// No bytes at all.
    Empty,
    /// More than [`MAX_NAME_BYTES`] bytes.
    TooLong,
    /// An opening brace without its closing one, or the other way round.
    UnbalancedBraces,
    /// Braces that are no hash tag (`a{}b`): its keys could not share its slot.
    NoHashTag,
    /// The whole name is one hash tag (`{orders}`): its keys are those of `orders`.
    OnlyHashTag,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::Empty => "it is empty",
            NameError::TooLong => "it is longer than 512 bytes",
            NameError::UnbalancedBraces => "its braces are not balanced",
            NameError::NoHashTag => "its braces are no hash tag",
            NameError::OnlyHashTag => "it is a hash tag only, use the name without braces",
        })
    }
}

impl QueueName {
    /// Checks and copies a name.
    pub fn new(name: &[u8]) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        let mut open = 0usize;
        for byte in name {
            match byte {
                b'{' => open = open.saturating_add(1),
                b'}' => open = open.checked_sub(1).ok_or(NameError::UnbalancedBraces)?,
                _ => {}
            }
        }
        if open != 0 {
            return Err(NameError::UnbalancedBraces);
        }
        if name.contains(&b'{') {
            let tag = hash_tag(name).ok_or(NameError::NoHashTag)?;
            if tag.len().saturating_add(2) == name.len() {
                return Err(NameError::OnlyHashTag);
            }
        }
        Ok(Self(name.into()))
    }

    /// The name as the client wrote it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as it is part of keys: itself if it has a hash tag, else in braces.
    pub fn tagged(&self) -> Vec<u8> {
        if self.0.contains(&b'{') {
            return self.0.to_vec();
        }
        let mut tagged = Vec::with_capacity(self.0.len().saturating_add(2));
        tagged.push(b'{');
        tagged.extend_from_slice(&self.0);
        tagged.push(b'}');
        tagged
    }

    /// The inverse of [`tagged`](Self::tagged), if there is one.
    pub fn from_tagged(tagged: &[u8]) -> Option<Self> {
        let inner = match tagged {
            [b'{', inner @ .., b'}'] if !inner.contains(&b'{') && !inner.contains(&b'}') => inner,
            _ if tagged.contains(&b'{') => tagged,
            _ => return None,
        };
        Self::new(inner).ok()
    }

    /// The queue that takes this queue's dead messages unless another is named: in the same slot.
    /// None if that name would be too long.
    pub fn default_dead_letter(&self) -> Option<Self> {
        let mut name = self.tagged();
        name.extend_from_slice(b":dead");
        Self::new(&name).ok()
    }

    /// True if both names hash to the same cluster slot.
    pub fn shares_slot_with(&self, other: &Self) -> bool {
        slot(self.as_bytes()) == slot(other.as_bytes())
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Names in ops and records are checked when they are decoded.
impl Serialize for QueueName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de> Deserialize<'de> for QueueName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &[u8] = serde_bytes::Deserialize::deserialize(deserializer)?;
        Self::new(bytes).map_err(serde::de::Error::custom)
    }
}

/// What is hashed instead of the whole key: the text between the first `{` and the next `}`, if not
/// empty.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let start = key.iter().position(|&b| b == b'{')?.checked_add(1)?;
    let rest = key.get(start..)?;
    let end = rest.iter().position(|&b| b == b'}')?;
    rest.get(..end).filter(|tag| !tag.is_empty())
}

/// The cluster slot of a key: CRC16 (XMODEM) of its hash tag, or of all of it, modulo 16384.
fn slot(key: &[u8]) -> u16 {
    let mut crc = 0u16;
    for &byte in hash_tag(key).unwrap_or(key) {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % 16384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_keep_their_keys_in_their_slot_are_refused() {
        let long = vec![b'x'; MAX_NAME_BYTES + 1];
        let cases: [(&[u8], NameError); 9] = [
            (b"", NameError::Empty),
            (&long, NameError::TooLong),
            (b"a{b", NameError::UnbalancedBraces),
            (b"a}b", NameError::UnbalancedBraces),
            (b"}{", NameError::UnbalancedBraces),
            (b"a{}b", NameError::NoHashTag),
            (b"a{}b{c}", NameError::NoHashTag),
            (b"{}", NameError::NoHashTag),
            (b"{orders}", NameError::OnlyHashTag),
        ];
        for (name, error) in cases {
            assert_eq!(QueueName::new(name), Err(error), "{}", String::from_utf8_lossy(name));
        }
        assert!(QueueName::new(&long[1..]).is_ok());
    }

    #[test]
    fn the_tagged_form_keeps_the_slot_and_leads_back_to_the_name() {
        let names: [&[u8]; 8] =
            [b"orders", b"{a}.b", b"b.{a}", b"{{a}}", b"a:b:c", b"{o}:dead", b"\x00\xff", b"mq:x"];
        for name in names {
            let name = QueueName::new(name).unwrap();
            let mut key = b"mq:".to_vec();
            key.extend_from_slice(&name.tagged());
            key.extend_from_slice(b":ready");
            assert_eq!(slot(&key), slot(name.as_bytes()), "{name}");
            assert_eq!(QueueName::from_tagged(&name.tagged()), Some(name));
        }
        for none in [b"orders".as_slice(), b"", b"{}", b"{a", b"{a}}"] {
            assert_eq!(QueueName::from_tagged(none), None);
        }
    }

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{foo}.bar"), slot(b"foo"));
    }

    #[test]
    fn the_default_dead_letter_queue_shares_the_slot() {
        for (name, dead) in [("orders", "{orders}:dead"), ("{a}.b", "{a}.b:dead")] {
            let name = QueueName::new(name.as_bytes()).unwrap();
            let target = name.default_dead_letter().unwrap();
            assert_eq!(target.as_bytes(), dead.as_bytes());
            assert!(name.shares_slot_with(&target));
        }
    }
}
