//! What the API and `get` show of queues, as JSON. Times are in milliseconds, moments in Unix milliseconds.

use crate::pattern::matches;
use crate::sampling::history::History;
use crate::sampling::latencies::Times;
use crate::sampling::snapshot::{Queue, Rates, Snapshot, is_called_dead};
use crate::sampling::unix_ms;
use crate::servers;
use crate::why::{Cause, Kind, explain};
use redis_mq::{Histogram, Info, Settings};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// Which queues of a list, and in which order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// Queues whose name contains this, or matches it, if it is a pattern.
    pub search: String,
    pub sort: Sort,
    /// The best first.
    pub reverse: bool,
    pub offset: usize,
    /// 0: all.
    pub limit: usize,
    /// With the rates of the last ten minutes.
    pub recent: bool,
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
    BlockedClients,
    Pushed,
    Acked,
}

/// The queues and servers of a snapshot.
pub fn overview(snapshot: &Snapshot, history: &History, query: &Query, writes: bool) -> Value {
    let dead = dead_letter_queues(snapshot);
    let is_dead = |queue: &Queue| dead.contains(queue.name.as_str()) || is_called_dead(&queue.name);
    let mut found: Vec<_> =
        snapshot.queues().filter(|(_, _, queue)| matches(&query.search, &queue.name)).collect();
    let totals = totals(found.iter().map(|(_, _, queue)| &***queue), is_dead);
    found.sort_by_cached_key(|(_, _, queue)| {
        let urgency = urgency(queue, query.sort, is_dead(queue));
        // Greater comes first; numbers that are not negative are ordered like their bits.
        (std::cmp::Reverse(urgency.to_bits()), queue.name.clone())
    });
    if query.reverse {
        found.reverse();
    }
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    let now = SystemTime::now();
    let rows: Vec<Value> = found
        .iter()
        .skip(query.offset)
        .take(limit)
        .map(|(sample, server, known)| {
            let mut row = row(&sample.source, &server.master.address, known, now);
            row["is_dead_letter_queue"] = is_dead(known).into();
            if query.recent {
                row["recent"] = json!(history.recent(&sample.source, &known.name, unix_ms(now)));
            }
            row
        })
        .collect();
    let others: Vec<Value> = snapshot
        .servers()
        .flat_map(|(sample, server)| {
            let names = server.not_sampled.iter().filter(|name| matches(&query.search, name));
            names.map(move |name| place(&sample.source, &server.master.address, name))
        })
        .take(limit.saturating_sub(rows.len()).min(NAMES_SHOWN))
        .collect();
    json!({
        "sources": servers::sources(snapshot),
        "matching": found.len(),
        "totals": totals,
        "queues": rows,
        "not_sampled": snapshot.not_sampled(),
        "not_sampled_names": others,
        "writes": writes,
    })
}

/// The queues that dead messages of others move to.
fn dead_letter_queues(snapshot: &Snapshot) -> HashSet<&str> {
    let settings = snapshot.queues().filter_map(|(_, _, queue)| queue.figures.as_ref().ok());
    settings.map(|info| info.settings.dead_letter.as_str()).collect()
}

/// Sums over queues. What is in dead-letter queues is counted as dead letters only.
fn totals<'q>(queues: impl Iterator<Item = &'q Queue>, is_dead: impl Fn(&Queue) -> bool) -> Value {
    let (mut ready, mut inflight, mut delayed, mut dead_letters) = (0, 0, 0, 0);
    let (mut pushed, mut acked, mut paused) = (0.0, 0.0, 0);
    for queue in queues {
        let Ok(info) = &queue.figures else { continue };
        match is_dead(queue) {
            true => dead_letters += info.ready,
            false => ready += info.ready,
        }
        inflight += info.inflight;
        delayed += info.delayed;
        pushed += queue.rates.pushed;
        acked += queue.rates.acked;
        paused += u64::from(info.paused);
    }
    json!({
        "ready": ready,
        "inflight": inflight,
        "delayed": delayed,
        "dead_letters": dead_letters,
        "pushed": pushed,
        "acked": acked,
        "paused": paused,
    })
}

/// Names of queues without figures in a list.
const NAMES_SHOWN: usize = 100;

/// Greater comes first; never negative.
fn urgency(queue: &Queue, sort: Sort, is_dead_letter_queue: bool) -> f64 {
    let Ok(info) = &queue.figures else { return f64::INFINITY };
    let age = info.oldest_ready_age.as_secs_f64();
    match sort {
        Sort::Name => 0.0,
        Sort::Ready => info.ready as f64,
        Sort::Inflight => info.inflight as f64,
        Sort::Delayed => info.delayed as f64,
        Sort::DeadLetters => info.deadletter_waiting as f64,
        Sort::OldestReady => age,
        Sort::BlockedClients => info.blocked_clients as f64,
        Sort::Pushed => queue.rates.pushed,
        Sort::Acked => queue.rates.acked,
        // Nobody is meant to pull them, and the queue where they died tells of them.
        Sort::Worst if is_dead_letter_queue => 0.0,
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
fn row(source: &str, server: &str, queue: &Queue, now: SystemTime) -> Value {
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
            "causes": causes(queue, now),
        }),
    };
    extend(&mut row, more);
    row
}

/// What keeps the messages of a queue from being delivered, in a word each. That there are none is no cause here.
fn causes(queue: &Queue, now: SystemTime) -> Vec<Kind> {
    let all = explain(&queue.figures, queue.rates.pulled, now).into_iter();
    all.map(|cause| cause.kind).filter(|kind| *kind != Kind::NothingReady).collect()
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
            "latencies": {
                "delivery": latency(&info.delivery_times),
                "processing": latency(&info.processing_times),
            },
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

/// Of all since the server started; nulls if there were none.
fn latency(histogram: &Histogram) -> Value {
    let times = Times::of(histogram);
    let mean = (histogram.count > 0).then(|| ms(histogram.sum) as f64 / histogram.count as f64);
    json!({
        "count": histogram.count,
        "mean_ms": mean,
        "p50_ms": times.quantile(0.5),
        "p95_ms": times.quantile(0.95),
        "p99_ms": times.quantile(0.99),
    })
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
        "schedules": info.schedules,
        "next_tick_at": info.next_tick_at.map(unix_ms),
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
        "ticks": info.ticks,
        "ticks_missed": info.ticks_missed,
        "ticks_skipped": info.ticks_skipped,
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

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
