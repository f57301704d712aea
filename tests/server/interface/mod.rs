//! What all commands have in common: arguments, errors, key positions, descriptions, both protocols.

mod arguments;
mod described;
mod keys;
mod mistakes;
mod option_mistakes;
mod pieces;
mod wire;
