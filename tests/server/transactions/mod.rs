//! MULTI, scripts, functions and WATCH.

mod exactly_once;
mod in_transactions;
mod watch;
