//! What the API and `get` show of queues and servers, as JSON. Times are in milliseconds, moments in Unix milliseconds.

use crate::sampling::snapshot::{Queue, Rates, Sample, Server, Snapshot};
use crate::sampling::unix_ms;
use crate::why::{Cause, explain};
use redis_mq::{Info, Settings};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Which queues of a list, and in which order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// Queues whose name contains this.
    pub search: String,
    pub sort: Sort,
    pub offset: usize,
    /// 0: all.
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// What needs attention first.
    #[default]
    Worst,
    Name,
    Ready,
    Inflight,
    Delayed,
    DeadLetters,
    OldestReady,
    Pushed,
    Acked,
}

/// The queues and servers of a snapshot.
pub fn overview(snapshot: &Snapshot, query: &Query, writes: bool) -> Value {
    let matching = |name: &str| query.search.is_empty() || name.contains(&query.search);
    let mut found: Vec<_> =
        snapshot.queues().filter(|(_, _, queue)| matching(&queue.name)).collect();
    found.sort_by(|(_, _, a), (_, _, b)| {
        urgency(b, query.sort).total_cmp(&urgency(a, query.sort)).then_with(|| a.name.cmp(&b.name))
    });
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    let rows: Vec<Value> = found
        .iter()
        .skip(query.offset)
        .take(limit)
        .map(|(sample, server, known)| row(&sample.source, &server.master.address, known))
        .collect();
    let others: Vec<Value> = snapshot
        .servers()
        .flat_map(|(sample, server)| {
            let names = server.not_sampled.iter().filter(|name| matching(name));
            names.map(move |name| place(&sample.source, &server.master.address, name))
        })
        .take(limit.saturating_sub(rows.len()).min(NAMES_SHOWN))
        .collect();
    json!({
        "sources": snapshot.samples.iter().map(|sample| source(sample)).collect::<Vec<_>>(),
        "matching": found.len(),
        "queues": rows,
        "not_sampled": snapshot.not_sampled(),
        "not_sampled_names": others,
        "writes": writes,
    })
}

/// Names of queues without figures in a list.
const NAMES_SHOWN: usize = 100;

/// Greater comes first.
fn urgency(queue: &Queue, sort: Sort) -> f64 {
    let Ok(info) = &queue.figures else { return f64::INFINITY };
    let age = info.oldest_ready_age.as_secs_f64();
    match sort {
        Sort::Name => 0.0,
        Sort::Ready => info.ready as f64,
        Sort::Inflight => info.inflight as f64,
        Sort::Delayed => info.delayed as f64,
        Sort::DeadLetters => info.deadletter_waiting as f64,
        Sort::OldestReady => age,
        Sort::Pushed => queue.rates.pushed,
        Sort::Acked => queue.rates.acked,
        // A message that has waited for a minute is as bad as ten dead letters, or 1,000 that wait.
        Sort::Worst => {
            age / 60.0 + info.deadletter_waiting as f64 / 10.0 + info.ready as f64 / 1000.0
        }
    }
}

fn place(source: &str, server: &str, name: &str) -> Value {
    json!({ "source": source, "server": server, "name": name })
}

/// A row of the overview.
fn row(source: &str, server: &str, queue: &Queue) -> Value {
    let mut row = place(source, server, &queue.name);
    let more = match &queue.figures {
        Err(error) => json!({ "error": error }),
        Ok(info) => json!({
            "exists": info.exists,
            "ready": info.ready,
            "inflight": info.inflight,
            "delayed": info.delayed,
            "dead_letters": info.deadletter_waiting,
            "oldest_ready_age_ms": ms(info.oldest_ready_age),
            "blocked_clients": info.blocked_clients,
            "paused": info.paused,
            "damaged": info.damaged,
            "rates": rates(&queue.rates),
        }),
    };
    extend(&mut row, more);
    row
}

/// Everything about a queue.
pub fn queue(source: &str, server: &str, queue: &Queue, now: SystemTime) -> Value {
    let mut all = place(source, server, &queue.name);
    let why: Vec<Cause> = explain(&queue.figures, queue.rates.pulled, now);
    let more = match &queue.figures {
        Err(error) => json!({ "error": error, "why": why }),
        Ok(info) => json!({
            "state": state(info),
            "counters": counters(info),
            "settings": settings(&info.settings),
            "rates": rates(&queue.rates),
            "why": why,
        }),
    };
    extend(&mut all, more);
    all
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        fields.extend(more);
    }
}

fn rates(rates: &Rates) -> Value {
    let Rates { pushed, pulled, acked, dead } = *rates;
    json!({ "pushed": pushed, "pulled": pulled, "acked": acked, "dead": dead })
}

fn state(info: &Info) -> Value {
    json!({
        "exists": info.exists,
        "ready": info.ready,
        "inflight": info.inflight,
        "delayed": info.delayed,
        "backlog": info.ready + info.inflight,
        "dead_letters": info.deadletter_waiting,
        "priorities": info.priorities,
        "groups": info.groups,
        "dedup_keys": info.dedup_keys,
        "paused": info.paused,
        "paused_until": info.paused_until.map(unix_ms),
        "rate_window_start": info.rate_window_start.map(unix_ms),
        "rate_window_count": info.rate_window_count,
        "oldest_ready_age_ms": ms(info.oldest_ready_age),
        "oldest_inflight_age_ms": ms(info.oldest_inflight_age),
        "oldest_delayed_age_ms": ms(info.oldest_delayed_age),
        "next_due_at": info.next_due_at.map(unix_ms),
        "highest_retry_count": info.highest_retry_count,
        "blocked_clients": info.blocked_clients,
        "damaged": info.damaged,
    })
}

/// By the names of MQ.INFO.
fn counters(info: &Info) -> Value {
    json!({
        "pushed": info.pushed,
        "pulled": info.pulled,
        "acked": info.acked,
        "late_acks": info.late_acks,
        "nacked": info.nacked,
        "expired": info.expired,
        "dead": info.dead,
        "dead_discarded": info.dead_discarded,
        "bad_receipts": info.bad_receipts,
        "ttl_expired": info.ttl_expired,
        "deduplicated": info.deduplicated,
        "redriven": info.redriven,
        "refused_full": info.refused_full,
        "deleted": info.deleted,
    })
}

/// By the names of MQ.CONFIG.
fn settings(settings: &Settings) -> Value {
    json!({
        "visibility": ms(settings.visibility),
        "maxretries": settings.max_retries,
        "deadletter": settings.dead_letter,
        "backoff": ms(settings.backoff),
        "backoffmax": ms(settings.backoff_max),
        "delay": ms(settings.delay),
        "ttl": ms(settings.ttl),
        "maxlen": settings.max_len,
        "maxinflight": settings.max_inflight,
        "rate": settings.rate,
        "rateperiod": ms(settings.rate_period),
        "aging": ms(settings.aging),
        "groupinflight": settings.group_inflight,
        "dedupwindow": ms(settings.dedup_window),
        "maxdedup": settings.max_dedup,
        "expires": ms(settings.expires),
    })
}

fn source(sample: &Sample) -> Value {
    json!({
        "name": sample.source,
        "error": sample.error,
        "at": unix_ms(sample.at),
        "took_ms": ms(sample.took),
        "servers": sample.servers.iter().map(server).collect::<Vec<_>>(),
    })
}

fn server(server: &Server) -> Value {
    let facts = &server.facts;
    let software = match facts.text("valkey_version") {
        "" => format!("Redis {}", facts.text("redis_version")),
        version => format!("Valkey {version}"),
    };
    json!({
        "address": server.master.address,
        "error": server.error,
        "software": software,
        "version": facts.text("mq_version"),
        "role": facts.text("role"),
        "queues": server.queues.len() + server.not_sampled.len(),
        "not_sampled": server.not_sampled.len(),
        "warnings": warnings(server),
    })
}

/// What is wrong with a server, in words.
fn warnings(server: &Server) -> Vec<String> {
    let facts = &server.facts;
    let mut warnings = Vec::new();
    let mut warn = |number: u64, text: &dyn Fn(u64) -> String| {
        if number > 0 {
            warnings.push(text(number));
        }
    };
    warn(facts.number("mq_eviction_may_delete_messages"), &|_| {
        let policy = facts.text("maxmemory_policy");
        format!(
            "The policy {policy} lets the server delete queues when maxmemory is reached: set noeviction."
        )
    });
    warn(facts.number("mq_apply_errors"), &|n| {
        format!("{n} ops could not be applied: data may be missing here.")
    });
    warn(facts.number("mq_damaged"), &|n| format!("{n} records could not be decoded."));
    warn(facts.number("mq_dead_letters_refused"), &|n| {
        format!("{n} messages could not go to their dead-letter queue.")
    });
    warn(facts.number("mq_sweep_errors"), &|n| {
        format!("The timer failed {n} times to process a queue.")
    });
    warn(facts.number("mq_scan_in_progress"), &|_| {
        "The server still looks for its queues after a load.".to_owned()
    });
    for (name, what) in
        [("rdb_last_bgsave_status", "snapshot"), ("aof_last_write_status", "append-only file")]
    {
        if facts.has(name) && facts.text(name) != "ok" {
            warnings.push(format!("The server could not write its {what}."));
        }
    }
    for (replica, bytes) in facts.replica_lags() {
        if bytes > LAG_SHOWN {
            warnings.push(format!("Replica {replica} is {bytes} bytes behind."));
        }
    }
    warnings
}

/// A replica that is behind by more than what a busy link has on its way.
const LAG_SHOWN: u64 = 10 * 1024 * 1024;

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
