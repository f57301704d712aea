//! Samples the servers again and again: one watcher for each source. A sample begins when all replies of the one before
//! have come, at the earliest two seconds after it began, or ten if nobody looks.

pub mod history;
pub mod latencies;
mod node;
pub mod snapshot;

use crate::source::{ACT_WITHIN, Master, REPLY_WITHIN, Source};
use futures_util::future::join_all;
use history::History;
use node::Node;
use redis::RedisResult;
use redis::aio::ConnectionManager;
use redis_mq::{Client, Error};
use snapshot::{Queue, Sample, Server, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

const INTERVAL: Duration = Duration::from_secs(2);
const INTERVAL_UNSEEN: Duration = Duration::from_secs(10);
const SEEN_FOR: Duration = Duration::from_secs(30);
/// How often sentinels and clusters are asked for their masters.
const MASTERS_KNOWN_FOR: Duration = Duration::from_secs(10);

/// What the watchers write and everybody reads.
#[derive(Debug)]
pub struct State {
    pub sources: Vec<Source>,
    pub history: History,
    snapshot: watch::Sender<Snapshot>,
    interest: Interest,
    /// For what visitors ask, so that a slow reply keeps no sample; by source and address.
    clients: Mutex<HashMap<(String, String), Client<ConnectionManager>>>,
}

impl State {
    pub fn new(sources: Vec<Source>) -> Arc<Self> {
        let samples = sources.iter().map(|source| Arc::new(Sample::none(&source.name))).collect();
        Arc::new(Self {
            sources,
            history: History::default(),
            snapshot: watch::Sender::new(Snapshot { samples }),
            interest: Interest::default(),
            clients: Mutex::default(),
        })
    }

    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// Tells of every new sample.
    pub fn changes(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.subscribe()
    }

    /// Somebody looks: samples are frequent for a while.
    pub fn seen(&self) {
        self.interest.show();
    }

    /// A client of the server of this source and address, which all visitors share.
    pub fn client(
        &self,
        source: &str,
        address: &str,
    ) -> RedisResult<Option<Client<ConnectionManager>>> {
        let Some((source, master)) = self.master(source, address) else { return Ok(None) };
        let snapshot = self.snapshot();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|(other, address), _| {
            let is_one = |(sample, server): (&Sample, &Server)| {
                sample.source == source.name && server.master.address == *address
            };
            *other != source.name || snapshot.servers().any(is_one)
        });
        let key = (source.name.clone(), address.to_owned());
        if let Some(client) = clients.get(&key) {
            return Ok(Some(client.clone()));
        }
        let client = Client::new(source.lasting(&master, REPLY_WITHIN)?);
        clients.insert(key, client.clone());
        Ok(Some(client))
    }

    /// One with a connection of its own: replies come in the order of the commands, so nobody else waits for one that takes
    /// long.
    pub fn own_client(
        &self,
        source: &str,
        address: &str,
    ) -> RedisResult<Option<Client<ConnectionManager>>> {
        let Some((source, master)) = self.master(source, address) else { return Ok(None) };
        Ok(Some(Client::new(source.lasting(&master, ACT_WITHIN)?)))
    }

    fn master(&self, source: &str, address: &str) -> Option<(&Source, Master)> {
        let source = self.sources.iter().find(|one| one.name == source)?;
        let snapshot = self.snapshot();
        let mut of_source = snapshot.servers().filter(|(sample, _)| sample.source == source.name);
        let (_, server) = of_source.find(|(_, server)| server.master.address == address)?;
        Some((source, server.master.clone()))
    }

    /// A queue as it is now, with the rates and latencies of the last sample; an error if its server does not answer.
    pub async fn current(
        &self,
        client: &Client<ConnectionManager>,
        source: &str,
        name: &str,
    ) -> Result<Queue, Error> {
        let figures = match client.info(name).await {
            Ok(info) => Ok(info),
            Err(error @ Error::Redis(_)) if error.is_temporary() => return Err(error),
            Err(error) => Err(error.to_string()),
        };
        let snapshot = self.snapshot();
        let mut queues = snapshot.queues();
        let sampled =
            queues.find(|(sample, _, queue)| sample.source == source && queue.name == name);
        let (rates, latencies) = sampled
            .map_or_else(Default::default, |(_, _, queue)| (queue.rates, queue.latencies.clone()));
        Ok(Queue { name: name.to_owned(), figures, rates, latencies })
    }
}

/// When somebody looked last.
#[derive(Debug, Default)]
struct Interest {
    /// Unix milliseconds.
    last: watch::Sender<u64>,
}

impl Interest {
    fn show(&self) {
        self.last.send_replace(unix_ms(SystemTime::now()));
    }

    /// Waits until the next sample is due.
    async fn rest(&self, begun: Instant) {
        let mut last = self.last.subscribe();
        let seen = last.wait_for(|ms| recent(*ms));
        drop(tokio::time::timeout_at(begun + INTERVAL_UNSEEN, seen).await);
        tokio::time::sleep_until(begun + INTERVAL).await;
    }
}

fn recent(ms: u64) -> bool {
    unix_ms(SystemTime::now()).saturating_sub(ms) < SEEN_FOR.as_millis() as u64
}

pub fn unix_ms(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Starts a watcher for each source.
pub fn watch(state: &Arc<State>, max_queues: usize) {
    for place in 0..state.sources.len() {
        let state = Arc::clone(state);
        tokio::spawn(async move {
            let mut watcher = Watcher { place, max_queues, nodes: BTreeMap::new(), masters: None };
            loop {
                let begun = Instant::now();
                watcher.publish(&state, begun).await;
                state.interest.rest(begun).await;
            }
        });
    }
}

/// Samples every source once.
pub async fn once(state: &State, max_queues: usize) {
    let watchers = (0..state.sources.len()).map(|place| async move {
        let mut watcher = Watcher { place, max_queues, nodes: BTreeMap::new(), masters: None };
        watcher.publish(state, Instant::now()).await;
    });
    join_all(watchers).await;
}

struct Watcher {
    /// Of its source among all.
    place: usize,
    max_queues: usize,
    /// By address.
    nodes: BTreeMap<String, Node>,
    /// The masters, and when they were asked for.
    masters: Option<(Vec<Master>, Instant)>,
}

impl Watcher {
    async fn publish(&mut self, state: &State, begun: Instant) {
        let source = &state.sources[self.place];
        let servers = self.sample(source).await;
        let (servers, error) = match servers {
            Ok(servers) => (servers, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let at = SystemTime::now();
        let sample =
            Sample { source: source.name.clone(), at, took: begun.elapsed(), error, servers };
        let queues = sample.servers.iter().flat_map(|server| &server.queues);
        state.history.add(&source.name, unix_ms(at), queues.map(|queue| &**queue));
        state.snapshot.send_modify(|snapshot| {
            tell_changes(&snapshot.samples[self.place], &sample);
            snapshot.samples[self.place] = Arc::new(sample);
        });
    }

    async fn sample(&mut self, source: &Source) -> RedisResult<Vec<Server>> {
        let known_for = |begun: &Instant| !source.moves() || begun.elapsed() < MASTERS_KNOWN_FOR;
        let masters = match self.masters.take() {
            Some((masters, begun)) if known_for(&begun) => (masters, begun),
            _ => (source.masters().await?, Instant::now()),
        };
        let mut nodes: BTreeMap<String, Node> = masters
            .0
            .iter()
            .map(|master| {
                let known = self.nodes.remove(&master.address);
                (master.address.clone(), known.unwrap_or_else(|| Node::new(master.clone())))
            })
            .collect();
        let samples = nodes.values_mut().map(|node| node.sample(source, self.max_queues));
        let servers = join_all(samples).await;
        self.nodes = nodes;
        // A server that fails may have been replaced.
        if servers
            .iter()
            .all(|server| server.error.is_none() && server.facts.text("role") != "slave")
        {
            self.masters = Some(masters);
        }
        Ok(servers)
    }
}

/// Logs servers that came or went.
fn tell_changes(before: &Sample, after: &Sample) {
    if after.error != before.error
        && let Some(error) = &after.error
    {
        warn!(source = after.source, error, "no server");
    }
    let known =
        |address: &str| before.servers.iter().find(|server| server.master.address == address);
    for server in &after.servers {
        let earlier = known(&server.master.address).map(|server| &server.error);
        match &server.error {
            error if earlier == Some(error) => {}
            Some(error) => {
                warn!(server = server.master.address, error, "the server does not answer")
            }
            None => info!(server = server.master.address, "the server answers"),
        }
        let left_out = server.not_sampled.len();
        if left_out > 0
            && known(&server.master.address).is_none_or(|server| server.not_sampled.is_empty())
        {
            warn!(
                server = server.master.address,
                queues = server.queues.len() + left_out,
                left_out,
                "too many queues: some are only counted, see --max-queues"
            );
        }
    }
}
