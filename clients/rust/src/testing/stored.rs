//! A message as the fake keeps it, and as it shows it.

use redis::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ready,
    InFlight,
    Delayed,
}

#[derive(Clone, Debug)]
pub struct Death {
    pub from: String,
    pub at: u64,
    pub reason: &'static str,
    pub retries: u64,
}

/// A message that has died, and why.
pub type Dead = (Stored, &'static str);

/// The end of a time to live.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    pub at: u64,
    /// The message dies then, instead of being discarded.
    pub kills: bool,
}

/// What is pushed.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub payload: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub priority: u64,
    pub group: Option<String>,
}

/// Moments are unix milliseconds.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: String,
    pub content: Content,
    pub timestamp: u64,
    pub state: State,
    /// Ready: since when, in 1/64 ms, which is its place in the order.
    pub since: u64,
    /// Its place since it was pushed, or died: where it returns when its visibility ends.
    pub origin: u64,
    /// Its place in its group.
    pub number: Option<u64>,
    /// In flight: when its visibility ends. Delayed: when it becomes ready.
    pub due: u64,
    pub expiry: Option<Expiry>,
    pub retry_count: u64,
    /// In this queue, and so it can be acknowledged, or not any more.
    pub was_delivered: bool,
    /// Of the last delivery; `None` if that was nacked.
    pub receipt: Option<String>,
    /// Whether its last return was counted, and was no nack: an extension takes that back.
    pub was_counted: bool,
    pub consumer: Option<String>,
    pub deliveries: u64,
    pub first_delivered_at: u64,
    pub last_error: Option<String>,
    pub death: Option<Death>,
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// By a pull.
    Delivery,
    /// By MQ.PEEK and MQ.GET.
    Record,
}

impl Stored {
    /// The priority that has effect: a dead letter has none.
    pub fn priority(&self) -> u64 {
        if self.death.is_some() { 0 } else { self.content.priority }
    }

    /// The group that has effect: a dead letter has none.
    pub fn group(&self) -> Option<&str> {
        if self.death.is_some() { None } else { self.content.group.as_deref() }
    }

    /// This is the receipt of its current delivery.
    pub fn is_held_by(&self, receipt: &str) -> bool {
        self.state == State::InFlight && self.receipt.as_deref() == Some(receipt)
    }

    pub fn has_expired(&self, now: u64) -> bool {
        self.expiry.is_some_and(|expiry| expiry.at <= now)
    }

    /// It holds a slot of its group.
    pub fn holds_slot(&self) -> bool {
        self.state == State::InFlight || (self.state == State::Delayed && self.was_delivered)
    }

    pub fn shown(&self, queue: &str, shown_as: As) -> Value {
        let Content { payload, headers, priority, group } = &self.content;
        let is_record = shown_as == As::Record;
        let is_held = self.state == State::InFlight;
        let mut fields = Fields::default();
        fields.text("id", &self.id);
        fields.text("queue", queue);
        fields.bytes("payload", payload);
        fields.number("timestamp", self.timestamp);
        fields.number("retry_count", self.retry_count);
        if is_record {
            fields.text("state", &format!("{:?}", self.state).to_lowercase());
        }
        if is_held {
            fields.number("visibility_until", self.due);
        }
        if is_held && !is_record {
            fields.maybe("receipt", self.receipt.as_deref());
        }
        if is_held && is_record {
            fields.maybe("consumer", self.consumer.as_deref());
        }
        if self.state == State::Delayed {
            fields.number("due_at", self.due);
        }
        if !headers.is_empty() {
            fields.add("headers", headers_of(headers));
        }
        if *priority > 0 {
            fields.number("priority", *priority);
        }
        fields.maybe("group", group.as_deref());
        if let Some(expiry) = self.expiry {
            fields.number("expires_at", expiry.at);
        }
        if self.deliveries > u64::from(!is_record || is_held) {
            fields.number("deliveries", self.deliveries);
            fields.number("first_delivered_at", self.first_delivered_at);
        }
        fields.maybe("last_error", self.last_error.as_deref());
        if let Some(Death { from, at, reason, retries }) = &self.death {
            fields.text("dead_from", from);
            fields.number("dead_at", *at);
            fields.text("dead_reason", reason);
            fields.number("dead_retries", *retries);
        }
        fields.reply()
    }
}

fn headers_of(headers: &[(Vec<u8>, Vec<u8>)]) -> Value {
    let pair = |(name, value): &(Vec<u8>, Vec<u8>)| {
        (Value::BulkString(name.clone()), Value::BulkString(value.clone()))
    };
    Value::Map(headers.iter().map(pair).collect())
}

/// A reply that is a map.
#[derive(Debug, Default)]
pub struct Fields(Vec<(Value, Value)>);

impl Fields {
    pub fn add(&mut self, name: &str, value: Value) {
        self.0.push((Value::BulkString(name.into()), value));
    }

    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        self.add(name, Value::BulkString(value.to_vec()));
    }

    pub fn text(&mut self, name: &str, value: &str) {
        self.bytes(name, value.as_bytes());
    }

    pub fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub fn number(&mut self, name: &str, value: u64) {
        self.add(name, number(value));
    }

    pub fn reply(self) -> Value {
        Value::Map(self.0)
    }
}

pub fn number(value: impl TryInto<i64>) -> Value {
    Value::Int(value.try_into().unwrap_or(i64::MAX))
}
