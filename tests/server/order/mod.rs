//! Which message is delivered next, and how many: order, groups, deduplication, limits.

mod dedup;
mod groups;
mod limits;
mod list_order;
mod priorities;
