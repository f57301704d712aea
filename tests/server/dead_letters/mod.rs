//! How messages become dead letters, how long these are kept, and how they go back.

mod redrive;
mod redrive_access;
mod redrive_choice;
mod redrive_slices;
mod retention;
mod transfer;
mod view;
