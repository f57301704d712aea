//! Starts servers, talks to them and waits for them. Knows the servers' differences (`facts`), but
//! no rule of the queue.

mod client;
mod clock;
mod cluster;
mod continuation;
mod every_command;
pub mod every_feature;
pub mod everything;
mod facts;
mod message;
mod raw;
mod runs;
mod server;
mod shown;
mod soundness;
mod stream;
mod wait;

pub use client::{Client, Waiting, same_data};
pub use clock::Clock;
pub use cluster::{Cluster, node_id, two_nodes};
pub use continuation::Continuation;
pub use every_command::EveryCommand;
pub use facts::{Brand, facts, module_path, server_binary};
pub use message::{Message, bulk, bytes_of, entries, integer, items, strings, text_of};
pub use raw::replies_of;
pub use redis::Value;
pub use runs::Run;
pub use server::{Server, free_port};
pub use shown::{Shown, headers_of};
pub use stream::{Command, short};
pub use wait::{DEADLINE, eventually, now_ms, sleep_until_ms};
