//! Samples the servers again and again: one watcher for each source. A sample begins when all replies of the one before
//! have come, at the earliest two seconds after it began, or ten if nobody looks.

pub mod history;
mod node;
pub mod snapshot;

use crate::source::{Master, Source};
use futures_util::future::join_all;
use history::History;
use node::Node;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use redis_mq::Client;
use snapshot::{Sample, Server, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
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
}

impl State {
    pub fn new(sources: Vec<Source>) -> Arc<Self> {
        let samples = sources.iter().map(|source| Arc::new(Sample::none(&source.name))).collect();
        Arc::new(Self {
            sources,
            history: History::default(),
            snapshot: watch::Sender::new(Snapshot { samples }),
            interest: Interest::default(),
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

    /// A connection to the server of this source and address.
    pub async fn client(
        &self,
        source: &str,
        address: &str,
    ) -> RedisResult<Option<Client<MultiplexedConnection>>> {
        let Some(source) = self.sources.iter().find(|one| one.name == source) else {
            return Ok(None);
        };
        let masters = source.masters().await?;
        match masters.iter().find(|master| master.address == address) {
            Some(master) => Ok(Some(Client::new(source.connect(master).await?))),
            None => Ok(None),
        }
    }
}

/// When somebody looked last.
#[derive(Debug, Default)]
struct Interest {
    /// Unix milliseconds.
    last: AtomicU64,
    begun: Notify,
}

impl Interest {
    fn show(&self) {
        let before = self.last.swap(unix_ms(SystemTime::now()), Ordering::Relaxed);
        if !recent(before) {
            self.begun.notify_waiters();
        }
    }

    /// Waits until the next sample is due.
    async fn rest(&self, begun: Instant) {
        if !recent(self.last.load(Ordering::Relaxed)) {
            let seen = self.begun.notified();
            if tokio::time::timeout_at(begun + INTERVAL_UNSEEN, seen).await.is_err() {
                return;
            }
        }
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
    if after.error != before.error {
        if let Some(error) = &after.error {
            warn!(source = after.source, error, "no server");
        }
    }
    let known = |address: &str| before.servers.iter().find(|server| server.address == address);
    for server in &after.servers {
        let earlier = known(&server.address).map(|server| &server.error);
        match &server.error {
            error if earlier == Some(error) => {}
            Some(error) => warn!(server = server.address, error, "the server does not answer"),
            None => info!(server = server.address, "the server answers"),
        }
        let left_out = server.not_sampled.len();
        if left_out > 0 && known(&server.address).is_none_or(|server| server.not_sampled.is_empty())
        {
            warn!(
                server = server.address,
                queues = server.queues.len() + left_out,
                left_out,
                "too many queues: some are only counted, see --max-queues"
            );
        }
    }
}
