//! A plain model of a queue: a list of messages and what the documentation says. It shares no code
//! with the rules and is as slow as it is simple.

use std::collections::BTreeMap;

use crate::queue::message::MessageId;

/// Where a message is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    Waiting { since_ms: u64 },
    Delayed { due_ms: u64 },
    Inflight { receipt: u64, until_ms: u64 },
}

/// How its last delivery in this queue ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    NoneYet,
    Expired,
    GivenBack,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub payload: Vec<u8>,
    pub pushed_ms: u64,
    pub place: Place,
    pub retries: u32,
    pub last_receipt: u64,
    pub end: End,
    pub dead_from: Option<&'static str>,
    pub dead_ms: u64,
    pub dead_retries: u32,
}

#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub max_retries: Option<u32>,
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Queue {
    pub messages: BTreeMap<[u8; 16], Message>,
    pub settings: Settings,
}

/// All queues by name; a dead letter goes from `name` to `grave(name)`.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub queues: BTreeMap<&'static str, Queue>,
}

pub fn grave(name: &'static str) -> &'static str {
    match name {
        "orders" => "{orders}:dead",
        "{orders}:dead" => "{orders}:dead:dead",
        other => panic!("no dead-letter queue of {other} in this model"),
    }
}

impl Model {
    pub fn queue(&mut self, name: &'static str) -> &mut Queue {
        self.queues.entry(name).or_insert_with(|| Queue {
            settings: Settings { backoff_max_ms: 3_600_000, ..Settings::default() },
            ..Queue::default()
        })
    }

    pub fn push(
        &mut self,
        name: &'static str,
        id: MessageId,
        payload: &[u8],
        now: u64,
        delay: u64,
    ) {
        let place = match delay {
            0 => Place::Waiting { since_ms: id.timestamp_ms() },
            _ => Place::Delayed { due_ms: now + delay },
        };
        let message = Message {
            payload: payload.to_vec(),
            pushed_ms: id.timestamp_ms(),
            place,
            retries: 0,
            last_receipt: 0,
            end: End::NoneYet,
            dead_from: None,
            dead_ms: 0,
            dead_retries: 0,
        };
        self.queue(name).messages.insert(id.0, message);
    }

    /// What is due, deadlines of visibility first, each in the order of time.
    pub fn sweep(&mut self, name: &'static str, now: u64, limit: usize) {
        let mut left = limit;
        let mut expired: Vec<_> = self
            .queue(name)
            .messages
            .iter()
            .filter_map(|(id, message)| match message.place {
                Place::Inflight { receipt, until_ms } if until_ms <= now => {
                    Some((until_ms, receipt, *id))
                }
                _ => None,
            })
            .collect();
        expired.sort();
        for (until_ms, _, id) in expired.into_iter().take(left) {
            self.come_back(name, id, End::Expired, until_ms, now, None);
            left -= 1;
        }
        let mut due: Vec<_> = self
            .queue(name)
            .messages
            .iter()
            .filter_map(|(id, message)| match message.place {
                Place::Delayed { due_ms } if due_ms <= now => Some((due_ms, *id)),
                _ => None,
            })
            .collect();
        due.sort();
        for (due_ms, id) in due.into_iter().take(left) {
            self.queue(name).messages.get_mut(&id).unwrap().place =
                Place::Waiting { since_ms: due_ms };
        }
    }

    fn come_back(
        &mut self,
        name: &'static str,
        id: [u8; 16],
        end: End,
        at_ms: u64,
        now: u64,
        delay: Option<u64>,
    ) {
        let settings = self.queue(name).settings.clone();
        let message = self.queue(name).messages.get_mut(&id).unwrap();
        let Place::Inflight { receipt, .. } = message.place else { panic!("not in flight") };
        message.last_receipt = receipt;
        message.end = end;
        let is_dying = settings.max_retries.is_some_and(|max| message.retries + 1 > max);
        if is_dying && message.dead_from.is_none() {
            let mut dead = self.queue(name).messages.remove(&id).unwrap();
            dead.dead_from = Some(name);
            dead.dead_ms = now;
            dead.dead_retries = dead.retries;
            dead.retries = 0;
            dead.end = End::NoneYet;
            dead.place = Place::Waiting { since_ms: now };
            self.queue(grave(name)).messages.insert(id, dead);
            return;
        }
        message.retries += 1;
        let mut backoff = settings.backoff_ms;
        for _ in 1..message.retries {
            backoff = backoff.saturating_mul(2);
        }
        let delay = delay.unwrap_or(backoff.min(settings.backoff_max_ms));
        message.place = if delay > 0 {
            Place::Delayed { due_ms: at_ms + delay }
        } else if end == End::GivenBack {
            Place::Waiting { since_ms: now }
        } else {
            Place::Waiting { since_ms: message.pushed_ms }
        };
    }

    /// The ids to be delivered next, in their order.
    pub fn next(&mut self, name: &'static str, count: usize) -> Vec<[u8; 16]> {
        let mut waiting: Vec<_> = self
            .queue(name)
            .messages
            .iter()
            .filter_map(|(id, message)| match message.place {
                Place::Waiting { since_ms } => Some((since_ms, *id)),
                _ => None,
            })
            .collect();
        waiting.sort();
        waiting.into_iter().take(count).map(|(_, id)| id).collect()
    }

    pub fn deliver(&mut self, name: &'static str, id: [u8; 16], receipt: u64, until_ms: u64) {
        let message = self.queue(name).messages.get_mut(&id).unwrap();
        message.place = Place::Inflight { receipt, until_ms };
    }

    /// 1, 0 (not found) or -1 (bad receipt).
    pub fn acknowledge(&mut self, name: &'static str, id: [u8; 16], shown: u64) -> i64 {
        let Some(message) = self.queue(name).messages.get(&id) else { return 0 };
        let fits = match message.place {
            Place::Inflight { receipt, .. } => receipt == shown,
            _ => message.end == End::Expired && message.last_receipt == shown,
        };
        if !fits {
            return Self::refusal(message);
        }
        self.queue(name).messages.remove(&id);
        1
    }

    pub fn give_back(
        &mut self,
        name: &'static str,
        id: [u8; 16],
        shown: u64,
        now: u64,
        delay: Option<u64>,
    ) -> i64 {
        let Some(message) = self.queue(name).messages.get(&id) else { return 0 };
        if !Self::is_running(message, shown, now) {
            return Self::refusal(message);
        }
        self.come_back(name, id, End::GivenBack, now, now, delay);
        1
    }

    /// The new end of visibility, 0 or -1.
    pub fn extend(
        &mut self,
        name: &'static str,
        id: [u8; 16],
        shown: u64,
        now: u64,
        visibility: u64,
    ) -> i64 {
        let Some(message) = self.queue(name).messages.get_mut(&id) else { return 0 };
        if !Self::is_running(message, shown, now) {
            return Self::refusal(message);
        }
        message.place = Place::Inflight { receipt: shown, until_ms: now + visibility };
        (now + visibility) as i64
    }

    fn is_running(message: &Message, shown: u64, now: u64) -> bool {
        matches!(message.place, Place::Inflight { receipt, until_ms }
            if receipt == shown && until_ms > now)
    }

    fn refusal(message: &Message) -> i64 {
        match message.place {
            Place::Inflight { .. } => -1,
            _ if message.end == End::NoneYet => 0,
            _ => -1,
        }
    }

    /// How many wait, are in flight, are delayed.
    pub fn counts(&mut self, name: &'static str) -> [u64; 3] {
        let mut counts = [0; 3];
        for message in self.queue(name).messages.values() {
            match message.place {
                Place::Waiting { .. } => counts[0] += 1,
                Place::Inflight { .. } => counts[1] += 1,
                Place::Delayed { .. } => counts[2] += 1,
            }
        }
        counts
    }

    pub fn highest_retries(&mut self, name: &'static str) -> u32 {
        self.queue(name).messages.values().map(|message| message.retries).max().unwrap_or(0)
    }
}
