//! What the process knows about the server that it runs in: its role, its mode, what it can do.
//!
//! Only the main thread writes facts. They are statics because these are read without a call, unlike
//! thread-locals.

use std::sync::atomic::{AtomicBool, Ordering};

/// True or false, and may change.
pub struct Fact(AtomicBool);

impl Fact {
    /// What is assumed until it is set.
    const fn assumed(value: bool) -> Self {
        Self(AtomicBool::new(value))
    }

    #[inline]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Returns the old value.
    pub fn replace(&self, value: bool) -> bool {
        self.0.swap(value, Ordering::Relaxed)
    }
}

/// A master that is not loading: only then may the timer write.
pub static IS_ACTIVE: Fact = Fact::assumed(false);

/// The server runs in cluster mode.
pub static IS_CLUSTER: Fact = Fact::assumed(false);

/// The server reports keys that appear or vanish other than by an op. Without that, hints may be late
/// and are not used.
pub static HAS_KEYSPACE_EVENTS: Fact = Fact::assumed(true);

/// In cluster mode, keys of a slot that is being imported look like all others.
pub static IMPORTS_VISIBLY: Fact = Fact::assumed(false);

/// The eviction policy may delete queues, as far as was known last.
pub static EVICTS_ANY_KEY: Fact = Fact::assumed(false);

/// No command runs any more. Valkey 9.1 then unloads the module, unless its timer is pending or clients
/// are blocked.
pub static IS_SHUTTING_DOWN: Fact = Fact::assumed(false);
