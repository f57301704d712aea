//! What can go wrong with a request that was well formed.

use std::fmt;

use super::message::MessageId;

/// What can go wrong with a request that was well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueError {
    /// A key of the queue has the wrong type. Nothing was changed.
    WrongType,
    /// A stored record is unreadable. It was set aside, unless its description says otherwise.
    Corrupt(Corruption),
    /// A dead letter cannot die again. Nothing was changed.
    AlreadyDead,
    /// A peek would skip more than [`MAX_GROUPS`](super::inspect::MAX_GROUPS) groups.
    TooManyGroups,
}

/// Which stored record is unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// An element of the ready list of this priority.
    Ready(u8),
    /// A member of a sorted set.
    Member,
    /// A body, or its state record.
    Message(MessageId),
    /// A message has a place but no body.
    NoBody(MessageId),
    /// A schedule. It is set aside by its next tick, or when it is set anew.
    Schedule,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: &MessageId| uuid::Uuid::from_bytes(id.0);
        match self {
            Self::Ready(_) => {
                f.write_str("a waiting record can't be read, it was moved to damaged")
            }
            Self::Member => f.write_str("a member is no message, it was moved to damaged"),
            Self::Message(message) => {
                write!(f, "message {} can't be read, it was moved to damaged", id(message))
            }
            Self::NoBody(message) => write!(f, "message {} has no body", id(message)),
            Self::Schedule => f.write_str("the schedule can't be read"),
        }
    }
}

impl From<Corruption> for QueueError {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}
