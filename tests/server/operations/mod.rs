//! What those who run servers do: load, unload, upgrade.

mod guide;
mod renamed_commands;
mod unload;
