//! A server with redis-mq in memory: what clients and workers are tested with. Its time passes only when a test says so.

mod arguments;
mod commands;
mod info;
mod pull;
mod push;
mod queue;
mod redrive;
mod schedule;
mod settings;
mod stored;
mod world;

use crate::worker::Source;
use arguments::Arguments;
use pull::Pull;
use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisFuture, RedisResult, Value};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use stored::Fields;
use tokio::sync::oneshot;
use world::World;

/// Takes the place of a connection and of a `redis::Client`: `Client::new(fake.clone())`, `Worker::new(fake, ...)`.
///
/// It keeps the rules of the server: order, groups, priorities, delays, visibilities, retries, dead letters,
/// deduplication, limits. It lacks ONDISCONNECT, which does nothing, histograms, which are empty, errors that come from
/// damage, and all that is no queue. Clones are the same server.
///
/// A pull that waits ends when a message comes, when [`advance`](Self::advance) reaches its end, or when so much real
/// time has passed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> redis_mq::Result<()> {
/// use redis_mq::{Client, testing::Fake};
/// use std::time::Duration;
///
/// let fake = Fake::new();
/// let client = Client::new(fake.clone());
/// client.push("orders", "later").delay(Duration::from_secs(60)).await?;
/// assert!(client.pull("orders").await?.is_none());
/// fake.advance(Duration::from_secs(60));
/// assert!(client.pull("orders").await?.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Fake {
    server: Arc<Server>,
    /// The `CLIENT ID` of this connection.
    client: i64,
}

#[derive(Debug)]
struct Server {
    state: Mutex<State>,
    clients: AtomicI64,
}

#[derive(Debug)]
struct State {
    world: World,
    /// First come, first served.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    client: i64,
    pull: Pull,
    /// When its time is over, on the clock of the fake.
    until: u64,
    reply: oneshot::Sender<Value>,
}

/// An error reply, code first.
type Refusal = String;

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// An empty server, whose clock shows the present time.
    #[must_use]
    pub fn new() -> Self {
        let state = State { world: World::new(), waiting: Vec::new() };
        Self {
            server: Arc::new(Server { state: Mutex::new(state), clients: AtomicI64::new(1) }),
            client: 1,
        }
    }

    /// The time on its clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.state().world.now())
    }

    /// Sets its clock forward; what is due by then happens.
    pub fn advance(&self, time: Duration) {
        let mut state = self.state();
        state.world.advance(crate::call::milliseconds(time));
        state.serve();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.server.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn execute(&self, command: &Cmd) -> RedisResult<Value> {
        let words = command.args_iter().map(|word| match word {
            Arg::Simple(bytes) => bytes.to_vec(),
            _ => b"0".to_vec(), // a cursor
        });
        let answer = self.state().execute(Arguments::new(words), self.client);
        match answer.map_err(|text| error_of(&text))? {
            Answer::Reply(reply) => Ok(reply),
            Answer::Wait(reply, longest, nothing) => {
                Ok(match tokio::time::timeout(longest, reply).await {
                    Ok(Ok(reply)) => reply,
                    _ => nothing,
                })
            }
        }
    }
}

fn error_of(text: &str) -> redis::RedisError {
    let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
    redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
}

enum Answer {
    Reply(Value),
    /// It comes within this time, or it is the other one.
    Wait(oneshot::Receiver<Value>, Duration, Value),
}

impl State {
    fn execute(&mut self, mut words: Arguments, client: i64) -> Result<Answer, Refusal> {
        let name = words.text()?.to_uppercase();
        self.tick();
        let reply = match name.as_str() {
            "MQ.PULL" | "MQ.MPULL" => return self.pull(&name, words, client),
            "CLIENT" => return self.client(words, client).map(Answer::Reply),
            "MQ.INFO" => {
                let queue = words.queue()?;
                self.info(&queue).reply()
            }
            "MQ.STATS" => {
                let queues: Vec<String> = commands::listed(words, &self.world)?.cloned().collect();
                Value::Array(queues.iter().map(|queue| self.stats(queue)).collect())
            }
            _ => commands::execute(&name, words, &mut self.world)?,
        };
        self.serve();
        Ok(Answer::Reply(reply))
    }

    fn info(&mut self, queue: &str) -> Fields {
        let waits = |one: &&Waiting| one.pull.queues.iter().any(|name| name == queue);
        let waiting = self.waiting.iter().filter(waits).count();
        info::info(&mut self.world, queue, waiting)
    }

    fn stats(&mut self, queue: &str) -> Value {
        let mut fields = self.info(queue);
        fields.text("queue", queue);
        fields.reply()
    }

    fn pull(&mut self, name: &str, words: Arguments, client: i64) -> Result<Answer, Refusal> {
        let pull = Pull::parse(name, words, &mut self.world)?;
        self.serve(); // those who wait come first, also for what the acknowledgments have made room for
        let messages = pull.take(&mut self.world);
        let Some(block) = pull.block.filter(|_| messages.is_empty()) else {
            return Ok(Answer::Reply(pull.reply(messages)));
        };
        let (reply, answer) = oneshot::channel();
        let nothing = pull.reply(Vec::new());
        let longest = if block == 0 { u64::from(u32::MAX) } else { block };
        let until = self.world.now() + longest;
        self.waiting.push(Waiting { client, pull, until, reply });
        Ok(Answer::Wait(answer, Duration::from_millis(longest), nothing))
    }

    /// Does what is due. Those who wait for a queue use it.
    fn tick(&mut self) {
        let now = self.world.now();
        for Waiting { pull, until, .. } in &self.waiting {
            pull.queues.iter().for_each(|queue| self.world.queue(queue).use_at(now.min(*until)));
        }
        self.world.tick();
    }

    /// Does what is due, and gives those who wait what they can get.
    fn serve(&mut self) {
        self.tick();
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.reply.is_closed() {
                continue; // it has gone
            }
            let messages = waiting.pull.take(&mut self.world);
            if messages.is_empty() && waiting.until > self.world.now() {
                self.waiting.push(waiting);
            } else {
                let _ = waiting.reply.send(waiting.pull.reply(messages));
            }
        }
    }

    /// CLIENT ID, CLIENT UNBLOCK.
    fn client(&mut self, mut words: Arguments, client: i64) -> Result<Value, Refusal> {
        match words.text()?.to_uppercase().as_str() {
            "ID" => Ok(Value::Int(client)),
            "UNBLOCK" => {
                let id = words.integer(0, i64::MAX)?;
                let (ended, waiting): (Vec<_>, _) =
                    std::mem::take(&mut self.waiting).into_iter().partition(|one| one.client == id);
                self.waiting = waiting;
                let count = ended.len();
                for one in ended {
                    let _ = one.reply.send(one.pull.reply(Vec::new()));
                }
                Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
            }
            other => Err(format!("ERR unknown subcommand '{other}'")),
        }
    }
}

impl ConnectionLike for Fake {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.execute(command))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut replies = Vec::new();
            for command in pipeline.cmd_iter().skip(offset).take(count) {
                replies.push(self.execute(command).await?);
            }
            Ok(replies)
        })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

impl Source for Fake {
    type Connection = Self;

    async fn open(&self, _: &str, _: Duration) -> RedisResult<Self> {
        let client = self.server.clients.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self { client, ..self.clone() })
    }
}
