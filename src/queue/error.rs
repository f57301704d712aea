//! What can go wrong with a request that was well formed.

use std::fmt;

use super::message::MessageId;

/// What can go wrong with a request that was well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueError {
    /// A key of the queue holds another kind of value. Nothing was changed.
    WrongType,
    /// A stored record can't be read: which one. It was set aside, unless the sentence says else.
    Corrupt(Corruption),
    /// A dead letter can't die again. Nothing was changed.
    AlreadyDead,
    /// A peek would have to go past more than [`look::MAX_GROUPS`](super::look::MAX_GROUPS) groups.
    TooManyGroups,
}

/// Which stored record can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// An element of the list of ready messages of a priority.
    Ready(u8),
    /// A member of a sorted set.
    Place,
    /// A body, or the note that belongs to it.
    Message(MessageId),
    /// There is a place for a message, but no body.
    NoBody(MessageId),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: &MessageId| uuid::Uuid::from_bytes(id.0);
        match self {
            Self::Ready(_) => {
                f.write_str("a waiting record can't be read, it was moved to damaged")
            }
            Self::Place => f.write_str("a member is no message, it was moved to damaged"),
            Self::Message(message) => {
                write!(f, "message {} can't be read, it was moved to damaged", id(message))
            }
            Self::NoBody(message) => write!(f, "message {} has no body", id(message)),
        }
    }
}

impl From<Corruption> for QueueError {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}
