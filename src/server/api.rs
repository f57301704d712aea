//! The functions of the server's module API, and the guard around callbacks. What a function does, and what
//! makes a call of it sound, is said where it is called: a group of functions that is called often has a
//! macro with its contract.
//!
//! All of it is for the server's main thread: the types here are neither `Send` nor `Sync`.

/// A function of the module API that every supported server has. To call it is unsafe.
macro_rules! function {
    ($function:ident) => {{
        #[allow(unused_unsafe, reason = "where it is called there is an unsafe block already")]
        // SAFETY: a plain read of a pointer that the server set when the module was loaded.
        let function = unsafe { redis_module::raw::$function };
        match function {
            Some(function) => function,
            None => $crate::server::api::missing(stringify!($function)),
        }
    }};
}
pub(super) use function;

/// True if this server has a function of the module API.
macro_rules! has {
    ($function:ident) => {
        // SAFETY: a plain read of a pointer that the server set when the module was loaded.
        unsafe { redis_module::raw::$function }.is_some()
    };
}
pub(super) use has;

/// Ends a server that lacks a function which was there when the module was loaded.
#[cold]
pub fn missing(function: &str) -> ! {
    eprintln!("{}: the server has no {function}", env!("CARGO_PKG_NAME"));
    std::process::abort()
}

/// Runs the body of a callback. A panic must not unwind into C: it becomes `None`.
pub fn guard<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
