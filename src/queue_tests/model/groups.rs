//! Groups take turns.

use super::{Id, Message, Model, Place, Queue};

impl Queue {
    /// The messages of a group that fit.
    pub fn of_group(&self, group: &str, fits: impl Fn(&Message) -> bool) -> u64 {
        self.count(|message| message.active_group() == Some(group) && fits(message))
    }

    /// A message that was returned and waits for its retry.
    pub fn is_held(message: &Message) -> bool {
        message.is_delayed() && message.sequence.is_some()
    }

    fn can_be_served(&self, group: &str) -> bool {
        self.of_group(group, Message::is_waiting) > 0
            && self.of_group(group, |message| message.is_inflight() || Self::is_held(message))
                < self.number("groupinflight")
    }

    /// The groups that have messages waiting, in flight or held.
    pub fn groups(&self) -> Vec<&'static str> {
        let counted = self.messages.values().filter(|message| message.sequence.is_some());
        let mut names: Vec<_> = counted.filter_map(Message::active_group).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The groups that have ready messages and no free slot.
    pub fn blocked(&self) -> Vec<&'static str> {
        let mut names = self.groups();
        names.retain(|group| {
            self.of_group(group, Message::is_waiting) > 0 && !self.can_be_served(group)
        });
        names
    }

    /// The messages that wait in a group, in their order.
    pub fn waiting_in(&self, group: &str) -> Vec<Id> {
        let of_group = self
            .messages
            .iter()
            .filter(|(_, message)| message.is_waiting() && message.active_group() == Some(group));
        let mut waiting: Vec<_> = of_group.map(|(id, message)| (message.sequence, *id)).collect();
        waiting.sort();
        waiting.into_iter().map(|(_, id)| id).collect()
    }
}

impl Model {
    /// After every event on a group: it is scheduled if and only if it can be served.
    pub(super) fn settle(&mut self, name: &'static str, group: Option<&'static str>) {
        let Some(group) = group else { return };
        let queue = self.queue(name);
        let stands = queue.turns.contains(&group);
        match queue.can_be_served(group) {
            true if !stands => queue.turns.push(group),
            false if stands => queue.turns.retain(|name| *name != group),
            _ => {}
        }
        if queue.turns == [""] && queue.blocked().is_empty() {
            queue.turns.clear();
        }
    }

    /// GROUPINFLIGHT changed: every group with ready messages is rescheduled, in the order of the names.
    pub(super) fn settle_all(&mut self, name: &'static str) {
        let before = self.queue(name).turns.len();
        for group in self.queue(name).groups() {
            if self.queue(name).of_group(group, Message::is_waiting) > 0 {
                self.settle(name, Some(group));
            }
        }
        let after = self.queue(name).turns.len();
        if after != before {
            self.hit(if after > before { "more slots" } else { "fewer slots" });
        }
    }

    /// The next message by the schedule, which may change.
    pub(super) fn next(&mut self, name: &'static str, now: u64) -> Option<Id> {
        loop {
            let ungrouped = self.first_ungrouped(name, now);
            let queue = self.queue(name);
            if queue.turns.is_empty() {
                return ungrouped;
            }
            if ungrouped.is_some() && !queue.turns.contains(&"") {
                queue.turns.push("");
            }
            let group = queue.turns[0];
            if group.is_empty() {
                if ungrouped.is_some() {
                    self.hit("the turn of those without a group");
                    return ungrouped;
                }
                queue.turns.remove(0);
                self.hit("those without a group left the line");
                continue;
            }
            return Some(queue.waiting_in(group)[0]);
        }
    }

    /// The served group goes to the end of the schedule, if it can be served again.
    pub(super) fn end_turn(&mut self, name: &'static str, group: Option<&'static str>) {
        let queue = self.queue(name);
        if queue.turns.is_empty() {
            return;
        }
        assert_eq!(queue.turns.remove(0), group.unwrap_or(""));
        match group {
            Some(_) => self.settle(name, group),
            None if !queue.turns.is_empty() => queue.turns.push(""),
            None => {}
        }
        if group.is_some() && self.queue(name).turns.len() > 1 {
            self.hit("the turn of a group among others");
        }
    }

    /// The first of those without a group, by priority and age.
    pub(super) fn first_ungrouped(&mut self, name: &'static str, now: u64) -> Option<Id> {
        let queue = self.queue(name);
        let aging = queue.number("aging");
        let mut heads = Vec::new();
        for lane in (0..=9).rev() {
            let of_lane = queue.messages.iter().filter_map(|(id, message)| match message.place {
                Place::Waiting { since }
                    if message.active_group().is_none() && message.lane() == lane =>
                {
                    Some((since, *id))
                }
                _ => None,
            });
            heads.extend(of_lane.min().map(|(since, id)| (since / 64, lane, id)));
        }
        let normally = heads.first().map(|(_, _, id)| *id);
        // The higher priority wins a tie.
        let aged = heads.iter().filter(|head| aging > 0 && now.saturating_sub(head.0) > aging);
        let oldest = aged.min_by_key(|(since_ms, _, _)| *since_ms).map(|(_, _, id)| *id);
        if oldest.is_some() && oldest != normally {
            self.hit("an aged head went first");
        } else if heads.len() > 1 {
            self.hit("a higher priority went first");
        }
        oldest.or(normally)
    }
}
