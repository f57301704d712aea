//! The server's module API in small safe wrappers. All unsafe code of the module is here.
//!
//! All of it runs on the server's main thread: the types are neither `Send` nor `Sync`. Functions
//! that are missing on older servers are asked for before they are used; those that exist since
//! Redis 6.0 are checked once, when the module is loaded.

pub mod acl;
mod api;
pub mod blocked;
mod by_command;
pub mod command;
pub mod context;
mod describe;
pub mod event;
pub mod info;
pub mod key;
pub mod keys_of_command;
pub mod load;
mod refusal;
pub mod reply;
pub mod scan;
pub mod spec;
pub mod string;
pub mod timer;
