//! Where queues are kept: the keys of a queue and the records in them.
//!
//! [`records`] turns queue words into keys and bytes, over the few verbs of [`keyspace`]; those
//! have two forms, the server's and, for tests, one in memory. [`check`] reads all keys of a queue and
//! says what does not fit together.

pub mod body;
pub mod check;
pub mod keys;
pub mod keyspace;
pub mod members;
#[cfg(any(test, fuzzing))]
pub mod memory;
pub mod mirror;
pub mod op;
pub mod record;
pub mod records;
pub mod server_keyspace;
