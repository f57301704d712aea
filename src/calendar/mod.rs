//! The calendar: when a schedule ticks. Expressions of cron, time zones, intervals and jitter.
//!
//! Everything here is a function of its arguments. Nothing knows queues or the server, reads a clock or a file,
//! or remembers anything: the time zones are part of the module.

mod bits;
mod cron;
#[cfg(test)]
mod croner_tests;
mod error;
mod field;
mod jitter;
mod list;
#[cfg(any(test, fuzzing))]
pub mod model;
mod rhythm;
#[cfg(test)]
mod tests;
mod ticks;
mod zone;

pub use cron::Cron;
pub use error::CronError;
pub use jitter::jitter;
pub use rhythm::{Passed, Rhythm};
pub use zone::{Zone, zones_version};
