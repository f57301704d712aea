//! What comes out of a queue.

use crate::error::{Error, Result};
use bytes::Bytes;
use std::borrow::Cow;
use std::time::SystemTime;

/// A message. What does not apply to it is `None`.
///
/// Pulled messages have `visibility_until` and `receipt`, unless they were pulled with
/// [`no_ack`](crate::Pull::no_ack); those of [`peek`](crate::Client::peek) and [`get`](crate::Client::get) have `state`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// A version 7 UUID; ids of later pushes are greater.
    pub id: String,
    /// The queue that it is in.
    pub queue: String,
    /// What was pushed.
    pub payload: Bytes,
    /// When it was pushed.
    pub timestamp: SystemTime,
    /// How often it came back: 0 on the first delivery.
    pub retry_count: u32,
    /// Of `peek` and `get` only.
    pub state: Option<State>,
    /// When this delivery ends.
    pub visibility_until: Option<SystemTime>,
    /// The proof of this delivery, 16 hex digits. A later delivery has a greater one.
    pub receipt: Option<String>,
    /// Who holds it; of `peek` and `get` only.
    pub consumer: Option<String>,
    /// When it becomes ready; of `peek` and `get` only, if it is delayed.
    pub due_at: Option<SystemTime>,
    /// What was pushed beside the payload.
    pub headers: Headers,
    /// 1 to 9.
    pub priority: Option<u8>,
    /// The group whose order it keeps.
    pub group: Option<String>,
    /// When its time to live ends.
    pub expires_at: Option<SystemTime>,
    /// The number of deliveries with this one, from the second one on.
    pub deliveries: Option<u64>,
    /// When it was delivered first, from the second delivery on.
    pub first_delivered_at: Option<SystemTime>,
    /// The last reason with which it was given back.
    pub last_error: Option<String>,
    /// How it died, if it is a dead letter.
    pub death: Option<Death>,
}

impl Message {
    /// The payload as UTF-8 text.
    ///
    /// # Errors
    /// If it is none.
    pub fn text(&self) -> std::result::Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.payload)
    }

    /// The payload, read as JSON. Needs the feature `json`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = redis_mq::Client::new(redis_mq::testing::Fake::new());
    /// client.push("orders", r#"{"number": 17}"#).await?;
    /// let message = client.pull("orders").await?.ok_or("no order")?;
    /// let order: serde_json::Value = message.json()?;
    /// assert_eq!(order["number"], 17);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it is none, or not of this type.
    #[cfg(feature = "json")]
    pub fn json<'m, T: serde::Deserialize<'m>>(&'m self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.payload)
    }

    /// Its queue, id and receipt, for a program that keeps no more of it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it has no receipt: it was peeked at, or pulled with `no_ack`.
    pub fn delivery(&self) -> Result<Delivery> {
        let Some(receipt) = &self.receipt else {
            return Err(Error::invalid(format!("message {} has no receipt", self.id)));
        };
        Ok(Delivery { queue: self.queue.clone(), id: self.id.clone(), receipt: receipt.clone() })
    }
}

/// What it takes to acknowledge, give back or extend a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// The queue that the message is in.
    pub queue: String,
    /// The message's id.
    pub id: String,
    /// The proof of this delivery.
    pub receipt: String,
}

/// How a message died.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Death {
    /// The queue in which it died.
    pub from: String,
    /// When.
    pub at: SystemTime,
    /// `retries`, `rejected` or `expired`.
    pub reason: String,
    /// Its last `retry_count` there.
    pub retries: u32,
}

/// Where a message is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits to be delivered.
    Ready,
    /// A consumer has it.
    InFlight,
    /// It becomes ready later.
    Delayed,
    /// It waits in the dead-letter queue: of [`peek`](crate::Client::peek) and [`len`](crate::Client::len) only.
    Dead,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InFlight => "INFLIGHT",
            Self::Delayed => "DELAYED",
            Self::Dead => "DEAD",
        }
    }
}

/// The headers of a message, in the order of the push. Names and values are bytes; `get` reads them as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub(crate) Vec<(Bytes, Bytes)>);

impl Headers {
    /// The value of a header, as text. Bytes that are not UTF-8 are replaced: [`Headers::bytes`] has them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value))
    }

    /// The value of a header.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(other, _)| other == name.as_bytes()).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of one message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is acknowledged, or given back.
    Done,
    /// No message with this id is in flight.
    NotFound,
    /// That delivery has ended.
    InvalidReceipt,
}

/// What became of one message that was to be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extended {
    /// It is hidden from others until then.
    Until(SystemTime),
    /// No message with this id is in flight.
    NotFound,
    /// That delivery has ended.
    InvalidReceipt,
}

/// The reply of a pull that acknowledged first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked<T> {
    /// What became of each message that was to be acknowledged.
    pub acked: Vec<Outcome>,
    /// What was pulled.
    pub pulled: T,
}

/// A message as it came from a pull, or its [`Delivery`].
pub trait Held {
    /// Its queue, id and receipt; the receipt is empty if there is none, which the server refuses.
    fn parts(&self) -> (&str, &str, &str);
}

impl Held for Message {
    fn parts(&self) -> (&str, &str, &str) {
        (&self.queue, &self.id, self.receipt.as_deref().unwrap_or_default())
    }
}

impl Held for Delivery {
    fn parts(&self) -> (&str, &str, &str) {
        (&self.queue, &self.id, &self.receipt)
    }
}

impl<T: Held> Held for &T {
    fn parts(&self) -> (&str, &str, &str) {
        (**self).parts()
    }
}
