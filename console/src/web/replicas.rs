//! The replicas of all masters: which version of the module they have, and whether they can follow. They are asked only when
//! somebody looks.

use super::Console;
use crate::sampling::snapshot::{Facts, Server};
use crate::source::Source;
use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use redis::RedisResult;
use serde_json::{Value, json};
use std::time::Duration;

const ANSWER_WITHIN: Duration = Duration::from_secs(3);

pub async fn list(State(console): State<Console>) -> Json<Value> {
    let snapshot = console.state.snapshot();
    let replicas = snapshot.servers().flat_map(|(sample, server)| {
        let source = console.state.sources.iter().find(|one| one.name == sample.source);
        let lags = server.facts.replica_lags().into_iter();
        lags.filter_map(move |(address, lag)| Some(shown(source?, server, address, lag)))
    });
    Json(json!({ "replicas": join_all(replicas).await }))
}

async fn shown(source: &Source, server: &Server, address: String, lag_bytes: u64) -> Value {
    let answer = tokio::time::timeout(ANSWER_WITHIN, ask(source, &address)).await;
    let mut shown = json!({
        "source": source.name,
        "server": server.master.address,
        "address": address,
        "lag_bytes": lag_bytes,
    });
    match answer {
        Ok(Ok(facts)) => {
            shown["version"] = facts.text("mq_version").into();
            shown["problem"] = problem(&server.facts, &facts).into();
        }
        Ok(Err(error)) => shown["error"] = error.to_string().into(),
        Err(_) => shown["error"] = "no answer".into(),
    }
    shown
}

async fn ask(source: &Source, address: &str) -> RedisResult<Facts> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let at = source.server((host.to_owned(), port.parse().unwrap_or(0)));
    let mut connection = source.connect(&at).await?;
    let text: String = redis::cmd("INFO").arg("mq").query_async(&mut connection).await?;
    Ok(Facts::read(&text))
}

/// Why a replica cannot follow its master, if so.
fn problem(master: &Facts, replica: &Facts) -> Option<String> {
    if !replica.has("mq_version") {
        return Some("It has no module mq: it ends with the first op.".to_owned());
    }
    let (own, needed) = (replica.number("mq_op_version"), master.number("mq_op_version"));
    if own < needed {
        let text = format!(
            "It understands ops up to version {own}, its master writes {needed}: upgrade it first."
        );
        return Some(text);
    }
    let errors = replica.number("mq_apply_errors");
    (errors > 0).then(|| format!("{errors} ops could not be applied: data is missing there."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_cannot_follow_is_told() {
        let master = Facts::read("mq_version:0.2.0\nmq_op_version:2\n");
        for (replica, told) in [
            ("mq_version:0.2.0\nmq_op_version:2\nmq_apply_errors:0\n", None),
            ("mq_version:0.3.0\nmq_op_version:3\nmq_apply_errors:0\n", None),
            ("mq_version:0.1.0\nmq_op_version:1\nmq_apply_errors:0\n", Some("up to version 1")),
            ("mq_version:0.2.0\nmq_op_version:2\nmq_apply_errors:7\n", Some("7 ops")),
            ("", Some("no module")),
        ] {
            let problem = problem(&master, &Facts::read(replica));
            assert_eq!(problem.is_some(), told.is_some(), "{problem:?}");
            assert!(problem.unwrap_or_default().contains(told.unwrap_or_default()), "{replica}");
        }
    }
}
