//! Workers on a cluster: both connections go to the master of the slot of the worker's queues.

use super::source::{CONNECT_WITHIN, Source};
use redis::aio::ConnectionLike;
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};
use std::time::Duration;

/// Build the client with `retries(0)`: the worker repeats what may be repeated, and pulls must not be.
impl Source for ClusterClient {
    type Connection = SlotConnection;

    async fn open(&self, queue: &str, response_timeout: Duration) -> RedisResult<SlotConnection> {
        let config = ClusterConfig::new()
            .set_connection_timeout(CONNECT_WITHIN)
            .set_response_timeout(response_timeout);
        let connection = self.get_async_connection_with_config(config).await?;
        Ok(SlotConnection { connection, route: Route::with_key(queue, SlotAddr::Master) })
    }
}

/// A connection to a cluster that sends every command to the master of one slot.
#[derive(Clone)]
pub struct SlotConnection {
    connection: ClusterConnection,
    route: Route,
}

impl ConnectionLike for SlotConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let node = SingleNodeRoutingInfo::SpecificNode(self.route);
        Box::pin(self.connection.route_command(command.clone(), RoutingInfo::SingleNode(node)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.connection.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        0
    }
}

impl std::fmt::Debug for SlotConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotConnection").field("route", &self.route).finish_non_exhaustive()
    }
}
