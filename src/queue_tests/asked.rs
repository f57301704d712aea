//! The options and the result of a push in tests.

use crate::queue::message::MessageId;

/// Push options. Durations start now; 0 is none.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    pub delay_ms: u64,
    pub ttl_ms: u64,
    /// It dies at the end of its TTL.
    pub dies: bool,
    pub priority: u8,
    pub group: Option<&'a str>,
    pub dedup: Option<&'a str>,
    /// The deduplication window; None: UNTILDONE.
    pub window_ms: Option<u64>,
    pub headers: &'a [(&'a str, &'a str)],
}

impl<'a> Asked<'a> {
    pub fn later(delay_ms: u64) -> Self {
        Self { delay_ms, ..Self::default() }
    }

    pub fn to_live(ttl_ms: u64) -> Self {
        Self { ttl_ms, ..Self::default() }
    }

    pub fn priority(priority: u8) -> Self {
        Self { priority, ..Self::default() }
    }

    pub fn group(name: &'a str) -> Self {
        Self { group: Some(name), ..Self::default() }
    }

    pub fn until_done(key: &'a str) -> Self {
        Self { dedup: Some(key), ..Self::default() }
    }

    pub fn window(key: &'a str, window_ms: u64) -> Self {
        Self { dedup: Some(key), window_ms: Some(window_ms), ..Self::default() }
    }
}

/// The result of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    New(Vec<MessageId>),
    Duplicate(MessageId),
    Full,
    DedupFull,
}

impl Pushed {
    /// The id of the only message that was pushed.
    pub fn id(&self) -> MessageId {
        match self {
            Self::New(ids) => ids[0],
            other => panic!("not pushed: {other:?}"),
        }
    }
}
