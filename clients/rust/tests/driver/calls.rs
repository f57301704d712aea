//! The calls of the contract, as calls of the client.

use crate::schedules;
use crate::values::*;
use redis_mq::{Acked, Client, Connection, Error};
use serde_json::{Value, json};

pub async fn answer<C: Connection>(client: &Client<C>, call: &Value) -> Value {
    match result(client, call).await {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": kind(&error), "text": error.to_string() }),
    }
}

async fn result<C: Connection>(client: &Client<C>, call: &Value) -> Result<Value, Error> {
    let queue = call["queue"].as_str().unwrap_or_default();
    let id = call["id"].as_str().unwrap_or_default();
    let held = deliveries(&call["messages"]);
    let one = delivery(&call["message"]);
    Ok(match call["call"].as_str().unwrap_or_default() {
        "push" => {
            dedup(push(client.push(queue, bytes(&call["payload"])), call), call).await?.into()
        }
        "push_many" => {
            let payloads = items(&call["payloads"]).map(bytes);
            push(client.push_many(queue, payloads), call).await?.into()
        }
        "publish" => {
            let publish = client.publish(queue, bytes(&call["payload"]));
            let patience = length(&call["patience"]).unwrap_or_default();
            dedup(push(publish, call), call).patience(patience).await?.into()
        }
        "pull" => {
            let pull = pulled(client.pull(queues(call)), call);
            match call.get("ack") {
                None => pull.await?.as_ref().map(message).into(),
                Some(done) => {
                    let Acked { acked, pulled, .. } = pull.ack(&deliveries(done)).await?;
                    json!({ "acked": outcomes(acked), "message": pulled.as_ref().map(message) })
                }
            }
        }
        "pull_many" => {
            let count = number(&call["count"]).unwrap_or_default();
            let pull = pulled(client.pull_many(queues(call), count), call);
            match call.get("ack") {
                None => messages(&pull.await?),
                Some(done) => {
                    let Acked { acked, pulled, .. } = pull.ack(&deliveries(done)).await?;
                    json!({ "acked": outcomes(acked), "messages": messages(&pulled) })
                }
            }
        }
        "ack" => {
            client.ack(&one).await?;
            Value::Null
        }
        "nack" => {
            nacked(client.nack(&one), call).await?;
            Value::Null
        }
        "extend" => unix(extending(client.extend(&one), call).await?),
        "extend_consumer" => {
            let consumer = call["consumer"].as_str().unwrap_or_default();
            extending(client.extend_consumer(queue, consumer), call).await?.into()
        }
        "ack_many" => outcomes(client.ack_many(&held).await?),
        "nack_many" => outcomes(nacked(client.nack_many(&held), call).await?),
        "extend_many" => {
            let answers = extending(client.extend_many(&held), call).await?;
            answers.into_iter().map(extended).collect()
        }
        "peek" => {
            let mut peek = client.peek(queue);
            if let Some(state) = state(&call["state"]) {
                peek = peek.state(state);
            }
            if let Some(offset) = number(&call["offset"]) {
                peek = peek.offset(offset);
            }
            if let Some(count) = number(&call["count"]) {
                peek = peek.count(count);
            }
            messages(&peek.await?)
        }
        "get" => {
            let found = match call["dedup"].as_str() {
                Some(key) => client.get_by_dedup(queue, key).await?,
                None => client.get(queue, id).await?,
            };
            found.as_ref().map(message).into()
        }
        "delete" => match call["dedup"].as_str() {
            Some(key) => u64::from(client.delete_by_dedup(queue, key).await?).into(),
            None => client.delete(queue, texts(&call["ids"])).await?.into(),
        },
        "reschedule" => match (length(&call["delay"]), moment(&call["at"])) {
            (Some(delay), _) => client.reschedule(queue, id, delay).await?.into(),
            (None, at) => client.reschedule(queue, id, at.unwrap_or(EPOCH)).await?.into(),
        },
        "len" => client.len(queue, state(&call["state"])).await?.into(),
        "info" => info(&client.info(queue).await?),
        "config" => settings(&client.config(queue).await?),
        "configure" => {
            configured(client.configure(queue), &call["settings"]).await?;
            Value::Null
        }
        "pause" => {
            client.pause(queue, length(&call["for"])).await?;
            Value::Null
        }
        "resume" => {
            client.resume(queue).await?;
            Value::Null
        }
        "purge" => {
            let mut purge = client.purge(queue);
            if let Some(state) = state(&call["state"]) {
                purge = purge.state(state);
            }
            purge.await?.into()
        }
        "drop" => client.drop(queue).await?.into(),
        "queues" => client.queues(call["match"].as_str()).await?.into(),
        "stats" => client.stats(call["match"].as_str()).await?.iter().map(stats).collect(),
        "redrive" => redriven(client.redrive(queue), call).await?.into(),
        "schedule" | "unschedule" | "schedules" | "next" | "trigger" => {
            schedules::result(client, call).await?
        }
        other => return Err(Error::InvalidArgument(format!("unknown call {other}"))),
    })
}
