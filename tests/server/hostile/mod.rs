//! Data and keys that the module did not write, and a panic of its own.

mod damaged_records;
mod foreign_commands;
mod out_of_range;
mod panics;
mod wrong_types;
