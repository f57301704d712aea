//! Records that can't be read are moved to [`Part::Damaged`] as they are, and counted.

use super::effects::Effects;
use super::message::MessageId;
use super::part::Part;
use super::store::{Store, Unreadable};

/// Takes a message that can't be read, and has no place any more, out of the way.
pub(super) fn set_message_aside<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) {
    store.set_message_aside(id);
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
}

/// Takes a member that is none of ours out of the way.
pub(super) fn set_member_aside<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    part: Part,
    member: &Unreadable,
) {
    store.set_member_aside(part, member);
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
}
