//! Commands that change queues, or messages that wait in them.

use crate::call::{Call, awaited};
use crate::client::{Client, Connection};
use crate::error::Result;
use crate::message::State;
use crate::reply::FromReply;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

impl<C: Connection> Client<C> {
    /// Deletes messages in any state, up to 10,000, and returns how many there were.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn delete<I: AsRef<str>>(
        &self,
        queue: &str,
        ids: impl IntoIterator<Item = I> + Send,
    ) -> Result<u64> {
        let mut call = self.of_queue("MQ.DEL", queue);
        ids.into_iter().for_each(|id| call.word(id.as_ref()));
        self.sent(call).await
    }

    /// Deletes the message that holds a [deduplication key](crate::Push::dedup), and returns whether there was one.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn delete_by_dedup(&self, queue: &str, key: &str) -> Result<bool> {
        let mut call = self.of_queue("MQ.DEL", queue);
        call.option("DEDUP", key);
        self.sent(call).await
    }

    /// Changes when a delayed message becomes ready. False if the queue has no delayed message with this id.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn reschedule(&self, queue: &str, id: &str, due: impl Into<Due>) -> Result<bool> {
        let mut call = self.of_queue("MQ.RESCHEDULE", queue);
        call.word(id);
        match due.into() {
            Due::In(delay) => call.length("DELAY", delay),
            Due::At(moment) => call.moment("AT", moment),
        }
        self.sent(call).await
    }

    /// Changes settings of a queue, all or none.
    ///
    /// # Errors
    /// Those of every command.
    pub fn configure(&self, queue: &str) -> Configure<'_, C> {
        Configure { call: self.of_queue("MQ.CONFIG", queue) }
    }

    /// Stops the deliveries of a queue: for a time, or with `None` until [`resume`](Self::resume).
    ///
    /// # Errors
    /// Those of every command.
    pub async fn pause(&self, queue: &str, length: impl Into<Option<Duration>>) -> Result<()> {
        let mut call = self.of_queue("MQ.PAUSE", queue);
        if let Some(length) = length.into() {
            call.length("FOR", length);
        }
        self.sent(call).await
    }

    /// Ends the pause of a queue.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn resume(&self, queue: &str) -> Result<()> {
        self.sent(self.of_queue("MQ.RESUME", queue)).await
    }

    /// Deletes the messages of a queue, all unless a [state](Purge::state) is given, keeps its settings, and returns
    /// how many there were.
    ///
    /// # Errors
    /// Those of every command.
    pub fn purge(&self, queue: &str) -> Purge<'_, C> {
        Purge { call: self.of_queue("MQ.PURGE", queue) }
    }

    /// Deletes a queue with its messages and settings, and returns whether there was anything.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn drop(&self, queue: &str) -> Result<bool> {
        self.sent(self.of_queue("MQ.DROP", queue)).await
    }

    /// Moves messages of a dead-letter queue back to the queues in which they died, the oldest 1,000 unless told
    /// otherwise, and returns how many.
    ///
    /// # Errors
    /// Those of every command. On Redis 6 it needs [`to`](Redrive::to).
    pub fn redrive(&self, dead_letter_queue: &str) -> Redrive<'_, C> {
        Redrive {
            call: self.of_queue("MQ.REDRIVE", dead_letter_queue),
            to: None,
            options: Vec::new(),
        }
    }

    fn of_queue(&self, command: &str, queue: &str) -> Call<'_, C> {
        let mut call = Call::new(self, command);
        call.word(queue);
        call
    }

    async fn sent<T: FromReply>(&self, call: Call<'_, C>) -> Result<T> {
        T::from_reply(call.send().await?)
    }
}

/// When a message becomes ready: made of a [`Duration`] from now or a [`SystemTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// After this time; zero is now.
    In(Duration),
    /// At this time; at once if it has passed.
    At(SystemTime),
}

impl From<Duration> for Due {
    fn from(delay: Duration) -> Self {
        Self::In(delay)
    }
}

impl From<SystemTime> for Due {
    fn from(moment: SystemTime) -> Self {
        Self::At(moment)
    }
}

/// A change of settings, sent when it is awaited. [`Settings`](crate::Settings) says what each is.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Configure<'c, C> {
    call: Call<'c, C>,
}

/// Methods that add a setting.
macro_rules! settings {
    ($($name:ident($kind:ty) = $option:literal, $how:ident;)*) => {
        impl<C: Connection> Configure<'_, C> {
            $(
                #[doc = concat!("Sets `", stringify!($name), "`.")]
                pub fn $name(mut self, value: $kind) -> Self {
                    self.call.$how($option, value);
                    self
                }
            )*
        }
    };
}

settings! {
    visibility(Duration) = "VISIBILITY", length;
    max_retries(i64) = "MAXRETRIES", option;
    dead_letter(&str) = "DEADLETTER", option;
    backoff(Duration) = "BACKOFF", length;
    backoff_max(Duration) = "BACKOFFMAX", length;
    delay(Duration) = "DELAY", length;
    ttl(Duration) = "TTL", length;
    max_len(u64) = "MAXLEN", option;
    max_inflight(u64) = "MAXINFLIGHT", option;
    rate(u64) = "RATE", option;
    rate_period(Duration) = "RATEPERIOD", length;
    aging(Duration) = "AGING", length;
    group_inflight(u64) = "GROUPINFLIGHT", option;
    dedup_window(Duration) = "DEDUPWINDOW", length;
    max_dedup(u64) = "MAXDEDUP", option;
    expires(Duration) = "EXPIRES", length;
}

impl<C: Connection> Configure<'_, C> {
    /// Gives a setting its default, by the server's name: `maxretries`, `deadletter` ...
    pub fn reset(mut self, name: &str) -> Self {
        if name.eq_ignore_ascii_case("deadletter") {
            self.call.word("DEFAULTDEADLETTER");
        } else {
            self.call.option(name, "");
        }
        self
    }
}

awaited!(Configure<> -> ());

/// A deletion of messages, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Purge<'c, C> {
    call: Call<'c, C>,
}

impl<C: Connection> Purge<'_, C> {
    /// Only messages in this state: ready or delayed.
    pub fn state(mut self, state: State) -> Self {
        self.call.word(state.word());
        self
    }
}

awaited!(Purge<> -> u64);

/// A redrive, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Redrive<'c, C> {
    call: Call<'c, C>,
    to: Option<String>,
    options: Vec<String>,
}

impl<C: Connection> Redrive<'_, C> {
    /// At most so many, 1 to 100,000.
    pub fn count(self, number: usize) -> Self {
        self.with(["COUNT", &number.to_string()])
    }

    /// All that are dead now.
    pub fn all(self) -> Self {
        self.with(["ALL"])
    }

    /// These messages, up to 10,000.
    pub fn ids<I: AsRef<str>>(self, ids: impl IntoIterator<Item = I>) -> Self {
        let ids: Vec<I> = ids.into_iter().collect();
        self.with(["IDS", &ids.len().to_string()]).with(ids)
    }

    /// Only messages that died in this queue.
    pub fn from(self, queue: &str) -> Self {
        self.with(["FROM", queue])
    }

    /// Only messages whose reason of death, or last error, is exactly this.
    pub fn reason(self, text: &str) -> Self {
        self.with(["REASON", text])
    }

    /// To this queue, wherever they died.
    pub fn to(mut self, queue: &str) -> Self {
        self.to = Some(queue.to_owned());
        self
    }

    fn with<W: AsRef<str>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.options.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }
}

impl<'c, C: Connection> IntoFuture for Redrive<'c, C> {
    type Output = Result<u64>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(mut self) -> Self::IntoFuture {
        if let Some(queue) = &self.to {
            self.call.option("TO", queue); // first: servers take the word after it for a key
        }
        self.options.iter().for_each(|word| self.call.word(word));
        Box::pin(async move { u64::from_reply(self.call.send().await?) })
    }
}
