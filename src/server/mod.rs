//! The server's module API in small safe wrappers, and all unsafe code of this module. What is stored, and what
//! for, is unknown here.

pub mod acl;
mod api;
pub mod blocked;
mod by_command;
mod call;
pub mod command;
mod compact;
pub mod context;
mod describe;
pub mod event;
mod hash;
pub mod info;
pub mod key;
pub mod keys_of_command;
mod list;
pub mod load;
mod pieces;
mod refusal;
pub mod reply;
pub mod scan;
mod sorted_set;
pub mod spec;
pub mod string;
pub mod timer;
mod wire;
