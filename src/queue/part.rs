//! What a queue consists of.

/// One of the things that a queue consists of. Each is one key, and exists only while it has
/// something in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// List: whole messages that wait and need no more than their place in line; those without a
    /// priority.
    Ready,
    /// The same for priority 1; see [`Part::ready`].
    Ready1,
    /// For priority 2.
    Ready2,
    /// For priority 3.
    Ready3,
    /// For priority 4.
    Ready4,
    /// For priority 5.
    Ready5,
    /// For priority 6.
    Ready6,
    /// For priority 7.
    Ready7,
    /// For priority 8.
    Ready8,
    /// For priority 9.
    Ready9,
    /// Sorted set: where messages wait besides `Ready`. The priorities whose list is not empty, and a
    /// mark each if there is something in `Ranked` and in `Turns`. While it is empty, a pull looks
    /// nowhere else, but for `Turns` if `Ready` is empty, too.
    Lanes,
    /// Sorted set: every other waiting message, by rank.
    Ranked,
    /// Hash: the bodies of all messages that are not in a list of ready ones.
    Messages,
    /// Hash: the notes of the messages of which more is known than their push said.
    Notes,
    /// Sorted set: the deliveries that are running, newest first.
    Inflight,
    /// Sorted set: messages that become ready later, by that moment.
    Delayed,
    /// Sorted set: the messages that came back, by retry count.
    Retried,
    /// Sorted set: messages that wait or are delayed and have a time to live, by its end.
    Expiring,
    /// Hash: how many messages a group has where, and which of those that wait are the first; of the
    /// groups that have some.
    Groups,
    /// Sorted set: the other waiting messages of groups, group by group, each in its order.
    Grouped,
    /// Sorted set: the groups that have waiting messages: in line those that can be served, by whose
    /// turn it is, then those without a free slot.
    Turns,
    /// Hash: the deduplication keys that hold, and the ids that were given for them.
    Dedup,
    /// Sorted set: those that hold for a time, by its end.
    Deduped,
    /// Sorted set: dead letters that wait, by when they died.
    Dead,
    /// Hash: the settings that differ from their defaults, a pause, the window of the rate.
    Config,
    /// List: records that could not be read. They are never delivered and never deleted.
    Damaged,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 26] = [
        Self::Ready,
        Self::Ready1,
        Self::Ready2,
        Self::Ready3,
        Self::Ready4,
        Self::Ready5,
        Self::Ready6,
        Self::Ready7,
        Self::Ready8,
        Self::Ready9,
        Self::Lanes,
        Self::Ranked,
        Self::Messages,
        Self::Notes,
        Self::Inflight,
        Self::Delayed,
        Self::Retried,
        Self::Expiring,
        Self::Groups,
        Self::Grouped,
        Self::Turns,
        Self::Dedup,
        Self::Deduped,
        Self::Dead,
        Self::Config,
        Self::Damaged,
    ];

    /// The lists of ready messages, by priority.
    pub const READY: &[Self] = Self::ALL.split_at(10).0;

    /// All parts but those lists.
    pub const BEHIND_READY: &[Self] = Self::ALL.split_at(10).1;

    /// The list of the ready messages of a priority.
    pub fn ready(priority: u8) -> Self {
        Self::READY.get(usize::from(priority)).copied().unwrap_or(Self::Ready)
    }
}
