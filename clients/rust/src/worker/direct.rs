//! A connection without a task of its own: whoever waits for a reply reads and writes.
//!
//! A task that has a connection wakes those that send and those that wait, twice for each message, and often another
//! thread of the runtime with them.

use super::source::CONNECT_WITHIN;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, Pipeline, RedisFuture, RedisResult, Value,
};
use std::fmt;
use std::io::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Ends with the connection.
type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The connections of a worker with a `redis::Client`.
#[derive(Clone)]
pub struct DirectConnection {
    connection: MultiplexedConnection,
    /// One of those that wait has it. `None`: it has ended, or has a task of its own.
    driver: Arc<Mutex<Option<Driver>>>,
}

impl DirectConnection {
    pub(super) async fn open(client: &Client, response_timeout: Duration) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(response_timeout));
        let info = client.get_connection_info();
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Self::with_task(client, &config).await;
        };
        if !are_plain(info.tcp_settings()) {
            return Self::with_task(client, &config).await;
        }
        let opening = async {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(info.tcp_settings().nodelay())?;
            MultiplexedConnection::new_with_config(info.redis_settings(), stream, config).await
        };
        let (connection, driver) =
            timeout(CONNECT_WITHIN, opening).await.map_err(Error::from)??;
        Ok(Self { connection, driver: Arc::new(Mutex::new(Some(Box::pin(driver)))) })
    }

    /// With TLS, over a Unix socket, or with TCP settings that only `redis` can apply.
    async fn with_task(client: &Client, config: &AsyncConnectionConfig) -> RedisResult<Self> {
        let connection = client.get_multiplexed_async_connection_with_config(config).await?;
        Ok(Self { connection, driver: Arc::default() })
    }
}

/// Whether nothing is set but perhaps `TCP_NODELAY`. The settings can't be compared, and some have no getter.
fn are_plain(settings: &TcpSettings) -> bool {
    let others = settings.clone().set_nodelay(false);
    format!("{others:?}") == format!("{:?}", TcpSettings::default().set_nodelay(false))
}

/// Drives the connection until there is the reply.
async fn driven<T>(driver: &Mutex<Option<Driver>>, reply: impl Future<Output = T>) -> T {
    let mut reply = pin!(reply);
    let driving = async {
        let mut driver = driver.lock().await;
        if let Some(running) = driver.as_mut() {
            running.await;
            *driver = None;
        }
    };
    tokio::select! {
        biased;
        reply = &mut reply => return reply,
        () = driving => {}
    }
    reply.await
}

impl ConnectionLike for DirectConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(driven(&self.driver, self.connection.req_packed_command(command)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let replies = self.connection.req_packed_commands(pipeline, offset, count);
        Box::pin(driven(&self.driver, replies))
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

impl fmt::Debug for DirectConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectConnection").finish_non_exhaustive()
    }
}
