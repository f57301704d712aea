//! What changes queues. Only with --allow-writes, only by POST of JSON, and each leaves a line in the log.

use super::Console;
use super::failure::{Answer, Failure};
use super::guard::Visitor;
use super::read::{Found, Which};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use redis_mq::{Due, Error, State as Place};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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
    Redrive(Letters),
    /// All that a consumer holds becomes deliverable again, as if its visibility had ended.
    GiveBack {
        consumer: String,
    },
    /// A message of a schedule now.
    Trigger {
        schedule: String,
    },
    Unschedule {
        schedule: String,
    },
    /// By MQ.CHECK.
    Repair,
    /// By the names of MQ.CONFIG; null is the default.
    Configure {
        settings: BTreeMap<String, Option<Value>>,
    },
}

/// Which of the queue's dead letters: these, or all that match. They go where they died, or to `to`.
#[derive(Clone, Debug, Deserialize)]
struct Letters {
    #[serde(default)]
    ids: Vec<String>,
    from: Option<String>,
    reason: Option<String>,
    to: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Ready,
    Delayed,
}

/// Characters of an order, which may have 10,000 ids.
const LOGGED: usize = 500;

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
    let found = console.find_alone(&which)?;
    let (queue, server) = (found.name.clone(), found.server.clone());
    let told: String = format!("{action:?}").chars().take(LOGGED).collect();
    // A task of its own: if the visitor leaves meanwhile, it goes on and is logged all the same.
    let done = tokio::spawn(async move {
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
        done
    });
    let done = done
        .await
        .map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
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
        Action::Redrive(letters) => redrive(found, letters).await,
        Action::GiveBack { consumer } => {
            let shortest = Duration::from_millis(1);
            Ok(client.extend_consumer(queue, &consumer).visibility(shortest).await?)
        }
        Action::Trigger { schedule } => {
            client.trigger(queue, &schedule).await?;
            Ok(1)
        }
        Action::Unschedule { schedule } => Ok(client.unschedule(queue, &schedule).await?.into()),
        Action::Repair => {
            let mut connection = client.connection().clone();
            let check = redis::cmd("MQ.CHECK").arg(queue).arg("REPAIR").to_owned();
            let findings: BTreeMap<String, u64> = check.query_async(&mut connection).await?;
            Ok(findings.values().sum())
        }
        Action::Configure { settings } => {
            configure(found, settings).await?;
            Ok(1)
        }
    }
}

async fn redrive(found: &Found, letters: Letters) -> Answer<u64> {
    let queue = found.dead_letter_queue().await?;
    match redrive_from(found, &queue, &letters).await {
        // Redis 6 can't check the permission for the queues in which the messages died: each has to be named.
        Err(Error::InvalidArgument(text)) if text.contains("name one with TO") => {
            let mut changed = 0;
            for from in origins(found, &queue, &letters).await? {
                let of_one =
                    Letters { from: Some(from.clone()), to: Some(from), ..letters.clone() };
                changed += redrive_from(found, &queue, &of_one).await?;
            }
            Ok(changed)
        }
        answer => Ok(answer?),
    }
}

async fn redrive_from(found: &Found, queue: &str, letters: &Letters) -> redis_mq::Result<u64> {
    let mut redrive = found.client.redrive(queue);
    redrive = match letters.ids.is_empty() {
        true => redrive.all(),
        false => redrive.ids(&letters.ids),
    };
    if let Some(from) = &letters.from {
        redrive = redrive.from(from);
    }
    if let Some(reason) = &letters.reason {
        redrive = redrive.reason(reason);
    }
    if let Some(to) = &letters.to {
        redrive = redrive.to(to);
    }
    redrive.await
}

/// The queues in which they died: of all, as far as the first thousand tell.
async fn origins(
    found: &Found,
    queue: &str,
    letters: &Letters,
) -> redis_mq::Result<BTreeSet<String>> {
    if let Some(from) = &letters.from {
        return Ok([from.clone()].into());
    }
    let messages = found.client.peek(queue).count(1000).await?;
    Ok(messages.into_iter().filter_map(|message| Some(message.death?.from)).collect())
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
