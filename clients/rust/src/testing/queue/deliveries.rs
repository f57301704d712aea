//! What becomes of a delivery: it is acknowledged, extended or given back.

use super::super::stored::{Dead, State, Stored};
use super::Queue;

/// How MQ.ACK and the like answer for one pair.
pub const DONE: i64 = 1;
pub const NOT_FOUND: i64 = 0;
pub const BAD_RECEIPT: i64 = -1;

/// How a message is given back.
#[derive(Debug)]
pub struct Return {
    /// `None`: the backoff, if it counts.
    pub delay: Option<u64>,
    pub way: Way,
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Counted,
    Uncounted,
    /// Uncounted, to its original position.
    InFront,
    /// To the dead-letter queue.
    Rejected,
}

impl Queue {
    pub fn acknowledge(&mut self, id: &str, receipt: &str) -> i64 {
        let answer = self.is_last_delivery(id, receipt);
        if answer == DONE {
            let is_late = self.messages.get(id).is_some_and(|one| one.state != State::InFlight);
            self.count("acked", 1);
            self.count("late_acks", u64::from(is_late));
            self.remove(id);
        }
        answer
    }

    /// When the visibility ends now, or why it was refused. Without a visibility, none is shortened.
    pub fn extend(&mut self, id: &str, receipt: &str, visibility: Option<u64>) -> i64 {
        let answer = self.is_last_delivery(id, receipt);
        let default = self.now + self.time("visibility").unwrap_or(0);
        let now = self.now;
        let Some(message) = self.messages.get_mut(id).filter(|_| answer == DONE) else {
            return answer;
        };
        if message.state != State::InFlight {
            message.retry_count -= u64::from(message.was_counted);
            message.state = State::InFlight;
            message.due = 0;
            message.consumer = None;
        }
        message.due = visibility.map_or(default.max(message.due), |visibility| now + visibility);
        let (due, group) = (message.due, message.content.group.clone());
        self.settle(group.as_deref());
        i64::try_from(due).unwrap_or(i64::MAX)
    }

    /// Extends all that this consumer holds, and returns how many messages.
    pub fn extend_consumer(&mut self, consumer: &str, visibility: Option<u64>) -> usize {
        let is_held = |one: &&Stored| {
            one.state == State::InFlight && one.consumer.as_deref() == Some(consumer)
        };
        let held = self.all().filter(is_held);
        let held: Vec<_> =
            held.filter_map(|one| Some((one.id.clone(), one.receipt.clone()?))).collect();
        for (id, receipt) in &held {
            self.extend(id, receipt, visibility);
        }
        held.len()
    }

    /// The answer, and the message if it died of this.
    pub fn give_back(&mut self, id: &str, receipt: &str, how: &Return) -> (i64, Option<Dead>) {
        let mut answer = self.is_last_delivery(id, receipt);
        if answer == DONE && self.messages.get(id).is_some_and(|one| one.state != State::InFlight) {
            self.count("bad_receipts", 1);
            answer = BAD_RECEIPT;
        }
        let Some(message) = self.messages.get_mut(id).filter(|_| answer == DONE) else {
            return (answer, None);
        };
        message.receipt = None;
        if how.reason.is_some() {
            message.last_error.clone_from(&how.reason);
        }
        let (retry_count, origin) = (message.retry_count, message.origin);
        self.count("nacked", 1);
        let dead = match how.way {
            Way::Rejected => self.remove(id).map(|message| (message, "rejected")),
            Way::InFront => self.give(id, false, 0, Some(origin)),
            Way::Uncounted => self.give(id, false, how.delay.unwrap_or(0), None),
            Way::Counted => {
                let delay = how.delay.unwrap_or_else(|| self.backoff(retry_count));
                self.give(id, true, delay, None)
            }
        };
        (DONE, dead)
    }

    /// Whether this is the receipt of the message's last delivery, as an answer.
    fn is_last_delivery(&mut self, id: &str, receipt: &str) -> i64 {
        match self.messages.get(id).filter(|one| one.was_delivered) {
            None => NOT_FOUND,
            Some(message) if message.receipt.as_deref() == Some(receipt) => DONE,
            Some(_) => {
                self.count("bad_receipts", 1);
                BAD_RECEIPT
            }
        }
    }
}
