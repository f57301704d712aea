//! The schedules of a queue with their next ticks, and whether its records are consistent.

use super::Console;
use super::failure::Answer;
use super::read::Which;
use crate::sampling::unix_ms;
use axum::Json;
use axum::extract::{Query, State};
use futures_util::future::join_all;
use redis::{Value as Reply, cmd, from_redis_value};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const PAGE: usize = 50;
/// Ticks that are shown of each schedule.
const TICKS: usize = 5;

#[derive(Debug, Deserialize)]
pub struct Page {
    name: String,
    server: Option<String>,
    source: Option<String>,
    #[serde(default)]
    offset: usize,
}

/// A page of schedules, without payloads.
pub async fn list(State(console): State<Console>, Query(page): Query<Page>) -> Answer<Json<Value>> {
    console.state.seen();
    let Page { name, server, source, offset } = page;
    let found = console.find(&Which { name, server, source })?;
    let total = found.client.info(&found.name).await?.schedules;
    let mut connection = found.client.connection().clone();
    let records: Vec<BTreeMap<String, Reply>> = cmd("MQ.SCHEDULES")
        .arg(&found.name)
        .arg("OFFSET")
        .arg(offset)
        .arg("COUNT")
        .arg(PAGE)
        .query_async(&mut connection)
        .await?;
    let schedules = records.into_iter().map(|record| async {
        let mut shown = shown(record);
        let name = shown.get("name").and_then(Value::as_str).unwrap_or_default();
        // One that is gone meanwhile has none.
        let ticks = found.client.next_ticks(&found.name, name).count(TICKS).await;
        let ticks: Vec<u64> = ticks.unwrap_or_default().into_iter().map(unix_ms).collect();
        shown.insert("next_ticks".to_owned(), ticks.into());
        Value::Object(shown)
    });
    let schedules = join_all(schedules).await;
    Ok(Json(json!({ "schedules": schedules, "offset": offset, "total": total })))
}

/// By the names of MQ.SCHEDULES; of payload and headers only how much there is.
fn shown(record: BTreeMap<String, Reply>) -> Map<String, Value> {
    let field = |(name, value): (String, Reply)| match (name.as_str(), value) {
        ("payload", Reply::BulkString(payload)) => {
            ("payload_bytes".to_owned(), payload.len().into())
        }
        ("headers", Reply::Array(pairs)) => ("header_count".to_owned(), (pairs.len() / 2).into()),
        ("headers", Reply::Map(pairs)) => ("header_count".to_owned(), pairs.len().into()),
        ("paused" | "dead", Reply::Int(set)) => (name, (set != 0).into()),
        (_, Reply::Int(number)) => (name, number.into()),
        (_, value) => (name, from_redis_value::<String>(value).unwrap_or_default().into()),
    };
    record.into_iter().map(field).collect()
}

/// What is wrong with the records of a queue, by the names of MQ.CHECK. A POST request: it reads all of the queue.
pub async fn check(
    State(console): State<Console>,
    Json(which): Json<Which>,
) -> Answer<Json<Value>> {
    let found = console.find_alone(&which)?;
    let findings: BTreeMap<String, u64> = cmd("MQ.CHECK")
        .arg(&found.name)
        .query_async(&mut found.client.connection().clone())
        .await?;
    Ok(Json(json!({ "findings": findings })))
}
