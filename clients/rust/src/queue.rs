//! A queue in four methods, for programs that need no more: the interface of the Go library that
//! redis-mq descends from, in Rust.

use crate::client::{Client, Connection};
use crate::error::{Error, Result};
use crate::message::{Delivery, Message};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Pushes, pulls and acknowledges messages.
///
/// ```no_run
/// # async fn run() -> redis_mq::Result<()> {
/// use redis_mq::{Config, Queue, RedisQueue};
///
/// let queue = RedisQueue::new(Config::default()).await?;
/// queue.push_message("orders", b"hello").await?;
/// if let Some(message) = queue.pull_message("orders", None).await? {
///     queue.ack(&message.id, message.receipt.as_deref().unwrap_or_default()).await?;
/// }
/// queue.close().await
/// # }
/// ```
pub trait Queue: Send + Sync {
    /// Adds a message. If the reply is lost, this is an error, and the message may have been added or not.
    fn push_message(&self, queue: &str, payload: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Takes the next message and hides it from others for a time, by default that of the [`Config`]. `None` if the
    /// queue is empty.
    fn pull_message(
        &self,
        queue: &str,
        visibility: impl Into<Option<Duration>> + Send,
    ) -> impl Future<Output = Result<Option<Message>>> + Send;

    /// Removes a message that this queue has pulled.
    ///
    /// # Errors
    /// [`Error::MessageNotFound`] if it is gone, was not pulled by this queue, or its visibility ended a day ago;
    /// [`Error::InvalidReceipt`] if another delivery has begun.
    fn ack(&self, message_id: &str, receipt: &str) -> impl Future<Output = Result<()>> + Send;

    /// Closes the connection. Messages that were not acknowledged are delivered again after their visibility.
    fn close(self) -> impl Future<Output = Result<()>> + Send;
}

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Host and port. Default: `127.0.0.1:6379`.
    pub redis_addr: String,
    /// Default: none.
    pub redis_password: Option<String>,
    /// The number of the database. Default: 0.
    pub redis_db: i64,
    /// Of pulls that don't say. Default: none, so that the queue's setting applies.
    pub default_visibility: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            redis_addr: "127.0.0.1:6379".to_owned(),
            redis_password: None,
            redis_db: 0,
            default_visibility: None,
        }
    }
}

/// A [`Queue`] on a server with the module, or over any [`Client`].
#[derive(Debug)]
pub struct RedisQueue<C = ConnectionManager> {
    client: Client<C>,
    default_visibility: Option<Duration>,
    origins: Mutex<Origins>,
}

impl RedisQueue {
    /// Connects to a server.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the address has no port, and what the Redis client reports.
    pub async fn new(config: Config) -> Result<Self> {
        let Some((host, port)) = config.redis_addr.rsplit_once(':') else {
            return Err(Error::invalid(format!(
                "{:?} is not a host and a port",
                config.redis_addr
            )));
        };
        let Ok(port) = port.parse() else {
            return Err(Error::invalid(format!("{port:?} is not a port")));
        };
        let mut login = RedisConnectionInfo::default().set_db(config.redis_db);
        if let Some(password) = config.redis_password {
            login = login.set_password(password);
        }
        let info = ConnectionAddr::Tcp(host.to_owned(), port)
            .into_connection_info()?
            .set_redis_settings(login);
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(10)))
            .set_response_timeout(Some(Duration::from_secs(10)));
        let redis = redis::Client::open(info)?;
        let connection = ConnectionManager::new_with_config(redis, settings).await?;
        Ok(Self::over(Client::new(connection), config.default_visibility))
    }
}

impl<C: Connection> RedisQueue<C> {
    /// A queue over a client.
    pub fn over(client: Client<C>, default_visibility: impl Into<Option<Duration>>) -> Self {
        let default_visibility = default_visibility.into();
        Self { client, default_visibility, origins: Mutex::default() }
    }

    fn origins(&self) -> MutexGuard<'_, Origins> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connection> Queue for RedisQueue<C> {
    async fn push_message(&self, queue: &str, payload: &[u8]) -> Result<()> {
        self.client.push(queue, payload).await?;
        Ok(())
    }

    async fn pull_message(
        &self,
        queue: &str,
        visibility: impl Into<Option<Duration>> + Send,
    ) -> Result<Option<Message>> {
        let pull = self.client.pull(queue);
        let message = match visibility.into().or(self.default_visibility) {
            Some(visibility) => pull.visibility(visibility).await?,
            None => pull.await?,
        };
        if let Some(message) = &message {
            let until = message.visibility_until.unwrap_or_else(SystemTime::now);
            self.origins().remember(&message.id, queue, until);
        }
        Ok(message)
    }

    async fn ack(&self, message_id: &str, receipt: &str) -> Result<()> {
        let Some(queue) = self.origins().queue_of(message_id) else {
            let text = format!("this queue does not hold a message {message_id}");
            return Err(Error::MessageNotFound(text));
        };
        let delivery = Delivery { queue, id: message_id.to_owned(), receipt: receipt.to_owned() };
        let answer = self.client.ack(&delivery).await;
        if matches!(answer, Ok(()) | Err(Error::MessageNotFound(_))) {
            self.origins().forget(message_id);
        }
        answer
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

/// A message can be acknowledged as long as no other delivery has begun, which may be long after its visibility.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const FIRST_SWEEP: usize = 1024;

/// The queues of messages that were pulled and not yet acknowledged.
#[derive(Debug)]
struct Origins {
    /// The queue of each id, and when it is forgotten.
    entries: HashMap<String, (String, SystemTime)>,
    /// The number of entries at which the old ones are forgotten.
    sweep_at: usize,
}

impl Default for Origins {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl Origins {
    fn remember(&mut self, id: &str, queue: &str, visibility_until: SystemTime) {
        self.entries.insert(id.to_owned(), (queue.to_owned(), visibility_until + REMEMBERED_FOR));
        if self.entries.len() >= self.sweep_at {
            let now = SystemTime::now();
            self.entries.retain(|_, (_, until)| *until > now);
            self.sweep_at = FIRST_SWEEP.max(2 * self.entries.len());
        }
    }

    fn queue_of(&self, id: &str) -> Option<String> {
        self.entries.get(id).map(|(queue, _)| queue.clone())
    }

    fn forget(&mut self, id: &str) {
        self.entries.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_nobody_acknowledged_are_forgotten_after_a_day() {
        let mut origins = Origins::default();
        let now = SystemTime::now();
        origins.remember("young", "orders", now);
        for number in 0..10 * FIRST_SWEEP {
            origins.remember(&number.to_string(), "orders", now - 2 * REMEMBERED_FOR);
        }
        assert!(origins.entries.len() < 2 * FIRST_SWEEP, "{}", origins.entries.len());
        assert_eq!(origins.queue_of("young").as_deref(), Some("orders"));
    }
}
