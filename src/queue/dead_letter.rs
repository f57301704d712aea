//! A message dies: it moves to the dead-letter queue, where it is an ordinary message again, but
//! one that never dies a second time.

use super::message::{Death, DeathReason, Ended, MessageId, Note, Rank};
use super::retry::Moment;
use super::settings::Settings;
use super::store::{Part, Store};
use super::{Effects, retry};

/// Moves a message, which has no place any more, to the dead-letter queue. False, and nothing
/// moved, if that can't take it. A message whose body can't be read is set aside instead.
pub(super) fn bury<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    settings: &Settings,
    id: MessageId,
    note: &Note,
    moment: Moment,
) -> bool {
    let Some(mut grave) = open(store, settings, moment) else {
        effects.counts.dead_letters_refused = effects.counts.dead_letters_refused.saturating_add(1);
        return false;
    };
    let body = match store.message(id) {
        Ok(Some(body)) => body,
        Ok(None) | Err(_) => {
            retry::set_aside(store, effects, id);
            return true;
        }
    };
    grave.put_message(&body);
    let death = Death {
        from: store.queue().clone(),
        at_ms: moment.now_ms,
        reason: DeathReason::Retries,
        retries: note.retry_count,
    };
    // The receipt stays: later ones of this message must be greater.
    let epitaph = Note {
        retry_count: 0,
        last_receipt: note.last_receipt,
        ended: Ended::Never,
        death: Some(death),
    };
    grave.put_note(id, &epitaph);
    grave.add_ranked(id, Rank::plain(moment.now_ms));
    effects.dead_letter = Some(grave.queue().clone());
    store.remove_message(id);
    store.remove_note(id);
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
    grave.require(&[Part::Messages, Part::Notes, Part::Retried, Part::Ranked]).ok()?;
    Some(grave)
}
