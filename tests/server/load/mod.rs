//! Many clients, many messages, little memory.

mod io_threads;
mod maxmemory;
mod memory;
mod soak;
