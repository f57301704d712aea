//! Groups: the messages of a group are delivered in order, a limited number at a time, and groups take
//! turns.
//!
//! A group can be served while it has ready messages and fewer than GROUPINFLIGHT in flight or held for
//! a retry. Such groups are scheduled by ticket in [`Part::Turns`]; those with ready messages but no
//! free slot are blocked and come behind them. All messages without a group form one more group, whose
//! name is empty. It is scheduled only when a pull finds other groups there, so that queues without
//! groups have no schedule.
//!
//! The record of a group names its next ready messages, so that a group with few of them needs no other
//! key; the others are in [`Part::Grouped`].

use super::effects::Effects;
use super::error::QueueError;
use super::message::{Membership, MessageId, StateRecord};
use super::part::Part;
use super::records::{Group, GroupCounts};
use super::settings::Setting;
use super::small_vec::NameBytes;
use super::store::Store;
use super::valid::{TICKETS, next_sequence};

/// The group of all messages without a group.
const UNGROUPED: &[u8] = b"";

/// The state in which a group counts a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Ready.
    Waiting,
    Inflight,
    /// Returned and delayed.
    Held,
}

/// Which group is served next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextGroup {
    Ungrouped,
    /// A group, and its next message.
    Group(Box<First>, MessageId),
}

/// The group that is served next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct First {
    name: NameBytes,
    group: Group,
}

/// The place of a group in [`Part::Turns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// No message of it is ready.
    Nowhere,
    /// It can be served.
    InLine,
    /// It has no free slot.
    Blocked,
}

/// Requires the parts that change with the counts of a group.
pub(super) fn require<S: Store>(store: &mut S) -> Result<(), QueueError> {
    store.require(&[Part::Groups, Part::Turns, Part::Config])?;
    // The marker in `Lanes` changes only with the first or the last group, of which one may be that of
    // the messages without a group.
    if store.len(Part::Turns) > 2 { Ok(()) } else { store.require(&[Part::Lanes]) }
}

/// Requires the parts that change when this many new messages [`join`] a group. Returns its record.
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

/// Adds a ready message to its group; it gets its number now if it has none.
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

/// As [`enter`], with the record of the group.
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

/// Inserts a ready message in the order of its group.
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

/// Removes a ready message from the order of its group, which still counts it. True if it was there.
pub(super) fn remove<S: Store>(store: &mut S, name: &[u8], sequence: u64, id: MessageId) -> bool {
    let mut group = store.group(name);
    let Some(index) = group.head.iter().position(|first| *first == (sequence, id)) else {
        return store.remove_grouped(name, sequence, id);
    };
    group.head.remove(index);
    store.put_group(name, &group);
    true
}

/// True if a message is ready in its group.
pub(super) fn waits<S: Store>(store: &mut S, name: &[u8], sequence: u64, id: MessageId) -> bool {
    store.group(name).head.contains(&(sequence, id)) || store.is_grouped(name, sequence, id)
}

/// Up to `count` ready messages of a group without the first `skip`, in order.
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

/// Moves a message of a group from one count to another, or to none.
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

/// Counts the next message of the served group as delivered. `record` is the message's: what ends the
/// delivery finds the group there, so a message whose record names another group is no longer counted.
pub(super) fn serve<S: Store>(
    store: &mut S,
    effects: &mut Effects,
    first: &mut First,
    record: Option<&StateRecord>,
    to: Option<Slot>,
) {
    let First { name, group } = first;
    let is_member =
        record.and_then(StateRecord::active_group).is_some_and(|member| member.name == *name);
    group.head.remove(0);
    let to = to.filter(|_| is_member);
    change(store, effects, name, group, (Some(Slot::Waiting), to), None);
}

/// True if only the ready list without priority can have messages. Where that is empty, the schedule
/// counts even without its marker in `Lanes`, which another client may have removed.
pub(super) fn is_plain<S: Store>(store: &mut S) -> bool {
    store.len(Part::Lanes) == 0 && (store.len(Part::Ready) > 0 || store.len(Part::Turns) == 0)
}

/// True if only groups and the ready list without priority can have messages: the marker of the
/// schedule, which exists whenever there is one, is the only one in `Lanes`.
pub(super) fn only_groups_wait<S: Store>(store: &mut S) -> bool {
    store.len(Part::Lanes) == 1 && store.len(Part::Turns) > 0
}

/// The next group to be served; groups without ready messages are removed from the schedule. Error:
/// [`QueueError::WrongType`] when `Grouped` is needed and has another type.
pub(super) fn next_group<S: Store>(
    store: &mut S,
    effects: &mut Effects,
) -> Result<NextGroup, QueueError> {
    let mut first = store.first_group();
    if first.is_none() {
        return Ok(NextGroup::Ungrouped);
    }
    let ungrouped_waits = store.len(Part::Ready) > 0
        || !only_groups_wait(store)
            && (store.top_priority().is_some() || store.len(Part::Ranked) > 0);
    if ungrouped_waits && store.ticket(UNGROUPED).is_none() {
        schedule_last(store, UNGROUPED);
        effects.changed = true;
    }
    while let Some(name) = first {
        let is_ungrouped = name.as_slice() == UNGROUPED;
        if is_ungrouped && ungrouped_waits {
            return Ok(NextGroup::Ungrouped);
        }
        if !is_ungrouped {
            let mut group = store.group(&name);
            if group.head.is_empty() {
                store.require(&[Part::Grouped])?;
                fill_head(store, effects, &name, &mut group);
            }
            if let Some((_, id)) = group.head.first().copied() {
                return Ok(NextGroup::Group(Box::new(First { name, group }), id));
            }
        }
        store.remove_ticket(&name);
        effects.changed = true;
        first = store.first_group();
    }
    Ok(NextGroup::Ungrouped)
}

/// Moves the next messages of a group into its record, which has none.
fn fill_head<S: Store>(store: &mut S, effects: &mut Effects, name: &[u8], group: &mut Group) {
    group.head.extend(store.grouped(name, 0, Group::HEAD as u64));
    for (sequence, id) in &group.head {
        store.remove_grouped(name, *sequence, *id);
    }
    if !group.head.is_empty() || group.is_damaged {
        write(store, effects, name, group);
    }
}

/// A message without a group was delivered: other groups are served before the next one.
pub(super) fn pass_turn<S: Store>(store: &mut S) {
    if store.len(Part::Lanes) > 0 && store.len(Part::Turns) > 0 {
        store.remove_ticket(UNGROUPED);
        if store.first_group().is_some() {
            schedule_last(store, UNGROUPED);
        }
    }
}

/// How many groups can be served.
pub(super) fn servable<S: Store>(store: &mut S) -> u64 {
    match store.len(Part::Turns) {
        0 => 0,
        _ => store.scheduled_groups().saturating_sub(store.ticket(UNGROUPED).is_some().into()),
    }
}

/// Reschedules all groups: GROUPINFLIGHT changed.
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

/// Updates a group's counts and its place in the schedule; `standing` None: it was just served.
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

/// Writes the record of a group. An unreadable one is set aside first.
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

/// GROUPINFLIGHT.
fn limit<S: Store>(store: &mut S) -> u64 {
    store.number(Setting::GroupInflight)
}

/// Where a group belongs.
fn standing(counts: &GroupCounts, limit: u64) -> Standing {
    if counts.waiting == 0 {
        Standing::Nowhere
    } else if counts.inflight.saturating_add(counts.held) < limit {
        Standing::InLine
    } else {
        Standing::Blocked
    }
}

/// Moves a group in the schedule to where it belongs; `standing` None: it was just served.
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
        Standing::InLine => schedule_last(store, name),
        Standing::Blocked => store.put_ticket(name, None),
        Standing::Nowhere => store.remove_ticket(name),
    }
    // The messages without a group are scheduled only because of other groups.
    if store.len(Part::Turns) == 1 && store.ticket(UNGROUPED).is_some() {
        store.remove_ticket(UNGROUPED);
    }
}

fn schedule_last<S: Store>(store: &mut S, group: &[u8]) {
    if store.last_ticket().saturating_add(1) >= TICKETS {
        renumber(store);
    }
    let ticket = store.last_ticket().saturating_add(1);
    store.put_ticket(group, Some(ticket));
}

/// Renumbers the tickets from 1 in their order: another client wrote one that leaves no higher one.
fn renumber<S: Store>(store: &mut S) {
    let scheduled_groups = store.scheduled_groups();
    for (ticket, (name, _)) in (1..).zip(store.groups(0, scheduled_groups)) {
        store.put_ticket(&name, Some(ticket));
    }
}
