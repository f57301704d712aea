//! Deliveries: the first waiting messages become invisible for a while and get receipts.

use super::message::{Body, MessageId, Note, Rank, Receipt};
use super::op::Sweep;
use super::store::{Delivery, Part, Store};
use super::{Corruption, Effects, NextDue, QueueError, sweep};

/// A batch ends after the message that brings its payloads over this many bytes.
pub const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// What a pull asks for; see [`Op::Pull`](super::op::Op::Pull).
#[derive(Debug, Clone, Copy)]
pub struct Pull {
    /// The moment, unix ms.
    pub now_ms: u64,
    /// The most messages.
    pub count: u32,
    /// How long they stay invisible.
    pub visibility_ms: u64,
    /// The smallest receipt to give.
    pub base_receipt: Receipt,
    /// How much of what is due is moved first.
    pub sweep: Sweep,
}

/// A message as it is delivered.
#[derive(Debug)]
pub struct Delivered<B> {
    /// The body.
    pub body: B,
    /// What else is known of it; None for a first delivery.
    pub note: Option<Note>,
    /// When its visibility ends, unix ms.
    pub visibility_until_ms: u64,
    /// The receipt.
    pub receipt: Receipt,
}

/// What a pull found.
#[derive(Debug)]
pub struct Pulled<B> {
    /// In the order of delivery.
    pub messages: Vec<Delivered<B>>,
    /// Why nothing was delivered, if the first waiting record can't be read.
    pub error: Option<QueueError>,
    /// More is due than the sweep was allowed to move.
    pub more_due: bool,
}

/// Sweeps, then delivers.
pub fn pull<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    pull: &Pull,
) -> Result<Pulled<S::Body>, QueueError> {
    store.require(&[Part::Ready, Part::Ranked, Part::Messages, Part::Inflight])?;
    if pull.sweep.limit > 0 {
        sweep::sweep(store, effects, pull.now_ms, pull.sweep)?;
    }
    let more_due = matches!(effects.next_due, NextDue::Exactly(Some(due)) if due <= pull.now_ms);
    let mut ranked = store.len(Part::Ranked) > 0;
    if ranked {
        store.require(&[Part::Notes, Part::Retried])?;
    }

    let mut pulled = Pulled { messages: Vec::new(), error: None, more_due };
    let visibility_until_ms = pull.now_ms.saturating_add(pull.visibility_ms);
    let mut next_receipt = pull.base_receipt;
    let mut bytes = 0usize;
    while (pulled.messages.len() as u64) < u64::from(pull.count) && bytes <= BATCH_BYTES {
        let (body, note) = match take_first(store, &mut ranked) {
            Ok(Some(taken)) => taken,
            Ok(None) => break,
            // A batch ends before a record that can't be read: the next pull meets it first.
            Err(_) if !pulled.messages.is_empty() => break,
            Err(corruption) => {
                pulled.error = Some(match set_first_aside(store, effects, corruption) {
                    Ok(()) => QueueError::Corrupt(corruption),
                    Err(error) => error,
                });
                break;
            }
        };
        let floor = note.as_ref().map_or(0, |note| note.last_receipt.saturating_add(1));
        let receipt = next_receipt.max(Receipt(floor));
        next_receipt = receipt.next();
        store.put_inflight(Delivery { id: body.id(), receipt }, visibility_until_ms);
        bytes = bytes.saturating_add(body.payload().len());
        pulled.messages.push(Delivered { body, note, visibility_until_ms, receipt });
        effects.last_receipt = Some(receipt);
    }
    if !pulled.messages.is_empty() {
        effects.changed = true;
        effects.next_due.add(visibility_until_ms);
        effects.counts.pulled = pulled.messages.len() as u64;
    }
    Ok(pulled)
}

/// A message out of its place, and what else is known of it.
type Taken<B> = (B, Option<Note>);

/// Takes the first waiting message out of its place; its body is in `Messages` then. `ranked` says
/// whether `Ranked` may have something, and is kept up to date. On an error nothing was changed.
fn take_first<S: Store>(
    store: &mut S,
    ranked: &mut bool,
) -> Result<Option<Taken<S::Body>>, Corruption> {
    if let Some(id) = first_if_ranked(store, ranked)? {
        let body = store.message(id)?.ok_or(Corruption::NoBody(id))?;
        let note = store.note(id)?;
        store.remove_ranked(id);
        return Ok(Some((body, note)));
    }
    let Some(body) = store.take_ready()? else { return Ok(None) };
    store.put_message(&body);
    Ok(Some((body, None)))
}

/// The first waiting message if that is in `Ranked`: compares the heads by rank, then by id.
fn first_if_ranked<S: Store>(
    store: &mut S,
    ranked: &mut bool,
) -> Result<Option<MessageId>, Corruption> {
    if !*ranked {
        return Ok(None);
    }
    let Some((member, rank)) = store.first_ranked() else {
        *ranked = false;
        return Ok(None);
    };
    let id = member.map_err(|_| Corruption::Place)?;
    let Some(ready) = store.first_ready()? else { return Ok(Some(id)) };
    let ranked_first = (rank, id) < (Rank::plain(ready.timestamp_ms()), ready);
    Ok(ranked_first.then_some(id))
}

/// Takes what [`take_first`] could not read out of the way. Error: [`QueueError::WrongType`] when
/// it can't go to `Damaged`; nothing is changed then.
fn set_first_aside<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    corruption: Corruption,
) -> Result<(), QueueError> {
    store.require(&[Part::Damaged])?;
    match corruption {
        Corruption::Ready => store.set_ready_aside(),
        Corruption::Place => {
            if let Some((Err(member), _)) = store.first_ranked() {
                store.set_member_aside(Part::Ranked, &member);
            }
        }
        Corruption::Message(id) | Corruption::NoBody(id) => {
            store.remove_ranked(id);
            store.set_message_aside(id);
        }
    }
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
    Ok(())
}
