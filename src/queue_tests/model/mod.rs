//! A plain model of queues: lists of messages and what the documentation says. It shares no code
//! with the rules and is as slow as it is simple.
//!
//! Everything is derived from all messages each time: nothing is counted or sorted in advance. Only the
//! group schedule is kept, because it depends on the past.

mod groups;
mod inspect;
mod manage;
mod pull;
mod push;
mod returns;
mod schedules;

use std::collections::BTreeMap;

pub use manage::{Redrive, Redriven};
pub use pull::{How, Pull};
pub use push::{Answer, Push};
pub use returns::{Back, Comeback};
pub use schedules::{Asked, CatchUp, Rhythm, Schedule, Set, Timing};

pub type Id = [u8; 16];

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// Since then, in 64ths of a millisecond.
    Waiting {
        since: u64,
    },
    Delayed {
        due_ms: u64,
    },
    Inflight {
        receipt: u64,
        until_ms: u64,
    },
}

/// How its last delivery in this queue ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    NoneYet,
    Expired,
    Nacked,
    /// By itself, and not counted.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause {
    Retries,
    Rejected,
    Expired,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Death {
    pub from: &'static str,
    pub at_ms: u64,
    pub cause: Cause,
    pub retries: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub payload: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
    pub pushed_ms: u64,
    pub priority: u8,
    pub group: Option<&'static str>,
    /// Its number in the group; none before it was ready for the first time.
    pub sequence: Option<u64>,
    pub expires_ms: Option<u64>,
    /// It dies then.
    pub dies: bool,
    /// The deduplication key that is free again when the message is gone.
    pub key: Option<&'static str>,
    pub place: Place,
    pub retries: u32,
    /// How many deliveries have ended, and when the first began.
    pub deliveries: Option<(u32, u64)>,
    pub last_receipt: u64,
    pub end: End,
    pub consumer: Option<&'static str>,
    pub last_error: Option<&'static str>,
    pub death: Option<Death>,
}

impl Message {
    /// Group and priority have no effect on a dead letter.
    pub fn active_group(&self) -> Option<&'static str> {
        self.group.filter(|_| self.death.is_none())
    }

    fn lane(&self) -> u8 {
        if self.death.is_none() { self.priority } else { 0 }
    }

    pub fn is_expired(&self, now: u64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now)
    }

    pub fn dies_at_end(&self) -> bool {
        self.dies && self.death.is_none()
    }

    pub fn is_over_by_itself(&self) -> bool {
        matches!(self.end, End::Expired | End::Abandoned)
    }

    pub fn is_waiting(&self) -> bool {
        matches!(self.place, Place::Waiting { .. })
    }

    pub fn is_inflight(&self) -> bool {
        matches!(self.place, Place::Inflight { .. })
    }

    pub fn is_delayed(&self) -> bool {
        matches!(self.place, Place::Delayed { .. })
    }
}

/// A deduplication key: the first message, and until when it holds; None: until that is gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    pub id: Id,
    pub until_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pause {
    UntilResumed,
    Until(u64),
}

#[derive(Clone, Default)]
pub struct Queue {
    pub messages: BTreeMap<Id, Message>,
    /// What was set, by name, as text.
    pub settings: BTreeMap<&'static str, String>,
    /// The groups that can be served, the next one first; "" is that of all without a group.
    pub turns: Vec<&'static str>,
    pub keys: BTreeMap<&'static str, Key>,
    pub pause: Option<Pause>,
    /// The rate window: start and count.
    pub window: Option<(u64, u64)>,
    pub schedules: BTreeMap<&'static str, Schedule>,
    /// The last use that was noted.
    pub used_ms: Option<u64>,
    last_sequence: u64,
}

/// Brief, to be read when a run is repeated.
impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} turns {:?}", self.settings, self.turns)?;
        for (id, message) in &self.messages {
            write!(f, "\n      #{} {:?}", id[15], message.place)?;
            write!(f, " p{} {:?} {:?}", message.priority, message.group, message.sequence)?;
            write!(f, " ttl {:?} {:?} x{}", message.expires_ms, message.end, message.retries)?;
            write!(f, " {:?}", message.death)?;
        }
        for (name, schedule) in &self.schedules {
            write!(f, "\n      {name} {schedule:?}")?;
        }
        Ok(())
    }
}

impl Queue {
    /// A setting that is a number; what is not set has its default.
    pub fn number(&self, name: &str) -> u64 {
        match self.settings.get(name) {
            Some(text) => text.parse().unwrap(),
            None => match name {
                "backoffmax" => 3_600_000,
                "rateperiod" => 1_000,
                "groupinflight" => 1,
                "expires" | "ttl" | "maxdedup" | "maxlen" | "maxinflight" | "rate" | "aging" => 0,
                _ => panic!("the model has no default of {name}"),
            },
        }
    }

    fn max_retries(&self, is_old: bool) -> Option<u32> {
        match self.settings.get("maxretries").map(String::as_str) {
            Some("-1") => None,
            Some(text) => Some(text.parse().unwrap()),
            None => (!is_old).then_some(25),
        }
    }

    fn backoff(&self, is_old: bool) -> u64 {
        match self.settings.get("backoff") {
            Some(text) => text.parse().unwrap(),
            None if is_old => 0,
            None => 1_000,
        }
    }

    pub fn is_paused(&self, now: u64) -> bool {
        match self.pause {
            None => false,
            Some(Pause::UntilResumed) => true,
            Some(Pause::Until(until_ms)) => now < until_ms,
        }
    }

    /// How many messages fit.
    pub fn count(&self, fits: impl Fn(&Message) -> bool) -> u64 {
        self.messages.values().filter(|message| fits(message)).count() as u64
    }

    /// The next time at which something happens by itself.
    pub fn next_deadline(&self) -> Option<u64> {
        let of_keys = self.keys.values().filter_map(|key| key.until_ms);
        let of_pause = match self.pause {
            Some(Pause::Until(until_ms)) => Some(until_ms),
            _ => None,
        };
        let of_use = self.unused_ms();
        let of_ticks = self.due().into_iter().map(|(due_ms, _)| due_ms);
        let of_others = of_keys.chain(of_pause).chain(of_use).chain(of_ticks);
        self.deadlines_of_messages().into_iter().chain(of_others).min()
    }

    fn quarter_ms(&self) -> u64 {
        self.number("expires").div_ceil(4)
    }

    /// When the queue is dropped if nobody uses it.
    pub fn unused_ms(&self) -> Option<u64> {
        self.used_ms.map(|used_ms| used_ms + 5 * self.quarter_ms())
    }

    pub fn deadlines_of_messages(&self) -> Vec<u64> {
        let of_messages = self.messages.values().flat_map(|message| match message.place {
            Place::Inflight { until_ms, .. } => [Some(until_ms), None],
            Place::Delayed { due_ms } => [Some(due_ms), message.expires_ms],
            Place::Waiting { .. } => [message.expires_ms, None],
        });
        of_messages.flatten().collect()
    }

    /// The times from `now` on at which something ends or begins, ascending.
    pub fn moments(&self, now: u64) -> Vec<u64> {
        let aging = self.number("aging");
        let mut moments = self.deadlines_of_messages();
        moments.extend(self.keys.values().filter_map(|key| key.until_ms));
        moments.extend(self.unused_ms());
        moments.extend(self.due().into_iter().map(|(due_ms, _)| due_ms));
        moments.extend(self.window.map(|(start_ms, _)| start_ms + self.number("rateperiod")));
        if let Some(Pause::Until(until_ms)) = self.pause {
            moments.push(until_ms);
        }
        moments.extend(self.messages.values().filter_map(|message| match message.place {
            Place::Waiting { since } if aging > 0 => Some(since / 64 + aging),
            Place::Inflight { .. } => message.expires_ms,
            _ => None,
        }));
        moments.retain(|moment| *moment > now);
        moments.sort();
        moments
    }

    /// True if there is anything of the queue.
    pub fn exists(&self) -> bool {
        !self.messages.is_empty()
            || !self.settings.is_empty()
            || !self.turns.is_empty()
            || !self.keys.is_empty()
            || self.pause.is_some()
            || self.window.is_some()
            || !self.schedules.is_empty()
            || self.used_ms.is_some()
    }
}

/// All queues by name, what was counted, and which rules were met.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// It is to be as in release 0.1.0.
    pub is_old: bool,
    pub queues: BTreeMap<&'static str, Queue>,
    pub counts: BTreeMap<&'static str, u64>,
    pub hits: BTreeMap<&'static str, u64>,
    /// Ranks behind all ready messages, for the messages of an op: by queue and priority.
    behind: BTreeMap<(&'static str, u8), u64>,
}

impl Model {
    /// Another op begins.
    pub fn begin(&mut self) {
        self.behind.clear();
    }

    /// Somebody uses the queue; noted only now and then.
    pub fn note_use(&mut self, name: &'static str, now: u64) {
        let is_old = self.is_old;
        let queue = self.queue(name);
        let quarter_ms = queue.quarter_ms();
        let is_noted = queue.used_ms.is_some_and(|used_ms| now < used_ms + quarter_ms);
        if quarter_ms > 0 && !is_old && !is_noted {
            queue.used_ms = Some(now);
        }
    }

    /// True if the queue was dropped because nobody used it.
    pub fn expire_queue(&mut self, name: &'static str, now: u64) -> bool {
        let is_unused = self.queue(name).unused_ms().is_some_and(|unused_ms| unused_ms <= now);
        if is_unused && !self.queue(name).schedules.is_empty() {
            self.hit("a queue was kept for its schedule");
            self.note_use(name, now);
            return false;
        }
        is_unused && self.drop_queue(name)
    }

    pub fn queue(&mut self, name: &'static str) -> &mut Queue {
        self.queues.entry(name).or_default()
    }

    fn message(&mut self, name: &'static str, id: Id) -> &mut Message {
        self.queue(name).messages.get_mut(&id).unwrap()
    }

    fn count(&mut self, what: &'static str, number: u64) {
        *self.counts.entry(what).or_default() += number;
    }

    fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }

    /// A message leaves the queue: its deduplication key is free, its group goes on.
    fn remove(&mut self, name: &'static str, id: Id) -> Message {
        let queue = self.queue(name);
        let message = queue.messages.remove(&id).unwrap();
        if let Some(key) = message.key {
            assert_eq!(queue.keys.remove(key), Some(Key { id, until_ms: None }));
            self.hit("key released");
        }
        self.settle(name, message.active_group());
        message
    }

    /// Where the dead of a queue go.
    pub fn target(&mut self, name: &'static str) -> &'static str {
        match self.queue(name).settings.get("deadletter").map(String::as_str) {
            Some("graves") => "graves",
            Some(other) => panic!("no queue {other} in this model"),
            None => match name {
                "orders" => "{orders}:dead",
                "{orders}:dead" => "{orders}:dead:dead",
                "{orders}:dead:dead" => "{orders}:dead:dead:dead",
                "graves" => "{graves}:dead",
                "{graves}:dead" => "{graves}:dead:dead",
                other => panic!("no dead-letter queue of {other} in this model"),
            },
        }
    }

    /// The dead can be kept from leaving their slot: the word in braces, or the whole name.
    fn can_go(from: &'static str, to: &'static str, same_slot: bool) -> bool {
        let tag = |name: &'static str| match name.strip_prefix('{') {
            Some(rest) => rest.split('}').next().unwrap(),
            None => name,
        };
        !same_slot || tag(from) == tag(to)
    }
}
