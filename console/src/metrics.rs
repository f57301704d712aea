//! The text format of Prometheus. Labels are the queue and the state of messages, and on servers their address; `source` is
//! added to queues only if there are several, whose queues may have the same names.

use crate::sampling::snapshot::{Queue, Server, Snapshot};
use crate::sampling::unix_ms;
use redis_mq::{Histogram, Info};
use std::fmt::{self, Write};
use std::time::Duration;

/// All metrics of a snapshot.
pub fn render(snapshot: &Snapshot) -> String {
    let mut page = Page(String::new());
    console(&mut page, snapshot);
    servers(&mut page, snapshot);
    queues(&mut page, snapshot);
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let mut text = String::new();
        for (label, content) in labels {
            let comma = if text.is_empty() { "" } else { "," };
            let escaped = content.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            text += &format!("{comma}{label}=\"{escaped}\"");
        }
        match text.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{text}}} {value}")),
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn console(page: &mut Page, snapshot: &Snapshot) {
    page.family("mq_console_build_info", "gauge", "The version of the console.");
    page.value("mq_console_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family(
        "mq_source_up",
        "gauge",
        "Whether a server of the source was found in the last sample.",
    );
    for sample in &snapshot.samples {
        let up = u8::from(sample.error.is_none());
        page.value("mq_source_up", &[("source", &sample.source)], up);
    }
    page.family("mq_sample_duration_seconds", "gauge", "How long the last sample took.");
    for sample in &snapshot.samples {
        let took = sample.took.as_secs_f64();
        page.value("mq_sample_duration_seconds", &[("source", &sample.source)], took);
    }
    page.family("mq_sample_timestamp_seconds", "gauge", "When the last sample ended.");
    for sample in &snapshot.samples {
        let at = unix_ms(sample.at) as f64 / 1000.0;
        page.value("mq_sample_timestamp_seconds", &[("source", &sample.source)], at);
    }
    let help = "Queues without series of their own, because there are too many.";
    page.family("mq_queues_not_sampled", "gauge", help);
    page.value("mq_queues_not_sampled", &[], snapshot.not_sampled());
}

/// Fields of INFO: name, kind, help, field.
const SERVER: [(&str, &str, &str, &str); 22] = [
    ("mq_server_messages_pushed_total", "counter", "Messages pushed.", "mq_pushed"),
    ("mq_server_messages_pulled_total", "counter", "Deliveries.", "mq_pulled"),
    ("mq_server_messages_acked_total", "counter", "Messages acknowledged.", "mq_acked"),
    (
        "mq_server_messages_late_acked_total",
        "counter",
        "Messages acknowledged after their visibility.",
        "mq_late_acks",
    ),
    ("mq_server_messages_nacked_total", "counter", "Messages given back.", "mq_nacked"),
    (
        "mq_server_messages_expired_total",
        "counter",
        "Deliveries that ended with their visibility or connection.",
        "mq_expired",
    ),
    ("mq_server_messages_dead_total", "counter", "Messages that died.", "mq_dead"),
    (
        "mq_server_messages_ttl_expired_total",
        "counter",
        "Messages discarded at the end of their TTL.",
        "mq_ttl_expired",
    ),
    (
        "mq_server_messages_deduplicated_total",
        "counter",
        "Pushes that added nothing because their key was held.",
        "mq_deduplicated",
    ),
    ("mq_server_messages_redriven_total", "counter", "Messages redriven.", "mq_redriven"),
    (
        "mq_server_messages_refused_total",
        "counter",
        "Messages refused because a queue was full.",
        "mq_refused_full",
    ),
    ("mq_server_messages_deleted_total", "counter", "Messages deleted.", "mq_deleted"),
    (
        "mq_server_dead_letters_discarded_total",
        "counter",
        "Dead letters discarded for newer ones.",
        "mq_dead_discarded",
    ),
    (
        "mq_server_dead_letters_refused_total",
        "counter",
        "Messages that a dead-letter queue could not accept.",
        "mq_dead_letters_refused",
    ),
    ("mq_server_bad_receipts_total", "counter", "Receipts refused.", "mq_bad_receipts"),
    (
        "mq_server_apply_errors_total",
        "counter",
        "Ops that could not be applied: data may be missing.",
        "mq_apply_errors",
    ),
    (
        "mq_server_sweep_errors_total",
        "counter",
        "Failures of the timer to process a queue.",
        "mq_sweep_errors",
    ),
    ("mq_server_damaged_records", "gauge", "Records that could not be decoded.", "mq_damaged"),
    ("mq_server_queues", "gauge", "Queues in all databases.", "mq_queues"),
    (
        "mq_server_blocked_consumers",
        "gauge",
        "Clients blocked in MQ.PULL or MQ.MPULL.",
        "mq_blocked_clients",
    ),
    (
        "mq_server_scan_in_progress",
        "gauge",
        "1 while the server looks for its queues after a load.",
        "mq_scan_in_progress",
    ),
    (
        "mq_server_eviction_possible",
        "gauge",
        "1 if the server may evict queues when its memory is full.",
        "mq_eviction_may_delete_messages",
    ),
];

fn servers(page: &mut Page, snapshot: &Snapshot) {
    page.family("mq_up", "gauge", "Whether the server answered in the last sample.");
    for (_, server) in snapshot.servers() {
        page.value(
            "mq_up",
            &[("server", &server.master.address)],
            u8::from(server.error.is_none()),
        );
    }
    let answering: Vec<&Server> = snapshot
        .servers()
        .map(|(_, server)| server)
        .filter(|server| server.error.is_none())
        .collect();
    page.family("mq_server_info", "gauge", "The versions of the module and of its ops.");
    for server in &answering {
        let labels = [
            ("server", server.master.address.as_str()),
            ("version", server.facts.text("mq_version")),
            ("op_version", server.facts.text("mq_op_version")),
        ];
        page.value("mq_server_info", &labels, 1);
    }
    for (name, kind, help, field) in SERVER {
        page.family(name, kind, help);
        for server in &answering {
            page.value(name, &[("server", &server.master.address)], server.facts.number(field));
        }
    }
    let help = "Bytes of replication by which the replica is behind.";
    page.family("mq_server_replica_lag_bytes", "gauge", help);
    for server in &answering {
        for (replica, bytes) in server.facts.replica_lags() {
            let labels = [("server", server.master.address.as_str()), ("replica", &replica)];
            page.value("mq_server_replica_lag_bytes", &labels, bytes);
        }
    }
}

/// A figure of a queue.
type Figure = fn(&Info) -> f64;

const QUEUE: [(&str, &str, &str, Figure); 24] = [
    (
        "mq_queue_backlog",
        "gauge",
        "Messages that consumers have to do: ready or in flight.",
        |info| (info.ready + info.inflight) as f64,
    ),
    (
        "mq_queue_oldest_ready_age_seconds",
        "gauge",
        "For how long the oldest ready message has been ready; 0 without one.",
        |info| seconds(info.oldest_ready_age),
    ),
    (
        "mq_queue_oldest_inflight_age_seconds",
        "gauge",
        "Time since the delivery of the message whose visibility ends first.",
        |info| seconds(info.oldest_inflight_age),
    ),
    (
        "mq_queue_oldest_delayed_age_seconds",
        "gauge",
        "Time since the push of the delayed message that is due first.",
        |info| seconds(info.oldest_delayed_age),
    ),
    (
        "mq_queue_blocked_consumers",
        "gauge",
        "Clients that wait for a message of the queue.",
        |info| info.blocked_clients as f64,
    ),
    ("mq_queue_paused", "gauge", "1 while the queue is paused.", |info| {
        f64::from(u8::from(info.paused))
    }),
    (
        "mq_queue_dead_letters_waiting",
        "gauge",
        "Ready messages of the dead-letter queue.",
        |info| info.deadletter_waiting as f64,
    ),
    ("mq_queue_groups", "gauge", "Groups that have messages.", |info| info.groups as f64),
    ("mq_queue_dedup_keys", "gauge", "Deduplication keys held.", |info| info.dedup_keys as f64),
    ("mq_queue_damaged_records", "gauge", "Records set aside.", |info| info.damaged as f64),
    ("mq_queue_messages_pushed_total", "counter", "Messages pushed.", |info| info.pushed as f64),
    ("mq_queue_messages_pulled_total", "counter", "Deliveries.", |info| info.pulled as f64),
    ("mq_queue_messages_acked_total", "counter", "Messages acknowledged.", |info| {
        info.acked as f64
    }),
    (
        "mq_queue_messages_late_acked_total",
        "counter",
        "Messages acknowledged after their visibility.",
        |info| info.late_acks as f64,
    ),
    ("mq_queue_messages_nacked_total", "counter", "Messages given back.", |info| {
        info.nacked as f64
    }),
    (
        "mq_queue_messages_expired_total",
        "counter",
        "Deliveries that ended with their visibility or connection.",
        |info| info.expired as f64,
    ),
    ("mq_queue_messages_dead_total", "counter", "Messages that died.", |info| info.dead as f64),
    (
        "mq_queue_messages_ttl_expired_total",
        "counter",
        "Messages discarded at the end of their TTL.",
        |info| info.ttl_expired as f64,
    ),
    (
        "mq_queue_messages_deduplicated_total",
        "counter",
        "Pushes that added nothing because their key was held.",
        |info| info.deduplicated as f64,
    ),
    ("mq_queue_messages_redriven_total", "counter", "Messages redriven.", |info| {
        info.redriven as f64
    }),
    (
        "mq_queue_messages_refused_total",
        "counter",
        "Messages refused because the queue was full.",
        |info| info.refused_full as f64,
    ),
    ("mq_queue_messages_deleted_total", "counter", "Messages deleted.", |info| info.deleted as f64),
    (
        "mq_queue_dead_letters_discarded_total",
        "counter",
        "Dead letters discarded for newer ones.",
        |info| info.dead_discarded as f64,
    ),
    ("mq_queue_bad_receipts_total", "counter", "Receipts refused.", |info| {
        info.bad_receipts as f64
    }),
];

fn queues(page: &mut Page, snapshot: &Snapshot) {
    let several = snapshot.samples.len() > 1;
    let known: Vec<(&str, &Queue)> =
        snapshot.queues().map(|(sample, _, queue)| (sample.source.as_str(), &**queue)).collect();
    let labels = |(source, queue): (&'_ str, &'_ Queue)| -> Vec<(&'static str, String)> {
        let own = [("queue", queue.name.clone())];
        let which = several.then(|| ("source", source.to_owned()));
        own.into_iter().chain(which).collect()
    };
    page.family("mq_queue_messages", "gauge", "Messages in a state.");
    each(page, &known, labels, |page, labels, info| {
        for (state, number) in
            [("ready", info.ready), ("inflight", info.inflight), ("delayed", info.delayed)]
        {
            let labels = [labels, &[("state", state)]].concat();
            page.value("mq_queue_messages", &labels, number);
        }
    });
    page.family("mq_queue_unreadable", "gauge", "1 if MQ.INFO fails for the queue.");
    for entry in &known {
        let own = labels(*entry);
        let own: Vec<(&str, &str)> =
            own.iter().map(|(name, text)| (*name, text.as_str())).collect();
        page.value("mq_queue_unreadable", &own, u8::from(entry.1.figures.is_err()));
    }
    for (name, kind, help, figure) in QUEUE {
        page.family(name, kind, help);
        each(page, &known, labels, |page, labels, info| page.value(name, labels, figure(info)));
    }
    for (name, help, times) in TIMES {
        page.family(name, "histogram", help);
        each(page, &known, labels, |page, labels, info| {
            histogram(page, name, labels, times(info));
        });
    }
}

type Times = fn(&Info) -> &Histogram;

const TIMES: [(&str, &str, Times); 2] = [
    (
        "mq_queue_delivery_seconds",
        "Time from the push of a message to its first delivery.",
        |info| &info.delivery_times,
    ),
    (
        "mq_queue_processing_seconds",
        "Time from the delivery of a message to its acknowledgment.",
        |info| &info.processing_times,
    ),
];

/// Every second power of two, to 4.7 hours: each bound is a series of every queue.
const BOUNDS_MS: [u64; 13] =
    [1, 4, 16, 64, 256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24];

/// Nothing before the first time was counted, so that queues which deliver nothing have no series.
fn histogram(page: &mut Page, name: &str, labels: &[(&str, &str)], times: &Histogram) {
    if times.count == 0 {
        return;
    }
    let bucket = format!("{name}_bucket");
    for bound in BOUNDS_MS.map(Duration::from_millis) {
        let below = times.buckets.range(..=bound).next_back();
        let le = seconds(bound).to_string();
        let labels = [labels, &[("le", &le)]].concat();
        page.value(&bucket, &labels, below.map_or(0, |(_, count)| *count));
    }
    page.value(&bucket, &[labels, &[("le", "+Inf")]].concat(), times.count);
    page.value(&format!("{name}_sum"), labels, seconds(times.sum));
    page.value(&format!("{name}_count"), labels, times.count);
}

/// Calls with the labels and figures of each queue that has figures.
fn each(
    page: &mut Page,
    known: &[(&str, &Queue)],
    labels: impl Fn((&str, &Queue)) -> Vec<(&'static str, String)>,
    write: impl Fn(&mut Page, &[(&str, &str)], &Info),
) {
    for entry in known {
        if let Ok(info) = &entry.1.figures {
            let own = labels(*entry);
            let own: Vec<(&str, &str)> =
                own.iter().map(|(name, text)| (*name, text.as_str())).collect();
            write(page, &own, info);
        }
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
