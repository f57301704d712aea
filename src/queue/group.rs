//! Groups: their messages are delivered in order, so many at a time, and groups take turns.
//!
//! A group can be served while it has waiting messages and fewer than GROUPINFLIGHT in flight or
//! held for a retry. Those that can be served stand in a line, [`Part::Turns`]. All messages without
//! a group together are one more group, the one without a name. It enters the line only when a pull
//! finds that groups stand there, so that queues without groups have no line.

use super::Effects;
use super::message::{Membership, MessageId};
use super::settings::Setting;
use super::store::{GroupCounts, Part, Store};

/// The keys of groups.
pub(super) const PARTS: [Part; 4] = [Part::Grouped, Part::Groups, Part::Turns, Part::Lanes];

/// The name of the group of all messages without a group.
const UNGROUPED: &[u8] = b"";

/// As what a group counts a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// It waits.
    Waiting,
    /// It is in flight.
    Inflight,
    /// It came back and is delayed.
    Held,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// The messages without a group.
    Ungrouped,
    /// A group, whose first waiting message is this one with this number.
    Group(Vec<u8>, u64, MessageId),
}

/// Lets a message wait in its group; its number is given now if it has none.
pub(super) fn enter<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    member: &mut Membership,
    id: MessageId,
    from: Option<Slot>,
) {
    let mut counts = store.group(&member.name);
    let sequence = *member.sequence.get_or_insert(counts.next_sequence);
    counts.next_sequence = counts.next_sequence.max(sequence.saturating_add(1));
    store.add_grouped(&member.name, sequence, id);
    let stands = can_be_served(&counts, limit(store));
    change(store, effects, &member.name, counts, (from, Some(Slot::Waiting)), stands);
}

/// Counts a message of a group elsewhere, or not at all any more.
pub(super) fn count<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    group: &[u8],
    from: Option<Slot>,
    to: Option<Slot>,
) {
    if from != to {
        let counts = store.group(group);
        let stands = can_be_served(&counts, limit(store));
        change(store, effects, group, counts, (from, to), stands);
    }
}

/// Counts a message of the group whose turn it was as delivered: it is the next group's turn.
pub(super) fn serve<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    group: &[u8],
    to: Option<Slot>,
) {
    store.remove_turn(group);
    let counts = store.group(group);
    change(store, effects, group, counts, (Some(Slot::Waiting), to), false);
}

/// Says whose turn it is, and takes those out of the line that have nothing.
pub(super) fn whose_turn<S: Store>(store: &mut S, effects: &mut Effects) -> Turn {
    if store.len(Part::Turns) == 0 {
        return Turn::Ungrouped;
    }
    let ungrouped_waits = store.top_lane().is_some() || store.len(Part::Ranked) > 0;
    if ungrouped_waits && store.turn(UNGROUPED).is_none() {
        stand_last(store, UNGROUPED);
        effects.changed = true;
    }
    while let Some(group) = store.first_turn() {
        if group == UNGROUPED && ungrouped_waits {
            return Turn::Ungrouped;
        }
        if group != UNGROUPED
            && let Some((sequence, id)) = store.first_grouped(&group)
        {
            return Turn::Group(group, sequence, id);
        }
        store.remove_turn(&group);
        effects.changed = true;
    }
    Turn::Ungrouped
}

/// A message without a group was delivered: if there are groups, it is their turn.
pub(super) fn pass_turn<S: Store>(store: &mut S) {
    if store.len(Part::Lanes) > 0 && store.len(Part::Turns) > 0 {
        store.remove_turn(UNGROUPED);
        if store.len(Part::Turns) > 0 {
            stand_last(store, UNGROUPED);
        }
    }
}

/// How many groups can be served.
pub(super) fn servable<S: Store>(store: &mut S) -> u64 {
    match store.len(Part::Turns) {
        0 => 0,
        turns => turns.saturating_sub(store.turn(UNGROUPED).is_some().into()),
    }
}

/// Looks at each group with waiting messages anew: their limit is another one.
pub(super) fn settle_all<S: Store>(store: &mut S, effects: &mut Effects) {
    let mut group = store.next_group(None);
    while let Some(name) = group {
        let counts = store.group(&name);
        let stands = store.turn(&name).is_some();
        settle(store, effects, &name, &counts, stands);
        group = store.next_group(Some(&name));
    }
}

/// Changes what is known of a group that stands in the line or not.
fn change<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    group: &[u8],
    mut counts: GroupCounts,
    (from, to): (Option<Slot>, Option<Slot>),
    stands: bool,
) {
    if let Some(from) = from {
        let number = number(&mut counts, from);
        *number = number.saturating_sub(1);
    }
    if let Some(to) = to {
        let number = number(&mut counts, to);
        *number = number.saturating_add(1);
    }
    store.put_group(group, &counts);
    effects.changed = true;
    settle(store, effects, group, &counts, stands);
}

fn number(counts: &mut GroupCounts, slot: Slot) -> &mut u64 {
    match slot {
        Slot::Waiting => &mut counts.waiting,
        Slot::Inflight => &mut counts.inflight,
        Slot::Held => &mut counts.held,
    }
}

/// How many messages of a group may be in flight or held.
fn limit<S: Store>(store: &mut S) -> u64 {
    store.number(Setting::GroupInflight)
}

/// True if a group can be served, and so stands in the line.
fn can_be_served(counts: &GroupCounts, limit: u64) -> bool {
    counts.waiting > 0 && counts.inflight.saturating_add(counts.held) < limit
}

/// Lets a group stand in the line exactly if it can be served.
fn settle<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    group: &[u8],
    counts: &GroupCounts,
    stands: bool,
) {
    let is_servable = can_be_served(counts, limit(store));
    match (is_servable, stands) {
        (true, false) => stand_last(store, group),
        // Somebody removed the line, or that there is one.
        (true, true) if store.len(Part::Turns) == 0 || store.len(Part::Lanes) == 0 => {
            stand_last(store, group);
        }
        (false, true) => store.remove_turn(group),
        _ => {}
    }
    effects.became_ready |= is_servable;
    // The messages without a group stand in the line only because of groups.
    if !is_servable && store.len(Part::Turns) == 1 {
        store.remove_turn(UNGROUPED);
    }
}

fn stand_last<S: Store>(store: &mut S, group: &[u8]) {
    let ticket = store.last_ticket().saturating_add(1);
    store.put_turn(group, ticket);
}
