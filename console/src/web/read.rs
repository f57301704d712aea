//! What the API shows of queues.

use super::Console;
use super::failure::{Answer, Failure};
use crate::sampling::State;
use crate::sampling::history::Range;
use crate::servers;
use crate::view::{self, Query};
use axum::Json;
use axum::extract::{Query as Parameters, State as Shared};
use redis::RedisResult;
use redis::aio::ConnectionManager;
use redis_mq::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::SystemTime;

/// Which queue. The server is needed only if several have one of this name.
#[derive(Clone, Debug, Deserialize)]
pub struct Which {
    pub name: String,
    pub server: Option<String>,
    pub source: Option<String>,
}

/// A queue, and the server that has it.
pub struct Found {
    pub source: String,
    pub server: String,
    pub name: String,
    pub client: Client<ConnectionManager>,
}

impl Found {
    /// The queue that its dead messages move to. Redis 6 shows them only to who names that queue.
    pub async fn dead_letter_queue(&self) -> Answer<String> {
        Ok(self.client.info(&self.name).await?.settings.dead_letter)
    }
}

type Connect = fn(&State, &str, &str) -> RedisResult<Option<Client<ConnectionManager>>>;

impl Console {
    /// The server of a queue, to be asked for what it replies at once.
    pub fn find(&self, which: &Which) -> Answer<Found> {
        self.find_with(which, State::client)
    }

    /// The same, for what may take long.
    pub fn find_alone(&self, which: &Which) -> Answer<Found> {
        self.find_with(which, State::own_client)
    }

    fn find_with(&self, which: &Which, connect: Connect) -> Answer<Found> {
        let snapshot = self.state.snapshot();
        let wanted = |(source, server): &(&str, &str)| {
            which.source.as_deref().is_none_or(|wanted| wanted == *source)
                && which.server.as_deref().is_none_or(|wanted| wanted == *server)
        };
        let places: Vec<_> = snapshot.places(&which.name).into_iter().filter(wanted).collect();
        let (source, server) = match places.as_slice() {
            [] => return Err(Failure::not_found(format!("there is no queue {}", which.name))),
            [(source, server)] => (*source, *server),
            _ => {
                return Err(Failure::invalid("several servers have such a queue: name the server"));
            }
        };
        let Some(client) = connect(&self.state, source, server)? else {
            return Err(Failure::not_found(format!("there is no server {server}")));
        };
        let (source, server) = (source.to_owned(), server.to_owned());
        Ok(Found { source, server, name: which.name.clone(), client })
    }
}

pub async fn queues(
    Shared(console): Shared<Console>,
    Parameters(query): Parameters<Query>,
) -> Json<Value> {
    console.state.seen();
    let history = &console.state.history;
    Json(view::overview(&console.state.snapshot(), history, &query, console.writes))
}

/// What the page has to know of the console.
pub async fn about(Shared(console): Shared<Console>) -> Json<Value> {
    let names: Vec<&str> = console.state.sources.iter().map(|one| one.name.as_str()).collect();
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({ "version": version, "writes": console.writes, "sources": names }))
}

/// The servers, in words.
pub async fn servers(Shared(console): Shared<Console>) -> Json<Value> {
    console.state.seen();
    Json(json!({ "sources": servers::details(&console.state.snapshot()) }))
}

/// A queue as it is now.
pub async fn queue(
    Shared(console): Shared<Console>,
    Parameters(which): Parameters<Which>,
) -> Answer<Json<Value>> {
    console.state.seen();
    let found = console.find(&which)?;
    let queue = console.state.current(&found.client, &found.source, &found.name).await?;
    Ok(Json(view::queue(&found.source, &found.server, &queue, SystemTime::now())))
}

/// Which points of a queue's history.
#[derive(Debug, Deserialize)]
pub struct Past {
    name: String,
    source: Option<String>,
    #[serde(default)]
    range: Span,
    /// Only points after this one.
    #[serde(default)]
    since: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum Span {
    #[default]
    #[serde(rename = "10m")]
    TenMinutes,
    #[serde(rename = "24h")]
    Day,
}

pub async fn history(
    Shared(console): Shared<Console>,
    Parameters(past): Parameters<Past>,
) -> Answer<Json<Value>> {
    console.state.seen();
    let names: Vec<&str> = console.state.sources.iter().map(|one| one.name.as_str()).collect();
    let source = match (&past.source, names.as_slice()) {
        (Some(source), _) => source.as_str(),
        (None, [only]) => only,
        (None, _) => return Err(Failure::invalid("there are several sources: name one")),
    };
    let range = match past.range {
        Span::TenMinutes => Range::TenMinutes,
        Span::Day => Range::Day,
    };
    let mut points = console.state.history.of(source, &past.name, range);
    points.retain(|point| point.at_ms > past.since);
    Ok(Json(json!({ "source": source, "name": past.name, "points": points })))
}
