//! Looks at messages without delivering them. Changes nothing.

use std::collections::BTreeSet;

use super::line::ready_rank;
use super::message::{Body, MAX_PRIORITY, MessageId, Note, Rank};
use super::remove::{find_deliveries, find_ready};
use super::settings::Setting;
use super::store::{Part, Store};
use super::{QueueError, place};

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
    /// by group.
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
        return Ok(found.map(|body| Seen { body, note: None, state: State::Ready }));
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

/// Up to `count` messages without the first `skip`. Those that can't be read are left out.
pub fn peek<S: Store>(
    store: &mut S,
    which: Which,
    skip: u64,
    count: u64,
) -> Result<Vec<Seen<S::Body>>, QueueError> {
    store.require(&Part::ALL)?;
    let places = match which {
        Which::Ready(now_ms) => return Ok(peek_ready(store, now_ms, skip, count)),
        Which::Inflight => {
            let deliveries = store.inflight(skip, count).into_iter();
            deliveries.map(|(delivery, until)| (delivery.id, State::Inflight(until))).collect()
        }
        Which::Delayed => {
            let delayed = store.delayed(skip, count).into_iter();
            delayed.map(|(id, due_at_ms)| (id, State::Delayed(due_at_ms))).collect::<Vec<_>>()
        }
    };
    Ok(places.into_iter().filter_map(|(id, state)| read(store, id, state)).collect())
}

/// How many messages wait with each priority, the highest first; none if there are no priorities.
pub fn priorities<S: Store>(store: &mut S) -> Vec<(u8, u64)> {
    if store.len(Part::Ranked) == 0 {
        return Vec::new();
    }
    let mut counts: Vec<(u8, u64)> = (1..=MAX_PRIORITY)
        .rev()
        .map(|priority| (priority, store.count_ranked(priority)))
        .filter(|(_, count)| *count > 0)
        .collect();
    if !counts.is_empty() {
        let plain = store.count_ranked(0).saturating_add(store.len(Part::Ready));
        counts.extend((plain > 0).then_some((0, plain)));
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
    let mut ready = Vec::new();
    if store.len(Part::Ranked) > 0 {
        ready.extend((0..=MAX_PRIORITY).filter_map(|p| store.first_of_priority(p)));
    }
    let ready = ready.into_iter().map(|(_, rank)| rank.ready_since_ms());
    let plain = store.first_ready().ok().flatten().map(|id| id.timestamp_ms());
    let ungrouped_ms = ready.chain(plain).min();
    let grouped_ms = store
        .first_turn()
        .and_then(|group| store.first_grouped(&group))
        .map(|(_, id)| id.timestamp_ms());
    let delivery = store.first_inflight().and_then(|(delivery, _)| delivery.ok());
    let delayed = store.first_delayed().and_then(|(id, _)| id.ok());
    Oldest {
        ready_ms: ungrouped_ms.or(grouped_ms),
        inflight_ms: delivery.map(|delivery| delivery.receipt.timestamp_ms()),
        delayed_ms: delayed.map(MessageId::timestamp_ms),
    }
}

fn read<S: Store>(store: &mut S, id: MessageId, state: State) -> Option<Seen<S::Body>> {
    let body = store.message(id).ok()??;
    let note = store.note(id).ok()?;
    Some(Seen { body, note, state })
}

fn peek_ready<S: Store>(store: &mut S, now_ms: u64, skip: u64, count: u64) -> Vec<Seen<S::Body>> {
    let ungrouped = store.len(Part::Ready).saturating_add(store.len(Part::Ranked));
    let mut seen = Vec::new();
    if skip < ungrouped {
        seen = Lanes::new(store, now_ms).walk(store, skip, count);
    }
    let missing = count.saturating_sub(seen.len() as u64);
    if missing > 0 {
        let ids = store.grouped(skip.saturating_sub(ungrouped), missing);
        seen.extend(ids.into_iter().filter_map(|id| read(store, id, State::Ready)));
    }
    seen
}

/// The most messages of a lane that are read at once.
const CHUNK: u64 = 64;

/// The messages without a group: a lane for each priority, and one for those in [`Part::Ready`].
struct Lanes<B> {
    ranked: Vec<Lane<(MessageId, Rank)>>,
    ready: Lane<Option<B>>,
    now_ms: u64,
    aging_ms: u64,
    /// How many of a lane are read at once.
    chunk: u64,
}

/// What of a lane was read and not yet passed, the first last, and how many were read.
struct Lane<T> {
    read: Vec<T>,
    total: u64,
}

impl<T> Lane<T> {
    fn new(start: u64) -> Self {
        Self { read: Vec::new(), total: start }
    }

    /// The first one, after reading more if there is none.
    fn first(&mut self, chunk: u64, more: impl FnOnce(u64) -> Vec<T>) -> Option<&T> {
        if self.read.is_empty() {
            self.read = more(self.total);
            self.read.reverse();
            self.total = self.total.saturating_add(chunk);
        }
        self.read.last()
    }
}

/// The first of all lanes: which message it is, or that it is the one of `Ready`, readable or not.
enum Head {
    Ranked(MessageId, usize),
    Ready,
}

impl<B: Body> Lanes<B> {
    fn new<S: Store<Body = B>>(store: &mut S, now_ms: u64) -> Self {
        let ranked = (0..=MAX_PRIORITY).map(|_| Lane::new(0)).collect();
        let aging_ms = store.number(Setting::Aging);
        Self { ranked, ready: Lane::new(0), now_ms, aging_ms, chunk: CHUNK }
    }

    fn walk<S: Store<Body = B>>(
        &mut self,
        store: &mut S,
        mut skip: u64,
        count: u64,
    ) -> Vec<Seen<B>> {
        if store.len(Part::Ranked) == 0 {
            self.ready.total = skip;
            skip = 0;
        }
        self.chunk = skip.saturating_add(count).min(CHUNK);
        let mut seen = Vec::new();
        while (seen.len() as u64) < count {
            let Some(head) = self.first(store) else { break };
            let is_skipped = skip > 0;
            skip = skip.saturating_sub(1);
            match head {
                Head::Ranked(id, lane) => {
                    self.ranked.get_mut(lane).map(|lane| lane.read.pop());
                    seen.extend((!is_skipped).then(|| read(store, id, State::Ready)).flatten());
                }
                Head::Ready => {
                    let body = self.ready.read.pop().flatten().filter(|_| !is_skipped);
                    seen.extend(body.map(|body| Seen { body, note: None, state: State::Ready }));
                }
            }
        }
        seen
    }

    /// The first of all, as a pull would choose it.
    fn first<S: Store<Body = B>>(&mut self, store: &mut S) -> Option<Head> {
        let mut heads = Vec::new();
        let chunk = self.chunk;
        if store.len(Part::Ranked) > 0 {
            for (priority, lane) in (0..=MAX_PRIORITY).zip(&mut self.ranked) {
                let first = lane.first(chunk, |total| store.ranked(priority, total, chunk));
                heads.extend(first.map(|(id, rank)| (*rank, *id, Some(usize::from(priority)))));
            }
        }
        match self.ready.first(chunk, |total| store.ready(total, chunk)) {
            Some(Some(body)) => heads.push((ready_rank(body), body.id(), None)),
            Some(None) => return Some(Head::Ready),
            None => {}
        }
        let age_ms = |rank: &Rank| self.now_ms.saturating_sub(rank.ready_since_ms());
        let oldest = heads
            .iter()
            .filter(|(rank, _, _)| self.aging_ms > 0 && age_ms(rank) > self.aging_ms)
            .min_by_key(|(rank, id, _)| (rank.ready_since_ms(), *rank, *id));
        let first = oldest.or_else(|| heads.iter().min_by_key(|(rank, id, _)| (*rank, *id)));
        first.map(|(_, id, lane)| match lane {
            Some(lane) => Head::Ranked(*id, *lane),
            None => Head::Ready,
        })
    }
}
