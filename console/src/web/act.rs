//! What changes queues. Only with --allow-writes, only by POST of JSON, and each leaves a line in the log.

use super::Console;
use super::failure::{Answer, Failure};
use super::guard::Visitor;
use super::read::{Found, Which};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use redis_mq::{Due, State as Place};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tracing::{info, warn};

/// A queue and what to do with it.
#[derive(Debug, Deserialize)]
pub struct Order {
    #[serde(flatten)]
    which: Which,
    #[serde(flatten)]
    action: Action,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Action {
    Pause {
        for_ms: Option<u64>,
    },
    Resume,
    /// `confirm` repeats the queue's name.
    Purge {
        confirm: String,
        state: Option<Part>,
    },
    Drop {
        confirm: String,
    },
    Delete {
        ids: Vec<String>,
    },
    /// Delayed messages become ready.
    RetryNow {
        ids: Vec<String>,
    },
    Reschedule {
        id: String,
        at_ms: u64,
    },
    /// Of the queue's dead letters: these, or all that match.
    Redrive {
        #[serde(default)]
        ids: Vec<String>,
        from: Option<String>,
        reason: Option<String>,
        to: Option<String>,
    },
    /// By the names of MQ.CONFIG; null is the default.
    Configure {
        settings: BTreeMap<String, Option<Value>>,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Ready,
    Delayed,
}

/// Carries an order out, and logs who gave it.
pub async fn act(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Json(order): Json<Order>,
) -> Answer<Json<Value>> {
    let Order { which, action } = order;
    let (name, address) = (visitor.name, visitor.address);
    if !console.writes {
        warn!(user = name, %address, queue = which.name, ?action, "refused: no --allow-writes");
        let error = "the console only shows: it was started without --allow-writes";
        return Err(Failure::new(StatusCode::FORBIDDEN, error));
    }
    let found = console.find(&which).await?;
    let (queue, server) = (found.name.clone(), found.server.clone());
    let told = format!("{action:?}");
    let done = carry_out(&found, action).await;
    match &done {
        Ok(changed) => {
            info!(user = name, %address, server, queue, action = told, changed, "done");
        }
        Err(failure) => {
            let error = &failure.error;
            warn!(user = name, %address, server, queue, action = told, error, "failed");
        }
    }
    Ok(Json(json!({ "changed": done? })))
}

/// Returns how many messages were changed, or 1.
async fn carry_out(found: &Found, action: Action) -> Answer<u64> {
    let (client, queue) = (&found.client, found.name.as_str());
    match action {
        Action::Pause { for_ms } => {
            client.pause(queue, for_ms.map(Duration::from_millis)).await?;
            Ok(1)
        }
        Action::Resume => {
            client.resume(queue).await?;
            Ok(1)
        }
        Action::Purge { confirm, state } => {
            confirmed(queue, &confirm)?;
            let purge = client.purge(queue);
            Ok(match state {
                None => purge.await?,
                Some(Part::Ready) => purge.state(Place::Ready).await?,
                Some(Part::Delayed) => purge.state(Place::Delayed).await?,
            })
        }
        Action::Drop { confirm } => {
            confirmed(queue, &confirm)?;
            Ok(client.drop(queue).await?.into())
        }
        Action::Delete { ids } => Ok(client.delete(queue, some(&ids)?).await?),
        Action::RetryNow { ids } => {
            let mut changed = 0;
            for id in some(&ids)? {
                let now = Due::In(Duration::ZERO);
                changed += u64::from(client.reschedule(queue, id, now).await?);
            }
            Ok(changed)
        }
        Action::Reschedule { id, at_ms } => {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms);
            Ok(client.reschedule(queue, &id, at).await?.into())
        }
        Action::Redrive { ids, from, reason, to } => {
            let dead_letter_queue = client.info(queue).await?.settings.dead_letter;
            let mut redrive = client.redrive(&dead_letter_queue);
            redrive = if ids.is_empty() { redrive.all() } else { redrive.ids(&ids) };
            if let Some(from) = from {
                redrive = redrive.from(&from);
            }
            if let Some(reason) = reason {
                redrive = redrive.reason(&reason);
            }
            if let Some(to) = to {
                redrive = redrive.to(&to);
            }
            Ok(redrive.await?)
        }
        Action::Configure { settings } => {
            configure(found, settings).await?;
            Ok(1)
        }
    }
}

fn confirmed(queue: &str, confirm: &str) -> Answer<()> {
    if queue == confirm {
        return Ok(());
    }
    Err(Failure::invalid("to confirm, repeat the queue's name"))
}

fn some(ids: &[String]) -> Answer<&[String]> {
    if ids.is_empty() {
        return Err(Failure::invalid("no message is named"));
    }
    Ok(ids)
}

async fn configure(found: &Found, settings: BTreeMap<String, Option<Value>>) -> Answer<()> {
    let mut change = found.client.configure(&found.name);
    for (name, value) in settings {
        let Some(value) = value else {
            change = change.reset(&name);
            continue;
        };
        let number = || {
            let number = value.as_u64();
            number.ok_or_else(|| Failure::invalid(format!("{name} is a whole number")))
        };
        let time = || number().map(Duration::from_millis);
        change = match name.as_str() {
            "deadletter" => {
                let queue = value.as_str();
                let queue = queue.ok_or_else(|| Failure::invalid("deadletter is a queue"))?;
                change.dead_letter(queue)
            }
            "maxretries" => {
                let limit = value.as_i64();
                let limit = limit.ok_or_else(|| Failure::invalid("maxretries is a number"))?;
                change.max_retries(limit)
            }
            "visibility" => change.visibility(time()?),
            "backoff" => change.backoff(time()?),
            "backoffmax" => change.backoff_max(time()?),
            "delay" => change.delay(time()?),
            "ttl" => change.ttl(time()?),
            "rateperiod" => change.rate_period(time()?),
            "aging" => change.aging(time()?),
            "dedupwindow" => change.dedup_window(time()?),
            "expires" => change.expires(time()?),
            "maxlen" => change.max_len(number()?),
            "maxinflight" => change.max_inflight(number()?),
            "rate" => change.rate(number()?),
            "groupinflight" => change.group_inflight(number()?),
            "maxdedup" => change.max_dedup(number()?),
            _ => return Err(Failure::invalid(format!("{name} is no setting"))),
        };
    }
    Ok(change.await?)
}
