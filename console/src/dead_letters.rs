//! What died in a queue, counted.

use redis::aio::ConnectionManager;
use redis_mq::{Client, Error, State};
use serde::Serialize;
use std::collections::BTreeMap;

/// Messages that are examined; more are only counted.
const EXAMINED: usize = 1000;

#[derive(Debug, Serialize)]
pub struct DeadLetters {
    /// Where they are.
    pub queue: String,
    pub total: u64,
    pub examined: usize,
    pub sums: Vec<Sum>,
}

/// Dead letters that died of the same in the same queue.
#[derive(Debug, Serialize)]
pub struct Sum {
    pub from: String,
    pub reason: String,
    pub last_error: String,
    pub count: u64,
}

/// Counts the first dead letters of a queue by origin, reason and last error.
pub async fn count(client: &Client<ConnectionManager>, queue: &str) -> Result<DeadLetters, Error> {
    let queue = client.info(queue).await?.settings.dead_letter;
    let messages = client.peek(&queue).count(EXAMINED).await?;
    let total = client.len(&queue, State::Ready).await?;
    let examined = messages.len();
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    for message in messages {
        if let Some(death) = message.death {
            let error = message.last_error.unwrap_or_default();
            *sums.entry((death.from, death.reason, error)).or_default() += 1;
        }
    }
    let sum = |((from, reason, last_error), count)| Sum { from, reason, last_error, count };
    Ok(DeadLetters { queue, total, examined, sums: sums.into_iter().map(sum).collect() })
}
