//! The rules of a queue: how each op changes the stored state, and what it answers.
//!
//! [`Request::apply`] is the only entry point. Nothing here knows Redis, reads a clock, a random source
//! or a setting of the process, or depends on hash order: the same state and the same op give the same
//! new state on the master, on its replicas and when the append-only file is loaded.

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
pub mod finding;
mod group;
pub mod inspect;
pub mod limits;
pub mod message;
pub mod name;
mod next;
pub mod op;
mod op_check;
pub mod part;
mod pause;
mod place;
pub mod pull;
pub mod purge;
pub mod push;
pub mod records;
pub mod redrive;
mod remove;
mod repair;
mod reschedule;
mod retry;
pub mod rules;
pub mod schedule;
mod search;
mod seek;
pub mod settings;
pub mod small_vec;
pub mod store;
mod sweep;
mod ticks;
pub mod times;
pub mod unused;
pub mod valid;

pub use apply::{Request, apply};
pub use claim::Settled;
pub use effects::{Counts, Effects, NextDue};
pub use error::QueueError;
