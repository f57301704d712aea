//! What the last sample of each source found. Built by the watchers, read by everything that shows it.

use super::latencies::Latencies;
use crate::source::Master;
use redis_mq::Info;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// All sources, in the order of the command line.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub samples: Vec<Arc<Sample>>,
}

impl Snapshot {
    pub fn servers(&self) -> impl Iterator<Item = (&Sample, &Server)> {
        self.samples
            .iter()
            .flat_map(|sample| sample.servers.iter().map(move |one| (&**sample, one)))
    }

    pub fn queues(&self) -> impl Iterator<Item = (&Sample, &Server, &Arc<Queue>)> {
        self.servers().flat_map(|(sample, server)| {
            server.queues.iter().map(move |queue| (sample, server, queue))
        })
    }

    /// Queues of which nothing but the name is known, because there are too many.
    pub fn not_sampled(&self) -> usize {
        self.servers().map(|(_, server)| server.not_sampled.len()).sum()
    }

    /// The sources and addresses of the servers that have a queue of this name, or dead letters of it: a queue all of
    /// whose messages died is not listed.
    pub fn places(&self, queue: &str) -> Vec<(&str, &str)> {
        let dead = default_dead_letter_queue(queue);
        let has = |server: &Server| {
            let sampled = server.queues.iter().map(|known| &known.name);
            let mut names = sampled.chain(&server.not_sampled);
            names.any(|name| name == queue || *name == dead)
        };
        let found = self.servers().filter(|(_, server)| has(server));
        found
            .map(|(sample, server)| (sample.source.as_str(), server.master.address.as_str()))
            .collect()
    }
}

const DEAD_SUFFIX: &str = ":dead";

/// Where the dead messages of a queue go by default: into the same slot.
fn default_dead_letter_queue(queue: &str) -> String {
    let tag = queue.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    match tag {
        Some((tag, _)) if !tag.is_empty() => format!("{queue}{DEAD_SUFFIX}"),
        _ => format!("{{{queue}}}{DEAD_SUFFIX}"),
    }
}

/// Whether a queue is called like the default dead-letter queue of another.
pub fn is_called_dead(queue: &str) -> bool {
    queue.strip_suffix(DEAD_SUFFIX).is_some_and(|rest| default_dead_letter_queue(rest) == queue)
}

/// One source.
#[derive(Debug)]
pub struct Sample {
    pub source: String,
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// Why no master was found.
    pub error: Option<String>,
    pub servers: Vec<Server>,
}

impl Sample {
    /// Of a source that was not asked yet.
    pub fn none(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            at: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
            error: Some("not sampled yet".to_owned()),
            servers: Vec::new(),
        }
    }
}

/// One server that takes writes.
#[derive(Debug)]
pub struct Server {
    pub master: Master,
    /// Why it has no facts and queues.
    pub error: Option<String>,
    /// What INFO says of it, the section `mq` included.
    pub facts: Facts,
    pub queues: Vec<Arc<Queue>>,
    pub not_sampled: Vec<String>,
}

/// The fields of INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    pub fn read(text: &str) -> Self {
        let pair =
            |line: &str| line.split_once(':').map(|(name, value)| (name.into(), value.into()));
        Self(text.lines().filter_map(pair).collect())
    }

    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Bytes by which each connected replica lags.
    pub fn replica_lags(&self) -> Vec<(String, u64)> {
        let end = self.number("master_repl_offset");
        let lag = |(name, value): (&String, &String)| {
            name.strip_prefix("slave")?.parse::<u32>().ok()?;
            let fields: BTreeMap<&str, &str> =
                value.split(',').filter_map(|field| field.split_once('=')).collect();
            let offset: u64 = fields.get("offset")?.parse().ok()?;
            let address = format!("{}:{}", fields.get("ip")?, fields.get("port")?);
            Some((address, end.saturating_sub(offset)))
        };
        self.0.iter().filter_map(lag).collect()
    }
}

/// One queue.
#[derive(Debug)]
pub struct Queue {
    pub name: String,
    /// What MQ.INFO says, or its error.
    pub figures: Result<Info, String>,
    pub rates: Rates,
    /// Of messages since the sample before.
    pub latencies: Latencies,
}

impl Queue {
    /// Whether anything is stored of it, as far as is known.
    pub fn exists(&self) -> bool {
        self.figures.as_ref().is_ok_and(|info| info.exists)
    }
}

/// Messages per second since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    pub pushed: f64,
    pub pulled: f64,
    pub acked: f64,
    pub dead: f64,
}

impl Rates {
    /// A counter that is lower than before began anew with its server.
    pub fn between(before: &Info, after: &Info, time: Duration) -> Self {
        let rate = |before: u64, after: u64| {
            let grown = after.checked_sub(before).unwrap_or(after);
            if time.is_zero() { 0.0 } else { grown as f64 / time.as_secs_f64() }
        };
        Self {
            pushed: rate(before.pushed, after.pushed),
            pulled: rate(before.pulled, after.pulled),
            acked: rate(before.acked, after.acked),
            dead: rate(before.dead, after.dead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_survive_a_restart_of_the_counters() {
        let mut before = Info::default();
        before.pushed = 100;
        let mut after = Info::default();
        after.pushed = 150;
        let second = Duration::from_secs(2);
        assert_eq!(Rates::between(&before, &after, second).pushed, 25.0);
        after.pushed = 10;
        assert_eq!(Rates::between(&before, &after, second).pushed, 5.0);
        assert_eq!(Rates::between(&before, &after, Duration::ZERO).pushed, 0.0);
    }

    #[test]
    fn dead_letter_queues_are_known_by_their_names() {
        for (queue, dead) in [
            ("orders", "{orders}:dead"),
            ("{acme}:orders", "{acme}:orders:dead"),
            ("{}orders", "{{}orders}:dead"),
        ] {
            assert_eq!(default_dead_letter_queue(queue), dead);
            assert!(is_called_dead(dead), "{dead}");
        }
        for other in ["orders", "orders:dead", ":dead", "{orders}"] {
            assert!(!is_called_dead(other), "{other}");
        }
    }

    #[test]
    fn lags_of_replicas_are_read_from_info() {
        let facts = Facts::read(
            "# Replication\r\nmaster_repl_offset:1000\r\nslave0:ip=a,port=1,state=online,offset=990,lag=0\r\n\
             slave_repl_offset:3\r\n",
        );
        assert_eq!(facts.replica_lags(), [("a:1".to_owned(), 10)]);
    }
}
