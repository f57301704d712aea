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
mod consumer;
mod damaged_records;
mod databases;
mod dead_letters;
mod disconnect;
mod exactly_once;
mod expiry;
mod extend;
mod features_kept;
mod features_replicated;
mod give_back;
mod in_transactions;
mod introspection;
mod limits;
mod maxmemory;
mod memory;
mod mpull;
mod mpull_waiting;
mod nack;
mod nack_reason;
mod pause;
mod persistence;
mod promotion;
mod protocol;
mod pull;
mod pull_noack;
mod pull_with_ack;
mod push;
mod redrive;
mod redrive_access;
mod replication;
mod replication_stream;
mod scan;
mod unload;
mod waking;
mod writes_paused;
mod wrong_types;
