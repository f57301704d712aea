//! What a client, an operator or a replica sees of the module, tested from outside: every test
//! starts a real server of its own with the module loaded (see `harness`). One folder per subject.
//!
//! `MQ_SERVER` names the server binary (default: `redis-server` from the path), `MQ_MODULE` the
//! module (default: `target/release/libmq.so`). A missing one is a failure. `MQ_IO_THREADS` lets every
//! server have so many I/O threads.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics is a test that fails"
)]

mod chaos;
mod cluster;
mod commands;
mod dead_letters;
mod harness;
mod hostile;
mod interface;
mod load;
mod operations;
mod order;
mod persistence;
mod replication;
mod schedules;
mod security;
mod time;
mod transactions;
mod waiting;
