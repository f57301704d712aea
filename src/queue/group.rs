//! Groups: their messages are delivered in order, so many at a time, and groups take turns.
//!
//! A group can be served while it has waiting messages and fewer than GROUPINFLIGHT in flight or
//! held for a retry. Those that can be served stand in a line, in [`Part::Turns`]; behind it are those
//! that have waiting messages and no free slot: they are blocked. All messages without a group
//! together are one more group, the one without a name. It enters the line only when a pull finds that
//! groups stand there, so that queues without groups have no line.
//!
//! The first messages that wait in a group are named in its record, so that a tenant with few of them
//! needs nothing else; the others are in [`Part::Grouped`], behind these.

use super::effects::Effects;
use super::error::QueueError;
use super::few::Name;
use super::message::{Membership, MessageId, Note};
use super::part::Part;
use super::records::{Group, GroupCounts};
use super::settings::Setting;
use super::store::Store;
use super::valid::{TICKETS, next_sequence};

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
    /// A group, and the first of its head.
    Group(Box<First>, MessageId),
}

/// The first group in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct First {
    name: Name,
    group: Group,
}

/// Where a group stands in [`Part::Turns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not there: no message of it waits.
    Nowhere,
    /// In the line.
    InLine,
    /// Behind the line: it has no free slot.
    Blocked,
}

/// Requires the parts that change when a group counts a message elsewhere.
pub(super) fn require<S: Store>(store: &mut S) -> Result<(), QueueError> {
    store.require(&[Part::Groups, Part::Turns, Part::Config])?;
    // The line's mark comes and goes with two who stand there at most: a group and those without one.
    if store.len(Part::Turns) > 2 { Ok(()) } else { store.require(&[Part::Lanes]) }
}

/// Requires the parts that change when so many new messages [`join`] a group. What is known of it.
pub(super) fn require_to_join<S: Store>(
    store: &mut S,
    name: &[u8],
    count: usize,
) -> Result<Group, QueueError> {
    store.require(&[Part::Groups, Part::Config])?;
    let group = store.group(name);
    if standing(&group.counts, limit(store)) == Standing::Nowhere {
        require(store)?;
    }
    let room = Group::HEAD.saturating_sub(group.head.len());
    if group.has_more() || count > room {
        store.require(&[Part::Grouped])?;
    }
    Ok(group)
}

/// Lets a message wait in its group; its number is given now if it has none.
pub(super) fn enter<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    member: &mut Membership,
    id: MessageId,
    from: Option<Slot>,
) {
    let mut group = store.group(&member.name);
    join(store, effects, member, id, from, &mut group);
}

/// The same, of a group of which that is known.
pub(super) fn join<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    member: &mut Membership,
    id: MessageId,
    from: Option<Slot>,
    group: &mut Group,
) {
    let sequence = *member.sequence.get_or_insert(group.counts.next_sequence);
    group.counts.next_sequence = group.counts.next_sequence.max(next_sequence(sequence));
    let standing = Some(standing(&group.counts, limit(store)));
    insert(store, &member.name, group, sequence, id);
    change(store, effects, &member.name, group, (from, Some(Slot::Waiting)), standing);
}

/// Puts a message where it belongs among those of its group that wait.
fn insert<S: Store>(store: &mut S, name: &[u8], group: &mut Group, sequence: u64, id: MessageId) {
    let index = group.head.partition_point(|other| *other < (sequence, id));
    let is_last = index == group.head.len();
    if is_last && (group.has_more() || index == Group::HEAD) {
        return store.add_grouped(name, sequence, id);
    }
    group.head.insert(index, (sequence, id));
    if group.head.len() > Group::HEAD
        && let Some((sequence, id)) = group.head.pop()
    {
        store.add_grouped(name, sequence, id);
    }
}

/// Takes a waiting message out of the order of its group, which still counts it. True if it was there.
pub(super) fn remove<S: Store>(store: &mut S, name: &[u8], sequence: u64, id: MessageId) -> bool {
    let mut group = store.group(name);
    let Some(index) = group.head.iter().position(|first| *first == (sequence, id)) else {
        return store.remove_grouped(name, sequence, id);
    };
    group.head.remove(index);
    store.put_group(name, &group);
    true
}

/// True if a message waits in its group.
pub(super) fn waits<S: Store>(store: &mut S, name: &[u8], sequence: u64, id: MessageId) -> bool {
    store.group(name).head.contains(&(sequence, id)) || store.is_grouped(name, sequence, id)
}

/// Up to `count` waiting messages of a group without the first `skip`, in their order.
pub(super) fn waiting<S: Store>(
    store: &mut S,
    name: &[u8],
    group: &Group,
    skip: u64,
    count: u64,
) -> Vec<MessageId> {
    if skip >= group.counts.waiting {
        return Vec::new();
    }
    let in_head = group.head.len() as u64;
    let head = group.head.iter().skip(skip.try_into().unwrap_or(usize::MAX));
    let mut ids: Vec<MessageId> =
        head.take(count.try_into().unwrap_or(usize::MAX)).map(|(_, id)| *id).collect();
    let missing = count.saturating_sub(ids.len() as u64);
    if missing > 0 && group.has_more() {
        let others = store.grouped(name, skip.saturating_sub(in_head), missing);
        ids.extend(others.into_iter().map(|(_, id)| id));
    }
    ids
}

/// Counts a message of a group elsewhere, or not at all any more.
pub(super) fn count<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    name: &[u8],
    from: Option<Slot>,
    to: Option<Slot>,
) {
    if from != to {
        let mut group = store.group(name);
        let standing = Some(standing(&group.counts, limit(store)));
        change(store, effects, name, &mut group, (from, to), standing);
    }
}

/// Counts the first message of the group whose turn it was as delivered: it is the next group's turn.
/// `note` is the message's: what ends the delivery looks for the group there, so it must not count
/// elsewhere.
pub(super) fn serve<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    first: &mut First,
    note: Option<&Note>,
    to: Option<Slot>,
) {
    let First { name, group } = first;
    let is_member = note.and_then(Note::active_group).is_some_and(|member| member.name == *name);
    group.head.remove(0);
    let to = to.filter(|_| is_member);
    change(store, effects, name, group, (Some(Slot::Waiting), to), None);
}

/// True if nothing waits but in the list of those without a priority. Where that is empty the line is
/// looked for even without its mark in `Lanes`: somebody may have removed it.
pub(super) fn is_plain<S: Store>(store: &mut S) -> bool {
    store.len(Part::Lanes) == 0 && (store.len(Part::Ready) > 0 || store.len(Part::Turns) == 0)
}

/// True if all that waits is in groups, or in the list of those without a priority: the only mark in
/// `Lanes` is that of the line, which is there whenever there is a line.
pub(super) fn are_only_lane<S: Store>(store: &mut S) -> bool {
    store.len(Part::Lanes) == 1 && store.len(Part::Turns) > 0
}

/// Says whose turn it is, and takes those out of the line that have nothing. Error:
/// [`QueueError::WrongType`] when what stands behind the head of a group can't be had.
pub(super) fn whose_turn<S: Store>(
    store: &mut S,
    effects: &mut Effects,
) -> Result<Turn, QueueError> {
    let mut first = store.first_turn();
    if first.is_none() {
        return Ok(Turn::Ungrouped);
    }
    let ungrouped_waits = store.len(Part::Ready) > 0
        || !are_only_lane(store) && (store.top_lane().is_some() || store.len(Part::Ranked) > 0);
    if ungrouped_waits && store.turn(UNGROUPED).is_none() {
        stand_last(store, UNGROUPED);
        effects.changed = true;
    }
    while let Some(name) = first {
        let is_ungrouped = name.as_slice() == UNGROUPED;
        if is_ungrouped && ungrouped_waits {
            return Ok(Turn::Ungrouped);
        }
        if !is_ungrouped {
            let mut group = store.group(&name);
            if group.head.is_empty() {
                store.require(&[Part::Grouped])?;
                fill_head(store, effects, &name, &mut group);
            }
            if let Some((_, id)) = group.head.first().copied() {
                return Ok(Turn::Group(Box::new(First { name, group }), id));
            }
        }
        store.remove_turn(&name);
        effects.changed = true;
        first = store.first_turn();
    }
    Ok(Turn::Ungrouped)
}

/// Names the next messages of a group in its record, which names none.
fn fill_head<S: Store>(store: &mut S, effects: &mut Effects, name: &[u8], group: &mut Group) {
    group.head.extend(store.grouped(name, 0, Group::HEAD as u64));
    for (sequence, id) in &group.head {
        store.remove_grouped(name, *sequence, *id);
    }
    if !group.head.is_empty() || group.is_damaged {
        write(store, effects, name, group);
    }
}

/// A message without a group was delivered: if there are groups, it is their turn.
pub(super) fn pass_turn<S: Store>(store: &mut S) {
    if store.len(Part::Lanes) > 0 && store.len(Part::Turns) > 0 {
        store.remove_turn(UNGROUPED);
        if store.first_turn().is_some() {
            stand_last(store, UNGROUPED);
        }
    }
}

/// How many groups can be served.
pub(super) fn servable<S: Store>(store: &mut S) -> u64 {
    match store.len(Part::Turns) {
        0 => 0,
        _ => store.line_len().saturating_sub(store.turn(UNGROUPED).is_some().into()),
    }
}

/// Looks at each group with waiting messages anew: their limit is another one.
pub(super) fn settle_all<S: Store>(store: &mut S, effects: &mut Effects) {
    let limit = limit(store);
    for (name, ticket) in store.groups(0, u64::MAX) {
        if name != UNGROUPED {
            let standing = if ticket.is_some() { Standing::InLine } else { Standing::Blocked };
            let counts = store.group(&name).counts;
            settle(store, effects, &name, &counts, Some(standing), limit);
        }
    }
}

/// Changes what is known of a group that stands there; None: its turn is over.
fn change<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    name: &[u8],
    group: &mut Group,
    (from, to): (Option<Slot>, Option<Slot>),
    standing: Option<Standing>,
) {
    if let Some(from) = from {
        let number = number(&mut group.counts, from);
        *number = number.saturating_sub(1);
    }
    if let Some(to) = to {
        let number = number(&mut group.counts, to);
        *number = next_sequence(*number);
    }
    write(store, effects, name, group);
    let limit = limit(store);
    settle(store, effects, name, &group.counts, standing, limit);
}

/// Writes what is known of a group. A record that can't be read is set aside before.
fn write<S: Store>(store: &mut S, effects: &mut Effects, name: &[u8], group: &mut Group) {
    if std::mem::take(&mut group.is_damaged) {
        store.set_group_aside(name);
        effects.counts.damaged = effects.counts.damaged.saturating_add(1);
    }
    store.put_group(name, group);
    effects.changed = true;
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

/// Where a group should stand.
fn standing(counts: &GroupCounts, limit: u64) -> Standing {
    if counts.waiting == 0 {
        Standing::Nowhere
    } else if counts.inflight.saturating_add(counts.held) < limit {
        Standing::InLine
    } else {
        Standing::Blocked
    }
}

/// Lets a group that stands there stand where it should; None: its turn is over.
fn settle<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    name: &[u8],
    counts: &GroupCounts,
    before: Option<Standing>,
    limit: u64,
) {
    let after = standing(counts, limit);
    let is_servable = after == Standing::InLine;
    effects.became_ready |= is_servable;
    if before == Some(after) {
        return;
    }
    match after {
        Standing::InLine => stand_last(store, name),
        Standing::Blocked => store.block(name),
        Standing::Nowhere => store.remove_turn(name),
    }
    // The messages without a group stand in the line only because of groups.
    if store.len(Part::Turns) == 1 && store.turn(UNGROUPED).is_some() {
        store.remove_turn(UNGROUPED);
    }
}

fn stand_last<S: Store>(store: &mut S, group: &[u8]) {
    if store.last_ticket().saturating_add(1) >= TICKETS {
        renumber(store);
    }
    let ticket = store.last_ticket().saturating_add(1);
    store.put_turn(group, ticket);
}

/// Gives those in the line the lowest tickets, in their order: somebody wrote one that leaves no higher
/// one.
fn renumber<S: Store>(store: &mut S) {
    let line_len = store.line_len();
    for (ticket, (name, _)) in (1..).zip(store.groups(0, line_len)) {
        store.put_turn(&name, ticket);
    }
}
