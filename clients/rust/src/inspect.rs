//! Commands that show messages and queues, and change nothing.

use crate::call::{Call, awaited};
use crate::client::{Client, Connection};
use crate::error::Result;
use crate::message::{Message, State};
use crate::reply::FromReply;
use crate::settings::{Info, Settings, Stats};

impl<C: Connection> Client<C> {
    /// Shows messages without delivering them: ten ready ones unless told otherwise.
    ///
    /// # Errors
    /// [`Error::TryAgain`](crate::Error::TryAgain).
    pub fn peek(&self, queue: &str) -> Peek<'_, C> {
        let mut call = Call::new(self, "MQ.PEEK");
        call.word(queue);
        Peek { call }
    }

    /// Shows one message; `None` if the queue has none with this id.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn get(&self, queue: &str, id: &str) -> Result<Option<Message>> {
        let mut call = Call::new(self, "MQ.GET");
        call.word(queue);
        call.word(id);
        FromReply::from_reply(call.send().await?)
    }

    /// Shows the message that holds a [deduplication key](crate::Push::dedup); `None` if the key is not held, or its
    /// message is gone.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn get_by_dedup(&self, queue: &str, key: &str) -> Result<Option<Message>> {
        let mut call = Call::new(self, "MQ.GET");
        call.word(queue);
        call.option("DEDUP", key);
        FromReply::from_reply(call.send().await?)
    }

    /// The number of messages, in all states unless one is given.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn len(&self, queue: &str, state: impl Into<Option<State>>) -> Result<u64> {
        let mut call = Call::new(self, "MQ.LEN");
        call.word(queue);
        if let Some(state) = state.into() {
            call.word(state.word());
        }
        FromReply::from_reply(call.send().await?)
    }

    /// The settings, the state and the counters of a queue; of one that does not exist, defaults and zeros.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn info(&self, queue: &str) -> Result<Info> {
        let mut call = Call::new(self, "MQ.INFO");
        call.word(queue);
        FromReply::from_reply(call.send().await?)
    }

    /// The settings of a queue.
    ///
    /// # Errors
    /// Those of every command. It is a write, which a replica refuses; [`info`](Self::info) is not.
    pub async fn config(&self, queue: &str) -> Result<Settings> {
        let mut call = Call::new(self, "MQ.CONFIG");
        call.word(queue);
        FromReply::from_reply(call.send().await?)
    }

    /// The names of the queues that have a message or a setting, in byte order; of all, or of those that match a
    /// pattern as for `KEYS`. In a cluster, those of one node.
    ///
    /// # Errors
    /// [`Error::TryAgain`](crate::Error::TryAgain).
    pub async fn queues(&self, pattern: impl Into<Option<&str>>) -> Result<Vec<String>> {
        let mut call = Call::new(self, "MQ.QUEUES");
        if let Some(pattern) = pattern.into() {
            call.option("MATCH", pattern);
        }
        FromReply::from_reply(call.send().await?)
    }

    /// What [`info`](Self::info) returns, of all queues, or of those that match a pattern as for `KEYS`; in the byte
    /// order of their names. In a cluster, those of one node.
    ///
    /// # Errors
    /// [`Error::TryAgain`](crate::Error::TryAgain).
    pub async fn stats(&self, pattern: impl Into<Option<&str>>) -> Result<Vec<Stats>> {
        let mut call = Call::new(self, "MQ.STATS");
        if let Some(pattern) = pattern.into() {
            call.option("MATCH", pattern);
        }
        FromReply::from_reply(call.send().await?)
    }

    /// A part of what [`stats`](Self::stats) returns, of 100 queues at most, and the cursor of the next part. The first
    /// cursor is 0; one of 0 ends the list.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn stats_page(&self, cursor: u64) -> Result<(Vec<Stats>, u64)> {
        let mut call = Call::new(self, "MQ.STATS");
        call.option("CURSOR", cursor);
        FromReply::from_reply(call.send().await?)
    }
}

/// A look at messages, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Peek<'c, C> {
    call: Call<'c, C>,
}

impl<C: Connection> Peek<'_, C> {
    /// Messages in this state.
    pub fn state(mut self, state: State) -> Self {
        self.call.word(state.word());
        self
    }

    /// Leaves out the first ones.
    pub fn offset(mut self, number: usize) -> Self {
        self.call.option("OFFSET", number);
        self
    }

    /// At most so many, 1 to 1,000.
    pub fn count(mut self, number: usize) -> Self {
        self.call.option("COUNT", number);
        self
    }
}

awaited!(Peek<> -> Vec<Message>);
