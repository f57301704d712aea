//! The shape of messages and numbers in replies.

use uuid::Uuid;

use super::errors::CommandError;
use crate::queue::inspect::{Seen, State};
use crate::queue::message::{Body, Deliveries, Header, MessageId, Receipt, StateRecord};
use crate::queue::name::QueueName;
use crate::queue::pull::Delivered;
use crate::server::context::Context;

/// An id as text: a UUID in lower case with hyphens.
pub fn id(context: Context<'_>, id: MessageId) {
    context.reply_bytes(&id_text(id));
}

fn id_text(id: MessageId) -> [u8; 36] {
    let mut text = [0; 36];
    Uuid::from_bytes(id.0).as_hyphenated().encode_lower(&mut text);
    text
}

/// A number that is never negative.
pub fn count(context: Context<'_>, number: u64) {
    context.reply_integer(integer(number));
}

/// What work in slices has counted, or the error that ended it early.
pub fn counted(context: Context<'_>, number: u64, error: Option<&CommandError>) {
    match error {
        Some(error) => context.reply_error(&error.to_string()),
        None => count(context, number),
    }
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A name or a word, then a number.
#[inline]
pub fn field(context: Context<'_>, name: &str, number: u64) {
    context.reply_number_field(name, integer(number));
}

/// A delivered message: a map.
pub fn message<B: Body>(context: Context<'_>, queue: &QueueName, message: &Delivered<B>) {
    let record = message.record.as_deref();
    let headers = message.body.headers();
    let own = if message.receipt.is_some() { 7usize } else { 5 };
    context.reply_map(own.saturating_add(extra_fields(record, &headers)));
    common(context, queue, &message.body, record);
    if let Some((Receipt(number), until_ms)) = message.receipt {
        field(context, "visibility_until", until_ms);
        context.reply_text_field("receipt", &hexadecimal(number));
    }
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
    common(context, queue, &seen.body, record);
    context.reply_bytes(b"state");
    match seen.state {
        State::Ready => context.reply_bytes(b"ready"),
        State::Inflight(until_ms) => {
            context.reply_bytes(b"inflight");
            field(context, "visibility_until", until_ms);
            if let Some(consumer) = consumer {
                context.reply_text_field("consumer", consumer);
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
    queue: &QueueName,
    body: &B,
    record: Option<&StateRecord>,
) {
    context.reply_text_field("id", &id_text(body.id()));
    context.reply_text_field("queue", queue.as_bytes());
    #[cfg(planted_panic)]
    assert_ne!(body.payload(), b"a-planted-panic", "what tests/server/panics.rs asks for");
    context.reply_text_field("payload", body.payload());
    field(context, "timestamp", body.id().timestamp_ms());
    field(context, "retry_count", record.map_or(0, |record| record.retry_count.into()));
}

/// How many fields [`extra`] replies.
fn extra_fields(record: Option<&StateRecord>, headers: &[Header<'_>]) -> usize {
    let of_note = record.map_or(0, |record| {
        let is_there = [
            record.priority > 0,
            record.group.is_some(),
            record.expiry.is_some(),
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
        context.reply_text_field("group", &group.name);
    }
    if let Some(at_ms) = record.expires_at_ms() {
        field(context, "expires_at", at_ms);
    }
    if let Some(Deliveries { count, first_at_ms }) = record.deliveries {
        field(context, "deliveries", running.saturating_add(count.into()));
        field(context, "first_delivered_at", first_at_ms);
    }
    if let Some(text) = &record.last_error {
        context.reply_text_field("last_error", text);
    }
    if let Some(death) = &record.death {
        context.reply_text_field("dead_from", death.from.as_bytes());
        field(context, "dead_at", death.at_ms);
        context.reply_text_field("dead_reason", death.reason.word().as_bytes());
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
