//! Versioned behaviour: the release whose rules apply to an op.

/// The rules of the version in which an op was sent: a replica follows an older master, and an older
/// append-only file loads, exactly as that release would have behaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Version 1 of ops: release 0.1.0.
    V1,
    /// Version 2 of ops: what this module decides.
    V2,
}
