//! How queues are stored: the keys of a queue and the records in them.
//!
//! [`records`] maps queue terms to keys and bytes, over the operations of [`keyspace`], which has two
//! implementations: the server and, for tests, memory. [`check`] reads all keys of a queue and reports
//! what is inconsistent.

pub mod body;
pub mod check;
mod dead_letters;
pub mod deadlines;
pub mod deliveries;
pub mod flight;
pub mod key_names;
pub mod keys;
pub mod keyspace;
mod marks;
pub mod members;
#[cfg(any(test, fuzzing))]
pub mod memory;
pub mod mirror;
pub mod op;
mod ordered;
pub mod record;
pub mod records;
mod retries;
pub mod schedules;
pub mod server_keyspace;
mod walks;
