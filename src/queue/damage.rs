//! Unreadable records are moved to [`Part::Damaged`] as they are, and counted.

use super::effects::Effects;
use super::message::MessageId;
use super::part::Part;
use super::store::{Store, Unreadable};

/// Sets a message aside that has left its place and is unreadable.
pub(super) fn set_message_aside<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) {
    store.set_message_aside(id);
    count_set_aside(effects);
}

/// Sets the first record of a ready list aside, which is unreadable.
pub(super) fn set_ready_aside<S: Store>(store: &mut S, effects: &mut Effects, priority: u8) {
    store.set_ready_aside(priority);
    count_set_aside(effects);
}

/// Sets a delivery aside whose record in `Flight` is unreadable.
pub(super) fn set_delivery_aside<S: Store>(store: &mut S, effects: &mut Effects, id: MessageId) {
    store.set_delivery_aside(id);
    count_set_aside(effects);
}

/// Sets a member of a sorted set aside that is no valid member.
pub(super) fn set_member_aside<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    part: Part,
    member: &Unreadable,
) {
    store.set_member_aside(part, member);
    count_set_aside(effects);
}

/// Counts what was set aside.
pub(super) fn count_set_aside(effects: &mut Effects) {
    effects.changed = true;
    effects.counts.damaged = effects.counts.damaged.saturating_add(1);
}
