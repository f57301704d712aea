//! MQ.PUSH and MQ.MPUSH, and publishing: pushes without loss and without duplicates.

use crate::backoff::Backoff;
use crate::call::Call;
use crate::client::{Client, Connection};
use crate::error::{Error, Result};
use crate::reply::FromReply;
use redis::Value;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

/// For how long `publish` repeats a push, unless told.
const PATIENCE: Duration = Duration::from_secs(30);

impl<C: Connection> Client<C> {
    /// Adds a message, and returns its id. The payload is any bytes, up to 128 MiB.
    ///
    /// If the reply is lost, the message may have been added or not: see [`publish`](Self::publish).
    ///
    /// # Errors
    /// [`Error::QueueFull`].
    pub fn push(&self, queue: &str, payload: impl AsRef<[u8]>) -> Push<'_, C, String> {
        let mut call = Call::new(self, "MQ.PUSH");
        call.word(queue);
        call.word(payload.as_ref());
        Push { call, headers: Vec::new(), patience: None, has_key: false, reply: PhantomData }
    }

    /// Adds a message without loss and without duplicates: the push has a [deduplication key](Push::dedup), a random
    /// one unless given, and is repeated until it is answered, for 30 seconds unless [told](Push::patience).
    ///
    /// The connection must come back by itself, as a `ConnectionManager` does.
    ///
    /// # Errors
    /// [`Error::QueueFull`] and other refusals at once; the last error when the time is over.
    pub fn publish(&self, queue: &str, payload: impl AsRef<[u8]>) -> Push<'_, C, String> {
        self.push(queue, payload).patience(PATIENCE)
    }

    /// Adds up to 10,000 messages, all or none, and returns their ids. The options apply to each.
    ///
    /// # Errors
    /// [`Error::QueueFull`].
    pub fn push_many<P: AsRef<[u8]>>(
        &self,
        queue: &str,
        payloads: impl IntoIterator<Item = P>,
    ) -> Push<'_, C, Vec<String>> {
        let payloads: Vec<P> = payloads.into_iter().collect();
        let mut call = Call::new(self, "MQ.MPUSH");
        call.option(queue, payloads.len());
        for payload in &payloads {
            call.word(payload.as_ref());
        }
        Push { call, headers: Vec::new(), patience: None, has_key: false, reply: PhantomData }
    }
}

/// A push, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Push<'c, C, T> {
    call: Call<'c, C>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    patience: Option<Duration>,
    has_key: bool,
    reply: PhantomData<fn() -> T>,
}

impl<C: Connection, T> Push<'_, C, T> {
    /// The message becomes ready after this time. Zero overrides the queue's setting.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.call.length("DELAY", delay);
        self
    }

    /// The message becomes ready at this time; at once if it has passed.
    pub fn at(mut self, moment: SystemTime) -> Self {
        self.call.moment("AT", moment);
        self
    }

    /// The message is not delivered later than this after the push. Zero overrides the queue's setting: no limit.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.call.length("TTL", ttl);
        self
    }

    /// With [`ttl`](Self::ttl): a message whose time ends goes to the dead-letter queue, with the reason `expired`,
    /// instead of being discarded.
    pub fn ttl_dead(mut self) -> Self {
        self.call.word("DEAD");
        self
    }

    /// 0 to 9. 9 is delivered first; 0 is none.
    pub fn priority(mut self, priority: u8) -> Self {
        self.call.option("PRIORITY", priority);
        self
    }

    /// The messages of a group are delivered in the order of their pushes, one at a time.
    pub fn group(mut self, name: &str) -> Self {
        self.call.option("GROUP", name);
        self
    }

    /// A name and a value that come with the message, text or bytes. Up to 64 of them.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Several of them.
    pub fn headers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        headers.into_iter().fold(self, |push, (name, value)| push.header(name, value))
    }
}

impl<C: Connection> Push<'_, C, String> {
    /// While the key is held, nothing is pushed, and the id of the message that took it is returned. It is held for
    /// the queue's `dedup_window`, five minutes unless set.
    pub fn dedup(mut self, key: &str) -> Self {
        self.call.option("DEDUP", key);
        self.has_key = true;
        self
    }

    /// The deduplication key is held for this time.
    pub fn window(mut self, window: Duration) -> Self {
        self.call.length("WINDOW", window);
        self
    }

    /// The deduplication key is held until the message is acknowledged, or dead.
    pub fn until_done(mut self) -> Self {
        self.call.word("UNTILDONE");
        self
    }

    /// Repeats the push until it is answered, for this time: see [`Client::publish`].
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

impl<C: Connection, T> Push<'_, C, T> {
    async fn send(&mut self) -> Result<Value> {
        self.call.headers(&self.headers);
        let Some(patience) = self.patience else { return self.call.send().await };
        let start = Instant::now();
        if !self.has_key {
            self.call.option("DEDUP", Uuid::new_v4().to_string());
        }
        let mut backoff = Backoff::default();
        loop {
            let error: Error = match self.call.send().await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let pause = backoff.next();
            if !error.is_temporary() || start.elapsed() + pause > patience {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

impl<'c, C: Connection, T: FromReply + 'c> IntoFuture for Push<'c, C, T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move { T::from_reply(self.send().await?) })
    }
}
