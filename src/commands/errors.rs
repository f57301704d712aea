//! The texts of errors, as clients see them.

use std::fmt;

use super::quoted::Quoted;
use crate::queue::QueueError;
use crate::queue::look::MAX_GROUPS;
use crate::queue::name::{NameError, QueueName};
use crate::queue::settings::Setting;
use crate::queue::valid::{MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES};
use crate::runtime::checking::CheckError;
use crate::runtime::execute::{OP_VERSION, ReplayError};
use crate::server::spec::{Name, Number};

/// What a command can answer instead of a result. Displayed it is the reply: code and sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// Too few arguments, or too many.
    Arity,
    /// Options that are not the command's.
    Options(Fault),
    /// A number that is none, or is out of range.
    Number(Number),
    /// A time that is in seconds.
    AtInSeconds(u64),
    /// Bytes that are too few or too many.
    Length(Name),
    /// More than the most of what this number counts.
    TooMany(Number),
    /// A header's name that is empty or too long.
    HeaderName,
    /// Two headers with the same name.
    HeaderTwice(Quoted),
    /// Headers that are too long together.
    HeadersTooLong,
    /// A queue's name.
    Name(NameError),
    /// More than 128 MiB.
    PayloadTooLong,
    /// The first backoff is longer than the longest one, both in milliseconds.
    BackoffAboveMax(u64, u64),
    /// A queue that names itself.
    OwnDeadLetter,
    /// A redrive from a queue to the same queue.
    RedrivenToItself,
    /// A redrive from a queue that has no dead letters, while its dead-letter queue has some.
    DeadAreIn(QueueName),
    /// The queue has as many messages as it may have.
    QueueFull,
    /// The queue holds as many deduplication keys as it may hold.
    DedupFull,
    /// A delivery that ends with its connection, where there is none.
    NoConnection,
    /// A wait on a replica that takes writes.
    BlockedOnReplica,
    /// The user may not write to a queue that the data name.
    NoPermission,
    /// The server can't say whether the user may.
    UnknownPermission,
    /// A queue whose name is too long for a dead-letter queue by its default name.
    NoDeadLetterQueue,
    /// The user may not look into the dead-letter queue.
    NoDeadLetterPermission,
    /// The server can't say whether the user may.
    UnknownDeadLetterPermission(QueueName),
    /// Queues of one command in several slots.
    CrossSlot,
    /// The queue's slot is on the move.
    SlotMoves,
    /// The list of queues can't be had now, and the client can't wait for it.
    NoList,
    /// The check could not be done.
    CheckFailed,
    /// No such message in flight.
    NotFound,
    /// Not that delivery's receipt.
    BadReceipt,
    /// A stored setting is no value of it.
    CorruptSetting(Setting),
    /// What was sent to MQ.APPLY is no op.
    NoOp,
    /// What was sent to MQ.APPLY is an op of another version.
    OpVersion(u8),
    /// A command that is asked for is not there; this one may be meant.
    UnknownCommand(Quoted, Option<&'static str>),
    /// The state is not as it should be.
    Queue(QueueError),
    /// The state of this one of several queues is not.
    At(QueueName, QueueError),
}

/// What is wrong with a command's options. What is said of it needs the whole line, and so is made by
/// [`explain`](crate::commands).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A word is no option.
    Unknown {
        /// How many arguments there are from it on.
        left: usize,
        /// The option before it.
        after: Option<&'static str>,
    },
    /// An option is given twice.
    Twice(&'static str),
    /// Two options can't be given together.
    Exclude(&'static str, &'static str),
    /// An option is the last word, without its value.
    NoValue(&'static str),
    /// Fewer arguments follow a number than it says.
    Fewer {
        /// The number's token.
        token: &'static str,
        /// How many there are.
        left: usize,
    },
    /// The first option is given without the second.
    OnlyWith(&'static str, &'static str),
    /// None is given of those of which one must be.
    Required,
    /// Servers would take a value for this token, and the next argument for a queue.
    Hidden(&'static str),
}

impl From<Fault> for CommandError {
    fn from(fault: Fault) -> Self {
        Self::Options(fault)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arity => f.write_str("ERR wrong number of arguments"),
            Self::Options(fault) => write!(f, "ERR wrong options: {fault:?}"),
            Self::Number(number) => {
                write!(f, "ERR {} must be an integer from {}", number.token, number.range())
            }
            Self::AtInSeconds(at) => {
                let at_ms = at.saturating_mul(1_000);
                write!(f, "ERR AT {at} is a time in seconds, in milliseconds it is AT {at_ms}")
            }
            Self::Length(Name { token, min, max, .. }) => {
                write!(f, "ERR {token} must be {min} to {max} bytes")
            }
            Self::TooMany(Number { token, max, .. }) => {
                write!(f, "ERR there are more than {max} {token}")
            }
            Self::HeaderName => {
                write!(f, "ERR a header's name must be 1 to {} bytes", MAX_NAME_BYTES)
            }
            Self::HeaderTwice(name) => write!(f, "ERR two headers have the name {name}"),
            Self::HeadersTooLong => {
                write!(f, "ERR the headers are longer than {} bytes", MAX_HEADER_BYTES)
            }
            Self::Name(error) => write!(f, "ERR invalid queue name: {error}"),
            Self::PayloadTooLong => {
                write!(f, "ERR payload is longer than {MAX_PAYLOAD_BYTES} bytes")
            }
            Self::BackoffAboveMax(backoff, max) => {
                write!(f, "ERR BACKOFF {backoff} is above BACKOFFMAX {max}")
            }
            Self::OwnDeadLetter => f.write_str("ERR a queue can't be its own dead-letter queue"),
            Self::RedrivenToItself => f.write_str("ERR a queue can't be redriven to itself"),
            Self::DeadAreIn(name) => {
                write!(
                    f,
                    "ERR the queue's dead letters are in its dead-letter queue, redrive {name}"
                )
            }
            Self::QueueFull => f.write_str("QUEUEFULL the queue is full"),
            Self::DedupFull => {
                f.write_str("DEDUPFULL the queue holds as many deduplication keys as it may")
            }
            Self::NoConnection => f.write_str("ERR ONDISCONNECT can't be used in a script"),
            Self::BlockedOnReplica => f.write_str("ERR BLOCK can't be used on a replica"),
            Self::NoPermission => {
                f.write_str("NOPERM no permission on a queue that dead letters came from")
            }
            Self::UnknownPermission => f.write_str(
                "ERR this server can't check the permission on the target queues, name one with TO",
            ),
            Self::NoDeadLetterQueue => {
                f.write_str("ERR the queue's name is too long for a dead-letter queue")
            }
            Self::NoDeadLetterPermission => {
                f.write_str("NOPERM no permission on the queue's dead-letter queue")
            }
            Self::UnknownDeadLetterPermission(name) => write!(
                f,
                "ERR this server can't check the permission on the dead-letter queue, ask for {name}"
            ),
            Self::CrossSlot => f.write_str("CROSSSLOT the queues are not in the same slot"),
            Self::SlotMoves => f.write_str("TRYAGAIN the queue's slot is on the move"),
            Self::NoList => f.write_str(
                "TRYAGAIN the list of queues can't be had here now, ask outside of a transaction",
            ),
            Self::CheckFailed => f.write_str("ERR the check failed, see the server's log"),
            Self::NotFound => {
                f.write_str("NOTFOUND no message with this id is in flight or waits for its retry")
            }
            Self::BadReceipt => {
                f.write_str("BADRECEIPT the receipt is not that of the message's delivery")
            }
            Self::CorruptSetting(setting) => {
                write!(f, "CORRUPT the stored {} can't be read", setting.name())
            }
            Self::UnknownCommand(name, Some(near)) => {
                write!(f, "ERR unknown command {name}, did you mean {near}?")
            }
            Self::UnknownCommand(name, None) => {
                write!(f, "ERR unknown command {name}, MQ.HELP shows all commands")
            }
            Self::NoOp => f.write_str("ERR this is no op"),
            Self::OpVersion(version) => {
                write!(f, "ERR unknown op version {version}, this module knows {OP_VERSION}")
            }
            Self::Queue(error) | Self::At(_, error) => match error {
                QueueError::WrongType => {
                    f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
                }
                QueueError::Corrupt(corruption) => write!(f, "CORRUPT {corruption}"),
                QueueError::AlreadyDead => {
                    f.write_str("ERR a dead letter can't be sent to the dead-letter queue")
                }
                QueueError::TooManyGroups => {
                    write!(f, "ERR OFFSET goes past more than {MAX_GROUPS} groups")
                }
            },
        }
    }
}

impl From<NameError> for CommandError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<QueueError> for CommandError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<CheckError> for CommandError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::SlotMoves => Self::SlotMoves,
            CheckError::Failed => Self::CheckFailed,
            CheckError::Queue(error) => Self::Queue(error),
        }
    }
}

impl From<ReplayError> for CommandError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::NoOp => Self::NoOp,
            ReplayError::Version(version) => Self::OpVersion(version),
            ReplayError::Queue(error) => Self::Queue(error),
        }
    }
}
