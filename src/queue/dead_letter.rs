//! A message dies: it moves to the dead-letter queue, where it is an ordinary message again, but
//! one that never dies a second time.

use super::group::Slot;
use super::message::{Death, DeathReason, Ended, MessageId, Note};
use super::retry::{self, Moment};
use super::settings::Settings;
use super::store::{Part, Store};
use super::{Effects, place};

/// Moves a message, which has no place any more, to the dead-letter queue. False, and nothing
/// moved, if that can't take it. A message whose body can't be read is set aside instead.
pub(super) fn bury<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    settings: &Settings,
    id: MessageId,
    note: &Note,
    (reason, moment): (DeathReason, Moment),
) -> bool {
    let Some(mut grave) = open(store, settings, moment) else {
        effects.counts.dead_letters_refused = effects.counts.dead_letters_refused.saturating_add(1);
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
    // The receipt stays: later ones of this message must be greater. Priority and group stay for its
    // way back.
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
    let mut there = Effects::none();
    place::make_ready(&mut grave, &mut there, id, &mut epitaph, moment.now_ms, None);
    grave.put_note(id, &epitaph);
    effects.others.insert(grave.queue().clone());
    place::forget(store, effects, id, Some(note), Some(Slot::Inflight));
    effects.counts.dead = effects.counts.dead.saturating_add(1);
    true
}

/// The store of the dead-letter queue, if it can take a message.
fn open<S: Store>(store: &S, settings: &Settings, moment: Moment) -> Option<S> {
    let name = settings.dead_letter_of(store.queue())?;
    if moment.same_slot && !name.shares_slot_with(store.queue()) {
        return None;
    }
    let mut grave = store.other(&name);
    grave.require(&[Part::Messages, Part::Notes, Part::Retried]).ok()?;
    grave.require(&[Part::Ranked, Part::Lanes, Part::Dead]).ok()?;
    Some(grave)
}
