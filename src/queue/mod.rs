//! The rules of a queue: what each op does to the stored state, and what comes of it.
//!
//! [`apply()`] is the one way in. Nothing here knows Redis, reads a clock, a random source or a
//! setting of the process, or walks anything in hash order: the same state and the same op give
//! the same new state on the master, on its replicas and when the append-only file is loaded.

mod acknowledge;
mod apply;
mod claim;
mod configure;
mod damage;
mod dead_letter;
pub mod deadline;
mod dedup;
pub mod effects;
pub mod error;
mod extend;
pub mod few;
pub mod finding;
mod group;
pub mod limits;
mod line;
pub mod look;
pub mod message;
pub mod name;
pub mod op;
pub mod part;
mod pause;
mod place;
pub mod pull;
pub mod push;
pub mod records;
pub mod redrive;
mod remove;
mod repair;
mod reschedule;
mod retry;
pub mod rules;
mod search;
mod seek;
pub mod settings;
pub mod store;
mod sweep;
pub mod valid;

pub use apply::{Outcome, apply};
pub use claim::Settled;
pub use effects::{Counts, Effects, NextDue};
pub use error::QueueError;
