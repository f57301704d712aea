//! Deliveries: the first waiting messages become invisible for a while and get receipts, or are
//! handed out for good.

use super::claim::Settled;
use super::effects::Effects;
use super::error::QueueError;
use super::few::Few;
use super::group::{self, Slot};
use super::line::{self, Next, Order, Origin, Taken};
use super::message::{Body, Delivery, Note, Receipt, Running};
use super::op::{Mode, Sweep};
use super::part::Part;
use super::rules::Rules;
use super::settings::Setting;
use super::store::Store;
use super::{acknowledge, dedup, limits, place, sweep};

/// A batch ends after the message that brings it over this many bytes, headers included; in version 1
/// of ops they were not.
pub const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// What a pull asks for; see [`Op::Pull`](super::op::Op::Pull).
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a> {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// The most messages.
    pub count: u32,
    /// How they are delivered.
    pub delivery: Mode<'a>,
    /// The smallest receipt to give.
    pub base_receipt: Receipt,
    /// How much of what is due is moved first.
    pub sweep: Sweep,
    /// Deliveries that were worked off.
    pub acknowledged: &'a [Delivery],
}

/// A message as it is delivered.
#[derive(Debug)]
pub struct Delivered<B> {
    /// The body.
    pub body: B,
    /// What else is known of it; None if nothing is.
    pub note: Option<Box<Note>>,
    /// Its receipt and when its visibility ends, unix ms; None if it was handed out for good.
    pub receipt: Option<(Receipt, u64)>,
}

impl<B: Body> Delivered<B> {
    /// The delivery, if it is one to be acknowledged.
    pub fn claim(&self) -> Option<Delivery> {
        self.receipt.map(|(receipt, _)| Delivery { id: self.body.id(), receipt })
    }
}

/// What a pull found.
#[derive(Debug)]
pub struct Pulled<B> {
    /// What became of the deliveries that were worked off, in their order.
    pub settled: Few<Settled>,
    /// In the order of delivery.
    pub messages: Few<Delivered<B>>,
    /// Why nothing was delivered, if the first waiting record can't be read.
    pub error: Option<QueueError>,
    /// More is due than the sweep was allowed to move.
    pub more_due: bool,
}

impl<B> Pulled<B> {
    /// Of a pull that found nothing.
    pub fn nothing() -> Self {
        Self { settled: Few::new(), messages: Few::new(), error: None, more_due: false }
    }
}

/// Acknowledges, sweeps, then delivers.
pub(super) fn pull<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    pull: &Pull<'_>,
) -> Result<Pulled<S::Body>, QueueError> {
    store.require(&[Part::Ready, Part::Lanes, Part::Messages, Part::Inflight, Part::Config])?;
    if !group::is_plain(store) {
        store.require(&[Part::Turns])?;
        if store.len(Part::Turns) > 0 {
            store.require(&[Part::Groups])?;
        }
        if !group::are_only_lane(store) {
            store.require(&[Part::Ranked])?;
            // A batch ends before the list of a lower priority that can't be used.
            store.top_lane().map_or(Ok(()), |priority| store.require(&[Part::ready(priority)]))?;
        }
    }
    if pull.sweep.limit > 0 {
        store.require(Part::BEHIND_READY)?;
    }
    if let Mode::Receipt { consumer: Some(_), .. } = pull.delivery {
        store.require(&[Part::Notes])?;
    }
    let mut pulled = Pulled::nothing();
    if !pull.acknowledged.is_empty() {
        pulled.settled =
            acknowledge::acknowledge(store, effects, pull.acknowledged, Some(pull.now_ms))?;
    }
    if pull.sweep.limit > 0 {
        pulled.more_due = sweep::sweep_messages(store, effects, pull.now_ms, pull.sweep)?;
    }
    deliver(store, effects, pull, &mut pulled);
    Ok(pulled)
}

fn deliver<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    pull: &Pull<'_>,
    pulled: &mut Pulled<S::Body>,
) {
    let allowed = limits::allowed(store, pull.now_ms, pull.delivery);
    if allowed == 0
        && let Some(opening_ms) = limits::next_opening(store, pull.now_ms)
    {
        effects.next_due.add(opening_ms);
    }
    let count = allowed.min(pull.count.into());
    let is_plain = group::is_plain(store);
    let aging_ms = if is_plain { 0 } else { store.number(Setting::Aging) };
    let is_final = matches!(pull.delivery, Mode::Final);
    let order = Order { now_ms: pull.now_ms, aging_ms, is_final, is_plain };
    let mut receipts = Receipts::from(pull.base_receipt, store.rules());
    let mut bytes = 0usize;
    while (pulled.messages.len() as u64) < count && bytes <= BATCH_BYTES {
        let taken = match line::take_next(store, effects, order) {
            Ok(Next::Message(taken)) => taken,
            Ok(Next::Nothing) => break,
            Ok(Next::Expired(id, at_ms)) => {
                // Somebody may have taken it from the sweep: nobody would ever discard it.
                if store.expiring_at(id) != Some(at_ms) {
                    store.add_expiring(id, at_ms);
                    effects.changed = true;
                }
                effects.next_due.add(at_ms);
                pulled.more_due = true;
                break;
            }
            // A batch ends before a record that can't be read: the next pull meets it first.
            Err(_) if !pulled.messages.is_empty() => break,
            Err(error) => {
                pulled.error = Some(set_aside(store, effects, error));
                break;
            }
        };
        let size = match store.rules() {
            Rules::V1 => taken.body.payload().len(),
            Rules::V2 => taken.body.size(),
        };
        bytes = bytes.saturating_add(size);
        let delivered = match pull.delivery {
            Mode::Receipt { visibility_ms, consumer } => {
                let until_ms = pull.now_ms.saturating_add(visibility_ms);
                let with = With { receipts: &mut receipts, until_ms, consumer };
                effects.next_due.add(until_ms);
                hand_out(store, effects, taken, with)
            }
            Mode::Final => hand_out_for_good(store, effects, taken),
        };
        pulled.messages.push(delivered);
    }
    if !pulled.messages.is_empty() {
        effects.changed = true;
        effects.counts.pulled = pulled.messages.len() as u64;
        limits::note_deliveries(store, effects, effects.counts.pulled, pull.now_ms);
    }
}

/// The receipts that a pull gives: one after the other, but to each message one that is greater than its
/// own last one. A message whose own is far ahead leaves those of the others as they are.
struct Receipts {
    next: Receipt,
    /// In 0.1.0 all others that followed such a message were greater, too.
    at_least: Receipt,
    rules: Rules,
}

impl Receipts {
    fn from(first: Receipt, rules: Rules) -> Self {
        Self { next: first, at_least: Receipt::NONE, rules }
    }

    fn give(&mut self, note: Option<&Note>) -> Receipt {
        let own = note.map_or(Receipt::NONE, Note::next_receipt);
        let receipt = self.next.max(self.at_least).max(own);
        if self.rules == Rules::V1 && receipt.next().is_valid() {
            self.at_least = receipt.next();
        }
        self.next = self.next.next();
        receipt
    }
}

/// What a delivery with a receipt gets.
struct With<'a> {
    receipts: &'a mut Receipts,
    until_ms: u64,
    consumer: Option<&'a [u8]>,
}

fn hand_out<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    taken: Taken<S::Body>,
    with: With<'_>,
) -> Delivered<S::Body> {
    let Taken { mut body, mut note, from } = taken;
    let id = body.id();
    effects.last_receipt = Some(with.receipts.next);
    let receipt = with.receipts.give(note.as_deref());
    match store.rules() {
        Rules::V2 => store.put_delivered(&mut body, receipt),
        Rules::V1 if from == Origin::Ready => store.put_message(&body),
        Rules::V1 => {}
    }
    let binds = note.as_ref().is_some_and(|note| note.binds());
    store.put_inflight(Delivery { id, receipt }, Running { until_ms: with.until_ms, binds });
    pass_turn(store, effects, note.as_deref(), from, Some(Slot::Inflight));
    if let Some(consumer) = with.consumer {
        let note = note.get_or_insert_default();
        note.consumer = Some(consumer.into());
        store.put_note(id, note);
    }
    Delivered { body, note, receipt: Some((receipt, with.until_ms)) }
}

fn hand_out_for_good<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    taken: Taken<S::Body>,
) -> Delivered<S::Body> {
    let Taken { body, note, from, .. } = taken;
    let is_listed = from == Origin::Ready;
    pass_turn(store, effects, note.as_deref(), from, None);
    match &note {
        None if is_listed => {}
        Some(note) if is_listed => dedup::release(store, body.id(), note),
        _ => place::forget(store, effects, body.id(), note.as_deref(), None),
    }
    Delivered { body, note, receipt: None }
}

/// A message was taken: its group counts it as `to` now, and it is the next group's turn.
fn pass_turn<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    note: Option<&Note>,
    from: Origin,
    to: Option<Slot>,
) {
    match from {
        Origin::Group(mut first) => group::serve(store, effects, &mut first, note, to),
        Origin::Ready | Origin::Ranked => group::pass_turn(store),
    }
}

/// Takes what can't be read out of the way, and says what it was.
fn set_aside<S: Store>(store: &mut S, effects: &mut Effects, error: QueueError) -> QueueError {
    let QueueError::Corrupt(corruption) = error else { return error };
    line::set_first_aside(store, effects, corruption).err().unwrap_or(error)
}
