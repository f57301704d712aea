//! Ops: each is a request together with everything that the stored state does not determine.
//!
//! An op is what the server that decides hands to [`apply`](super::apply()), and what it sends to
//! its replicas and its append-only file. Same state and same op give the same new state.

use serde::{Deserialize, Serialize};

use super::message::{MAX_PAYLOAD_BYTES, MAX_TIME_MS, MessageId, Receipt};
use super::settings::{MAX_DURATION_MS, Setting, Settings};

/// The most messages that one pull takes.
pub const MAX_BATCH: u32 = 10_000;

/// A change of one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op<'a> {
    /// A new message.
    Push {
        /// Its id.
        id: MessageId,
        /// When it becomes ready, unix ms; None: at once.
        due_at_ms: Option<u64>,
        /// Its payload.
        #[serde(borrow, with = "serde_bytes")]
        payload: &'a [u8],
    },
    /// First what is due, then a delivery of up to `count` messages.
    Pull {
        /// The moment.
        now_ms: u64,
        /// The most messages to deliver.
        count: u32,
        /// How long they stay invisible.
        visibility_ms: u64,
        /// The smallest receipt to give.
        base_receipt: Receipt,
        /// How much of what is due is moved first.
        sweep: Sweep,
    },
    /// What is due becomes ready, or dies.
    Sweep {
        /// The moment.
        now_ms: u64,
        /// How much is moved.
        sweep: Sweep,
    },
    /// The end of deliveries that were worked off.
    Acknowledge {
        /// The moment, if a delivery may be over by then: it is counted as late. None: none is.
        now_ms: Option<u64>,
        /// Whose.
        deliveries: Vec<Claim>,
    },
    /// Deliveries that are given back.
    GiveBack {
        /// The moment.
        now_ms: u64,
        /// Whose.
        deliveries: Vec<Claim>,
        /// How long until the messages are ready again; None: as the queue's backoff says.
        delay_ms: Option<u64>,
        /// See [`Sweep::same_slot`].
        same_slot: bool,
    },
    /// A new end of visibility for running deliveries.
    Extend {
        /// The moment.
        now_ms: u64,
        /// Whose.
        deliveries: Vec<Claim>,
        /// How long they stay invisible from that moment.
        visibility_ms: u64,
    },
    /// Settings: a value as text, or None for the default.
    Configure {
        /// In this order.
        changes: Vec<(Setting, Option<Vec<u8>>)>,
    },
}

/// The bounds of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The most messages to move; 0: no sweep.
    pub limit: u32,
    /// Dead messages may go to a queue of the same slot only: so in cluster mode.
    pub same_slot: bool,
}

/// A message id with the receipt that a client shows for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The message; one that can't exist if the client's text was no UUID.
    pub id: MessageId,
    /// Its receipt; [`Receipt::NONE`] if the client's text was no receipt.
    pub receipt: Receipt,
}

impl Op<'_> {
    /// Lets dead messages go to a queue of the same slot only.
    pub fn keep_to_slot(&mut self) {
        match self {
            Op::Pull { sweep, .. } | Op::Sweep { sweep, .. } => sweep.same_slot = true,
            Op::GiveBack { same_slot, .. } => *same_slot = true,
            Op::Push { .. } | Op::Acknowledge { .. } | Op::Extend { .. } | Op::Configure { .. } => {
            }
        }
    }

    /// Checks what a decoded op from elsewhere claims. A server's own ops always pass.
    pub fn is_valid(&self) -> bool {
        let moment = |ms: u64| ms < MAX_TIME_MS;
        let visibility = |ms: u64| (1..=MAX_DURATION_MS).contains(&ms);
        match self {
            Op::Push { id, due_at_ms, payload } => {
                id.is_valid() && due_at_ms.is_none_or(moment) && payload.len() <= MAX_PAYLOAD_BYTES
            }
            Op::Pull { now_ms, count, visibility_ms, base_receipt, .. } => {
                moment(*now_ms)
                    && (1..=MAX_BATCH).contains(count)
                    && visibility(*visibility_ms)
                    && (Receipt::NONE.next()..Receipt::LIMIT).contains(base_receipt)
            }
            Op::Sweep { now_ms, .. } => moment(*now_ms),
            Op::Acknowledge { now_ms, .. } => now_ms.is_none_or(moment),
            Op::GiveBack { now_ms, delay_ms, .. } => {
                moment(*now_ms) && delay_ms.is_none_or(|ms| ms <= MAX_DURATION_MS)
            }
            Op::Extend { now_ms, visibility_ms, .. } => {
                moment(*now_ms) && visibility(*visibility_ms)
            }
            Op::Configure { changes } => changes.iter().all(|(setting, text)| {
                text.as_ref().is_none_or(|text| Settings::default().set(*setting, text))
            }),
        }
    }
}
