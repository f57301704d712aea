//! The queues of a fake, its clock, and what happens between queues.

use super::queue::Queue;
use super::stored::{Death, Expiry, Stored};
use std::collections::BTreeMap;
use std::time::SystemTime;

#[derive(Debug)]
pub struct World {
    now: u64,
    queues: BTreeMap<String, Queue>,
    ids: u64,
    receipts: u64,
}

impl World {
    pub fn new() -> Self {
        let now = crate::call::unix_milliseconds(SystemTime::now());
        Self { now, queues: BTreeMap::new(), ids: 0, receipts: 0 }
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    pub fn advance(&mut self, ms: u64) {
        self.now += ms;
    }

    pub fn queue(&mut self, name: &str) -> &mut Queue {
        let now = self.now;
        self.queues.entry(name.to_owned()).or_insert_with(|| Queue::new(name, now))
    }

    /// The same, where a client uses it.
    pub fn used(&mut self, name: &str) -> &mut Queue {
        let now = self.now;
        let queue = self.queue(name);
        queue.use_at(now);
        queue
    }

    /// The names of the queues of which anything is stored.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.queues.iter().filter(|(_, queue)| queue.is_stored()).map(|(name, _)| name)
    }

    pub fn drop(&mut self, name: &str) -> bool {
        self.queues.remove(name).is_some_and(|queue| queue.is_stored())
    }

    /// A version 7 UUID. Later ones are greater.
    pub fn next_id(&mut self) -> String {
        self.ids += 1;
        let (time, count) = (self.now, self.ids);
        format!(
            "{:08x}-{:04x}-7{:03x}-8{:03x}-{:04x}{:08x}",
            time >> 16,
            time & 0xffff,
            count >> 28 & 0xfff,
            count >> 16 & 0xfff,
            count & 0xffff,
            fastrand::u32(..)
        )
    }

    pub fn next_receipt(&mut self) -> String {
        self.receipts += 1;
        format!("{:016x}", self.receipts)
    }

    /// Does all that is due.
    pub fn tick(&mut self) {
        let mut dead = Vec::new();
        for (name, queue) in &mut self.queues {
            dead.extend(queue.tick(self.now).into_iter().map(|message| (name.clone(), message)));
        }
        for (name, (message, reason)) in dead {
            self.bury(&name, message, reason);
        }
        self.queues.retain(|_, queue| !queue.is_unused());
    }

    /// Moves a message that has died to the dead-letter queue.
    pub fn bury(&mut self, from: &str, mut message: Stored, reason: &'static str) {
        let now = self.now;
        let grave_name = self.queue(from).dead_letter();
        let grave = self.queue(&grave_name);
        let has_made_room = grave.make_room_for_dead_letter();
        let retries = message.retry_count;
        message.death = Some(Death { from: from.to_owned(), at: now, reason, retries });
        message.expiry = grave.time("ttl").map(|ttl| Expiry { at: now + ttl, kills: false });
        grave.receive(message);
        let queue = self.queue(from);
        queue.count("dead", 1);
        queue.count("dead_discarded", u64::from(has_made_room));
    }
}
