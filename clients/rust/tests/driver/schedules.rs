//! The calls about schedules.

use crate::values::*;
use redis_mq::{Catchup, Client, Connection, Error, Overlap, Rhythm, Schedule};
use serde_json::{Value, json};

pub async fn result<C: Connection>(client: &Client<C>, call: &Value) -> Result<Value, Error> {
    let queue = call["queue"].as_str().unwrap_or_default();
    let name = call["name"].as_str().unwrap_or_default();
    Ok(match call["call"].as_str() {
        Some("schedule") => {
            let mut schedule = client.schedule(queue, name, bytes(&call["payload"]), rhythm(call));
            options!(
                schedule,
                call,
                start("start") = moment,
                end("end") = moment,
                limit("limit") = number,
                jitter("jitter") = length,
                catchup("catchup") = catchup,
                overlap("overlap") = overlap,
                ttl("ttl") = length,
                priority("priority") = number,
                group("group") = Value::as_str
            );
            flags!(schedule, call, paused, ttl_dead);
            for (name, value) in call["headers"].as_object().into_iter().flatten() {
                schedule = schedule.header(name, value.as_str().unwrap_or_default());
            }
            schedule.await?.into()
        }
        Some("unschedule") => client.unschedule(queue, name).await?.into(),
        Some("trigger") => client.trigger(queue, name).await?.into(),
        Some("next") => {
            let mut next = client.next_ticks(queue, name);
            options!(next, call, count("count") = number, from("from") = moment);
            next.await?.into_iter().map(unix).collect()
        }
        _ => {
            let mut schedules = client.schedules(queue);
            options!(
                schedules,
                call,
                matching("match") = Value::as_str,
                offset("offset") = number,
                count("count") = number
            );
            schedules.await?.iter().map(record).collect()
        }
    })
}

fn rhythm(call: &Value) -> Rhythm {
    match (length(&call["every"]), call["cron"].as_str(), call["zone"].as_str()) {
        (Some(interval), ..) => interval.into(),
        (None, expression, Some(zone)) => Rhythm::cron(expression.unwrap_or_default(), zone),
        (None, expression, None) => expression.unwrap_or_default().into(),
    }
}

fn catchup(value: &Value) -> Option<Catchup> {
    Some(match value.as_str()? {
        "none" => Catchup::None,
        "one" => Catchup::One,
        _ => Catchup::All,
    })
}

fn overlap(value: &Value) -> Option<Overlap> {
    Some(match value.as_str()? {
        "skip" => Overlap::Skip,
        _ => Overlap::Allow,
    })
}

/// A schedule with the names of the server.
fn record(schedule: &Schedule) -> Value {
    let (every, cron, zone) = match &schedule.rhythm {
        Rhythm::Every(interval) => (Some(milliseconds(*interval)), None, None),
        Rhythm::Cron { expression, zone } => (None, Some(expression), Some(zone)),
    };
    present(json!({
        "name": schedule.name,
        "payload": base64(&schedule.payload),
        "every": every,
        "cron": cron,
        "zone": zone,
        "start": schedule.start.map(unix),
        "end": schedule.end.map(unix),
        "limit": schedule.limit,
        "jitter": milliseconds(schedule.jitter),
        "catchup": format!("{:?}", schedule.catchup).to_lowercase(),
        "overlap": format!("{:?}", schedule.overlap).to_lowercase(),
        "paused": u8::from(schedule.is_paused),
        "next_tick": schedule.next_tick.map(unix),
        "last_tick": schedule.last_tick.map(unix),
        "runs": schedule.runs,
        "missed": schedule.missed,
        "skipped": schedule.skipped,
        "triggered": schedule.triggered,
        "ttl": schedule.ttl.map(milliseconds),
        "dead": schedule.ttl_dead.then_some(1),
        "priority": schedule.priority,
        "group": schedule.group,
        "headers": headers(&schedule.headers),
    }))
}
