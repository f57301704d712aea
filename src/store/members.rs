//! The members of a queue's sorted sets: how they and their scores are encoded.

use crate::queue::message::{Delivery, Kept, MessageId, Rank, Receipt, Running};
use crate::queue::store::Unreadable;
use crate::queue::valid::{MAX_PRIORITY, MAX_TIME_MS, TICKETS, is_sequence};

/// Decodes members and scores; invalid members are left out.
pub fn readable<B: AsRef<[u8]>, M, S>(
    members: Vec<(B, f64)>,
    member: impl Fn(&[u8]) -> Option<M>,
    score: impl Fn(f64) -> S,
) -> Vec<(M, S)> {
    let pairs = members.into_iter();
    pairs.filter_map(|(bytes, number)| Some((member(bytes.as_ref())?, score(number)))).collect()
}

/// The prefix of the members of a group in `Grouped`: the length of its name less one, so that 256 bytes
/// fit, then the name.
pub fn group_prefix(group: &[u8]) -> Vec<u8> {
    let len = u8::try_from(group.len().saturating_sub(1)).unwrap_or(u8::MAX);
    let mut prefix = Vec::with_capacity(group.len().saturating_add(25));
    prefix.push(len);
    prefix.extend_from_slice(group);
    prefix
}

pub fn grouped_member(group: &[u8], sequence: u64, id: MessageId) -> Vec<u8> {
    let mut member = group_prefix(group);
    member.extend_from_slice(&sequence.to_be_bytes());
    member.extend_from_slice(&id.0);
    member
}

/// Group, number and id of a member of `Grouped`; None if it is invalid. A number out of range sorts
/// behind all others of the group.
pub fn grouped(member: &[u8]) -> Option<(&[u8], u64, MessageId)> {
    let (len, rest) = member.split_first()?;
    let (group, rest) = rest.split_at_checked(usize::from(*len).saturating_add(1))?;
    let (sequence, id) = rest.split_first_chunk::<8>()?;
    let sequence = u64::from_be_bytes(*sequence);
    is_sequence(sequence).then_some((group, sequence, MessageId(id.try_into().ok()?)))
}

/// The member of `Inflight`: the receipt with all bits inverted, big endian, then the id; so among equal
/// scores the newest delivery is the first.
pub fn inflight_member(delivery: Delivery) -> [u8; 24] {
    let mut member = [0; 24];
    let (receipt, id) = member.split_at_mut(8);
    receipt.copy_from_slice(&(!delivery.receipt.0).to_be_bytes());
    id.copy_from_slice(&delivery.id.0);
    member
}

/// The score of a running delivery: its negated end, unix ms, less 0.5 if an acknowledgment must also
/// release a group slot or a deduplication key.
pub fn inflight_score(running: Running) -> f64 {
    let mark = if running.has_cleanup { 0.5 } else { 0.0 };
    -(running.until_ms as f64 + mark)
}

/// The inverse of [`inflight_score`].
pub fn running(score: f64) -> Running {
    let until_ms = timestamp(-score);
    Running { until_ms, has_cleanup: score.fract() != 0.0, kept: Kept::Old }
}

pub fn delivery(member: &[u8]) -> Result<Delivery, Unreadable> {
    let parts = member.split_first_chunk::<8>().and_then(|(receipt, id)| {
        let id = MessageId(id.try_into().ok()?);
        let receipt = Receipt(!u64::from_be_bytes(*receipt));
        receipt.is_valid().then_some(Delivery { id, receipt })
    });
    parts.ok_or_else(|| Unreadable(member.to_vec()))
}

pub fn message_id(member: &[u8]) -> Result<MessageId, Unreadable> {
    member.try_into().map(MessageId).map_err(|_| Unreadable(member.to_vec()))
}

/// A timestamp from a score, unix ms; an impossible one counts as long ago or far ahead.
pub fn timestamp(score: f64) -> u64 {
    (score as u64).min(MAX_TIME_MS)
}

/// A member of `Lanes`, one byte: a priority from 1 on, or one of the markers below.
#[derive(Debug, Clone, Copy)]
pub struct Mark(pub u8);

impl Mark {
    pub const RANKED: Self = Self(0);
    pub const TURNS: Self = Self(0xff);

    /// The score of a priority is the priority, so that the highest one is the last member.
    pub fn score(self) -> f64 {
        if (1..=MAX_PRIORITY).contains(&self.0) { self.0.into() } else { 0.0 }
    }
}

/// The score of a blocked group in `Turns`: behind all tickets.
pub const BLOCKED: f64 = TICKETS as f64;

/// The scores of scheduled groups.
pub const TICKET_SCORES: [f64; 2] = [f64::NEG_INFINITY, BLOCKED - 1.0];

pub const ALL_SCORES: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// The scores of a priority in `Ranked`.
pub fn rank_scores(priority: u8) -> [f64; 2] {
    [Rank::new(priority, 0).score(), Rank::last(priority).score()]
}
