//! Reading messages.

use std::cmp::Reverse;

use super::{Id, Message, Model, Place, Queue};

impl Model {
    /// Those that wait, in the order of delivery; those of groups last, group by group: first
    /// in the order of their turns, then those without a free slot.
    pub fn peek_ready(&self, name: &'static str, now: u64) -> Vec<Id> {
        let mut model = self.clone();
        let mut ids = Vec::new();
        while let Some(id) = model.first_ungrouped(name, now) {
            model.queue(name).messages.remove(&id);
            ids.push(id);
        }
        let queue = model.queue(name);
        for group in queue.turns.iter().copied().chain(queue.blocked()) {
            ids.extend(queue.waiting_in(group));
        }
        ids
    }
}

impl Queue {
    /// Those in flight, the one first that ends first, then those without group and key, then the one
    /// that was delivered first. Only after a clock was set back two can have the same receipt.
    pub fn peek_inflight(&self) -> Vec<Id> {
        self.by(|id, message| match message.place {
            Place::Inflight { receipt, until_ms } => {
                let has_cleanup = message.group.is_some() || message.key.is_some();
                Some((until_ms, has_cleanup, receipt, Reverse(id)))
            }
            _ => None,
        })
    }

    /// Those that are delayed, the one first that is due first.
    pub fn peek_delayed(&self) -> Vec<Id> {
        self.by(|id, message| match message.place {
            Place::Delayed { due_ms } => Some((due_ms, id)),
            _ => None,
        })
    }

    fn by<T: Ord>(&self, order: impl Fn(Id, &Message) -> Option<T>) -> Vec<Id> {
        let messages = self.messages.iter();
        let mut found: Vec<_> =
            messages.filter_map(|(id, message)| Some((order(*id, message)?, *id))).collect();
        found.sort();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// How many messages without a group wait by priority, highest first; nothing if none has one.
    pub fn priorities(&self) -> Vec<(u8, u64)> {
        let of_lane =
            |lane| self.count(|m| m.is_waiting() && m.active_group().is_none() && m.lane() == lane);
        let ready_priorities = (0..=9).rev().map(|lane| (lane, of_lane(lane)));
        let ready_priorities: Vec<_> = ready_priorities.filter(|(_, count)| *count > 0).collect();
        if ready_priorities.iter().all(|(lane, _)| *lane == 0) {
            Vec::new()
        } else {
            ready_priorities
        }
    }

    /// Since when the oldest of those that wait without a group is ready.
    pub fn oldest_ready_ms(&self) -> Option<u64> {
        let ungrouped = self.messages.values().filter(|m| m.active_group().is_none());
        ungrouped
            .filter_map(|message| match message.place {
                Place::Waiting { since } => Some(since / 64),
                _ => None,
            })
            .min()
    }
}
