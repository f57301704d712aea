//! What happens at a time or after one, and servers that stall or whose clock is set.

mod backoff;
mod clock_steps;
mod expiry;
mod far_deadlines;
mod schedule;
mod stalls;
mod ttl;
mod ttl_dead;
mod unused;
mod writes_paused;
mod writes_refused;
