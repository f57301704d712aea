//! What can go wrong, as a type: one variant per thing that a program can act on.

use redis::{ErrorKind, RedisError};
use std::fmt;

/// The result of every command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command failed. Texts are the server's reply, code first; they are for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// `NOTFOUND`: no message with this id is in flight. It was acknowledged, deleted or discarded, or it died.
    /// Of the commands about schedules: the queue has no schedule with this name.
    MessageNotFound(String),
    /// `BADRECEIPT`: that delivery has ended. Another consumer has the message, or it will be delivered again.
    InvalidReceipt(String),
    /// `QUEUEFULL`, `DEDUPFULL`: the queue has as many messages or deduplication keys as its settings allow.
    QueueFull(String),
    /// `ERR`: an argument is wrong. The text names it, and the valid choices.
    InvalidArgument(String),
    /// `WRONGTYPE`: one of the queue's keys holds another type.
    WrongType(String),
    /// `TRYAGAIN`: the cluster slot of the queue is migrating.
    TryAgain(String),
    /// `CORRUPT`: a stored record can't be decoded. After a pull, the next one goes on with the message behind it.
    Corrupt(String),
    /// All else, as the Redis client reports it.
    Redis(RedisError),
}

/// The server refuses these for a time.
const TEMPORARY: [&str; 11] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "UNBLOCKED",
];

impl Error {
    /// Whether the same command may succeed later: the connection was lost, or the server refuses for a time.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::TryAgain(_) => true,
            Self::Redis(error) => match error.code() {
                Some(code) => TEMPORARY.contains(&code),
                None => is_lost(error),
            },
            _ => false,
        }
    }

    /// An error that this crate finds before the server does.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidArgument(text.into())
    }
}

/// Whether the connection was lost, or could not be made for now.
pub(crate) fn is_lost(error: &RedisError) -> bool {
    error.is_io_error()
        || matches!(
            error.kind(),
            ErrorKind::Parse
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::MasterNameNotFoundBySentinel
                | ErrorKind::NoValidReplicasFoundBySentinel
        )
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let Some(code) = error.code() else { return Self::Redis(error) };
        let detail = error.detail().unwrap_or_default();
        let text = format!("{code} {detail}");
        match code {
            "NOTFOUND" => Self::MessageNotFound(text),
            "BADRECEIPT" => Self::InvalidReceipt(text),
            "QUEUEFULL" | "DEDUPFULL" => Self::QueueFull(text),
            "ERR" if !detail.starts_with("unknown command") => Self::InvalidArgument(text),
            "WRONGTYPE" => Self::WrongType(text),
            "TRYAGAIN" => Self::TryAgain(text),
            "CORRUPT" => Self::Corrupt(text),
            _ => Self::Redis(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageNotFound(text)
            | Self::InvalidReceipt(text)
            | Self::QueueFull(text)
            | Self::InvalidArgument(text)
            | Self::WrongType(text)
            | Self::TryAgain(text)
            | Self::Corrupt(text) => f.write_str(text),
            Self::Redis(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Redis(error) => Some(error),
            _ => None,
        }
    }
}
