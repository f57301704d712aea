//! What the process does around the rules: it remembers where something is due, executes ops, wakes
//! clients that wait, and does in small turns what takes long.
//!
//! Each file keeps its own state in a thread-local or static, and knows only those that are listed before
//! it. Nothing here is the truth: after a restart all of it is made anew from the keys.

pub mod facts;
pub mod ids;
pub mod receipts;

pub mod alarm;

pub mod histogram;

pub mod entry;
pub mod index;
pub mod unread;

pub mod counters;
pub mod scan;
pub mod waiting;

pub mod execute;

pub mod checking;
pub mod consumers;
pub mod disconnect;
pub mod slices;

pub mod zones;

pub mod due;
pub mod ticks;

pub mod turn;

pub mod events;
pub mod unload;
