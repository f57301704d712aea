//! The texts of errors and the shape of messages, as clients see them.

use std::cell::OnceCell;
use std::fmt;

use uuid::Uuid;

use crate::queue::QueueError;
use crate::queue::message::{
    Body, MAX_HEADER_NAME_BYTES, MAX_HEADERS_BYTES, MAX_PAYLOAD_BYTES, MessageId,
};
use crate::queue::name::{NameError, QueueName};
use crate::queue::pull::Delivered;
use crate::queue::settings::Setting;
use crate::server::command::{Name, Number};
use crate::server::context::Context;
use crate::server::reply::Word;

/// What a command can answer instead of a result. Displayed it is the reply: code and sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// An unknown, repeated or incomplete option.
    Syntax,
    /// A number that is none, or is out of range.
    Number(Number),
    /// Bytes that are too few or too many.
    Length(Name),
    /// More than the most of what this number counts.
    TooMany(Number),
    /// A header's name that is empty or too long.
    HeaderName,
    /// Two headers with the same name.
    HeaderTwice,
    /// Headers that are too long together.
    HeadersTooLong,
    /// A queue's name.
    Name(NameError),
    /// More than 128 MiB.
    PayloadTooLong,
    /// A queue that names itself.
    OwnDeadLetter,
    /// A dead-letter queue in another slot.
    CrossSlot,
    /// The queue's slot is on the move.
    SlotMoves,
    /// The list of queues can't be had now, and the client can't wait for it.
    NoList,
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
    /// The state is not as it should be.
    Queue(QueueError),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("ERR syntax error"),
            Self::Number(Number { token, min, max, .. }) => {
                write!(f, "ERR {token} must be an integer from {min} to {max}")
            }
            Self::Length(Name { token, min, max, .. }) => {
                write!(f, "ERR {token} must be {min} to {max} bytes")
            }
            Self::TooMany(Number { token, max, .. }) => {
                write!(f, "ERR there are more than {max} {token}")
            }
            Self::HeaderName => {
                write!(f, "ERR a header's name must be 1 to {} bytes", MAX_HEADER_NAME_BYTES)
            }
            Self::HeaderTwice => f.write_str("ERR two headers have the same name"),
            Self::HeadersTooLong => {
                write!(f, "ERR the headers are longer than {} bytes", MAX_HEADERS_BYTES)
            }
            Self::Name(error) => write!(f, "ERR invalid queue name: {error}"),
            Self::PayloadTooLong => {
                write!(f, "ERR payload is longer than {MAX_PAYLOAD_BYTES} bytes")
            }
            Self::OwnDeadLetter => f.write_str("ERR a queue can't be its own dead-letter queue"),
            Self::CrossSlot => {
                f.write_str("CROSSSLOT the dead-letter queue is not in the queue's slot")
            }
            Self::SlotMoves => f.write_str("TRYAGAIN the queue's slot is on the move"),
            Self::NoList => f.write_str(
                "TRYAGAIN the list of queues can't be had here now, ask outside of a transaction",
            ),
            Self::NotFound => {
                f.write_str("NOTFOUND no message with this id is in flight or waits for its retry")
            }
            Self::BadReceipt => {
                f.write_str("BADRECEIPT the receipt is not that of the message's delivery")
            }
            Self::CorruptSetting(setting) => {
                write!(f, "CORRUPT the stored {} can't be read", setting.name())
            }
            Self::NoOp => f.write_str("ERR this is no op"),
            Self::OpVersion(version) => write!(f, "ERR unknown op version {version}"),
            Self::Queue(QueueError::WrongType) => {
                f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            Self::Queue(QueueError::Corrupt(corruption)) => write!(f, "CORRUPT {corruption}"),
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

/// A name or a word, then a number.
pub fn field(context: Context<'_>, name: &str, number: u64) {
    context.reply_bytes(name.as_bytes());
    count(context, number);
}

/// The fields that every message has, in their order.
const FIELDS: [&str; 7] =
    ["id", "queue", "payload", "timestamp", "retry_count", "visibility_until", "receipt"];

thread_local! {
    /// Their names, prepared with the first message.
    static NAMES: OnceCell<[Word; FIELDS.len()]> = const { OnceCell::new() };
}

/// A delivered message: a map.
pub fn message<B: Body>(context: Context<'_>, queue: &QueueName, message: &Delivered<B>) {
    let death = message.note.as_ref().and_then(|note| note.death.as_ref());
    let more = if death.is_some() { 4 } else { 0 };
    context.reply_map(FIELDS.len().saturating_add(more));
    let retry_count = message.note.as_ref().map_or(0, |note| note.retry_count);
    NAMES.with(|names| {
        let names = names.get_or_init(|| FIELDS.map(|name| Word::new(context, name)));
        let [name_id, name_queue, payload, timestamp, retries, visibility_until, receipt] = names;
        context.reply_word(name_id);
        id(context, message.body.id());
        context.reply_word(name_queue);
        context.reply_bytes(queue.as_bytes());
        context.reply_word(payload);
        context.reply_bytes(message.body.payload());
        context.reply_word(timestamp);
        count(context, message.body.id().timestamp_ms());
        context.reply_word(retries);
        count(context, retry_count.into());
        context.reply_word(visibility_until);
        count(context, message.visibility_until_ms);
        context.reply_word(receipt);
        context.reply_bytes(&hexadecimal(message.receipt.0));
    });
    if let Some(death) = death {
        context.reply_bytes(b"dead_from");
        context.reply_bytes(death.from.as_bytes());
        field(context, "dead_at", death.at_ms);
        context.reply_bytes(b"dead_reason");
        context.reply_bytes(death.reason.word().as_bytes());
        field(context, "dead_retries", death.retries.into());
    }
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
