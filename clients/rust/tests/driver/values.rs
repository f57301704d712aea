//! JSON of the contract as arguments of the client, and results of the client as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis_mq::{
    Configure, Connection, Delivery, Error, Extend, Extended, Headers, Histogram, Info, Message,
    Nack, Outcome, Pull, Push, Queues, Redrive, Settings, State, Stats,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

pub const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;

pub fn kind(error: &Error) -> &'static str {
    match error {
        Error::MessageNotFound(_) => "not_found",
        Error::InvalidReceipt(_) => "invalid_receipt",
        Error::QueueFull(_) => "queue_full",
        Error::InvalidArgument(_) => "invalid_argument",
        Error::WrongType(_) => "wrong_type",
        Error::TryAgain(_) => "try_again",
        Error::Corrupt(_) => "corrupt",
        _ => "other",
    }
}

// Arguments

pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn texts(value: &Value) -> Vec<&str> {
    items(value).filter_map(Value::as_str).collect()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}

pub fn number<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    value.as_i64().and_then(|number| T::try_from(number).ok())
}

pub fn length(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

pub fn moment(value: &Value) -> Option<SystemTime> {
    length(value).map(|since| EPOCH + since)
}

pub fn state(value: &Value) -> Option<State> {
    Some(match value.as_str()? {
        "ready" => State::Ready,
        "inflight" => State::InFlight,
        "delayed" => State::Delayed,
        _ => State::Dead,
    })
}

pub fn queues(call: &Value) -> Queues {
    match call.get("queues") {
        Some(names) => texts(names).into(),
        None => call["queue"].as_str().unwrap_or_default().into(),
    }
}

pub fn delivery(value: &Value) -> Delivery {
    let text = |name| value[name].as_str().unwrap_or_default().to_owned();
    Delivery { queue: text("queue"), id: text("id"), receipt: text("receipt") }
}

pub fn deliveries(value: &Value) -> Vec<Delivery> {
    items(value).map(delivery).collect()
}

/// Calls the methods whose arguments are there.
macro_rules! options {
    ($builder:ident, $call:ident, $($method:ident($argument:literal) = $read:expr),* $(,)?) => {
        $(if let Some(value) = $read(&$call[$argument]) {
            $builder = $builder.$method(value);
        })*
    };
}
pub(crate) use options;

/// Calls the methods whose arguments are true.
macro_rules! flags {
    ($builder:ident, $call:ident, $($method:ident),*) => {
        $(if $call[stringify!($method)] == true {
            $builder = $builder.$method();
        })*
    };
}
pub(crate) use flags;

pub fn push<'c, C: Connection, T>(mut push: Push<'c, C, T>, call: &Value) -> Push<'c, C, T> {
    options!(
        push,
        call,
        delay("delay") = length,
        at("at") = moment,
        ttl("ttl") = length,
        priority("priority") = number,
        group("group") = Value::as_str
    );
    flags!(push, call, ttl_dead);
    if let Some(headers) = call["headers"].as_object() {
        push = push.headers(
            headers.iter().map(|(name, value)| (name, value.as_str().unwrap_or_default())),
        );
    }
    push
}

pub fn dedup<'c, C: Connection>(
    mut push: Push<'c, C, String>,
    call: &Value,
) -> Push<'c, C, String> {
    options!(push, call, dedup("dedup") = Value::as_str, window("window") = length);
    flags!(push, call, until_done);
    push
}

pub fn pulled<'c, C: Connection, T>(mut pull: Pull<'c, C, T>, call: &Value) -> Pull<'c, C, T> {
    options!(
        pull,
        call,
        visibility("visibility") = length,
        block("block") = length,
        consumer("consumer") = Value::as_str
    );
    flags!(pull, call, no_ack);
    let on_disconnect = &call["on_disconnect"];
    if on_disconnect.is_object() || *on_disconnect == true {
        pull = pull.on_disconnect();
    }
    flags!(pull, on_disconnect, no_count);
    options!(pull, on_disconnect, grace("grace") = length);
    pull
}

pub fn nacked<'c, C: Connection, T>(mut nack: Nack<'c, C, T>, call: &Value) -> Nack<'c, C, T> {
    options!(nack, call, delay("delay") = length, reason("reason") = Value::as_str);
    flags!(nack, call, no_count, front, dead);
    nack
}

pub fn extending<'c, C: Connection, T>(
    mut extend: Extend<'c, C, T>,
    call: &Value,
) -> Extend<'c, C, T> {
    options!(extend, call, visibility("visibility") = length);
    extend
}

pub fn redriven<'c, C: Connection>(mut redrive: Redrive<'c, C>, call: &Value) -> Redrive<'c, C> {
    options!(
        redrive,
        call,
        count("count") = number,
        from("from") = Value::as_str,
        reason("reason") = Value::as_str,
        to("to") = Value::as_str
    );
    flags!(redrive, call, all);
    if call["ids"].is_array() {
        redrive = redrive.ids(texts(&call["ids"]));
    }
    redrive
}

pub fn configured<'c, C: Connection>(
    mut configure: Configure<'c, C>,
    settings: &Value,
) -> Configure<'c, C> {
    options!(
        configure,
        settings,
        visibility("visibility") = length,
        max_retries("maxretries") = number,
        dead_letter("deadletter") = Value::as_str,
        backoff("backoff") = length,
        backoff_max("backoffmax") = length,
        delay("delay") = length,
        ttl("ttl") = length,
        max_len("maxlen") = number,
        max_inflight("maxinflight") = number,
        rate("rate") = number,
        rate_period("rateperiod") = length,
        aging("aging") = length,
        group_inflight("groupinflight") = number,
        dedup_window("dedupwindow") = length,
        max_dedup("maxdedup") = number,
        expires("expires") = length
    );
    configure
}

// Results

pub fn unix(moment: SystemTime) -> Value {
    milliseconds(moment.duration_since(EPOCH).unwrap_or_default())
}

pub fn milliseconds(length: Duration) -> Value {
    json!(length.as_millis() as u64)
}

pub fn outcomes(outcomes: Vec<Outcome>) -> Value {
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Done => "done",
            Outcome::NotFound => "not_found",
            Outcome::InvalidReceipt => "invalid_receipt",
        })
        .collect()
}

pub fn extended(extended: Extended) -> Value {
    match extended {
        Extended::Until(moment) => unix(moment),
        Extended::NotFound => "not_found".into(),
        Extended::InvalidReceipt => "invalid_receipt".into(),
    }
}

pub fn messages(messages: &[Message]) -> Value {
    messages.iter().map(message).collect()
}

/// A message with the names of the server.
pub fn message(message: &Message) -> Value {
    let death = message.death.as_ref();
    let fields = json!({
        "id": message.id,
        "queue": message.queue,
        "payload": base64(&message.payload),
        "timestamp": unix(message.timestamp),
        "retry_count": message.retry_count,
        "state": message.state.map(|state| format!("{state:?}").to_lowercase()),
        "visibility_until": message.visibility_until.map(unix),
        "receipt": message.receipt,
        "consumer": message.consumer,
        "due_at": message.due_at.map(unix),
        "headers": headers(&message.headers),
        "priority": message.priority,
        "group": message.group,
        "expires_at": message.expires_at.map(unix),
        "deliveries": message.deliveries,
        "first_delivered_at": message.first_delivered_at.map(unix),
        "last_error": message.last_error,
        "dead_from": death.map(|death| &death.from),
        "dead_at": death.map(|death| unix(death.at)),
        "dead_reason": death.map(|death| &death.reason),
        "dead_retries": death.map(|death| death.retries),
    });
    present(fields)
}

/// The fields that are not null.
pub fn present(fields: Value) -> Value {
    match fields {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

pub fn headers(headers: &Headers) -> Option<Map<String, Value>> {
    let texts = headers.iter().map(|(name, value)| (text(name), text(value).into()));
    (!headers.is_empty()).then(|| texts.collect())
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn settings(settings: &Settings) -> Value {
    json!({
        "visibility": milliseconds(settings.visibility),
        "maxretries": settings.max_retries,
        "deadletter": settings.dead_letter,
        "backoff": milliseconds(settings.backoff),
        "backoffmax": milliseconds(settings.backoff_max),
        "delay": milliseconds(settings.delay),
        "ttl": milliseconds(settings.ttl),
        "maxlen": settings.max_len,
        "maxinflight": settings.max_inflight,
        "rate": settings.rate,
        "rateperiod": milliseconds(settings.rate_period),
        "aging": milliseconds(settings.aging),
        "groupinflight": settings.group_inflight,
        "dedupwindow": milliseconds(settings.dedup_window),
        "maxdedup": settings.max_dedup,
        "expires": milliseconds(settings.expires),
    })
}

/// The settings, and what the contract looks at.
pub fn info(info: &Info) -> Value {
    let mut fields = settings(&info.settings);
    fields["ready"] = info.ready.into();
    fields["inflight"] = info.inflight.into();
    fields["delayed"] = info.delayed.into();
    fields["paused"] = u8::from(info.paused).into();
    fields["deadletter_waiting"] = info.deadletter_waiting.into();
    fields["delivery_times"] = histogram(&info.delivery_times);
    fields["processing_times"] = histogram(&info.processing_times);
    fields
}

fn histogram(histogram: &Histogram) -> Value {
    let buckets = histogram.buckets.iter();
    let buckets: BTreeMap<String, u64> =
        buckets.map(|(bound, count)| (milliseconds(*bound).to_string(), *count)).collect();
    json!({ "count": histogram.count, "sum_ms": milliseconds(histogram.sum), "buckets": buckets })
}

pub fn stats(stats: &Stats) -> Value {
    let mut fields = match &stats.info {
        Ok(told) => info(told),
        Err(text) => json!({ "error": text }),
    };
    fields["queue"] = stats.queue.as_str().into();
    fields
}
