//! The fake and a server answer the same, to calls by chance. Time plays no part here.

mod server;

use fastrand::Rng;
use redis::AsyncConnectionConfig;
use redis_mq::testing::Fake;
use redis_mq::{Client, Connection, Delivery, Error, Extended, Histogram, Message, State};
use server::Server;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const RUNS: u64 = 6;
const CALLS: usize = 150;
const UNKNOWN: &str = "01a2074d-d0e3-7207-9d96-f8bd257a1084";

/// One of the two, and what it gave its messages: both have their own ids and receipts.
struct Side<C> {
    client: Client<C>,
    chance: Rng,
    queues: [String; 3],
    /// Of the n-th push; if that added nothing, that of the message which has the key.
    ids: Vec<String>,
    deliveries: Vec<Delivery>,
}

impl<C: Connection> Side<C> {
    async fn new(client: Client<C>, seed: u64) -> Self {
        let name = format!("orders{seed}");
        let queues = [name.clone(), format!("mails{seed}"), format!("{{{name}}}:dead")];
        for queue in &queues {
            client.configure(queue).backoff(HOUR).backoff_max(HOUR).await.unwrap();
        }
        Self {
            client,
            chance: Rng::with_seed(seed),
            queues,
            ids: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// One call, and what it came to. All choices are those of the seed.
    async fn call(&mut self, number: usize) -> String {
        let kind = self.chance.u8(..26);
        let queue = self.queues[self.chance.usize(..3)].clone();
        let id = self.chance.choice(&self.ids).map_or(UNKNOWN, |id| id).to_owned();
        let delivery = self.chance.choice(&self.deliveries).cloned().unwrap_or_else(|| Delivery {
            queue: queue.clone(),
            id: UNKNOWN.to_owned(),
            receipt: "0000000000000000".to_owned(),
        });
        let count = self.chance.usize(1..4);
        let is_heads = self.chance.bool();
        let delay = if self.chance.bool() { Duration::ZERO } else { HOUR };
        let result = match kind {
            0..6 => self.push(&queue, number, kind < 2, delay).await,
            6 if is_heads => self.pulled(self.client.pull(&queue).await.map(Vec::from_iter)),
            6 => self.pulled(self.client.pull(&queue).no_ack().await.map(Vec::from_iter)),
            9 if is_heads => {
                self.pulled(self.client.pull_many(&queue, count).consumer("packer").await)
            }
            7 | 8 => self.pulled(self.client.pull_many(self.queues.as_slice(), count).await),
            9 => self.pulled(self.client.pull_many(&queue, count).await),
            10 => told(self.client.ack(&delivery).await),
            11 => told(self.client.ack_many(&[&delivery, &delivery]).await),
            12 => told(self.client.nack(&delivery).delay(delay).reason("because").await),
            13 if is_heads => told(self.client.nack(&delivery).no_count().front().await),
            13 => told(self.client.nack(&delivery).no_count().await),
            14 => told(self.client.nack_many(&[&delivery]).dead().reason("bad").await),
            15 => told(self.client.extend(&delivery).visibility(HOUR).await.map(|_| ())),
            16 => told(self.client.extend_many(&[&delivery]).await.map(|all| {
                all.into_iter().map(|one| matches!(one, Extended::Until(_))).collect::<Vec<_>>()
            })),
            17 => told(self.client.delete(&queue, [&id, &id]).await),
            18 => told(self.client.reschedule(&queue, &id, delay).await),
            19 => told(self.client.redrive(&self.queues[2]).to(&self.queues[1]).count(count).await),
            20 => self.configure(&queue).await,
            21 => told(self.client.extend_consumer(&queue, "packer").visibility(HOUR).await),
            22 => {
                let message = self.client.get_by_dedup(&queue, key(is_heads)).await;
                told(message.map(|message| message.as_ref().map(shown)))
            }
            23 if count == 1 => told(self.client.delete_by_dedup(&queue, key(is_heads)).await),
            24 if count == 1 => {
                let state = if is_heads { State::Ready } else { State::Delayed };
                told(self.client.purge(&queue).state(state).await)
            }
            _ if is_heads && count == 1 => told(self.client.purge(&queue).await),
            _ if is_heads && count == 2 => told(self.client.pause(&queue, None).await),
            _ => told(self.client.resume(&queue).await),
        };
        format!("{kind} {queue}: {result}")
    }

    async fn push(&mut self, queue: &str, number: usize, has_key: bool, delay: Duration) -> String {
        let mut push = self.client.push(queue, number.to_string());
        match self.chance.u8(..4) {
            0 => push = push.priority(self.chance.u8(..10)),
            1 => push = push.group(if self.chance.bool() { "a" } else { "b" }),
            2 => push = push.delay(delay),
            _ => {}
        }
        if has_key {
            push = push.dedup(key(self.chance.bool()));
            push = if self.chance.bool() { push.until_done() } else { push };
        }
        let result = push.await;
        if let Ok(id) = &result {
            self.ids.push(id.clone());
        }
        told(result.map(|id| self.ids.iter().position(|other| *other == id)))
    }

    async fn configure(&mut self, queue: &str) -> String {
        let (kind, number) = (self.chance.u8(..6), self.chance.u8(..4));
        let configure = self.client.configure(queue);
        told(match kind {
            0 => configure.max_retries(i64::from(number) - 1).await,
            1 => configure.max_len(u64::from(number) * 5).await,
            2 => configure.max_inflight(u64::from(number) * 2).await,
            3 => configure.rate(u64::from(number) * 5).rate_period(HOUR).await,
            4 => configure.group_inflight(u64::from(number.max(1))).await,
            _ => configure.max_dedup(u64::from(number)).reset("rate").reset("maxlen").await,
        })
    }

    fn pulled(&mut self, result: Result<Vec<Message>, Error>) -> String {
        let Ok(messages) = &result else { return told(result) };
        self.deliveries.extend(messages.iter().filter_map(|message| message.delivery().ok()));
        messages.iter().map(shown).collect()
    }

    /// All that can be seen of the queues.
    async fn sight(&self) -> String {
        let mut seen = String::new();
        for queue in &self.queues {
            let mut info = self.client.info(queue).await.unwrap();
            info.rate_window_start = None;
            info.next_due_at = None;
            info.oldest_ready_age = HOUR;
            info.oldest_inflight_age = HOUR;
            info.oldest_delayed_age = HOUR;
            info.delivery_times = Histogram::default();
            info.processing_times = Histogram::default();
            seen += &format!("{info:?}\n");
            for state in [State::Ready, State::InFlight, State::Delayed] {
                let mut messages = self.client.peek(queue).state(state).count(1000).await.unwrap();
                if state != State::Ready {
                    messages.sort_by_key(|message| message.payload.clone()); // what is due first depends on time
                }
                seen.extend(messages.iter().map(shown));
            }
        }
        seen
    }
}

fn key(is_heads: bool) -> &'static str {
    if is_heads { "x" } else { "y" }
}

/// What does not depend on time, and is no id.
fn shown(message: &Message) -> String {
    let Message { payload, queue, retry_count, state, priority, group, deliveries, .. } = message;
    let death = message.death.as_ref().map(|death| (&death.from, &death.reason, death.retries));
    let Message { last_error, receipt, visibility_until, due_at, expires_at, .. } = message;
    let moments =
        (receipt.is_some(), visibility_until.is_some(), due_at.is_some(), expires_at.is_some());
    format!(
        "{payload:?} {queue} {retry_count} {state:?} {priority:?} {group:?} {deliveries:?} {last_error:?} {death:?} {moments:?}\n"
    )
}

/// A result, or the kind of its error.
fn told<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn the_fake_and_the_server_answer_the_same() {
    let server = Server::start(&[]);
    let redis = redis::Client::open(server.url()).unwrap();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
    let connection = redis.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    for seed in 0..RUNS {
        let mut real = Side::new(Client::new(connection.clone()), seed).await;
        let mut fake = Side::new(Client::new(Fake::new()), seed).await;
        let mut calls = Vec::new();
        for number in 0..CALLS {
            let (expected, answer) = (real.call(number).await, fake.call(number).await);
            calls.push(expected.clone());
            let last = calls[calls.len().saturating_sub(12)..].join("\n");
            assert_eq!(answer, expected, "run {seed}, after\n{last}");
            let (expected, seen) = (real.sight().await, fake.sight().await);
            for (seen, expected) in seen.lines().zip(expected.lines()) {
                assert_eq!(seen, expected, "run {seed}, after\n{last}");
            }
            assert_eq!(seen.len(), expected.len(), "run {seed}, after\n{last}");
        }
    }
}
