//! The texts of errors and the shape of messages, as clients see them.

use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;

use uuid::Uuid;

use crate::queue::look::{MAX_GROUPS, Seen, State};
use crate::queue::message::{Body, Deliveries, Header, MessageId, Note, Receipt};
use crate::queue::name::{NameError, QueueName};
use crate::queue::pull::Delivered;
use crate::queue::settings::Setting;
use crate::queue::valid::{MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES};
use crate::queue::{Outcome, QueueError};
use crate::quoted::Quoted;
use crate::server::context::Context;
use crate::server::reply::{Word, Words};
use crate::server::spec::{Name, Number};
use crate::store::op::OP_VERSION;

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

/// An id as text: a UUID in lower case with hyphens.
pub fn id(context: Context<'_>, id: MessageId) {
    let mut text = Uuid::encode_buffer();
    context.reply_bytes(Uuid::from_bytes(id.0).as_hyphenated().encode_lower(&mut text).as_bytes());
}

/// A number that is never negative.
pub fn count(context: Context<'_>, number: u64) {
    context.reply_integer(i64::try_from(number).unwrap_or(i64::MAX));
}

/// What an op that counts messages answers.
pub fn number<B>(context: Context<'_>, outcome: &Outcome<B>) {
    count(context, if let Outcome::Count(number) = outcome { *number } else { 0 });
}

/// A name or a word, then a number.
pub fn field(context: Context<'_>, name: &str, number: u64) {
    context.reply_bytes(name.as_bytes());
    count(context, number);
}

/// The fields that every message has, in their order, and those of a delivery.
const FIELDS: [&str; 7] =
    ["id", "queue", "payload", "timestamp", "retry_count", "visibility_until", "receipt"];

thread_local! {
    /// Their names, prepared with the first message. Never dropped: the server may be gone when the
    /// thread ends.
    static NAMES: ManuallyDrop<RefCell<Option<Words<{ FIELDS.len() }>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// Forgets what was prepared: the module goes.
pub fn forget() {
    NAMES.with(|names| names.take());
}

/// A delivered message: a map.
pub fn message<B: Body>(context: Context<'_>, queue: &QueueName, message: &Delivered<B>) {
    let note = message.note.as_deref();
    let headers = message.body.headers();
    let own = if message.receipt.is_some() { FIELDS.len() } else { FIELDS.len().saturating_sub(2) };
    context.reply_map(own.saturating_add(extra_fields(note, &headers)));
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        let names = &**names.get_or_insert_with(|| Words::new(FIELDS));
        let [.., visibility_until, receipt] = names;
        common(context, names, queue, &message.body, note);
        if let Some((Receipt(number), until_ms)) = message.receipt {
            context.reply_word(visibility_until);
            count(context, until_ms);
            context.reply_word(receipt);
            context.reply_bytes(&hexadecimal(number));
        }
    });
    extra(context, note, &headers, 1);
}

/// A message that was looked at: a map.
pub fn seen<B: Body>(context: Context<'_>, queue: &QueueName, seen: &Seen<B>) {
    let note = seen.note.as_ref();
    let headers = seen.body.headers();
    let consumer = note.and_then(|note| note.consumer.as_ref());
    let own = match seen.state {
        State::Ready => 6,
        State::Inflight(_) => 7usize.saturating_add(consumer.is_some().into()),
        State::Delayed(_) => 7,
    };
    context.reply_map(own.saturating_add(extra_fields(note, &headers)));
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        let names = &**names.get_or_insert_with(|| Words::new(FIELDS));
        common(context, names, queue, &seen.body, note);
    });
    context.reply_bytes(b"state");
    match seen.state {
        State::Ready => context.reply_bytes(b"ready"),
        State::Inflight(until_ms) => {
            context.reply_bytes(b"inflight");
            field(context, "visibility_until", until_ms);
            if let Some(consumer) = consumer {
                text_field(context, "consumer", consumer);
            }
        }
        State::Delayed(due_at_ms) => {
            context.reply_bytes(b"delayed");
            field(context, "due_at", due_at_ms);
        }
    }
    let running = matches!(seen.state, State::Inflight(_));
    extra(context, note, &headers, running.into());
}

/// The fields that every message has.
fn common<B: Body>(
    context: Context<'_>,
    names: &[Word; FIELDS.len()],
    queue: &QueueName,
    body: &B,
    note: Option<&Note>,
) {
    let [name_id, name_queue, payload, timestamp, retry_count, ..] = names;
    context.reply_word(name_id);
    id(context, body.id());
    context.reply_word(name_queue);
    context.reply_bytes(queue.as_bytes());
    context.reply_word(payload);
    #[cfg(planted_panic)]
    assert_ne!(body.payload(), b"a-planted-panic", "what tests/server/hostile/panics.rs asks for");
    context.reply_bytes(body.payload());
    context.reply_word(timestamp);
    count(context, body.id().timestamp_ms());
    context.reply_word(retry_count);
    count(context, note.map_or(0, |note| note.retry_count.into()));
}

/// How many fields [`extra`] replies.
fn extra_fields(note: Option<&Note>, headers: &[Header<'_>]) -> usize {
    let of_note = note.map_or(0, |note| {
        let is_there = [
            note.priority > 0,
            note.group.is_some(),
            note.expires_at_ms.is_some(),
            note.last_error.is_some(),
        ];
        let of_deliveries = if note.deliveries.is_some() { 2 } else { 0 };
        let of_death = if note.death.is_some() { 4 } else { 0 };
        let single = is_there.into_iter().filter(|is_there| *is_there).count();
        single.saturating_add(of_deliveries).saturating_add(of_death)
    });
    of_note.saturating_add((!headers.is_empty()).into())
}

/// The fields that a message has only if there is something to say. `running`: how many of its deliveries
/// have not ended.
fn extra(context: Context<'_>, note: Option<&Note>, headers: &[Header<'_>], running: u64) {
    if !headers.is_empty() {
        context.reply_bytes(b"headers");
        context.reply_map(headers.len());
        for header in headers {
            context.reply_bytes(header.name);
            context.reply_bytes(header.value);
        }
    }
    let Some(note) = note else { return };
    if note.priority > 0 {
        field(context, "priority", note.priority.into());
    }
    if let Some(group) = &note.group {
        text_field(context, "group", &group.name);
    }
    if let Some(at_ms) = note.expires_at_ms {
        field(context, "expires_at", at_ms);
    }
    if let Some(Deliveries { count, first_at_ms }) = note.deliveries {
        field(context, "deliveries", running.saturating_add(count.into()));
        field(context, "first_delivered_at", first_at_ms);
    }
    if let Some(text) = &note.last_error {
        text_field(context, "last_error", text);
    }
    if let Some(death) = &note.death {
        text_field(context, "dead_from", death.from.as_bytes());
        field(context, "dead_at", death.at_ms);
        text_field(context, "dead_reason", death.reason.word().as_bytes());
        field(context, "dead_retries", death.retries.into());
    }
}

/// A name, then bytes.
fn text_field(context: Context<'_>, name: &str, text: &[u8]) {
    context.reply_bytes(name.as_bytes());
    context.reply_bytes(text);
}

/// 16 lower-case hexadecimal digits.
fn hexadecimal(number: u64) -> [u8; 16] {
    let digit = |nibble: u8| if nibble < 10 { b'0' | nibble } else { nibble.wrapping_add(87) };
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}
