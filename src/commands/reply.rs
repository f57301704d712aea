//! The shape of messages and numbers in replies.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use uuid::Uuid;

use crate::queue::inspect::{Seen, State};
use crate::queue::message::{Body, Deliveries, Header, MessageId, Receipt, StateRecord};
use crate::queue::name::QueueName;
use crate::queue::pull::Delivered;
use crate::server::context::Context;
use crate::server::reply::{CachedText, CachedTexts};

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

/// The fields that every message has, in their order, and those of a delivery.
const FIELDS: [&str; 7] =
    ["id", "queue", "payload", "timestamp", "retry_count", "visibility_until", "receipt"];

thread_local! {
    /// Their names, prepared with the first message. Never dropped: the server may be gone when the thread ends.
    static NAMES: ManuallyDrop<RefCell<Option<CachedTexts<{ FIELDS.len() }>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// Frees what was prepared: the module is unloaded.
pub fn forget() {
    NAMES.with(|names| names.take());
}

/// A delivered message: a map.
pub fn message<B: Body>(context: Context<'_>, queue: &QueueName, message: &Delivered<B>) {
    let record = message.record.as_deref();
    let headers = message.body.headers();
    let own = if message.receipt.is_some() { FIELDS.len() } else { FIELDS.len().saturating_sub(2) };
    context.reply_map(own.saturating_add(extra_fields(record, &headers)));
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        let names = &**names.get_or_insert_with(|| CachedTexts::new(FIELDS));
        let [.., visibility_until, receipt] = names;
        common(context, names, queue, &message.body, record);
        if let Some((Receipt(number), until_ms)) = message.receipt {
            context.reply_cached(visibility_until);
            count(context, until_ms);
            context.reply_cached(receipt);
            context.reply_bytes(&hexadecimal(number));
        }
    });
    extra(context, record, &headers, 1);
}

/// A message as MQ.PEEK and MQ.GET show it: a map.
pub fn seen<B: Body>(context: Context<'_>, queue: &QueueName, seen: &Seen<B>) {
    let record = seen.record.as_ref();
    let headers = seen.body.headers();
    let consumer = record.and_then(|record| record.consumer.as_ref());
    let own = match seen.state {
        State::Ready => 6,
        State::Inflight(_) => 7usize.saturating_add(consumer.is_some().into()),
        State::Delayed(_) => 7,
    };
    context.reply_map(own.saturating_add(extra_fields(record, &headers)));
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        let names = &**names.get_or_insert_with(|| CachedTexts::new(FIELDS));
        common(context, names, queue, &seen.body, record);
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
    extra(context, record, &headers, running.into());
}

/// The fields that every message has.
fn common<B: Body>(
    context: Context<'_>,
    names: &[CachedText; FIELDS.len()],
    queue: &QueueName,
    body: &B,
    record: Option<&StateRecord>,
) {
    let [name_id, name_queue, payload, timestamp, retry_count, ..] = names;
    context.reply_cached(name_id);
    id(context, body.id());
    context.reply_cached(name_queue);
    context.reply_bytes(queue.as_bytes());
    context.reply_cached(payload);
    #[cfg(planted_panic)]
    assert_ne!(body.payload(), b"a-planted-panic", "what tests/server/panics.rs asks for");
    context.reply_bytes(body.payload());
    context.reply_cached(timestamp);
    count(context, body.id().timestamp_ms());
    context.reply_cached(retry_count);
    count(context, record.map_or(0, |record| record.retry_count.into()));
}

/// How many fields [`extra`] replies.
fn extra_fields(record: Option<&StateRecord>, headers: &[Header<'_>]) -> usize {
    let of_note = record.map_or(0, |record| {
        let is_there = [
            record.priority > 0,
            record.group.is_some(),
            record.expires_at_ms.is_some(),
            record.last_error.is_some(),
        ];
        let of_deliveries = if record.deliveries.is_some() { 2 } else { 0 };
        let of_death = if record.death.is_some() { 4 } else { 0 };
        let single = is_there.into_iter().filter(|is_there| *is_there).count();
        single.saturating_add(of_deliveries).saturating_add(of_death)
    });
    of_note.saturating_add((!headers.is_empty()).into())
}

/// The fields that only some messages have. `running`: how many of its deliveries have not ended.
fn extra(context: Context<'_>, record: Option<&StateRecord>, headers: &[Header<'_>], running: u64) {
    if !headers.is_empty() {
        context.reply_bytes(b"headers");
        context.reply_map(headers.len());
        for header in headers {
            context.reply_bytes(header.name);
            context.reply_bytes(header.value);
        }
    }
    let Some(record) = record else { return };
    if record.priority > 0 {
        field(context, "priority", record.priority.into());
    }
    if let Some(group) = &record.group {
        text_field(context, "group", &group.name);
    }
    if let Some(at_ms) = record.expires_at_ms {
        field(context, "expires_at", at_ms);
    }
    if let Some(Deliveries { count, first_at_ms }) = record.deliveries {
        field(context, "deliveries", running.saturating_add(count.into()));
        field(context, "first_delivered_at", first_at_ms);
    }
    if let Some(text) = &record.last_error {
        text_field(context, "last_error", text);
    }
    if let Some(death) = &record.death {
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
