//! Reads messages without delivering them. Changes nothing.

use std::collections::BTreeSet;

use super::error::QueueError;
use super::message::{Body, Delivery, MessageId, Rank, StateRecord};
use super::part::Part;
use super::search::{find_deliveries, find_ready};
use super::seek::{self, Sequence, Source};
use super::settings::Setting;
use super::store::Store;
use super::valid::MAX_PRIORITY;
use super::{group, limits, place, pull};

/// A message and its state.
#[derive(Debug)]
pub struct Seen<B> {
    pub body: B,
    /// None if nothing is known beyond headers and payload.
    pub record: Option<StateRecord>,
    pub state: State,
}

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Ready,
    /// Until then, unix ms.
    Inflight(u64),
    /// Due then, unix ms.
    Delayed(u64),
}

/// The messages of a peek.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Ready ones in the order of delivery at this time, unix ms; those of groups last, group by group
    /// in the order of the schedule.
    Ready(u64),
    /// By end of visibility.
    Inflight,
    /// By due time.
    Delayed,
}

/// Finds a message by id.
pub fn find<S: Store>(store: &mut S, id: MessageId) -> Result<Option<Seen<S::Body>>, QueueError> {
    store.require(&Part::ALL)?;
    let wanted = BTreeSet::from([id]);
    if !store.has_message(id) {
        let found = find_ready(store, &wanted).pop();
        return Ok(found.map(|listed| seen_ready(listed.body)));
    }
    let record = store.record(id)?;
    let state = match store.time_of(Part::Delayed, id) {
        Some(due_at_ms) => State::Delayed(due_at_ms),
        None if place::is_waiting(store, id, record.as_ref()) => State::Ready,
        None => match find_deliveries(store, &wanted).pop() {
            Some((_, running)) => State::Inflight(running.until_ms),
            None => return Ok(None),
        },
    };
    let body = store.message(id)?;
    Ok(body.map(|body| Seen { body, record, state }))
}

/// The message that holds a deduplication key at this time, unix ms.
pub fn holder<S: Store>(
    store: &mut S,
    key: &[u8],
    now_ms: u64,
) -> Result<Option<MessageId>, QueueError> {
    store.require(&[Part::Dedup])?;
    let known = store.duplicate(key);
    let known = known.filter(|known| known.until_ms.is_none_or(|until_ms| until_ms > now_ms));
    Ok(known.map(|known| known.id))
}

/// The deliveries of these messages, of those that are in flight.
pub fn deliveries<S: Store>(store: &mut S, ids: &BTreeSet<MessageId>) -> Vec<Delivery> {
    find_deliveries(store, ids).into_iter().map(|(delivery, _)| delivery).collect()
}

/// Up to `count` messages without the first `skip` and without unreadable ones. Ends after the message
/// that brings the batch over [`pull::BATCH_BYTES`]. Error: [`QueueError::TooManyGroups`] when it would
/// skip more than [`MAX_GROUPS`] groups.
pub fn peek<S: Store>(
    store: &mut S,
    which: Which,
    skip: u64,
    count: u64,
) -> Result<Vec<Seen<S::Body>>, QueueError> {
    store.require(&Part::ALL)?;
    let mut reply = Reply { seen: Vec::new(), bytes: 0 };
    let places = match which {
        Which::Ready(now_ms) => {
            peek_ready(store, now_ms, [skip, count], &mut reply)?;
            return Ok(reply.seen);
        }
        Which::Inflight => {
            let deliveries = store.inflight(skip, count).into_iter();
            deliveries.map(|(delivery, until)| (delivery.id, State::Inflight(until))).collect()
        }
        Which::Delayed => {
            let delayed = store.timed(Part::Delayed, skip, count).into_iter();
            delayed.map(|(id, due_at_ms)| (id, State::Delayed(due_at_ms))).collect::<Vec<_>>()
        }
    };
    for (id, state) in places {
        if !reply.has_room(count) {
            break;
        }
        reply.show(read(store, id, state));
    }
    Ok(reply.seen)
}

/// The most groups whose messages a peek skips.
pub const MAX_GROUPS: u64 = 5_000;

struct Reply<B> {
    seen: Vec<Seen<B>>,
    bytes: usize,
}

impl<B: Body> Reply<B> {
    fn has_room(&self, count: u64) -> bool {
        (self.seen.len() as u64) < count && self.bytes <= pull::BATCH_BYTES
    }

    fn show(&mut self, seen: Option<Seen<B>>) {
        self.bytes = self.bytes.saturating_add(seen.as_ref().map_or(0, |seen| seen.body.size()));
        self.seen.extend(seen);
    }
}

/// The number of ready messages by priority, highest first; empty if there are no priorities.
pub fn priorities<S: Store>(store: &mut S) -> Vec<(u8, u64)> {
    if store.len(Part::Lanes) == 0 {
        return Vec::new();
    }
    let mut counts: Vec<(u8, u64)> = Vec::new();
    for priority in (0..=MAX_PRIORITY).rev() {
        let listed = store.len(Part::ready(priority));
        let count = store.count_ranked(priority).saturating_add(listed);
        counts.extend((count > 0).then_some((priority, count)));
    }
    if counts.iter().all(|(priority, _)| *priority == 0) {
        counts.clear();
    }
    counts
}

/// The oldest message of each state, unix ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oldest {
    /// Ready since; without such messages outside of groups, the push of the next group's next message.
    pub ready_ms: Option<u64>,
    /// When the delivery began whose visibility ends first.
    pub inflight_ms: Option<u64>,
    /// When the message was pushed that is due first.
    pub delayed_ms: Option<u64>,
}

/// The oldest message of each state.
pub fn oldest<S: Store>(store: &mut S) -> Oldest {
    let mut ungrouped_ms: Vec<u64> = Vec::new();
    for priority in 0..=MAX_PRIORITY {
        let ranked = store.first_of_priority(priority);
        ungrouped_ms.extend(ranked.map(|(_, rank)| rank.ready_since_ms()));
        let listed = store.first_ready(priority).ok().flatten();
        ungrouped_ms.extend(listed.map(MessageId::timestamp_ms));
    }
    let grouped_ms = store.first_group().and_then(|name| {
        let group = store.group(&name);
        group::waiting(store, &name, &group, 0, 1).pop().map(MessageId::timestamp_ms)
    });
    let delivery = store.first_to_end();
    let delayed = store.first_timed(Part::Delayed).and_then(|(id, _)| id.ok());
    Oldest {
        ready_ms: ungrouped_ms.into_iter().min().or(grouped_ms),
        inflight_ms: delivery.map(|delivery| delivery.receipt.timestamp_ms()),
        delayed_ms: delayed.map(MessageId::timestamp_ms),
    }
}

fn read<S: Store>(store: &mut S, id: MessageId, state: State) -> Option<Seen<S::Body>> {
    let body = store.message(id).ok()??;
    let record = store.record(id).ok()?;
    Some(Seen { body, record, state })
}

/// A message of a ready list.
fn seen_ready<B: Body>(mut body: B) -> Seen<B> {
    Seen { record: body.take_record().map(|record| *record), body, state: State::Ready }
}

fn peek_ready<S: Store>(
    store: &mut S,
    now_ms: u64,
    [skip, count]: [u64; 2],
    reply: &mut Reply<S::Body>,
) -> Result<(), QueueError> {
    let ungrouped = limits::ungrouped(store);
    if skip < ungrouped {
        let mut cursors = Priorities::new(store, now_ms);
        cursors.skip(store, skip);
        cursors.walk(store, count, reply);
    }
    if reply.has_room(count) {
        let missing = count.saturating_sub(reply.seen.len() as u64);
        for id in waiting_in_groups(store, skip.saturating_sub(ungrouped), missing)? {
            if reply.has_room(count) {
                reply.show(read(store, id, State::Ready));
            }
        }
    }
    Ok(())
}

/// Up to `count` ready messages of groups without the first `skip`: scheduled groups first, then blocked
/// ones. Error: [`QueueError::TooManyGroups`].
fn waiting_in_groups<S: Store>(
    store: &mut S,
    mut skip: u64,
    count: u64,
) -> Result<Vec<MessageId>, QueueError> {
    let mut ids: Vec<MessageId> = Vec::new();
    let mut passed = 0u64;
    while passed < store.len(Part::Turns) {
        if passed >= MAX_GROUPS {
            return Err(QueueError::TooManyGroups);
        }
        for (name, _) in store.groups(passed, CHUNK) {
            let missing = count.saturating_sub(ids.len() as u64);
            if missing == 0 {
                return Ok(ids);
            }
            let group = store.group(&name);
            ids.extend(group::waiting(store, &name, &group, skip, missing));
            skip = skip.saturating_sub(group.counts.waiting);
        }
        passed = passed.saturating_add(CHUNK);
    }
    Ok(ids)
}

/// Members of a sorted set per read.
const CHUNK: u64 = 64;

/// Elements of a list per read: they are whole messages.
const RECORDS: u64 = 4;

/// A merge of all ready messages without a group: one cursor per priority, highest first.
struct Priorities<B> {
    cursors: Vec<Cursor<B>>,
    now_ms: u64,
    aging_ms: u64,
}

/// The messages of a priority: its ready list and its range of `Ranked`.
struct Cursor<B> {
    priority: u8,
    listed: Ahead<Option<B>>,
    ranked: Ahead<(MessageId, Rank)>,
}

/// A read-ahead buffer: what was read and not yet consumed, next one last, and how many were read or
/// skipped.
struct Ahead<T> {
    read: Vec<T>,
    total: u64,
    /// The end was reached.
    is_over: bool,
}

impl<T> Ahead<T> {
    fn new() -> Self {
        Self { read: Vec::new(), total: 0, is_over: false }
    }

    /// The next one; reads more if the buffer is empty.
    fn first(&mut self, chunk: u64, more: impl FnOnce(u64) -> Vec<T>) -> Option<&T> {
        if self.read.is_empty() && !self.is_over {
            self.read = more(self.total);
            self.is_over = self.read.is_empty();
            self.read.reverse();
            self.total = self.total.saturating_add(chunk);
        }
        self.read.last()
    }
}

/// The next message of one source.
struct Candidate {
    /// Unix ms.
    since_ms: u64,
    rank: Rank,
    id: MessageId,
    position: Position,
}

/// Which source is next, with the index of its cursor.
#[derive(Clone, Copy)]
enum Position {
    Listed(usize),
    Ranked(usize),
}

impl<B: Body> Priorities<B> {
    fn new<S: Store<Body = B>>(store: &mut S, now_ms: u64) -> Self {
        let cursor = |priority| Cursor { priority, listed: Ahead::new(), ranked: Ahead::new() };
        let cursors = (0..=MAX_PRIORITY).rev().map(cursor).collect();
        Self { cursors, now_ms, aging_ms: store.number(Setting::Aging) }
    }

    /// Skips messages without reading them: first those for which AGING overrides the priorities, then
    /// priority by priority.
    fn skip<S: Store<Body = B>>(&mut self, store: &mut S, mut skip: u64) {
        if self.aging_ms > 0 && skip > 0 {
            let ready_before_ms = self.now_ms.saturating_sub(self.aging_ms);
            let mut aged = self.sequences(store, 0..self.cursors.len());
            for sequence in &mut aged {
                let length = sequence.length;
                let is_aged =
                    |key: Option<seek::Key>| key.is_none_or(|key| key.0 < ready_before_ms);
                sequence.length = sequence.count_first(store, [0, length], is_aged);
            }
            skip = self.skip_in(store, &aged, skip);
        }
        for index in 0..self.cursors.len() {
            if skip == 0 {
                break;
            }
            let sequences = self.sequences(store, index..index.saturating_add(1));
            skip = self.skip_in(store, &sequences, skip);
        }
    }

    /// Skips up to `skip` messages of merged sequences; returns how many are left to skip.
    fn skip_in<S: Store<Body = B>>(
        &mut self,
        store: &mut S,
        sequences: &[Sequence],
        skip: u64,
    ) -> u64 {
        let all = sequences.iter().fold(0u64, |sum, one| sum.saturating_add(one.length));
        let counts = seek::split(store, sequences, skip.min(all));
        for (sequence, count) in sequences.iter().zip(counts) {
            let Some(cursor) = self.cursors.get_mut(sequence.cursor) else { continue };
            let total = match sequence.source {
                Source::Listed => &mut cursor.listed.total,
                Source::Ranked => &mut cursor.ranked.total,
            };
            *total = total.saturating_add(count);
        }
        skip.saturating_sub(all)
    }

    /// The remaining messages of these cursors.
    fn sequences<S: Store<Body = B>>(
        &self,
        store: &mut S,
        cursors: std::ops::Range<usize>,
    ) -> Vec<Sequence> {
        let mut sequences = Vec::new();
        let has_ranked = store.len(Part::Ranked) > 0;
        for (number, cursor) in
            self.cursors.iter().enumerate().skip(cursors.start).take(cursors.len())
        {
            let priority = cursor.priority;
            let listed = store.len(Part::ready(priority));
            let ranked = if has_ranked { store.count_ranked(priority) } else { 0 };
            for (source, start, end) in [
                (Source::Listed, cursor.listed.total, listed),
                (Source::Ranked, cursor.ranked.total, ranked),
            ] {
                let length = end.saturating_sub(start);
                if length > 0 {
                    sequences.push(Sequence { source, cursor: number, priority, start, length });
                }
            }
        }
        sequences
    }

    /// Reads up to `count` messages into the reply.
    fn walk<S: Store<Body = B>>(&mut self, store: &mut S, count: u64, reply: &mut Reply<B>) {
        while reply.has_room(count) {
            let Some(position) = self.first(store) else { break };
            reply.show(self.pass(store, position));
        }
    }

    /// The source of the message that a pull would deliver next; an unreadable record counts as next.
    fn first<S: Store<Body = B>>(&mut self, store: &mut S) -> Option<Position> {
        let mut candidates = Vec::new();
        for (index, cursor) in self.cursors.iter_mut().enumerate() {
            let priority = cursor.priority;
            match cursor.listed.first(RECORDS, |total| store.ready(priority, total, RECORDS)) {
                Some(Some(body)) => {
                    let since_ms = body.id().timestamp_ms();
                    let rank = Rank::new(priority, since_ms);
                    candidates.push(Candidate {
                        since_ms,
                        rank,
                        id: body.id(),
                        position: Position::Listed(index),
                    });
                }
                Some(None) => return Some(Position::Listed(index)),
                None => {}
            }
            if let Some((id, rank)) =
                cursor.ranked.first(CHUNK, |total| store.ranked(priority, total, CHUNK))
            {
                let since_ms = rank.ready_since_ms();
                candidates.push(Candidate {
                    since_ms,
                    rank: *rank,
                    id: *id,
                    position: Position::Ranked(index),
                });
            }
        }
        let age_ms = |candidate: &Candidate| self.now_ms.saturating_sub(candidate.since_ms);
        let oldest = candidates
            .iter()
            .filter(|candidate| self.aging_ms > 0 && age_ms(candidate) > self.aging_ms)
            .min_by_key(|candidate| (candidate.since_ms, candidate.rank, candidate.id));
        let first = oldest
            .or_else(|| candidates.iter().min_by_key(|candidate| (candidate.rank, candidate.id)));
        first.map(|candidate| candidate.position)
    }

    /// Consumes the next message of a source; None if it is unreadable.
    fn pass<S: Store<Body = B>>(&mut self, store: &mut S, position: Position) -> Option<Seen<B>> {
        match position {
            Position::Listed(index) => {
                let body = self.cursors.get_mut(index)?.listed.read.pop()??;
                Some(seen_ready(body))
            }
            Position::Ranked(index) => {
                let (id, _) = self.cursors.get_mut(index)?.ranked.read.pop()?;
                read(store, id, State::Ready)
            }
        }
    }
}
