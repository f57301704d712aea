//! The errors of all commands, and their texts: codes and sentences are part of the contract.

use std::fmt;

use super::quoted::Quoted;
use crate::calendar::CronError;
use crate::queue::QueueError;
use crate::queue::inspect::MAX_GROUPS;
use crate::queue::name::{NameError, QueueName};
use crate::queue::schedule::ADDED_HEADER_BYTES;
use crate::queue::settings::Setting;
use crate::queue::valid::{MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_SCHEDULES};
use crate::runtime::checking::CheckError;
use crate::runtime::execute::{OP_VERSION, ReplayError};
use crate::server::spec::{Choice, Name, Number};

/// The longest headers of a schedule, bytes.
const MAX_OWN_BYTES: usize = MAX_HEADER_BYTES - ADDED_HEADER_BYTES;

/// An error reply. `Display` writes it: a code, then a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// Too few arguments, or too many.
    Arity,
    /// Options that the command does not take, or not in this way.
    Options(Fault),
    /// Not an integer, or out of range.
    Number(Number),
    /// None of the words of an option.
    Choice(Choice),
    /// An absolute time in seconds, after this token.
    InSeconds(&'static str, u64),
    /// CRON: what is wrong with the expression.
    Expression(CronError),
    /// TZ: no such time zone.
    Zone(Quoted),
    /// JITTER is not shorter than EVERY.
    JitterTooLong,
    /// A header that schedules add themselves.
    OwnHeader(Quoted),
    /// The headers leave no room for those that schedules add.
    ScheduleHeadersTooLong,
    /// No tick is between START and END.
    NoTick,
    /// The queue has the maximum of schedules.
    TooManySchedules,
    /// No such schedule.
    NoSchedule,
    /// Too short or too long.
    Length(Name),
    /// More than the maximum of what this number counts.
    TooMany(Number),
    /// A header name that is empty or too long.
    HeaderName,
    /// Two headers with the same name.
    HeaderTwice(Quoted),
    /// The headers together are too long.
    HeadersTooLong,
    /// Not a valid queue name.
    Name(NameError),
    /// More than 128 MiB.
    PayloadTooLong,
    /// BACKOFF is longer than BACKOFFMAX, both in milliseconds.
    BackoffAboveMax(u64, u64),
    /// A queue that is set as its own dead-letter queue.
    OwnDeadLetter,
    /// A redrive from a queue to the same queue.
    RedrivenToItself,
    /// A redrive from a queue that has no dead letters, although its dead-letter queue has some.
    DeadAreIn(QueueName),
    /// The queue has MAXLEN messages.
    QueueFull,
    /// The queue has MAXDEDUP deduplication keys.
    DedupFull,
    /// ONDISCONNECT where there is no connection.
    NoConnection,
    /// BLOCK on a writable replica.
    BlockedOnReplica,
    /// The user may not write to a queue that stored data name.
    NoPermission,
    /// The server can't check whether the user may.
    UnknownPermission,
    /// The queue's name is too long for that of a default dead-letter queue.
    NoDeadLetterQueue,
    /// The user may not read the dead-letter queue.
    NoDeadLetterPermission,
    /// The server can't check whether the user may.
    UnknownDeadLetterPermission(QueueName),
    /// Queues of one command in several slots.
    CrossSlot,
    /// The queue's slot is being migrated.
    SlotMoves,
    /// The list of queues is not complete, and the client may not block until it is.
    NoList,
    /// It is not known in which order the deliveries end, and the client may not block until it is.
    NoOrder,
    /// The check failed.
    CheckFailed,
    /// No such message in flight.
    NotFound,
    /// Not the receipt of the message's last delivery.
    BadReceipt,
    /// A stored setting is invalid.
    CorruptSetting(Setting),
    /// MQ.APPLY: the bytes are not an op.
    NoOp,
    /// MQ.APPLY: an op of a version that this release does not know.
    OpVersion(u8),
    /// MQ.HELP: no such command; this one may be meant.
    UnknownCommand(Quoted, Option<&'static str>),
    /// The state of the queue does not allow it.
    Queue(QueueError),
    /// The same, of one of several queues.
    At(QueueName, QueueError),
}

/// What is wrong with a command's options. The text needs the whole command line: `explain.rs` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not an option.
    Unknown {
        /// How many arguments there are from this one on.
        left: usize,
        /// The option before it.
        after: Option<&'static str>,
    },
    /// An option is given twice.
    Twice(&'static str),
    /// Two options exclude each other.
    Exclude(&'static str, &'static str),
    /// The last argument is an option that lacks its value.
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
    /// One of several options is required, and none is given.
    Required,
    /// Servers would mistake a value for this token, and the next argument for a key.
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
            Self::Choice(Choice { token, words }) => {
                let (last, others) = words.split_last().unwrap_or((&"", &[]));
                write!(f, "ERR {token} must be {} or {last}", others.join(", "))
            }
            Self::InSeconds(token, at) => {
                let at_ms = at.saturating_mul(1_000);
                write!(
                    f,
                    "ERR {token} {at} is a time in seconds, in milliseconds it is {token} {at_ms}"
                )
            }
            Self::Expression(error) => write!(f, "ERR {error}"),
            Self::Zone(name) => write!(f, "ERR there is no time zone {name}"),
            Self::JitterTooLong => f.write_str("ERR JITTER must be shorter than EVERY"),
            Self::OwnHeader(name) => write!(f, "ERR the header {name} is set by the schedule"),
            Self::ScheduleHeadersTooLong => {
                write!(f, "ERR the headers of a schedule are longer than {MAX_OWN_BYTES} bytes")
            }
            Self::NoTick => f.write_str("ERR the schedule has no tick left"),
            Self::TooManySchedules => {
                write!(f, "ERR the queue has {MAX_SCHEDULES} schedules, the maximum")
            }
            Self::NoSchedule => f.write_str("NOTFOUND no schedule with this name"),
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
                f.write_str("DEDUPFULL the queue holds its maximum of deduplication keys")
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
            Self::SlotMoves => f.write_str("TRYAGAIN the queue's slot is migrating"),
            Self::NoList => f.write_str(
                "TRYAGAIN the list of queues is not complete yet, retry outside of a transaction",
            ),
            Self::NoOrder => f.write_str(
                "TRYAGAIN the order of the messages in flight is still being read, \
                 retry in a moment",
            ),
            Self::CheckFailed => f.write_str("ERR the check failed, see the server's log"),
            Self::NotFound => f.write_str(
                "NOTFOUND no message with this id is in flight or waiting for its retry",
            ),
            Self::BadReceipt => f.write_str("BADRECEIPT the receipt is not valid for this message"),
            Self::CorruptSetting(setting) => {
                write!(f, "CORRUPT the stored {} can't be read", setting.name())
            }
            Self::UnknownCommand(name, Some(near)) => {
                write!(f, "ERR unknown command {name}, did you mean {near}?")
            }
            Self::UnknownCommand(name, None) => {
                write!(f, "ERR unknown command {name}, MQ.HELP shows all commands")
            }
            Self::NoOp => f.write_str("ERR not an op"),
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
