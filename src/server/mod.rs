//! The server's module API in small safe wrappers. All unsafe code of the module is here.
//!
//! All of it runs on the server's main thread: the types are neither `Send` nor `Sync`. Functions
//! that are missing on older servers are asked for before they are used; those that exist since
//! Redis 6.0 are checked once, when the module is loaded.

pub mod acl;
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
pub mod string;
pub mod timer;

/// Calls a function of the module API that every supported server has.
macro_rules! api {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: a plain read of a pointer that the server set when the module was loaded.
        match unsafe { redis_module::raw::$function } {
            // SAFETY: the server's own function. The callers pass pointers that they got from the
            // server, or made for it, and that are valid for the call.
            Some(function) => unsafe { function($($argument),*) },
            None => $crate::server::missing(stringify!($function)),
        }
    };
}
pub(crate) use api;

/// True if this server has a function of the module API.
macro_rules! has {
    ($function:ident) => {
        // SAFETY: a plain read of a pointer that the server set when the module was loaded.
        unsafe { redis_module::raw::$function }.is_some()
    };
}
pub(crate) use has;

/// The end of a server that lacks a function which was there when the module was loaded.
#[cold]
fn missing(function: &str) -> ! {
    eprintln!("mq: the server has no {function}");
    std::process::abort()
}

/// Runs a callback of the server. A panic must not cross into C: it becomes `None`.
fn guard<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
