//! Deliveries.

use super::{Id, Message, Model, Place};

#[derive(Debug, Clone, Copy)]
pub enum How {
    Receipt { visibility_ms: u64, consumer: Option<&'static str> },
    Final,
}

/// A pull, and the receipts that the rules gave.
#[derive(Debug, Clone)]
pub struct Pull<'a> {
    pub now_ms: u64,
    pub count: u64,
    pub how: How,
    pub limit: usize,
    pub same_slot: bool,
    pub acknowledged: &'a [(Id, u64)],
    pub receipts: &'a [u64],
}

/// What became of the acknowledgments, and the messages as they are delivered.
#[derive(Debug, Clone)]
pub struct Pulled {
    pub acknowledged: Vec<i64>,
    pub messages: Vec<(Id, Message)>,
}

impl Model {
    pub fn pull(&mut self, name: &'static str, pull: &Pull<'_>) -> Pulled {
        let now = pull.now_ms;
        let acknowledged = pull.acknowledged.iter();
        let acknowledged: Vec<i64> = acknowledged
            .map(|(id, shown)| self.acknowledge(name, *id, *shown, Some(now)))
            .collect();
        self.sweep(name, now, pull.limit, pull.same_slot);
        let mut messages = Vec::new();
        for _ in 0..self.allowed(name, pull) {
            let Some(id) = self.next(name, now) else { break };
            if self.message(name, id).is_expired(now) {
                self.hit("a pull ended at an expired head");
                break;
            }
            let receipt = pull.receipts.get(messages.len()).copied().unwrap_or_default();
            messages.push((id, self.deliver(name, id, pull, receipt)));
        }
        self.count_in_window(name, now, messages.len() as u64);
        Pulled { acknowledged, messages }
    }

    /// True if something can be delivered, or could if it were not expired and about to be discarded.
    pub fn can_deliver(&self, name: &'static str, now_ms: u64) -> bool {
        let how = How::Receipt { visibility_ms: 1, consumer: None };
        let (acknowledged, receipts) = (&[], &[]);
        let pull =
            Pull { now_ms, count: 1, how, limit: 0, same_slot: true, acknowledged, receipts };
        let mut model = self.clone();
        model.allowed(name, &pull) > 0 && model.next(name, now_ms).is_some()
    }

    /// How many messages a pull gets at most.
    fn allowed(&mut self, name: &'static str, pull: &Pull<'_>) -> u64 {
        let queue = self.queue(name);
        let mut allowed = pull.count;
        if !queue.is_paused(pull.now_ms) {
            // One that is over is forgotten: a clock that is set back doesn't bring it back.
            queue.pause = None;
        } else {
            self.hit("pulled while paused");
            return 0;
        }
        let max_inflight = queue.number("maxinflight");
        let inflight = queue.count(Message::is_inflight);
        let rate = queue.number("rate");
        let used = queue.open_window(pull.now_ms).map_or(0, |(_, used)| used);
        if rate > 0 {
            allowed = allowed.min(rate.saturating_sub(used));
            if allowed == 0 {
                self.hit("rate used up");
            }
        }
        if max_inflight > 0 {
            if inflight >= max_inflight {
                self.hit("pulled at MAXINFLIGHT");
                return 0;
            }
            if matches!(pull.how, How::Receipt { .. }) {
                allowed = allowed.min(max_inflight - inflight);
            }
        }
        allowed
    }

    fn deliver(
        &mut self,
        name: &'static str,
        id: Id,
        pull: &Pull<'_>,
        new_receipt: u64,
    ) -> Message {
        let message = self.message(name, id);
        let shown = message.clone();
        let group = message.active_group();
        match pull.how {
            How::Receipt { visibility_ms, consumer } => {
                let until_ms = pull.now_ms + visibility_ms;
                message.place = Place::Inflight { receipt: new_receipt, until_ms };
                message.consumer = consumer;
                self.end_turn(name, group);
            }
            How::Final => {
                // Not `remove`: the group doesn't give up its place in line, its turn ends.
                let queue = self.queue(name);
                let message = queue.messages.remove(&id).unwrap();
                if let Some(key) = message.key {
                    queue.keys.remove(key);
                    self.hit("key released");
                }
                self.end_turn(name, group);
            }
        }
        self.count("pulled", 1);
        shown
    }

    /// A window begins with the first delivery after the end of the last one.
    fn count_in_window(&mut self, name: &'static str, now: u64, delivered: u64) {
        let queue = self.queue(name);
        if queue.number("rate") == 0 || delivered == 0 {
            return;
        }
        let (start_ms, used) = queue.open_window(now).unwrap_or((now, 0));
        queue.window = Some((start_ms, used + delivered));
        if used > 0 {
            self.hit("a window of the rate went on");
        }
    }
}

impl super::Queue {
    /// The window of the rate that isn't over.
    pub fn open_window(&self, now: u64) -> Option<(u64, u64)> {
        let period = self.number("rateperiod");
        self.window.filter(|(start_ms, _)| *start_ms <= now && now < start_ms + period)
    }
}
