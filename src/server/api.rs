//! Calls of the server's module API, and the guard around its callbacks. What each function does is none
//! of this file's business.

/// Calls a function of the module API that every supported server has.
macro_rules! api {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: a plain read of a pointer that the server set when the module was loaded.
        match unsafe { redis_module::raw::$function } {
            // SAFETY: the server's own function. The callers pass pointers that they got from the
            // server, or made for it, and that are valid for the call.
            Some(function) => unsafe { function($($argument),*) },
            None => $crate::server::api::missing(stringify!($function)),
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
pub fn missing(function: &str) -> ! {
    eprintln!("{}: the server has no {function}", env!("CARGO_PKG_NAME"));
    std::process::abort()
}

/// Runs a callback of the server. A panic must not cross into C: it becomes `None`.
pub fn guard<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
