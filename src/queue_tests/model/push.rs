//! New messages.

use super::{End, Id, Key, Message, Model, Place};

/// What a push says.
#[derive(Debug, Clone, Default)]
pub struct Push {
    pub now_ms: u64,
    pub due_ms: Option<u64>,
    pub expires_ms: Option<u64>,
    pub dies: bool,
    pub priority: u8,
    pub group: Option<&'static str>,
    /// A key, and until when it holds; None: until the message is gone.
    pub dedup: Option<(&'static str, Option<u64>)>,
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    New,
    Duplicate(Id),
    Full,
    DedupFull,
}

impl Model {
    /// Messages with their id, push time and payload: all or none.
    pub fn push(
        &mut self,
        name: &'static str,
        messages: &[(Id, u64, Vec<u8>)],
        push: &Push,
    ) -> Answer {
        let answer = self.add(name, messages, push);
        self.note_use(name, messages[0].1);
        answer
    }

    fn add(&mut self, name: &'static str, messages: &[(Id, u64, Vec<u8>)], push: &Push) -> Answer {
        if let Some((key, _)) = push.dedup
            && let Some(known) = self.queue(name).keys.get(key).copied()
            && known.until_ms.is_none_or(|until_ms| until_ms > push.now_ms)
        {
            self.hit(if known.until_ms.is_some() { "duplicate in window" } else { "duplicate" });
            self.count("deduplicated", 1);
            return Answer::Duplicate(known.id);
        }
        let max = self.queue(name).number("maxlen");
        if max > 0 && self.queue(name).count(|_| true) + messages.len() as u64 > max {
            self.count("refused_full", messages.len() as u64);
            return Answer::Full;
        }
        if let Some((key, _)) = push.dedup
            && !self.queue(name).keys.contains_key(key)
            && self.has_no_room_for_a_key(name, push.now_ms)
        {
            self.count("refused_full", 1);
            return Answer::DedupFull;
        }
        for (id, pushed_ms, payload) in messages {
            if let Some((key, until_ms)) = push.dedup {
                let key_of = Key { id: *id, until_ms };
                if self.queue(name).keys.insert(key, key_of).is_some() {
                    self.hit("key taken over after its time");
                }
            }
            let until_done = push.dedup.filter(|(_, until_ms)| until_ms.is_none());
            let message = Message {
                payload: payload.clone(),
                headers: push.headers.clone(),
                pushed_ms: *pushed_ms,
                priority: push.priority,
                group: push.group,
                sequence: None,
                expires_ms: push.expires_ms,
                dies: push.dies,
                key: until_done.map(|(key, _)| key),
                place: Place::Delayed { due_ms: push.due_ms.unwrap_or_default() },
                retries: 0,
                deliveries: None,
                last_receipt: 0,
                end: End::NoneYet,
                consumer: None,
                last_error: None,
                death: None,
            };
            self.queue(name).messages.insert(*id, message);
            if push.due_ms.is_none() {
                self.wait(name, *id, *pushed_ms);
            }
            self.count("pushed", 1);
        }
        Answer::New
    }

    /// Two keys that are over make room.
    fn has_no_room_for_a_key(&mut self, name: &'static str, now: u64) -> bool {
        let max = if self.is_old { 0 } else { self.queue(name).number("maxdedup") };
        if max == 0 || (self.queue(name).keys.len() as u64) < max {
            return false;
        }
        self.release_keys(name, now, 2);
        self.queue(name).keys.len() as u64 >= max
    }

    /// A message waits behind all that wait without a group and with its priority; so do the others of
    /// the op, at the same place.
    pub(super) fn wait_behind(&mut self, name: &'static str, id: Id, now: u64) {
        let is_old = self.is_old;
        let message = self.message(name, id);
        let lane = message.lane();
        if is_old || message.active_group().is_some() {
            return self.wait(name, id, now);
        }
        let others = self.queue(name).messages.iter().filter(|(other, _)| **other != id);
        let others = others.map(|(_, other)| other).filter(|other| other.lane() == lane);
        let last = others.filter(|other| other.active_group().is_none()).filter_map(|other| {
            match other.place {
                Place::Waiting { since } => Some(since),
                _ => None,
            }
        });
        let place = last.max().map_or(now * 64, |last| (last + 1).max(now * 64));
        if place > now * 64 {
            self.hit("behind one of the same millisecond");
        }
        let place = *self.behind.entry((name, lane)).or_insert(place);
        self.wait_since(name, id, place);
    }

    pub(super) fn wait(&mut self, name: &'static str, id: Id, since_ms: u64) {
        self.wait_since(name, id, since_ms * 64);
    }

    /// A message waits from now on. Its place in its group is the last one, if it had none.
    fn wait_since(&mut self, name: &'static str, id: Id, since: u64) {
        let queue = self.queue(name);
        let next = queue.last_sequence + 1;
        let message = queue.messages.get_mut(&id).unwrap();
        message.place = Place::Waiting { since };
        let group = message.active_group();
        if group.is_some() && message.sequence.is_none() {
            message.sequence = Some(next);
            queue.last_sequence = next;
        }
        self.settle(name, group);
    }
}
