//! Which release's rules an op is applied by.

/// The rules that an op is applied by: those of the version of ops in which it was sent. A replica
/// follows an older master, and an older append-only file is loaded, as that release would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Ops of version 1: release 0.1.0.
    V1,
    /// Ops of version 2: all that this module decides.
    V2,
}
