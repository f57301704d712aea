//! What an operator does: remove, move, pause, configure.

use super::{End, Id, Message, Model, Pause};

impl Model {
    /// How many there were of these. Those in flight go last, the one first that ends first: in this
    /// order their groups go on.
    pub fn delete(&mut self, name: &'static str, ids: &[Id]) -> u64 {
        let inflight = self.queue(name).peek_inflight();
        let others = ids.iter().filter(|id| !inflight.contains(id));
        let inflight = inflight.iter().filter(|id| ids.contains(id));
        let mut deleted = 0;
        for id in others.chain(inflight) {
            if let Some(message) = self.queue(name).messages.get(id) {
                let hit = match message {
                    message if message.is_inflight() => "deleted in flight",
                    message if message.is_delayed() => "deleted while delayed",
                    _ => "deleted while waiting",
                };
                self.remove(name, *id);
                self.hit(hit);
                deleted += 1;
            }
        }
        self.count("deleted", deleted);
        deleted
    }

    /// How many messages there were. Settings, the pause and the window of the rate stay.
    pub fn purge(&mut self, name: &'static str) -> u64 {
        let queue = self.queue(name);
        let deleted = queue.messages.len() as u64;
        queue.messages.clear();
        queue.keys.clear();
        queue.turns.clear();
        self.count("deleted", deleted);
        deleted
    }

    /// True if there was anything of the queue.
    pub fn drop_queue(&mut self, name: &'static str) -> bool {
        let queue = self.queues.remove(name).unwrap_or_default();
        self.count("deleted", queue.messages.len() as u64);
        queue.exists()
    }

    /// True if the message was delayed: it is due at another moment, or at once.
    pub fn reschedule(&mut self, name: &'static str, id: Id, now: u64, due_ms: u64) -> bool {
        let Some(message) = self.queue(name).messages.get_mut(&id) else { return false };
        if !message.is_delayed() {
            return false;
        }
        if due_ms > now {
            message.place = super::Place::Delayed { due_ms };
        } else {
            self.wait_behind(name, id, now);
        }
        true
    }

    /// How many dead letters went back to where they died.
    pub fn redrive(
        &mut self,
        name: &'static str,
        now: u64,
        count: usize,
        to: Option<&'static str>,
        same_slot: bool,
    ) -> u64 {
        let messages = self.queue(name).messages.iter();
        let waiting = messages.filter(|(_, message)| message.is_waiting());
        let mut dead: Vec<_> = waiting
            .filter_map(|(id, message)| {
                let death = message.death.as_ref()?;
                Some((death.at_ms, *id, to.unwrap_or(death.from)))
            })
            .collect();
        dead.sort();
        let mut moved = 0;
        for (_, id, target) in dead.into_iter().take(count) {
            if !Self::can_go(name, target, same_slot) {
                self.hit("a dead letter could not go back");
                continue;
            }
            let message = self.remove(name, id);
            let message = Message { death: None, retries: 0, end: End::NoneYet, ..message };
            if message.group.is_some() {
                self.hit("a dead letter of a group went back");
            }
            self.queue(target).messages.insert(id, message);
            self.wait_behind(target, id, now);
            moved += 1;
        }
        self.count("redriven", moved);
        moved
    }

    pub fn pause(&mut self, name: &'static str, until_ms: Option<u64>) {
        self.queue(name).pause = Some(until_ms.map_or(Pause::UntilResumed, Pause::Until));
    }

    pub fn resume(&mut self, name: &'static str) {
        self.queue(name).pause = None;
    }

    /// A setting as text; None for its default.
    pub fn configure(&mut self, name: &'static str, setting: &'static str, text: Option<String>) {
        let settings = &mut self.queue(name).settings;
        match text {
            Some(text) => settings.insert(setting, text),
            None => settings.remove(setting),
        };
        if setting == "groupinflight" {
            self.settle_all(name);
        }
    }
}
