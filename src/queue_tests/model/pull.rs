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
    /// The sweep left what is due, too, or there was none and an expired head.
    pub more_due: bool,
}

impl Model {
    pub fn pull(&mut self, name: &'static str, pull: &Pull<'_>) -> Pulled {
        let now = pull.now_ms;
        let acknowledged = pull.acknowledged.iter();
        let acknowledged: Vec<i64> = acknowledged
            .map(|(id, shown)| self.acknowledge(name, *id, *shown, Some(now)))
            .collect();
        self.sweep(name, now, pull.limit, pull.same_slot);
        let deadlines = self.queue(name).deadlines_of_messages();
        let mut more_due = false;
        if pull.limit > 0 {
            more_due = deadlines.into_iter().any(|deadline| deadline <= now);
            self.end_pause(name, now);
        }
        let mut messages = Vec::new();
        for _ in 0..self.allowed(name, pull) {
            let Some(id) = self.next(name, now) else { break };
            if self.message(name, id).is_expired(now) {
                more_due = true;
                self.hit("a pull ended at an expired head");
                break;
            }
            let receipt = pull.receipts.get(messages.len()).copied().unwrap_or_default();
            messages.push((id, self.deliver(name, id, pull, receipt)));
        }
        self.count_in_window(name, now, messages.len() as u64);
        self.note_use(name, now);
        Pulled { acknowledged, messages, more_due }
    }

    /// True if something can be delivered, or could if it were not expired and about to be discarded.
    pub fn can_deliver(&self, name: &'static str, now: u64) -> bool {
        self.queues
            .get(name)
            .is_some_and(|queue| queue.waits() && queue.limit(now, How::Final).is_ok())
    }

    /// How many messages a pull gets at most.
    fn allowed(&mut self, name: &'static str, pull: &Pull<'_>) -> u64 {
        match self.queue(name).limit(pull.now_ms, pull.how) {
            Ok(allowed) => allowed.min(pull.count),
            Err(reason) => {
                self.hit(reason);
                0
            }
        }
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
                // Not `remove`: the group keeps its place in the schedule, and its turn ends.
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
    /// True if there is something to deliver when no limit forbids it.
    fn waits(&self) -> bool {
        self.count(|message| message.is_waiting() && message.active_group().is_none()) > 0
            || self.turns.iter().any(|group| !group.is_empty())
    }

    /// When the window of the rate ends, if nothing else keeps messages from being delivered.
    pub fn opens_at(&self, now: u64) -> Option<u64> {
        let (start_ms, _) = self.open_window(now)?;
        let is_used_up = self.limit(now, How::Final) == Err("rate used up");
        (self.waits() && is_used_up).then(|| start_ms + self.number("rateperiod"))
    }

    /// How many deliveries may begin now, or why none.
    fn limit(&self, now: u64, how: How) -> Result<u64, &'static str> {
        let mut limit = u64::MAX;
        if self.is_paused(now) {
            return Err("pulled while paused");
        }
        let max_inflight = self.number("maxinflight");
        if max_inflight > 0 {
            let inflight = self.count(Message::is_inflight);
            if inflight >= max_inflight {
                return Err("pulled at MAXINFLIGHT");
            }
            if matches!(how, How::Receipt { .. }) {
                limit = max_inflight - inflight;
            }
        }
        let rate = self.number("rate");
        if rate > 0 {
            let used = self.open_window(now).map_or(0, |(_, used)| used);
            if used >= rate {
                return Err("rate used up");
            }
            limit = limit.min(rate - used);
        }
        Ok(limit)
    }

    /// The window of the rate that isn't over.
    pub fn open_window(&self, now: u64) -> Option<(u64, u64)> {
        let period = self.number("rateperiod");
        self.window.filter(|(start_ms, _)| *start_ms <= now && now < start_ms + period)
    }
}
