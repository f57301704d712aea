//! Replicas: the replication stream, and changes of roles.

mod apply;
mod failover;
mod promotion;
mod replicas;
mod stream;
mod stream_of_options;
mod writable_replica;
