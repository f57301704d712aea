//! Looks at messages without delivering them. Changes nothing.

use std::collections::BTreeSet;

use super::error::QueueError;
use super::message::{Body, MessageId, Note, Rank};
use super::part::Part;
use super::search::{find_deliveries, find_ready};
use super::seek::{self, Kind, Sequence};
use super::settings::Setting;
use super::store::Store;
use super::valid::MAX_PRIORITY;
use super::{group, limits, place, pull};

/// A message that was looked at.
#[derive(Debug)]
pub struct Seen<B> {
    /// The body.
    pub body: B,
    /// What else is known of it; None if nothing is.
    pub note: Option<Note>,
    /// Where it is.
    pub state: State,
}

/// The state of a message, with its moment, unix ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits.
    Ready,
    /// It is invisible until then.
    Inflight(u64),
    /// It becomes ready then.
    Delayed(u64),
}

/// Which messages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that wait, in the order of delivery at that moment, unix ms; those of groups last, group
    /// by group, in the order of their turns.
    Ready(u64),
    /// Those in flight, in the order in which they come back.
    Inflight,
    /// Those that are delayed, in the order in which they are due.
    Delayed,
}

/// The message with this id, if the queue has it.
pub fn find<S: Store>(store: &mut S, id: MessageId) -> Result<Option<Seen<S::Body>>, QueueError> {
    store.require(&Part::ALL)?;
    let wanted = BTreeSet::from([id]);
    if !store.has_message(id) {
        let found = find_ready(store, &wanted).pop();
        return Ok(found.map(|listed| seen_ready(listed.body)));
    }
    let note = store.note(id)?;
    let state = match store.delayed_until(id) {
        Some(due_at_ms) => State::Delayed(due_at_ms),
        None if place::is_waiting(store, id, note.as_ref()) => State::Ready,
        None => match find_deliveries(store, &wanted).pop() {
            Some((_, until_ms)) => State::Inflight(until_ms),
            None => return Ok(None),
        },
    };
    let body = store.message(id)?;
    Ok(body.map(|body| Seen { body, note, state }))
}

/// Up to `count` messages without the first `skip`. Those that can't be read are left out. It ends
/// after the message that brings it over [`pull::BATCH_BYTES`]. Error: [`QueueError::TooManyGroups`]
/// when more than [`MAX_GROUPS`] groups would be passed.
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
            let delayed = store.delayed(skip, count).into_iter();
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

/// The most groups whose messages a peek goes past.
pub const MAX_GROUPS: u64 = 5_000;

/// What is shown.
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

/// How many messages wait with each priority, the highest first; none if there are no priorities.
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

/// Since when messages are in a state, unix ms; None if none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oldest {
    /// The one without a group that waits longest; if there is none, the push of the first one of the
    /// group whose turn it is.
    pub ready_ms: Option<u64>,
    /// The delivery of the one whose visibility ends first.
    pub inflight_ms: Option<u64>,
    /// The push of the one that is due first.
    pub delayed_ms: Option<u64>,
}

/// Since when messages are in each state.
pub fn oldest<S: Store>(store: &mut S) -> Oldest {
    let mut ungrouped_ms: Vec<u64> = Vec::new();
    for priority in 0..=MAX_PRIORITY {
        let ranked = store.first_of_priority(priority);
        ungrouped_ms.extend(ranked.map(|(_, rank)| rank.ready_since_ms()));
        let listed = store.first_ready(priority).ok().flatten();
        ungrouped_ms.extend(listed.map(MessageId::timestamp_ms));
    }
    let grouped_ms = store.first_turn().and_then(|name| {
        let group = store.group(&name);
        group::waiting(store, &name, &group, 0, 1).pop().map(MessageId::timestamp_ms)
    });
    let delivery = store.first_inflight().and_then(|(delivery, _)| delivery.ok());
    let delayed = store.first_delayed().and_then(|(id, _)| id.ok());
    Oldest {
        ready_ms: ungrouped_ms.into_iter().min().or(grouped_ms),
        inflight_ms: delivery.map(|delivery| delivery.receipt.timestamp_ms()),
        delayed_ms: delayed.map(MessageId::timestamp_ms),
    }
}

fn read<S: Store>(store: &mut S, id: MessageId, state: State) -> Option<Seen<S::Body>> {
    let body = store.message(id).ok()??;
    let note = store.note(id).ok()?;
    Some(Seen { body, note, state })
}

/// A message of a list of ready ones.
fn seen_ready<B: Body>(mut body: B) -> Seen<B> {
    Seen { note: body.take_note().map(|note| *note), body, state: State::Ready }
}

fn peek_ready<S: Store>(
    store: &mut S,
    now_ms: u64,
    [skip, count]: [u64; 2],
    reply: &mut Reply<S::Body>,
) -> Result<(), QueueError> {
    let ungrouped = limits::ungrouped(store);
    if skip < ungrouped {
        let mut lanes = Lanes::new(store, now_ms);
        lanes.skip(store, skip);
        lanes.walk(store, count, reply);
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

/// Up to `count` waiting messages of groups without the first `skip`: those of the groups in the line of
/// turns, then those of the blocked ones. Error: [`QueueError::TooManyGroups`].
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

/// How many members of a sorted set are read at once.
const CHUNK: u64 = 64;

/// How many records of a list are read at once: they are whole messages.
const RECORDS: u64 = 4;

/// The messages without a group, a lane for each priority, the highest first.
struct Lanes<B> {
    lanes: Vec<Lane<B>>,
    now_ms: u64,
    aging_ms: u64,
}

/// The messages of a priority: those in its list, and those in `Ranked`.
struct Lane<B> {
    priority: u8,
    listed: Ahead<Option<B>>,
    ranked: Ahead<(MessageId, Rank)>,
}

/// What was read and not yet passed, the first last, and how many were read or skipped.
struct Ahead<T> {
    read: Vec<T>,
    total: u64,
    /// There is no more to read.
    is_over: bool,
}

impl<T> Ahead<T> {
    fn new() -> Self {
        Self { read: Vec::new(), total: 0, is_over: false }
    }

    /// The first one, after reading more if there is none.
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

/// The first of all lanes.
struct Head {
    /// Since when it is ready, unix ms.
    since_ms: u64,
    rank: Rank,
    id: MessageId,
    place: Place,
}

/// Where the first of all lanes is: at the head of a list, or in `Ranked`. The number is that of the
/// lane.
#[derive(Clone, Copy)]
enum Place {
    Listed(usize),
    Ranked(usize),
}

impl<B: Body> Lanes<B> {
    fn new<S: Store<Body = B>>(store: &mut S, now_ms: u64) -> Self {
        let lane = |priority| Lane { priority, listed: Ahead::new(), ranked: Ahead::new() };
        let lanes = (0..=MAX_PRIORITY).rev().map(lane).collect();
        Self { lanes, now_ms, aging_ms: store.number(Setting::Aging) }
    }

    /// Goes past the first `skip` without reading them: first those that wait so long that the aging
    /// mixes all lanes, then lane after lane.
    fn skip<S: Store<Body = B>>(&mut self, store: &mut S, mut skip: u64) {
        if self.aging_ms > 0 && skip > 0 {
            let ready_before_ms = self.now_ms.saturating_sub(self.aging_ms);
            let mut aged = self.sequences(store, 0..self.lanes.len());
            for sequence in &mut aged {
                let length = sequence.length;
                let is_aged =
                    |key: Option<seek::Key>| key.is_none_or(|key| key.0 < ready_before_ms);
                sequence.length = sequence.count_first(store, [0, length], is_aged);
            }
            skip = self.skip_in(store, &aged, skip);
        }
        for index in 0..self.lanes.len() {
            if skip == 0 {
                break;
            }
            let sequences = self.sequences(store, index..index.saturating_add(1));
            skip = self.skip_in(store, &sequences, skip);
        }
    }

    /// Goes past up to `skip` messages of sequences that are merged; the number of those that are left
    /// to skip.
    fn skip_in<S: Store<Body = B>>(
        &mut self,
        store: &mut S,
        sequences: &[Sequence],
        skip: u64,
    ) -> u64 {
        let all = sequences.iter().fold(0u64, |sum, one| sum.saturating_add(one.length));
        let counts = seek::split(store, sequences, skip.min(all));
        for (sequence, count) in sequences.iter().zip(counts) {
            let Some(lane) = self.lanes.get_mut(sequence.lane) else { continue };
            let total = match sequence.kind {
                Kind::Listed => &mut lane.listed.total,
                Kind::Ranked => &mut lane.ranked.total,
            };
            *total = total.saturating_add(count);
        }
        skip.saturating_sub(all)
    }

    /// What is left of these lanes.
    fn sequences<S: Store<Body = B>>(
        &self,
        store: &mut S,
        lanes: std::ops::Range<usize>,
    ) -> Vec<Sequence> {
        let mut sequences = Vec::new();
        let has_ranked = store.len(Part::Ranked) > 0;
        for (number, lane) in self.lanes.iter().enumerate().skip(lanes.start).take(lanes.len()) {
            let priority = lane.priority;
            let listed = store.len(Part::ready(priority));
            let ranked = if has_ranked { store.count_ranked(priority) } else { 0 };
            for (kind, start, end) in [
                (Kind::Listed, lane.listed.total, listed),
                (Kind::Ranked, lane.ranked.total, ranked),
            ] {
                let length = end.saturating_sub(start);
                if length > 0 {
                    sequences.push(Sequence { kind, lane: number, priority, start, length });
                }
            }
        }
        sequences
    }

    /// Up to `count` messages, which may be shown in a reply of so many bytes.
    fn walk<S: Store<Body = B>>(&mut self, store: &mut S, count: u64, reply: &mut Reply<B>) {
        while reply.has_room(count) {
            let Some(place) = self.first(store) else { break };
            reply.show(self.pass(store, place));
        }
    }

    /// Where the first of all is, as a pull would choose it; a record that can't be read counts as the
    /// first.
    fn first<S: Store<Body = B>>(&mut self, store: &mut S) -> Option<Place> {
        let mut heads = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let priority = lane.priority;
            match lane.listed.first(RECORDS, |total| store.ready(priority, total, RECORDS)) {
                Some(Some(body)) => {
                    let since_ms = body.id().timestamp_ms();
                    let rank = Rank::new(priority, since_ms);
                    heads.push(Head { since_ms, rank, id: body.id(), place: Place::Listed(index) });
                }
                Some(None) => return Some(Place::Listed(index)),
                None => {}
            }
            if let Some((id, rank)) =
                lane.ranked.first(CHUNK, |total| store.ranked(priority, total, CHUNK))
            {
                let since_ms = rank.ready_since_ms();
                heads.push(Head { since_ms, rank: *rank, id: *id, place: Place::Ranked(index) });
            }
        }
        let age_ms = |head: &Head| self.now_ms.saturating_sub(head.since_ms);
        let oldest = heads
            .iter()
            .filter(|head| self.aging_ms > 0 && age_ms(head) > self.aging_ms)
            .min_by_key(|head| (head.since_ms, head.rank, head.id));
        let first = oldest.or_else(|| heads.iter().min_by_key(|head| (head.rank, head.id)));
        first.map(|head| head.place)
    }

    /// Goes past the first of a place; None if it can't be read.
    fn pass<S: Store<Body = B>>(&mut self, store: &mut S, place: Place) -> Option<Seen<B>> {
        match place {
            Place::Listed(index) => {
                let body = self.lanes.get_mut(index)?.listed.read.pop()??;
                Some(seen_ready(body))
            }
            Place::Ranked(index) => {
                let (id, _) = self.lanes.get_mut(index)?.ranked.read.pop()?;
                read(store, id, State::Ready)
            }
        }
    }
}
