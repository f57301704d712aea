//! Where the connections of a worker come from.

use super::direct::DirectConnection;
use crate::client::Connection;
use redis::{Client, RedisResult};
use std::time::Duration;

pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Opens connections: a `redis::Client` or the fake; with the feature `cluster` a `ClusterClient`, with `sentinel` a
/// `tokio::sync::Mutex<SentinelClient>`. Implement it for what finds the server in another way.
pub trait Source: Send + Sync + 'static {
    /// What it opens.
    type Connection: Connection;

    /// Opens a connection to the server that serves this queue now. It must repeat no commands by itself, and fail
    /// those that are not answered in time.
    fn open(
        &self,
        queue: &str,
        response_timeout: Duration,
    ) -> impl Future<Output = RedisResult<Self::Connection>> + Send;
}

impl Source for Client {
    type Connection = DirectConnection;

    async fn open(&self, _: &str, response_timeout: Duration) -> RedisResult<Self::Connection> {
        DirectConnection::open(self, response_timeout).await
    }
}
