//! Blocked clients: who is served, when, and how a wait ends.

mod blocking;
mod blocking_ends;
mod blocking_timeouts;
mod disconnect;
mod many_waiting;
mod several_queues;
mod wakeups;
