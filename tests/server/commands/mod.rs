//! Each command by itself: what it does, replies and refuses.

mod ack;
mod check;
mod check_slices;
mod config;
mod consumer;
mod counters;
mod delete;
mod extend;
mod headers;
mod help;
mod info;
mod mpull;
mod mpush;
mod nack;
mod nack_reason;
mod pause;
mod peek;
mod peek_slices;
mod pull;
mod pull_noack;
mod pull_with_ack;
mod purge;
mod push;
mod queues;
mod queues_slices;
