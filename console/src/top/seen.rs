//! What the views say, as far as it is shown here.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Which queue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    pub source: String,
    pub server: String,
    pub name: String,
}

/// `view::overview`.
#[derive(Debug, Default, Deserialize)]
pub struct Overview {
    pub sources: Vec<Source>,
    #[serde(rename = "queues")]
    pub rows: Vec<Row>,
    pub not_sampled: usize,
    not_sampled_names: Vec<Row>,
}

impl Overview {
    /// Queues of which only the name is known are the last rows.
    pub fn read(seen: Value) -> serde_json::Result<Self> {
        let mut overview: Self = serde_json::from_value(seen)?;
        overview.rows.append(&mut overview.not_sampled_names);
        Ok(overview)
    }
}

#[derive(Debug, Deserialize)]
pub struct Source {
    pub name: String,
    pub error: Option<String>,
    pub servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
pub struct Server {
    pub address: String,
    pub error: Option<String>,
    pub warnings: Vec<String>,
}

/// A queue of the list; without figures if it can't be read or is not sampled.
#[derive(Debug, Deserialize)]
pub struct Row {
    #[serde(flatten)]
    pub place: Place,
    pub error: Option<String>,
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

#[derive(Debug, Deserialize)]
pub struct Figures {
    pub ready: u64,
    pub inflight: u64,
    pub delayed: u64,
    pub dead_letters: u64,
    pub oldest_ready_age_ms: u64,
    pub blocked_clients: u64,
    pub paused: bool,
    pub rates: Rates,
    /// What keeps messages from being delivered, in a word each.
    pub causes: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Rates {
    pub pushed: f64,
    pub pulled: f64,
    pub acked: f64,
    pub dead: f64,
}

/// `view::queue`.
#[derive(Debug, Deserialize)]
pub struct Queue {
    pub why: Vec<Cause>,
    #[serde(flatten)]
    pub known: Option<Known>,
}

#[derive(Debug, Deserialize)]
pub struct Known {
    pub state: Map<String, Value>,
    pub counters: Map<String, Value>,
    pub settings: Map<String, Value>,
    pub rates: Rates,
    pub latencies: Latencies,
}

#[derive(Debug, Deserialize)]
pub struct Latencies {
    pub delivery: Latency,
    pub processing: Latency,
}

/// Within how many milliseconds half and 95 % were; nothing if there were none.
#[derive(Debug, Deserialize)]
pub struct Latency {
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub struct Cause {
    pub sentence: String,
    pub action: String,
}
