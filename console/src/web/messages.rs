//! Messages: lists by state without payloads, one message, its payload, dead letters and consumers.

use super::Console;
use super::failure::{Answer, Failure};
use super::payload::{self, View};
use super::read::Which;
use crate::dead_letters::{self, DeadLetters};
use crate::sampling::unix_ms;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use redis_mq::{Message, State as Place};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Messages that are examined for a summary.
const EXAMINED: usize = 1000;
const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
pub struct Page {
    name: String,
    server: Option<String>,
    source: Option<String>,
    #[serde(default)]
    state: Word,
    #[serde(default)]
    offset: usize,
    count: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    #[default]
    Ready,
    Inflight,
    Delayed,
    Dead,
}

impl Page {
    fn which(&self) -> Which {
        let Self { name, server, source, .. } = self;
        Which { name: name.clone(), server: server.clone(), source: source.clone() }
    }
}

/// A page of the messages in a state.
pub async fn list(State(console): State<Console>, Query(page): Query<Page>) -> Answer<Json<Value>> {
    console.state.seen();
    let found = console.find(&page.which())?;
    let (queue, state) = match page.state {
        Word::Ready => (found.name.clone(), Place::Ready),
        Word::Inflight => (found.name.clone(), Place::InFlight),
        Word::Delayed => (found.name.clone(), Place::Delayed),
        Word::Dead => (found.dead_letter_queue().await?, Place::Ready),
    };
    let count = page.count.unwrap_or(PAGE).clamp(1, PAGE);
    let peek = found.client.peek(&queue).state(state).offset(page.offset).count(count);
    let (messages, total) = (peek.await?, found.client.len(&queue, state).await?);
    let messages: Vec<Value> = messages.iter().map(head).collect();
    Ok(Json(json!({ "queue": queue, "messages": messages, "offset": page.offset, "total": total })))
}

#[derive(Debug, Deserialize)]
pub struct One {
    name: String,
    server: Option<String>,
    source: Option<String>,
    id: String,
    #[serde(default)]
    view: View,
}

impl Console {
    async fn message(&self, one: &One) -> Answer<Message> {
        let One { name, server, source, id, .. } = one;
        let which = Which { name: name.clone(), server: server.clone(), source: source.clone() };
        let found = self.find(&which)?;
        let message = found.client.get(&found.name, id).await?;
        message.ok_or_else(|| Failure::not_found(format!("{name} has no message {id}")))
    }
}

/// A message with its headers and history.
pub async fn one(State(console): State<Console>, Query(one): Query<One>) -> Answer<Json<Value>> {
    let message = console.message(&one).await?;
    let mut all = head(&message);
    let headers: Vec<Value> = message
        .headers
        .iter()
        .map(|(name, value)| json!({ "name": lossy(name), "value": lossy(value) }))
        .collect();
    all["headers"] = headers.into();
    all["looks_like"] = json!(payload::guess(&message.payload));
    Ok(Json(all))
}

/// The payload of a message, as text to show or as a file.
pub async fn payload(State(console): State<Console>, Query(one): Query<One>) -> Answer<Response> {
    let message = console.message(&one).await?;
    if one.view != View::Raw {
        let shown = payload::show(&message.payload, one.view).map_err(Failure::invalid)?;
        return Ok(Json(shown).into_response());
    }
    // Never a type that a browser runs or shows.
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}.bin\"", message.id)),
    ];
    Ok((headers, message.payload).into_response())
}

/// The dead letters of a queue by origin and reason, of the first that are delivered.
pub async fn dead_letters(
    State(console): State<Console>,
    Query(which): Query<Which>,
) -> Answer<Json<DeadLetters>> {
    let found = console.find(&which)?;
    Ok(Json(dead_letters::count(&found.client, &found.name).await?))
}

/// Who holds messages, of the deliveries that end first.
pub async fn consumers(
    State(console): State<Console>,
    Query(which): Query<Which>,
) -> Answer<Json<Value>> {
    let found = console.find(&which)?;
    let peek = found.client.peek(&found.name).state(Place::InFlight).count(EXAMINED);
    let (messages, total) = (peek.await?, found.client.len(&found.name, Place::InFlight).await?);
    let mut held: BTreeMap<Option<&str>, Vec<&Message>> = BTreeMap::new();
    for message in &messages {
        held.entry(message.consumer.as_deref()).or_default().push(message);
    }
    let held: Vec<Value> = held
        .into_iter()
        .map(|(consumer, messages)| {
            let ends = || messages.iter().filter_map(|message| message.visibility_until);
            let pushed = messages.iter().map(|message| message.timestamp).min();
            let redelivered =
                messages.iter().filter(|message| message.deliveries.is_some()).count();
            json!({
                "consumer": consumer,
                "messages": messages.len(),
                "first_visibility_until": ends().min().map(unix_ms),
                "last_visibility_until": ends().max().map(unix_ms),
                "oldest_timestamp": pushed.map(unix_ms),
                "redelivered": redelivered,
            })
        })
        .collect();
    Ok(Json(json!({ "total": total, "examined": messages.len(), "consumers": held })))
}

/// Everything but payload and headers.
fn head(message: &Message) -> Value {
    let place = message.state.map(|state| match state {
        Place::InFlight => "inflight",
        Place::Delayed => "delayed",
        _ => "ready",
    });
    let death = message.death.as_ref().map(|death| {
        json!({
            "from": death.from,
            "at": unix_ms(death.at),
            "reason": death.reason,
            "retries": death.retries,
        })
    });
    json!({
        "id": message.id,
        "queue": message.queue,
        "state": place,
        "timestamp": unix_ms(message.timestamp),
        "retry_count": message.retry_count,
        "payload_bytes": message.payload.len(),
        "header_count": message.headers.len(),
        "visibility_until": message.visibility_until.map(unix_ms),
        "consumer": message.consumer,
        "due_at": message.due_at.map(unix_ms),
        "priority": message.priority,
        "group": message.group,
        "expires_at": message.expires_at.map(unix_ms),
        "deliveries": message.deliveries,
        "first_delivered_at": message.first_delivered_at.map(unix_ms),
        "last_error": message.last_error,
        "death": death,
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
