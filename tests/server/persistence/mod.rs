//! What is stored: snapshots, append-only files, other databases, the scan for queues.

mod databases;
mod every_feature;
mod fixtures;
mod restarts;
mod scan;
