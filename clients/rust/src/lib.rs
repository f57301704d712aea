//! Client and worker for redis-mq, a message queue inside Redis and Valkey.
//!
//! - [`Queue`] is a queue in four methods, the interface of the Go library that redis-mq descends from, for programs that need no more.
//! - [`Client`] has one method per command: no tasks, no policy.
//! - [`Worker`] runs a handler for each message, with heartbeats, retries, reconnects and a clean shutdown.
//!
//! | feature | has |
//! |---|---|
//! | `testing` | a server in memory, for tests |
//! | `json` | [`Message::json`] |
//! | `cluster`, `sentinel` | workers on a cluster, and behind Sentinel |
//! | `opentelemetry` | spans for pushes and handlers, trace context in headers |

#![warn(missing_docs, missing_debug_implementations)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod backoff;
mod call;
mod client;
mod error;
mod inspect;
mod message;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
mod pull;
mod push;
mod queue;
mod queues;
mod reply;
mod schedules;
mod settings;
mod settle;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

pub use admin::{Configure, Due, Purge, Redrive};
pub use client::{Client, Connection};
pub use error::{Error, Result};
pub use inspect::Peek;
pub use message::{Acked, Death, Delivery, Extended, Headers, Held, Message, Outcome, State};
pub use pull::Pull;
pub use push::Push;
pub use queue::{Config, Queue, RedisQueue};
pub use queues::Queues;
pub use schedules::{Catchup, NextTicks, Overlap, Rhythm, Schedule, Schedules, SetSchedule};
pub use settings::{Histogram, Info, Settings, Stats};
pub use settle::{Ack, Extend, Nack};
#[cfg(feature = "cluster")]
pub use worker::SlotConnection;
pub use worker::{
    CancellationToken, DirectConnection, HandlerError, Handling, Next, Source, Worker,
};
