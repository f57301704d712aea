//! Replicas: the replication stream, and changes of roles.

mod apply;
mod failover;
mod features_replicated;
mod promotion;
mod replicas;
mod replicated_features;
mod stream;
mod writable_replica;
