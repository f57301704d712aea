//! Deliveries: the next ready messages become invisible and get receipts, or are removed (at-most-once).

use super::claim::Settled;
use super::effects::Effects;
use super::error::QueueError;
use super::group::{self, Slot};
use super::message::{Body, Delivery, NewDelivery, Receipt, StateRecord};
use super::next::{self, NextMessage, Order, Origin};
use super::op::{Mode, Pull};
use super::part::Part;
use super::rules::Rules;
use super::settings::Setting;
use super::small_vec::ShortVec;
use super::store::Store;
use super::{acknowledge, dedup, limits, place, sweep, unused};

/// A batch ends after the message that brings it over this many bytes, headers included (version 1 of
/// ops: without).
pub const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A delivered message.
#[derive(Debug)]
pub struct Delivered<B> {
    pub body: B,
    pub record: Option<Box<StateRecord>>,
    /// The receipt and the end of visibility, unix ms; None if delivered at most once.
    pub receipt: Option<(Receipt, u64)>,
}

impl<B: Body> Delivered<B> {
    /// The delivery; None if there is nothing to acknowledge.
    pub fn claim(&self) -> Option<Delivery> {
        self.receipt.map(|(receipt, _)| Delivery { id: self.body.id(), receipt })
    }
}

/// The result of a pull.
#[derive(Debug)]
pub struct Pulled<B> {
    /// The results of the acknowledgments, in order.
    pub settled: ShortVec<Settled>,
    /// In order of delivery.
    pub messages: ShortVec<Delivered<B>>,
    /// Why nothing was delivered: the next record is unreadable.
    pub error: Option<QueueError>,
    /// More is due than the sweep was allowed to move.
    pub more_due: bool,
}

impl<B> Pulled<B> {
    pub fn nothing() -> Self {
        Self { settled: ShortVec::new(), messages: ShortVec::new(), error: None, more_due: false }
    }
}

pub(super) fn pull<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    pull: &Pull<'_>,
) -> Result<Pulled<S::Body>, QueueError> {
    store.require(&[Part::Ready, Part::Lanes, Part::Flight, Part::Config])?;
    if store.rules() == Rules::V1 {
        store.require(&[Part::Messages, Part::Inflight])?;
    }
    if !group::is_plain(store) {
        store.require(&[Part::Turns, Part::Messages])?;
        if store.len(Part::Turns) > 0 {
            store.require(&[Part::Groups])?;
        }
        if !group::only_groups_wait(store) {
            store.require(&[Part::Ranked])?;
            // A batch ends before a lower priority whose list has the wrong type.
            store
                .top_priority()
                .map_or(Ok(()), |priority| store.require(&[Part::ready(priority)]))?;
        }
    }
    if pull.sweep.limit > 0 {
        sweep::require_messages(store)?;
    }
    if let Mode::AtLeastOnce { consumer: Some(_), .. } = pull.mode {
        store.require(&[Part::Notes])?;
    }
    let mut pulled = Pulled::nothing();
    if !pull.acknowledged.is_empty() {
        pulled.settled =
            acknowledge::acknowledge(store, effects, &pull.acknowledged, Some(pull.now_ms))?;
    }
    if pull.sweep.limit > 0 {
        pulled.more_due = sweep::sweep_messages(store, effects, pull)?;
    }
    deliver(store, effects, pull, &mut pulled);
    unused::note_use(store, effects, pull.now_ms);
    Ok(pulled)
}

fn deliver<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    pull: &Pull<'_>,
    pulled: &mut Pulled<S::Body>,
) {
    let allowed = limits::allowed(store, pull.now_ms, pull.mode);
    if allowed == 0
        && let Some(opening_ms) = limits::next_opening(store, pull.now_ms)
    {
        effects.next_due.add(opening_ms);
    }
    let count = allowed.min(pull.count.into());
    let is_plain = group::is_plain(store);
    let aging_ms = if is_plain { 0 } else { store.number(Setting::Aging) };
    let is_final = matches!(pull.mode, Mode::AtMostOnce);
    let order = Order { now_ms: pull.now_ms, aging_ms, is_final, is_plain };
    let mut receipts = Receipts::from(pull.base_receipt, store.rules());
    let rules = store.rules();
    let mut bytes = 0usize;
    while (pulled.messages.len() as u64) < count && bytes <= BATCH_BYTES {
        let first = pulled.messages.len();
        let left = count.saturating_sub(first as u64);
        let next = next::take_next(store, effects, order, left, |body, record| {
            let size = if rules == Rules::V1 { body.payload().len() } else { body.size() };
            bytes = bytes.saturating_add(size);
            pulled.messages.push(Delivered { body, record, receipt: None });
            bytes <= BATCH_BYTES
        });
        let mut from = match next {
            Ok(NextMessage::Message(from)) => from,
            Ok(NextMessage::Nothing) => break,
            Ok(NextMessage::Expired(id, at_ms)) => {
                // Another client may have removed it from the TTL index; then nothing would ever discard
                // it.
                if store.time_of(Part::Expiring, id) != Some(at_ms) {
                    store.add_timed(Part::Expiring, id, at_ms);
                    effects.changed = true;
                }
                effects.next_due.add(at_ms);
                pulled.more_due = true;
                break;
            }
            // A batch ends before an unreadable record: the next pull handles it.
            Err(_) if !pulled.messages.is_empty() => break,
            Err(error) => {
                pulled.error = Some(set_aside(store, effects, error));
                break;
            }
        };
        for message in pulled.messages.iter_mut().skip(first) {
            match pull.mode {
                Mode::AtLeastOnce { visibility_ms, consumer } => {
                    let until_ms = pull.now_ms.saturating_add(visibility_ms);
                    let terms = DeliveryTerms { receipts: &mut receipts, until_ms, consumer };
                    effects.next_due.add(until_ms);
                    deliver_with_receipt(store, effects, message, &mut from, terms);
                }
                Mode::AtMostOnce => deliver_at_most_once(store, effects, message, &mut from),
            }
        }
        if is_plain {
            // These were all.
            break;
        }
    }
    if !pulled.messages.is_empty() {
        effects.changed = true;
        effects.counts.pulled = pulled.messages.len() as u64;
        limits::count_deliveries(store, effects, effects.counts.pulled, pull.now_ms);
    }
}

/// The receipts of a pull: consecutive, but for each message greater than its own last one. A message
/// whose own is far ahead does not raise those of the others.
struct Receipts {
    next: Receipt,
    /// Under 0.1.0 all later receipts of the pull were greater too.
    at_least: Receipt,
    rules: Rules,
}

impl Receipts {
    fn from(first: Receipt, rules: Rules) -> Self {
        Self { next: first, at_least: Receipt::NONE, rules }
    }

    fn give(&mut self, record: Option<&StateRecord>) -> Receipt {
        let own = record.map_or(Receipt::NONE, StateRecord::next_receipt);
        let receipt = self.next.max(self.at_least).max(own);
        if self.rules == Rules::V1 && receipt.next().is_valid() {
            self.at_least = receipt.next();
        }
        self.next = self.next.next();
        receipt
    }
}

struct DeliveryTerms<'a> {
    receipts: &'a mut Receipts,
    until_ms: u64,
    consumer: Option<&'a [u8]>,
}

fn deliver_with_receipt<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    message: &mut Delivered<S::Body>,
    from: &mut Origin,
    terms: DeliveryTerms<'_>,
) {
    let Delivered { body, record, .. } = message;
    let id = body.id();
    effects.last_receipt = Some(terms.receipts.next);
    let receipt = terms.receipts.give(record.as_deref());
    let has_cleanup = record.as_ref().is_some_and(|record| record.has_cleanup());
    let delivery = NewDelivery { receipt, until_ms: terms.until_ms, has_cleanup };
    store.put_delivered(body, delivery, *from == Origin::Ready);
    pass_turn(store, effects, record.as_deref(), from, Some(Slot::Inflight));
    if let Some(consumer) = terms.consumer {
        let record = record.get_or_insert_default();
        record.consumer = Some(consumer.into());
        store.put_record(id, record);
    }
    message.receipt = Some((receipt, terms.until_ms));
}

fn deliver_at_most_once<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    message: &mut Delivered<S::Body>,
    from: &mut Origin,
) {
    let Delivered { body, record, .. } = message;
    let is_listed = *from == Origin::Ready;
    pass_turn(store, effects, record.as_deref(), from, None);
    match record {
        None if is_listed => {}
        Some(record) if is_listed => dedup::release(store, body.id(), record),
        _ => place::forget(store, effects, body.id(), record.as_deref(), None),
    }
}

/// A message was delivered: its group counts it as `to` now, and the next group is served.
fn pass_turn<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    record: Option<&StateRecord>,
    from: &mut Origin,
    to: Option<Slot>,
) {
    match from {
        Origin::Group(first) => group::serve(store, effects, first, record, to),
        Origin::Ready | Origin::Ranked => group::pass_turn(store),
    }
}

/// Sets the unreadable record aside and reports it.
fn set_aside<S: Store>(store: &mut S, effects: &mut Effects, error: QueueError) -> QueueError {
    let QueueError::Corrupt(corruption) = error else { return error };
    next::set_first_aside(store, effects, corruption).err().unwrap_or(error)
}
