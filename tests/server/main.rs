//! What a client, an operator or a replica sees of the module, tested from outside: every test
//! starts a real server of its own with the module loaded (see `harness`). One module per topic.
//!
//! `MQ_SERVER` names the server binary (default: `redis-server` from the path), `MQ_MODULE` the
//! module (default: `target/release/libmq.so`). A missing one is a failure.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics is a test that fails"
)]

mod everything;
mod harness;

mod acknowledge;
mod acl;
mod apply;
mod arguments;
mod backoff;
mod blocking;
mod blocking_ends;
mod check;
mod cluster;
mod cluster_moves;
mod commands_described;
mod config;
mod damaged_records;
mod databases;
mod dead_letters;
mod disconnect;
mod expiry;
mod extend;
mod give_back;
mod introspection;
mod maxmemory;
mod memory;
mod persistence;
mod promotion;
mod protocol;
mod pull;
mod push;
mod replication;
mod replication_stream;
mod scan;
mod several_queues;
mod unload;
mod wrong_types;
