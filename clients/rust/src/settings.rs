//! The settings of a queue, and all that MQ.INFO and MQ.STATS tell.

use crate::error::Result;
use crate::reply::FromReply;
use redis::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// A struct whose fields have names in replies.
macro_rules! named {
    (
        $(#[$about:meta])* $structure:ident { $($plain:ident: $type:ty,)* }
        $($(#[$doc:meta])* $field:ident: $kind:ty = $name:literal,)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $structure {
            $(#[allow(missing_docs)] pub $plain: $type,)*
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl $structure {
            /// Sets the field of this name, or gives the value back.
            pub(crate) fn set(&mut self, name: &str, value: Value) -> Result<Option<Value>> {
                match name {
                    $($name => self.$field = FromReply::from_reply(value)?,)*
                    _ => return Ok(Some(value)),
                }
                Ok(None)
            }
        }
    };
}

named! {
    /// The settings of a queue, with their defaults where none is set. Limits that are 0 are none.
    Settings {}
    /// Of pulls that don't say.
    visibility: Duration = "visibility",
    /// A message that came back more often is dead. -1: no limit.
    max_retries: i64 = "maxretries",
    /// The queue that dead messages move to.
    dead_letter: String = "deadletter",
    /// The delay of the first retry; it doubles with each.
    backoff: Duration = "backoff",
    /// The longest delay of a retry.
    backoff_max: Duration = "backoffmax",
    /// Of pushes that don't say.
    delay: Duration = "delay",
    /// Of pushes that don't say. 0: none.
    ttl: Duration = "ttl",
    /// How many messages the queue may have.
    max_len: u64 = "maxlen",
    /// How many messages may be in flight.
    max_inflight: u64 = "maxinflight",
    /// How many deliveries there may be in a `rate_period`.
    rate: u64 = "rate",
    /// How long the window of `rate` is.
    rate_period: Duration = "rateperiod",
    /// A message that has waited for longer no longer waits for higher priorities. 0: it does.
    aging: Duration = "aging",
    /// How many messages of a group may be in flight.
    group_inflight: u64 = "groupinflight",
    /// How long deduplication keys are held, of pushes that don't say.
    dedup_window: Duration = "dedupwindow",
    /// How many deduplication keys may be held.
    max_dedup: u64 = "maxdedup",
    /// After how long without a use the queue is dropped, with its settings. 0: never.
    expires: Duration = "expires",
}

named! {
    /// The settings, the state and the counters of a queue. The counters start with the server.
    Info { settings: Settings, }
    /// Whether anything is stored of it.
    exists: bool = "exists",
    /// Ready messages of the dead-letter queue.
    deadletter_waiting: u64 = "deadletter_waiting",
    /// Messages that wait to be delivered.
    ready: u64 = "ready",
    /// Messages that consumers have.
    inflight: u64 = "inflight",
    /// Messages that become ready later.
    delayed: u64 = "delayed",
    /// Ready messages by priority.
    priorities: BTreeMap<u8, u64> = "priorities",
    /// Groups with messages.
    groups: u64 = "groups",
    /// Deduplication keys that are held.
    dedup_keys: u64 = "dedup_keys",
    /// Whether it delivers nothing.
    paused: bool = "paused",
    /// When the pause ends; `None` also if only `resume` ends it.
    paused_until: Option<SystemTime> = "paused_until",
    /// When the last window of `rate` began.
    rate_window_start: Option<SystemTime> = "rate_window_start",
    /// Deliveries in that window.
    rate_window_count: u64 = "rate_window_count",
    /// For how long the oldest ready message has waited.
    oldest_ready_age: Duration = "oldest_ready_age_ms",
    /// The time since the delivery of the message whose visibility ends first.
    oldest_inflight_age: Duration = "oldest_inflight_age_ms",
    /// The time since the push of the delayed message that is due first.
    oldest_delayed_age: Duration = "oldest_delayed_age_ms",
    /// The next end of a visibility, a delay or a time to live.
    next_due_at: Option<SystemTime> = "next_due_at",
    /// The highest retry count of its messages.
    highest_retry_count: u64 = "highest_retry_count",
    /// Clients that wait for it.
    blocked_clients: u64 = "blocked_clients",
    /// Records that can't be decoded.
    damaged: u64 = "damaged",
    /// Schedules of the queue.
    schedules: u64 = "schedules",
    /// When the next of them pushes a message.
    next_tick_at: Option<SystemTime> = "next_tick_at",
    /// Messages that were pushed.
    pushed: u64 = "pushed",
    /// Deliveries.
    pulled: u64 = "pulled",
    /// Messages that were acknowledged.
    acked: u64 = "acked",
    /// Those of them whose visibility had ended.
    late_acks: u64 = "late_acks",
    /// Messages that were given back.
    nacked: u64 = "nacked",
    /// Deliveries that ended by themselves.
    expired: u64 = "expired",
    /// Messages that died here.
    dead: u64 = "dead",
    /// Dead letters that made room for newer ones.
    dead_discarded: u64 = "dead_discarded",
    /// Receipts that were refused.
    bad_receipts: u64 = "bad_receipts",
    /// Messages whose time to live ended.
    ttl_expired: u64 = "ttl_expired",
    /// Pushes that added nothing.
    deduplicated: u64 = "deduplicated",
    /// Messages that were moved out of it by `redrive`.
    redriven: u64 = "redriven",
    /// Pushes that were refused because it was full.
    refused_full: u64 = "refused_full",
    /// Messages that were deleted.
    deleted: u64 = "deleted",
    /// Ticks of schedules with a message.
    ticks: u64 = "ticks",
    /// Ticks that were too late for a message of their own.
    ticks_missed: u64 = "ticks_missed",
    /// Ticks without a message, because of an earlier one or a full queue.
    ticks_skipped: u64 = "ticks_skipped",
    /// From the push of a message to its first delivery; a delay is part of it.
    delivery_times: Histogram = "delivery_times",
    /// From a delivery to its acknowledgment.
    processing_times: Histogram = "processing_times",
}

named! {
    /// How long something took, each time since the server started.
    Histogram {}
    /// How often it was done.
    count: u64 = "count",
    /// All times together.
    sum: Duration = "sum_ms",
    /// How many times were at most as long as each bound. Bounds without a time of their own are left out, as times
    /// beyond the last bound, twelve days.
    buckets: BTreeMap<Duration, u64> = "buckets",
}

/// What [`stats`](crate::Client::stats) tells of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Its name.
    pub queue: String,
    /// As [`info`](crate::Client::info) returns it; or, if the queue can't be read, the text of the server.
    pub info: std::result::Result<Info, String>,
}
