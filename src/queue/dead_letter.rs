//! A message dies: it moves to the dead-letter queue, where it is an ordinary message again, but
//! one that never dies a second time.

use std::cell::OnceCell;

use super::effects::Effects;
use super::group::Slot;
use super::message::{Death, DeathReason, Ended, MessageId, Note};
use super::op::Moment;
use super::part::Part;
use super::place::Behind;
use super::rules::Rules;
use super::settings::{Setting, Settings};
use super::store::Store;
use super::valid::MAX_TIME_MS;
use super::{damage, limits, place};

/// The dead-letter queue, opened for the first message of an op that dies: to open a queue costs more
/// than the move.
pub(super) struct Grave<S>(OnceCell<Option<Open<S>>>);

impl<S> Default for Grave<S> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<S: Store> Grave<S> {
    /// Moves a message, which has no place any more, to the dead-letter queue. False, and nothing
    /// moved, if that can't take it. A message whose body can't be read is set aside instead.
    pub(super) fn bury(
        &mut self,
        store: &mut S,
        effects: &mut Effects,
        settings: &Settings,
        id: MessageId,
        note: &Note,
        (reason, moment): (DeathReason, Moment),
    ) -> bool {
        self.0.get_or_init(|| open(store, settings, moment));
        let Some(Some(Open { store: grave, behind, ttl_ms, max_len })) = self.0.get_mut() else {
            let refused = &mut effects.counts.dead_letters_refused;
            *refused = refused.saturating_add(1);
            return false;
        };
        let body = match store.message(id) {
            Ok(Some(body)) => body,
            Ok(None) | Err(_) => {
                damage::set_message_aside(store, effects, id);
                place::leave_group(store, effects, note, Some(Slot::Inflight));
                return true;
            }
        };
        make_room(grave, effects, *max_len);
        grave.put_message(&body);
        let death = Death {
            from: store.queue().clone(),
            at_ms: moment.now_ms,
            reason,
            retries: note.retry_count,
        };
        let mut epitaph = epitaph(note, death, *ttl_ms);
        let mut there = Effects::none();
        let rank = behind.rank(grave, &epitaph, moment.now_ms);
        place::make_ready(grave, &mut there, id, &mut epitaph, rank, None);
        grave.put_note(id, &epitaph);
        effects.note_other(grave.queue(), there.next_due);
        place::forget(store, effects, id, Some(note), Some(Slot::Inflight));
        effects.counts.dead = effects.counts.dead.saturating_add(1);
        true
    }
}

/// What is known of a dead letter. The receipt stays: later ones of this message must be greater.
/// Priority and group stay for its way back.
fn epitaph(note: &Note, death: Death, ttl_ms: u64) -> Note {
    let expires_at_ms = death.at_ms.saturating_add(ttl_ms).min(MAX_TIME_MS.saturating_sub(1));
    let mut epitaph = Note {
        retry_count: 0,
        ended: Ended::Never,
        death: Some(death),
        expires_at_ms: (ttl_ms > 0).then_some(expires_at_ms),
        dedup: None,
        ..note.clone()
    };
    if let Some(member) = &mut epitaph.group {
        member.sequence = None;
    }
    epitaph
}

/// Discards the oldest dead letters that wait until there is room for one more; two at most: where
/// MAXLEN was lowered, a death doesn't have to wait until all that are too many are gone.
fn make_room<S: Store>(grave: &mut S, effects: &mut Effects, max_len: u64) {
    for _ in 0..2 {
        if max_len == 0 || limits::len(grave) < max_len {
            return;
        }
        let Some(oldest) = grave.dead(None, MAX_TIME_MS, 1).pop() else { return };
        discard(grave, effects, oldest.id);
    }
}

/// Discards a dead letter that waits. One that can't be read is set aside instead.
fn discard<S: Store>(grave: &mut S, effects: &mut Effects, id: MessageId) {
    let mut there = Effects::none();
    let Ok(Some(note)) = grave.note(id) else {
        place::take_out(grave, id, &Note::default());
        return damage::set_message_aside(grave, effects, id);
    };
    match place::take_out(grave, id, &note) {
        Some(slot) => {
            place::forget(grave, &mut there, id, Some(&note), slot);
            effects.counts.dead_discarded = effects.counts.dead_discarded.saturating_add(1);
        }
        // It does not wait.
        None => grave.remove_dead(id),
    }
}

/// A dead-letter queue that can take messages.
struct Open<S> {
    store: S,
    behind: Behind,
    /// Its TTL, in milliseconds; 0: none.
    ttl_ms: u64,
    /// Its MAXLEN; 0: none.
    max_len: u64,
}

/// Opens the dead-letter queue, if it can take messages.
fn open<S: Store>(store: &S, settings: &Settings, moment: Moment) -> Option<Open<S>> {
    let name = settings.dead_letter_of(store.queue())?;
    if moment.same_slot && !name.shares_slot_with(store.queue()) {
        return None;
    }
    let mut grave = store.other(&name);
    grave.require(&[Part::Messages, Part::Notes, Part::Retried]).ok()?;
    grave.require(&[Part::Ranked, Part::Lanes, Part::Dead]).ok()?;
    let mut open = Open { store: grave, behind: Behind::default(), ttl_ms: 0, max_len: 0 };
    if store.rules() == Rules::V2 {
        let grave = &mut open.store;
        grave.require(&[Part::Config]).ok()?;
        open.ttl_ms = grave.number(Setting::Ttl);
        open.max_len = grave.number(Setting::MaxLen);
        if open.ttl_ms > 0 || open.max_len > 0 {
            grave.require(&Part::ALL).ok()?;
        }
    }
    Some(open)
}
