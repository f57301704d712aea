//! A queue of the fake: the life of its messages, as docs/delivery.md has it. Knows neither commands nor clients.

mod deliveries;

pub use deliveries::{BAD_RECEIPT, NOT_FOUND, Return, Way};

use super::schedule::Schedule;
use super::settings::Settings;
use super::stored::{Content, Dead, Expiry, State, Stored};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// The parts of a millisecond in which the order of messages is kept.
const PARTS: u64 = 64;

/// Until when a deduplication key is held.
#[derive(Clone, Copy, Debug)]
pub enum Hold {
    Until(u64),
    UntilDone,
}

#[derive(Debug)]
pub struct Queue {
    name: String,
    now: u64,
    pub settings: Settings,
    counters: HashMap<&'static str, u64>,
    /// When it was used last.
    used_at: u64,
    /// When its pause ends.
    pub paused_until: Option<u64>,
    messages: BTreeMap<String, Stored>,
    keys: HashMap<String, (String, Hold)>,
    schedule: Schedule,
    /// The places behind all messages by priority, as the present command found them.
    behind: BTreeMap<u64, u64>,
    /// Of messages of groups, so far.
    numbers: u64,
    /// When the window of `rate` began, and its deliveries.
    pub window: (u64, u64),
}

impl Queue {
    pub fn new(name: &str, now: u64) -> Self {
        Self {
            name: name.to_owned(),
            now,
            settings: Settings::default(),
            counters: HashMap::new(),
            used_at: now,
            paused_until: None,
            messages: BTreeMap::new(),
            keys: HashMap::new(),
            schedule: Schedule::default(),
            behind: BTreeMap::new(),
            numbers: 0,
            window: (0, 0),
        }
    }

    pub fn dead_letter(&self) -> String {
        self.settings.dead_letter_of(&self.name)
    }

    pub fn is_stored(&self) -> bool {
        let has_contents = !(self.messages.is_empty() && self.keys.is_empty());
        has_contents || !self.settings.are_defaults() || self.paused_until.is_some()
    }

    pub fn use_at(&mut self, moment: u64) {
        self.used_at = self.used_at.max(moment);
    }

    /// Nobody has used it for as long as its settings allow.
    pub fn is_unused(&self) -> bool {
        self.time("expires").is_some_and(|length| self.now >= self.used_at + length)
    }

    /// A setting for which 0 is none.
    pub fn time(&self, name: &str) -> Option<u64> {
        u64::try_from(self.settings.number(name)).ok().filter(|value| *value > 0)
    }

    pub fn count(&mut self, counter: &'static str, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    pub fn held_keys(&self) -> usize {
        self.keys.len()
    }

    pub fn find(&self, id: &str) -> Option<&Stored> {
        self.messages.get(id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Stored> {
        self.messages.values()
    }

    pub fn len(&self, state: Option<State>) -> usize {
        self.all().filter(|message| state.is_none_or(|state| message.state == state)).count()
    }

    /// Messages in a state, in the order in which MQ.PEEK shows them.
    pub fn list(&self, state: State) -> Vec<&Stored> {
        if state == State::Ready {
            let mut messages: Vec<_> = self.ready_ungrouped().collect();
            messages.sort_by_key(|one| order(one));
            messages.extend(self.schedule.order().flat_map(|group| self.ready_of_group(group)));
            return messages;
        }
        let mut messages: Vec<_> = self.all().filter(|message| message.state == state).collect();
        messages.sort_by_key(|message| (message.due, &message.id));
        messages
    }

    pub fn push(&mut self, id: String, content: Content, due: u64, expiry: Option<Expiry>) {
        let message = Stored {
            id: id.clone(),
            content,
            timestamp: self.now,
            state: State::Delayed,
            since: 0,
            origin: 0,
            number: None,
            due,
            expiry,
            retry_count: 0,
            was_delivered: false,
            receipt: None,
            was_counted: false,
            consumer: None,
            deliveries: 0,
            first_delivered_at: 0,
            last_error: None,
            death: None,
        };
        let origin = self.insert(message);
        self.count("pushed", 1);
        if due <= self.now {
            self.make_ready(&id, origin);
        }
    }

    /// The message that holds a deduplication key.
    pub fn holder_of(&self, key: &str) -> Option<String> {
        self.keys.get(key).map(|(id, _)| id.clone())
    }

    pub fn hold(&mut self, key: String, id: String, hold: Hold) {
        self.keys.insert(key, (id, hold));
    }

    /// Takes the next message: in flight for this visibility, or gone.
    pub fn deliver(
        &mut self,
        visibility: Option<u64>,
        consumer: Option<&str>,
        receipt: String,
    ) -> Option<Stored> {
        let (now, id) = (self.now, self.next()?);
        if self.time("rate").is_some() {
            let (start, count) = self.window;
            let is_over = now >= start + self.time("rateperiod").unwrap_or(0);
            self.window = if is_over { (now, 1) } else { (start, count + 1) };
        }
        self.count("pulled", 1);
        let message = self.messages.get_mut(&id)?;
        message.deliveries += 1;
        if message.deliveries == 1 {
            message.first_delivered_at = now;
        }
        if let Some(visibility) = visibility {
            message.state = State::InFlight;
            message.due = now + visibility;
            message.consumer = consumer.map(str::to_owned);
            message.was_delivered = true;
            message.receipt = Some(receipt);
        }
        let message = message.clone();
        self.schedule.served(message.group());
        if visibility.is_none() {
            self.remove(&id);
        }
        self.settle(message.group());
        Some(message)
    }

    pub fn delete(&mut self, id: &str) -> bool {
        let is_there = self.remove(id).is_some();
        self.count("deleted", u64::from(is_there));
        is_there
    }

    pub fn purge(&mut self) -> usize {
        let count = self.messages.len();
        self.messages.clear();
        self.keys.clear();
        self.schedule = Schedule::default();
        self.count("deleted", count as u64);
        count
    }

    pub fn purge_state(&mut self, state: State) -> usize {
        let of_state = self.all().filter(|message| message.state == state);
        let ids: Vec<_> = of_state.map(|message| message.id.clone()).collect();
        ids.iter().filter(|id| self.delete(id)).count()
    }

    pub fn reschedule(&mut self, id: &str, due: u64) -> bool {
        let Some(message) = self.messages.get_mut(id).filter(|one| one.state == State::Delayed)
        else {
            return false;
        };
        message.due = due;
        if due <= self.now {
            let message = message.clone();
            let since = self.behind(&message);
            self.make_ready(id, since);
        }
        true
    }

    /// Takes a message out that moves to another queue.
    pub fn take(&mut self, id: &str) -> Option<Stored> {
        self.count("redriven", 1);
        self.remove(id)
    }

    /// Takes a message in, as one that was never delivered here.
    pub fn receive(&mut self, mut message: Stored) {
        message.retry_count = 0;
        message.was_delivered = false;
        message.receipt = None;
        message.was_counted = false;
        message.number = None;
        let id = message.id.clone();
        let origin = self.insert(message);
        self.make_ready(&id, origin);
    }

    /// Discards the oldest dead letter if the queue is full. Tells whether it did.
    pub fn make_room_for_dead_letter(&mut self) -> bool {
        let is_full = self.time("maxlen").is_some_and(|most| self.messages.len() as u64 >= most);
        let dead = self.all().filter(|one| one.state == State::Ready && one.death.is_some());
        let oldest = dead.min_by_key(|one| one.since).map(|one| one.id.clone());
        is_full && oldest.is_some_and(|id| self.remove(&id).is_some())
    }

    /// Does all that is due by now. Returns the messages that died of it.
    pub fn tick(&mut self, now: u64) -> Vec<Dead> {
        self.now = now;
        self.behind.clear();
        self.paused_until.take_if(|until| *until <= now);
        self.keys.retain(|_, (_, hold)| !matches!(hold, Hold::Until(end) if *end <= now));
        let mut dead = Vec::new();
        let expired = |one: &&Stored| one.state != State::InFlight && one.has_expired(now);
        for id in self.all().filter(expired).map(|one| one.id.clone()).collect::<Vec<_>>() {
            dead.extend(self.expire(&id));
        }
        for (id, _) in self.due(State::InFlight) {
            self.count("expired", 1);
            let origin = self.messages.get(&id).map(|one| one.origin);
            dead.extend(self.give(&id, true, 0, origin));
        }
        for (id, due) in self.due(State::Delayed) {
            self.make_ready(&id, due * PARTS);
        }
        dead
    }

    /// The messages in a state that are due by now, and when each was.
    fn due(&self, state: State) -> Vec<(String, u64)> {
        let is_due = |one: &&Stored| one.state == state && one.due <= self.now;
        let mut due: Vec<_> =
            self.all().filter(is_due).map(|one| (one.id.clone(), one.due)).collect();
        due.sort_by_key(|(_, due)| *due);
        due
    }

    /// Whether no message is delivered now, even if some are ready.
    fn is_blocked(&self) -> bool {
        let (start, count) = self.window;
        let is_in_window = self.now < start + self.time("rateperiod").unwrap_or(0);
        let in_flight = self.len(Some(State::InFlight)) as u64;
        self.paused_until.is_some()
            || self.time("maxinflight").is_some_and(|most| in_flight >= most)
            || self.time("rate").is_some_and(|rate| is_in_window && count >= rate)
    }

    fn next(&mut self) -> Option<String> {
        if self.is_blocked() {
            return None;
        }
        let first = self.ready_ungrouped().min_by_key(|one| order(one)).map(|one| one.id.clone());
        if let Some(group) = self.schedule.next(first.is_some()) {
            return self.ready_of_group(&group).first().map(|message| message.id.clone());
        }
        let Some(aging) = self.time("aging") else { return first };
        let longest = self.ready_ungrouped().min_by_key(|one| (one.since, Reverse(one.priority())));
        let is_due = |one: &&Stored| self.now * PARTS > one.since + aging * PARTS;
        longest.filter(is_due).map(|one| one.id.clone()).or(first)
    }

    fn ready_ungrouped(&self) -> impl Iterator<Item = &Stored> {
        self.all().filter(|one| one.state == State::Ready && one.group().is_none())
    }

    fn ready_of_group(&self, group: &str) -> Vec<&Stored> {
        let is_one = |one: &&Stored| one.state == State::Ready && one.group() == Some(group);
        let mut messages: Vec<_> = self.all().filter(is_one).collect();
        messages.sort_by_key(|message| message.number);
        messages
    }

    /// The state of a message of this group has changed.
    fn settle(&mut self, group: Option<&str>) {
        let Some(group) = group else { return };
        let used = self.all().filter(|one| one.group() == Some(group) && one.holds_slot()).count();
        let has_slot = (used as u64) < self.time("groupinflight").unwrap_or(0);
        let has_ready = !self.ready_of_group(group).is_empty();
        self.schedule.settle(group, has_ready, has_slot);
    }

    /// The number of slots has changed.
    pub fn settle_all(&mut self) {
        for group in self.schedule.order().cloned().collect::<Vec<_>>() {
            self.settle(Some(&group));
        }
    }

    /// Adds a message that is new here. Returns its place.
    fn insert(&mut self, mut message: Stored) -> u64 {
        message.origin = self.behind(&message);
        let origin = message.origin;
        self.messages.insert(message.id.clone(), message);
        origin
    }

    /// A message of a group gets its number when it is ready for the first time, and keeps it.
    fn make_ready(&mut self, id: &str, since: u64) {
        let Some(message) = self.messages.get_mut(id) else { return };
        message.state = State::Ready;
        message.since = since;
        let group = message.group().map(str::to_owned);
        if group.is_some() && message.number.is_none() {
            self.numbers += 1;
            message.number = Some(self.numbers);
        }
        self.settle(group.as_deref());
    }

    /// The place behind all messages that wait; the same for all that one command puts there.
    fn behind(&mut self, message: &Stored) -> u64 {
        let priority = message.priority();
        let same = |one: &&Stored| {
            one.id != message.id && one.state == State::Ready && one.priority() == priority
        };
        let last = self.all().filter(same).map(|one| one.since + 1).max();
        let place = last.unwrap_or(0).max(self.now * PARTS);
        *self.behind.entry(priority).or_insert(place)
    }

    fn backoff(&self, retry_count: u64) -> u64 {
        let most = self.time("backoffmax").unwrap_or(0);
        let first = self.time("backoff").unwrap_or(0);
        first.saturating_mul(1 << retry_count.min(40)).min(most)
    }

    /// Puts a delivered message back, to this place or behind all others. Returns it if it is dead instead.
    fn give(&mut self, id: &str, counts: bool, delay: u64, since: Option<u64>) -> Option<Dead> {
        let (now, most) = (self.now, self.settings.number("maxretries"));
        let message = self.messages.get_mut(id)?;
        if message.has_expired(now) {
            return self.expire(id);
        }
        let is_last = u64::try_from(most).is_ok_and(|most| message.retry_count >= most);
        if counts && is_last && message.death.is_none() {
            return self.remove(id).map(|message| (message, "retries"));
        }
        message.retry_count += u64::from(counts);
        message.was_counted = counts;
        if delay > 0 {
            message.state = State::Delayed;
            message.due = now + delay;
            let group = message.content.group.clone();
            self.settle(group.as_deref());
        } else {
            let message = message.clone();
            let since = since.unwrap_or_else(|| self.behind(&message));
            self.make_ready(id, since);
        }
        None
    }

    /// Discards a message, or returns it if it is dead.
    fn expire(&mut self, id: &str) -> Option<Dead> {
        let message = self.remove(id)?;
        if message.expiry.is_some_and(|expiry| expiry.kills) {
            return Some((message, "expired"));
        }
        self.count("ttl_expired", 1);
        None
    }

    fn remove(&mut self, id: &str) -> Option<Stored> {
        let message = self.messages.remove(id);
        self.keys.retain(|_, (holder, hold)| holder != id || matches!(hold, Hold::Until(_)));
        self.settle(message.as_ref().and_then(Stored::group));
        message
    }
}

/// Of messages without a group: by priority, then by the time since which they are ready.
fn order(message: &Stored) -> (Reverse<u64>, u64, &str) {
    (Reverse(message.priority()), message.since, &message.id)
}
