//! The client layer: one method per command. No tasks, no policy.

use crate::error::Result;
use redis::aio::ConnectionLike;
use redis::{Cmd, Value};

/// What a [`Client`] sends commands over: any asynchronous connection of `redis` that can be cloned.
///
/// `ConnectionManager`, `MultiplexedConnection`, `ClusterConnection`, and the fake of [`testing`](crate::testing).
pub trait Connection: ConnectionLike + Clone + Send + Sync + 'static {}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Connection for C {}

/// The commands of redis-mq over a connection of `redis`, to which it leaves TLS, Sentinel, Cluster and passwords.
///
/// Each method returns a command that is sent when it is awaited; its options are methods. Times are [`Duration`] and
/// [`SystemTime`], with a resolution of milliseconds. All may fail with [`Error::InvalidArgument`] and
/// [`Error::WrongType`]; each method names what else a correct program may meet.
///
/// ```no_run
/// # async fn run() -> redis_mq::Result<()> {
/// let redis = redis::Client::open("redis://127.0.0.1:6379")?;
/// let client = redis_mq::Client::new(redis.get_connection_manager().await?);
/// let id = client.push("orders", "hello").priority(7).header("type", "order").await?;
/// let message = client.pull("orders").await?;
/// if let Some(message) = message {
///     client.ack(&message).await?;
/// }
/// # Ok(()) }
/// ```
///
/// A pull that waits keeps its connection from all else, and needs a connection whose response timeout is longer: see
/// [`Pull::block`](crate::Pull::block).
///
/// [`Duration`]: std::time::Duration
/// [`SystemTime`]: std::time::SystemTime
/// [`Error::InvalidArgument`]: crate::Error::InvalidArgument
/// [`Error::WrongType`]: crate::Error::WrongType
#[derive(Clone, Debug)]
pub struct Client<C> {
    connection: C,
}

impl<C: Connection> Client<C> {
    /// A client over this connection.
    pub fn new(connection: C) -> Self {
        Self { connection }
    }

    /// The connection, for other commands.
    pub fn connection(&self) -> &C {
        &self.connection
    }

    pub(crate) async fn send(&self, words: &Cmd) -> Result<Value> {
        let reply = self.connection.clone().req_packed_command(words).await?;
        Ok(reply.extract_error()?)
    }
}
