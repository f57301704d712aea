//! What the API shows of servers: INFO in words. Each check is a sentence, and whether all is well.

use crate::sampling::snapshot::{Sample, Server, Snapshot};
use crate::sampling::unix_ms;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A replica that is behind by more than what a busy link has on its way.
const LAG_SHOWN: u64 = 10 * 1024 * 1024;

/// One thing that could be wrong with a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub ok: bool,
    pub text: String,
}

/// All sources with their servers and what is wrong with them.
pub fn sources(snapshot: &Snapshot) -> Value {
    let versions = versions(snapshot);
    let server = |server: &Server| {
        let checks = checks(server, &versions).into_iter();
        let mut told = summary(server);
        told["warnings"] = checks.filter(|check| !check.ok).map(|check| check.text).collect();
        told
    };
    snapshot.samples.iter().map(|sample| source(sample, server)).collect()
}

/// All sources with everything about their servers.
pub fn details(snapshot: &Snapshot) -> Value {
    let versions = versions(snapshot);
    let server = |server: &Server| {
        let mut told = summary(server);
        if server.error.is_none() {
            told["checks"] = json!(checks(server, &versions));
            told["figures"] = figures(server);
            told["totals"] = totals(server);
        }
        told
    };
    snapshot.samples.iter().map(|sample| source(sample, server)).collect()
}

fn source(sample: &Sample, server: impl Fn(&Server) -> Value) -> Value {
    json!({
        "name": sample.source,
        "error": sample.error,
        "at": unix_ms(sample.at),
        "took_ms": u64::try_from(sample.took.as_millis()).unwrap_or(u64::MAX),
        "servers": sample.servers.iter().map(server).collect::<Vec<_>>(),
    })
}

fn summary(server: &Server) -> Value {
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
        "op_version": facts.number("mq_op_version"),
        "role": facts.text("role"),
        "queues": server.queues.len() + server.not_sampled.len(),
        "not_sampled": server.not_sampled.len(),
    })
}

/// The versions of the module on the servers that answer.
fn versions(snapshot: &Snapshot) -> BTreeSet<String> {
    let answering = snapshot.servers().filter(|(_, server)| server.error.is_none());
    answering.map(|(_, server)| server.facts.text("mq_version").to_owned()).collect()
}

/// What could be wrong with a server, in words.
fn checks(server: &Server, versions: &BTreeSet<String>) -> Vec<Check> {
    if server.error.is_some() {
        return Vec::new();
    }
    let facts = &server.facts;
    let mut checks = Vec::new();
    let mut check = |ok: bool, fine: &str, wrong: String| {
        let text = if ok { fine.to_owned() } else { wrong };
        checks.push(Check { ok, text });
    };
    let policy = facts.text("maxmemory_policy");
    check(
        facts.number("mq_eviction_may_delete_messages") == 0,
        "The server does not evict queues.",
        format!(
            "The policy {policy} lets the server delete queues when maxmemory is reached: set noeviction."
        ),
    );
    let mut none = |name: &str, fine: &str, wrong: &dyn Fn(u64) -> String| {
        let number = facts.number(name);
        check(number == 0, fine, wrong(number));
    };
    none("mq_apply_errors", "All ops were applied.", &|n| {
        format!("{n} ops could not be applied: data may be missing here.")
    });
    none("mq_damaged", "All records can be decoded.", &|n| {
        format!("{n} records could not be decoded.")
    });
    none("mq_dead_letters_refused", "Dead-letter queues took all messages that died.", &|n| {
        format!("{n} messages could not go to their dead-letter queue.")
    });
    none("mq_sweep_errors", "The timer processes all queues.", &|n| {
        format!("The timer failed {n} times to process a queue.")
    });
    none("mq_scan_in_progress", "All queues are known.", &|_| {
        "The server still looks for its queues after a load.".to_owned()
    });
    for (name, what) in
        [("rdb_last_bgsave_status", "snapshot"), ("aof_last_write_status", "append-only file")]
    {
        if facts.has(name) {
            let fine = format!("The last write of the {what} succeeded.");
            let wrong = format!("The server could not write its {what}.");
            check(facts.text(name) == "ok", &fine, wrong);
        }
    }
    for (replica, bytes) in facts.replica_lags() {
        let text = format!("Replica {replica} is {bytes} bytes behind.");
        check(bytes <= LAG_SHOWN, &text, text.clone());
    }
    let own = facts.text("mq_version");
    let others: Vec<&str> =
        versions.iter().map(String::as_str).filter(|version| *version != own).collect();
    check(
        others.is_empty(),
        "No server has another version of the module.",
        format!("The module is {own} here, and {} on other servers.", others.join(", ")),
    );
    checks
}

/// Of the server itself.
fn figures(server: &Server) -> Value {
    let facts = &server.facts;
    json!({
        "uptime_seconds": facts.number("uptime_in_seconds"),
        "clients": facts.number("connected_clients"),
        "blocked_consumers": facts.number("mq_blocked_clients"),
        "used_memory": facts.number("used_memory"),
        "maxmemory": facts.number("maxmemory"),
        "maxmemory_policy": facts.text("maxmemory_policy"),
        "commands_per_second": facts.number("instantaneous_ops_per_sec"),
    })
}

/// The counters over all queues, by the names of MQ.INFO.
fn totals(server: &Server) -> Value {
    const NAMES: [&str; 17] = [
        "pushed",
        "pulled",
        "acked",
        "late_acks",
        "nacked",
        "expired",
        "dead",
        "dead_discarded",
        "bad_receipts",
        "ttl_expired",
        "deduplicated",
        "redriven",
        "refused_full",
        "deleted",
        "ticks",
        "ticks_missed",
        "ticks_skipped",
    ];
    let total = |name: &str| (name.to_owned(), server.facts.number(&format!("mq_{name}")).into());
    Value::Object(NAMES.into_iter().map(total).collect::<Map<_, _>>())
}
