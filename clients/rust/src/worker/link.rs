//! A connection of a worker: opened when it is needed, and again after it was lost. Repeats nothing.

use super::source::Source;
use crate::error::is_lost;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// This server is not, or no longer, the one that serves the queue.
const ELSEWHERE: [&str; 7] =
    ["ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "READONLY", "UNBLOCKED"];

pub struct Link<S: Source> {
    shared: Arc<Shared<S>>,
}

struct Shared<S: Source> {
    source: Arc<S>,
    queue: String,
    response_timeout: Duration,
    opening: tokio::sync::Mutex<()>,
    current: Mutex<Option<Opened<S::Connection>>>,
}

#[derive(Clone)]
struct Opened<C> {
    connection: C,
    /// Its `CLIENT ID`.
    id: i64,
}

impl<S: Source> Clone for Link<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Source> Link<S> {
    pub fn new(source: Arc<S>, queue: &str, response_timeout: Duration) -> Self {
        let shared = Shared {
            source,
            queue: queue.to_owned(),
            response_timeout,
            opening: tokio::sync::Mutex::default(),
            current: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The `CLIENT ID` of the connection, while it stands.
    pub fn id(&self) -> Option<i64> {
        self.current().as_ref().map(|opened| opened.id)
    }

    fn current(&self) -> MutexGuard<'_, Option<Opened<S::Connection>>> {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn opened(&self) -> RedisResult<Opened<S::Connection>> {
        let _one_at_a_time = self.shared.opening.lock().await;
        let current = self.current().clone();
        if let Some(opened) = current {
            return Ok(opened);
        }
        let Shared { source, queue, response_timeout, .. } = &*self.shared;
        let mut connection = source.open(queue, *response_timeout).await?;
        let id = redis::cmd("CLIENT").arg("ID").query_async(&mut connection).await?;
        let opened = Opened { connection, id };
        *self.current() = Some(opened.clone());
        Ok(opened)
    }

    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let mut opened = self.opened().await?;
        let reply = opened.connection.req_packed_command(command).await;
        reply.and_then(Value::extract_error).inspect_err(|error| self.forget(&opened, error))
    }

    /// Gives a connection up that is of no more use.
    fn forget(&self, opened: &Opened<S::Connection>, error: &RedisError) {
        let is_elsewhere = error.code().is_some_and(|code| ELSEWHERE.contains(&code));
        if is_elsewhere || is_lost(error) {
            self.current().take_if(|current| current.id == opened.id);
        }
    }
}

impl<S: Source> ConnectionLike for Link<S> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.send(command))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut opened = self.opened().await?;
            opened.connection.req_packed_commands(pipeline, offset, count).await
        })
    }

    fn get_db(&self) -> i64 {
        self.current().as_ref().map_or(0, |opened| opened.connection.get_db())
    }
}
