//! Cluster mode: slots, and their moves between nodes.

mod moves;
mod slots;
