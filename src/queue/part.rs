//! The parts of a queue: one key each.

use super::valid::MAX_PRIORITY;

/// The type of the key that holds a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Elements in order.
    List,
    /// Values by field.
    Hash,
    /// Members by score.
    SortedSet,
}

/// Defines the parts: a row for each.
macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $kind:ident;)*) => {
        /// A part of a queue. Each is one key, which exists only while it is not empty.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Part {
            $($(#[$doc])* $name,)*
        }

        impl Part {
            /// All parts.
            pub const ALL: [Self; [$($key),*].len()] = [$(Self::$name),*];

            /// The last word of its key: one of a closed set, so that no user text follows it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)*
                }
            }

            /// The type of its key.
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind,)*
                }
            }
        }
    };
}

// The ready lists are the first parts, in the order of their priorities, see [`Part::ready`]; those of schedules are
// the last.
parts! {
    /// Ready messages in the order of their push, payload included, without a priority.
    Ready = "ready", List;
    /// The same for priority 1.
    Ready1 = "ready1", List;
    /// For priority 2.
    Ready2 = "ready2", List;
    /// For priority 3.
    Ready3 = "ready3", List;
    /// For priority 4.
    Ready4 = "ready4", List;
    /// For priority 5.
    Ready5 = "ready5", List;
    /// For priority 6.
    Ready6 = "ready6", List;
    /// For priority 7.
    Ready7 = "ready7", List;
    /// For priority 8.
    Ready8 = "ready8", List;
    /// For priority 9.
    Ready9 = "ready9", List;
    /// The priorities whose ready list is not empty, and a marker each if `Ranked` and `Turns` are not.
    /// While it is empty, a pull needs only `Ready`, and `Turns` if that is empty too.
    Lanes = "lanes", SortedSet;
    /// All other ready messages without a group, by rank.
    Ranked = "ranked", SortedSet;
    /// The bodies of all messages that are neither in a ready list nor in flight.
    Messages = "messages", Hash;
    /// The state records of the messages of which more is known than their push said.
    Notes = "notes", Hash;
    /// Running deliveries: receipt, end of visibility and body, by id.
    Flight = "flight", Hash;
    /// The bodies of large messages in `Flight`.
    Bodies = "bodies", Hash;
    /// Deliveries that began under version 1 of ops, newest first. Their bodies are in `Messages`.
    Inflight = "inflight", SortedSet;
    /// Messages that become ready later, by due time.
    Delayed = "delayed", SortedSet;
    /// How many messages have which retry count.
    Retries = "retries", Hash;
    /// Messages that 0.1.0 returned, by retry count: those that are not counted in `Retries`.
    Retried = "retried", SortedSet;
    /// Ready and delayed messages with a time to live, by its end.
    Expiring = "expiring", SortedSet;
    /// Groups that have messages: how many in which state, and which ready ones are next.
    Groups = "groups", Hash;
    /// The other ready messages of groups, group by group, each in its order.
    Grouped = "grouped", SortedSet;
    /// The group schedule: groups with ready messages by ticket, behind them those without a free slot.
    Turns = "turns", SortedSet;
    /// Deduplication keys that are held, and the ids that were given for them.
    Dedup = "dedup", Hash;
    /// Those that are held for a time, by its end.
    Deduped = "deduped", SortedSet;
    /// Ready dead letters, by time of death.
    Dead = "dead", SortedSet;
    /// The settings that differ from their defaults, a pause, the rate window.
    Config = "config", Hash;
    /// Records that could not be read. They are never delivered and never deleted.
    Damaged = "damaged", List;
    /// Schedules, by name.
    Schedules = "schedules", Hash;
    /// Their names, by the time at which their next message is pushed; paused ones are the last.
    Ticks = "ticks", SortedSet;
}

impl Part {
    /// The ready lists, by priority.
    pub const READY: &[Self] = Self::ALL.split_at(MAX_PRIORITY as usize + 1).0;

    /// All parts of messages, and the settings.
    pub const OF_MESSAGES: &[Self] = Self::ALL.split_at(Self::Schedules as usize).0;

    /// These without the ready lists.
    pub const BEHIND_READY: &[Self] = Self::OF_MESSAGES.split_at(MAX_PRIORITY as usize + 1).1;

    /// The index of retry counts.
    pub const OF_RETRIES: &[Self] = &[Self::Retries, Self::Retried];

    /// The ready list of a priority.
    pub fn ready(priority: u8) -> Self {
        Self::READY.get(usize::from(priority)).copied().unwrap_or(Self::Ready)
    }
}
