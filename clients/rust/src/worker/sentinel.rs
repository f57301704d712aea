//! Workers on the master that Sentinel names.

use super::direct::DirectConnection;
use super::source::Source;
use redis::RedisResult;
use redis::sentinel::SentinelClient;
use std::time::Duration;
use tokio::sync::Mutex;

/// The client of a master, which is asked for whenever a connection is made.
impl Source for Mutex<SentinelClient> {
    type Connection = DirectConnection;

    async fn open(&self, queue: &str, response_timeout: Duration) -> RedisResult<Self::Connection> {
        let client = self.lock().await.async_get_client().await?;
        client.open(queue, response_timeout).await
    }
}
