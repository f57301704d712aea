//! What a client, an operator or a replica sees of the module, tested from outside: every test
//! starts a real server of its own with the module loaded (see `harness`). One module per topic.
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

mod acknowledge;
mod acl;
mod acl_roles;
mod apply;
mod arguments;
mod backoff;
mod blocking;
mod blocking_ends;
mod blocking_times;
mod chaos;
mod check;
mod check_slices;
mod clock_steps;
mod cluster;
mod cluster_moves;
mod commands_described;
mod config;
mod consumer;
mod damaged_records;
mod databases;
mod dead_letters;
mod dead_view;
mod dedup;
mod disconnect;
mod every_feature;
mod everything;
mod exactly_once;
mod expiry;
mod extend;
mod failover;
mod features_kept;
mod features_replicated;
mod fixtures;
mod foreign_commands;
mod give_back;
mod groups;
mod harness;
mod headers;
mod help;
mod in_transactions;
mod info_features;
mod introspection;
mod io_threads;
mod keys;
mod limits;
mod list_order;
mod many_waiting;
mod maxmemory;
mod memory;
mod mpull;
mod mpull_waiting;
mod mpush;
mod nack;
mod nack_reason;
mod operations;
mod out_of_range;
mod panics;
mod pause;
mod peek;
mod persistence;
mod priorities;
mod promotion;
mod protocol;
mod pull;
mod pull_noack;
mod pull_with_ack;
mod push;
mod queues_slices;
mod redrive;
mod redrive_access;
mod redrive_choice;
mod redrive_slices;
mod remove;
mod renamed_commands;
mod replicated_features;
mod replication;
mod replication_stream;
mod retention;
mod scan;
mod schedule;
mod several_queues;
mod soak;
mod standstill;
mod ttl;
mod unload;
mod waking;
mod watch;
mod writable_replica;
mod writes_paused;
mod writes_refused;
mod wrong_types;
mod wrong_uses;
