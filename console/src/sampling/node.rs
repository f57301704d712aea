//! One server: its connection, and how it is sampled.

use super::latencies::Latencies;
use super::snapshot::{Facts, Queue, Rates, Server};
use crate::source::{Master, Source};
use futures_util::{StreamExt, stream};
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use redis_mq::{Client, Error, Info};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// MQ.INFO commands that are sent before their replies have come.
const PIPELINED: usize = 100;
/// A queue that is empty and has no settings is not listed, but its counters go on with its next message.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// To find all queues costs the server time in proportion to their number, or, where the module is not told of changes of keys,
/// to that of all keys: this fraction of it at most.
const LISTING_SHARE: u32 = 50;

/// What is said of a queue, or why nothing is.
type Figures = Result<Info, String>;

pub struct Node {
    master: Master,
    client: Option<Client<MultiplexedConnection>>,
    names: Vec<String>,
    list_at: Instant,
    /// The queues of the last sample.
    before: HashMap<String, Known>,
    before_at: Instant,
}

/// A queue of the last sample, and when it existed last.
struct Known {
    queue: Arc<Queue>,
    existed_at: Instant,
}

impl Node {
    pub fn new(master: Master) -> Self {
        let now = Instant::now();
        Self {
            master,
            client: None,
            names: Vec::new(),
            list_at: now,
            before: HashMap::new(),
            before_at: now,
        }
    }

    /// The next sample. After a failure the next one connects anew.
    pub async fn sample(&mut self, source: &Source, max_queues: usize) -> Server {
        let master = self.master.clone();
        match self.read(source, max_queues).await {
            Ok((facts, queues, not_sampled)) => {
                Server { master, error: None, facts, queues, not_sampled }
            }
            Err(error) => {
                self.client = None;
                self.list_at = Instant::now();
                Server {
                    master,
                    error: Some(error.to_string()),
                    facts: Facts::default(),
                    queues: Vec::new(),
                    not_sampled: Vec::new(),
                }
            }
        }
    }

    async fn read(
        &mut self,
        source: &Source,
        max_queues: usize,
    ) -> Result<(Facts, Vec<Arc<Queue>>, Vec<String>), Error> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Client::new(source.connect(&self.master).await?),
        };
        let asked_at = Instant::now();
        let facts = facts(&client).await?;
        let read_at = Instant::now();
        let way = read_at.duration_since(asked_at);
        let since = read_at.duration_since(self.before_at);
        let mut listed = match read_at >= self.list_at {
            true => self.list(&client, way, max_queues).await?,
            false => HashMap::new(),
        };
        let (chosen, not_sampled) = self.choose(max_queues);
        let ask = |name: String| {
            let (client, figures) = (&client, listed.remove(&name));
            async move {
                let figures = match figures {
                    Some(figures) => Ok(figures),
                    None => ask(client, &name).await,
                };
                (name, figures)
            }
        };
        let mut replies = stream::iter(chosen).map(ask).buffered(PIPELINED);
        let mut known = HashMap::new();
        let mut queues = Vec::new();
        while let Some((name, figures)) = replies.next().await {
            let queue = Arc::new(self.queue(name, figures?, since));
            let existed_at = match self.before.get(&queue.name) {
                Some(before) if !queue.exists() => before.existed_at,
                _ => read_at,
            };
            known.insert(queue.name.clone(), Known { queue: Arc::clone(&queue), existed_at });
            queues.push(queue);
        }
        drop(replies);
        self.before = known;
        self.before_at = read_at;
        self.client = Some(client);
        Ok((facts, queues, not_sampled))
    }

    /// Reads the names of all queues, and the figures of as many as are sampled, whose names are the first ones. `way` is how
    /// long a reply takes that costs nothing.
    async fn list(
        &mut self,
        client: &Client<MultiplexedConnection>,
        way: Duration,
        max_queues: usize,
    ) -> Result<HashMap<String, Figures>, Error> {
        self.names.clear();
        let mut listed = HashMap::new();
        let begun = Instant::now();
        let mut page = client.stats_page(0).await;
        let mut spent = begun.elapsed();
        let is_complete = loop {
            let (queues, next) = match page {
                Ok(page) => page,
                Err(error) if is_not_known(&error) => break false,
                Err(error) => return Err(error),
            };
            for stats in queues {
                // One that was dropped and pushed to meanwhile is in two pages.
                if listed.insert(stats.queue.clone(), stats.info).is_none() {
                    self.names.push(stats.queue);
                }
            }
            if next == 0 || listed.len() >= max_queues {
                break next == 0;
            }
            page = client.stats_page(next).await;
        };
        if !is_complete {
            let begun = Instant::now();
            let names = client.queues(None).await?.into_iter();
            self.names.extend(names.filter(|name| !listed.contains_key(name)));
            spent += begun.elapsed();
        }
        self.list_at = Instant::now() + LISTING_SHARE * spent.saturating_sub(way);
        Ok(listed)
    }

    /// The queues to read, those of the last sample first, and those that are too many.
    fn choose(&self, max_queues: usize) -> (Vec<String>, Vec<String>) {
        let known = |name: &&String| self.before.contains_key(*name);
        let mut room = max_queues.saturating_sub(self.names.iter().filter(known).count());
        let (mut chosen, left_out): (Vec<_>, Vec<_>) =
            self.names.iter().cloned().partition(|name| {
                let is_known = known(&name);
                let fits = is_known || room > 0;
                room -= usize::from(fits && !is_known);
                fits
            });
        let listed: HashSet<&String> = self.names.iter().collect();
        let unlisted = self
            .before
            .iter()
            .filter(|(name, known)| !listed.contains(name) && known.existed_at.elapsed() < KEPT);
        chosen.extend(unlisted.take(room).map(|(name, _)| name.clone()));
        (chosen, left_out)
    }

    fn queue(&self, name: String, figures: Figures, since: Duration) -> Queue {
        let before = self.before.get(&name).and_then(|known| known.queue.figures.as_ref().ok());
        let (rates, latencies) = match (before, &figures) {
            (Some(before), Ok(now)) => {
                (Rates::between(before, now, since), Latencies::between(before, now))
            }
            _ => Default::default(),
        };
        Queue { name, figures, rates, latencies }
    }
}

/// What MQ.INFO says of a queue; an error if the server does not answer.
async fn ask(client: &Client<MultiplexedConnection>, name: &str) -> Result<Figures, Error> {
    match client.info(name).await {
        Ok(info) => Ok(Ok(info)),
        Err(Error::Redis(error)) if !is_of_queue(&error) => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Whether it is MQ.STATS that the server, or this user, lacks.
fn is_not_known(error: &Error) -> bool {
    matches!(error, Error::Redis(error) if matches!(error.code(), Some("NOPERM" | "ERR")))
}

/// Whether an error is about this queue only.
fn is_of_queue(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "MOVED" | "ASK" | "CROSSSLOT"))
}

/// INFO without the module's section, which has to be asked for by name, and with it.
async fn facts(client: &Client<MultiplexedConnection>) -> Result<Facts, Error> {
    let mut connection = client.connection().clone();
    let (all, own): (String, String) =
        redis::pipe().cmd("INFO").cmd("INFO").arg("mq").query_async(&mut connection).await?;
    let facts = Facts::read(&format!("{all}\n{own}"));
    if !facts.has("mq_version") {
        let absent = (redis::ErrorKind::Client, "the server has no module mq");
        return Err(RedisError::from(absent).into());
    }
    Ok(facts)
}
