//! A message dies: it moves to the dead-letter queue, where it is an ordinary message again, but
//! one that never dies a second time.

use std::cell::OnceCell;

use super::group::Slot;
use super::message::{Death, DeathReason, Ended, MessageId, Note};
use super::place::Behind;
use super::retry::{self, Moment};
use super::settings::Settings;
use super::store::{Part, Store};
use super::{Effects, place};

/// The dead-letter queue, opened for the first message of an op that dies: to open a queue costs more
/// than the move.
pub(super) struct Grave<S>(OnceCell<Option<(S, Behind)>>);

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
        let Some(Some((grave, behind))) = self.0.get_mut() else {
            let refused = &mut effects.counts.dead_letters_refused;
            *refused = refused.saturating_add(1);
            return false;
        };
        let body = match store.message(id) {
            Ok(Some(body)) => body,
            Ok(None) | Err(_) => {
                retry::set_aside(store, effects, id);
                place::leave_group(store, effects, note, Some(Slot::Inflight));
                return true;
            }
        };
        grave.put_message(&body);
        let death = Death {
            from: store.queue().clone(),
            at_ms: moment.now_ms,
            reason,
            retries: note.retry_count,
        };
        let mut epitaph = epitaph(note, death);
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
fn epitaph(note: &Note, death: Death) -> Note {
    let mut epitaph = Note {
        retry_count: 0,
        ended: Ended::Never,
        death: Some(death),
        expires_at_ms: None,
        dedup: None,
        ..note.clone()
    };
    if let Some(member) = &mut epitaph.group {
        member.sequence = None;
    }
    epitaph
}

/// The store of the dead-letter queue, if it can take a message.
fn open<S: Store>(store: &S, settings: &Settings, moment: Moment) -> Option<(S, Behind)> {
    let name = settings.dead_letter_of(store.queue())?;
    if moment.same_slot && !name.shares_slot_with(store.queue()) {
        return None;
    }
    let mut grave = store.other(&name);
    grave.require(&[Part::Messages, Part::Notes, Part::Retried]).ok()?;
    grave.require(&[Part::Ranked, Part::Lanes, Part::Dead]).ok()?;
    Some((grave, Behind::default()))
}
