//! MQ.PULL and MQ.MPULL.

use crate::call::Call;
use crate::client::{Client, Connection};
use crate::error::Result;
use crate::message::{Acked, Held, Message};
use crate::queues::Queues;
use crate::reply::FromReply;
use redis::Value;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

impl<C: Connection> Client<C> {
    /// Takes the next message of a queue, or of the first of several that has one; `None` if there is none.
    ///
    /// If the reply is lost, the message comes back when its visibility ends. A connection that repeats commands by
    /// itself would take another one.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt), after which the next pull goes on.
    pub fn pull(&self, queues: impl Into<Queues>) -> Pull<'_, C, Option<Message>> {
        Pull::new(self, queues.into())
    }

    /// The same for up to `count` messages of one queue, 1 to 10,000.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt), after which the next pull goes on.
    pub fn pull_many(&self, queues: impl Into<Queues>, count: usize) -> Pull<'_, C, Vec<Message>> {
        let mut pull = Pull::new(self, queues.into());
        pull.call.option("COUNT", count);
        pull
    }
}

/// A pull, sent when it is awaited.
#[derive(Debug)]
#[must_use = "it is sent when it is awaited"]
pub struct Pull<'c, C, T> {
    call: Call<'c, C>,
    queues: Queues,
    /// It is to acknowledge nothing, which the server is not told.
    acks_nothing: bool,
    reply: PhantomData<fn() -> T>,
}

impl<'c, C: Connection, T> Pull<'c, C, T> {
    fn new(client: &'c Client<C>, queues: Queues) -> Self {
        let call = match queues.0.as_slice() {
            [queue] => {
                let mut call = Call::new(client, "MQ.PULL");
                call.word(queue);
                call
            }
            queues => {
                let mut call = Call::new(client, "MQ.MPULL");
                call.word(queues.len());
                call.word(queues);
                call
            }
        };
        Self { call, queues, acks_nothing: false, reply: PhantomData }
    }

    /// How long the messages are hidden from others. Unless given: the queue's setting, 30 seconds by default.
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.call.length("VISIBILITY", visibility);
        self
    }

    /// Waits for a message, at most this long. Zero: for ever.
    ///
    /// The server reads nothing else from the connection meanwhile, so use one for pulls only. Its response timeout
    /// must be longer, which in `redis` is half a second unless set:
    ///
    /// ```no_run
    /// # async fn run() -> redis_mq::Result<()> {
    /// use redis::AsyncConnectionConfig;
    /// use std::time::Duration;
    ///
    /// let redis = redis::Client::open("redis://127.0.0.1:6379")?;
    /// let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
    /// let connection = redis.get_multiplexed_async_connection_with_config(&config).await?;
    /// let client = redis_mq::Client::new(connection);
    /// let message = client.pull("orders").block(Duration::from_secs(5)).await?;
    /// # Ok(()) }
    /// ```
    pub fn block(mut self, longest: Duration) -> Self {
        self.call.length("BLOCK", longest);
        self
    }

    /// Who holds the messages, as `peek` shows it.
    pub fn consumer(mut self, name: &str) -> Self {
        self.call.option("CONSUMER", name);
        self
    }

    /// The messages come back when this connection closes, after the queue's backoff, which counts as a retry.
    pub fn on_disconnect(mut self) -> Self {
        self.call.word("ONDISCONNECT");
        self
    }

    /// With [`on_disconnect`](Self::on_disconnect): that is not counted, and there is no backoff. A message that kills
    /// its consumers then never dies.
    pub fn no_count(mut self) -> Self {
        self.call.word("NOCOUNT");
        self
    }

    /// With [`on_disconnect`](Self::on_disconnect): the messages come back so long after the close, unless they are
    /// acknowledged or extended after it over another connection.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.call.length("GRACE", grace);
        self
    }

    /// The messages are gone at once: delivered at most once, without a receipt.
    pub fn no_ack(mut self) -> Self {
        self.call.word("NOACK");
        self
    }

    /// Acknowledges messages of this queue first. That takes effect even if the pull then waits or fails. It saves a
    /// round trip:
    ///
    /// ```no_run
    /// # async fn run(client: redis_mq::Client<redis::aio::MultiplexedConnection>) -> redis_mq::Result<()> {
    /// let mut done = Vec::new();
    /// loop {
    ///     let reply = client.pull("orders").ack(&done).await?;
    ///     let Some(message) = reply.pulled else { break };
    ///     println!("{:?}", message.payload);
    ///     done = vec![message];
    /// }
    /// # Ok(()) }
    /// ```
    pub fn ack<H: Held>(mut self, messages: &[H]) -> Pull<'c, C, Acked<T>> {
        match self.queues.0.as_slice() {
            [queue] if !messages.is_empty() => self.call.pairs("ACK", queue, messages),
            [_] => self.acks_nothing = true,
            _ => self.call.refuse("a pull from several queues can't acknowledge".to_owned()),
        }
        let Self { call, queues, acks_nothing, .. } = self;
        Pull { call, queues, acks_nothing, reply: PhantomData }
    }
}

impl<'c, C: Connection, T: FromReply + 'c> IntoFuture for Pull<'c, C, T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let reply = self.call.send().await?;
            if self.acks_nothing {
                return T::from_reply(Value::Array(vec![Value::Array(Vec::new()), reply]));
            }
            T::from_reply(reply)
        })
    }
}
