//! How deliveries end (acknowledged, nacked, extended, timed out), and what is due.

use super::{Cause, Death, End, Id, Message, Model, Place};

/// How a message is returned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Back {
    Expired,
    Counted,
    Uncounted,
    Rejected,
    Disconnected,
    InFront,
    Abandoned,
}

impl Back {
    fn is_retry(self) -> bool {
        !matches!(self, Self::Uncounted | Self::InFront | Self::Abandoned)
    }
}

/// A return: the time from which a delay counts, now, and the consumer's reason.
#[derive(Debug, Clone, Copy)]
pub struct Comeback {
    pub how: Back,
    pub at_ms: u64,
    pub now_ms: u64,
    pub delay_ms: Option<u64>,
    pub reason: Option<&'static str>,
    pub same_slot: bool,
}

impl Model {
    /// What is due: ends of messages, of visibility, of delays, each in the order of time. How much
    /// of the limit is left.
    pub fn sweep(&mut self, name: &'static str, now: u64, limit: usize, same_slot: bool) -> usize {
        let mut left = limit;
        let outlived = self.due(name, |message| match message.place {
            Place::Waiting { .. } | Place::Delayed { .. } => {
                message.expires_ms.filter(|expires_ms| *expires_ms <= now)
            }
            Place::Inflight { .. } => None,
        });
        for (_, id) in outlived.into_iter().take(left) {
            self.expire(name, id, now, same_slot);
            left -= 1;
        }
        let queue = self.queue(name);
        let until_ms = |id: &Id| match queue.messages[id].place {
            Place::Inflight { until_ms, .. } => until_ms,
            _ => panic!("not in flight"),
        };
        let inflight = queue.peek_inflight().into_iter();
        let over = inflight.map(|id| (until_ms(&id), id)).filter(|(at_ms, _)| *at_ms <= now);
        for (at_ms, id) in over.take(left).collect::<Vec<_>>() {
            let (how, now_ms, delay_ms, reason) = (Back::Expired, now, None, None);
            self.come_back(name, id, Comeback { how, at_ms, now_ms, delay_ms, reason, same_slot });
            left -= 1;
        }
        let due = self.due(name, |message| match message.place {
            Place::Delayed { due_ms } if due_ms <= now => Some(due_ms),
            _ => None,
        });
        for (due_ms, id) in due.into_iter().take(left) {
            if self.message(name, id).group.is_some() && self.message(name, id).end == End::NoneYet
            {
                self.hit("a delayed message joined its group");
            }
            self.wait(name, id, due_ms);
            left -= 1;
        }
        left
    }

    /// A pause that is over is forgotten: a clock that is set back doesn't bring it back.
    pub(super) fn end_pause(&mut self, name: &'static str, now: u64) {
        let queue = self.queue(name);
        if queue.pause.is_some() && !queue.is_paused(now) {
            queue.pause = None;
            self.hit("a pause ended by itself");
        }
    }

    /// The timer's sweep: what is left of its limit is for deduplication keys.
    pub fn sweep_all(&mut self, name: &'static str, now: u64, limit: usize, same_slot: bool) {
        let left = self.sweep(name, now, limit, same_slot);
        self.end_pause(name, now);
        self.release_keys(name, now, left);
    }

    pub(super) fn release_keys(&mut self, name: &'static str, now: u64, most: usize) {
        let keys = self.queue(name).keys.iter();
        let mut over: Vec<_> = keys
            .filter_map(|(key, known)| Some((known.until_ms.filter(|ms| *ms <= now)?, *key)))
            .collect();
        over.sort();
        for (_, key) in over.into_iter().take(most) {
            self.queue(name).keys.remove(key);
            self.hit("key over");
        }
    }

    fn due(
        &mut self,
        name: &'static str,
        moment: impl Fn(&Message) -> Option<u64>,
    ) -> Vec<(u64, Id)> {
        let messages = self.queue(name).messages.iter();
        let mut due: Vec<_> =
            messages.filter_map(|(id, message)| Some((moment(message)?, *id))).collect();
        due.sort();
        due
    }

    pub(super) fn discard(&mut self, name: &'static str, id: Id) {
        let message = self.remove(name, id);
        self.count("ttl_expired", 1);
        self.hit(match message.place {
            Place::Waiting { .. } => "discarded while waiting",
            Place::Delayed { .. } => "discarded while delayed",
            Place::Inflight { .. } => "discarded when it came back",
        });
    }

    /// The end of a delivery that was not acknowledged.
    pub(super) fn come_back(&mut self, name: &'static str, id: Id, back: Comeback) {
        let is_old = self.is_old;
        let (max, backoff, backoff_max) = {
            let queue = self.queue(name);
            (queue.max_retries(is_old), queue.backoff(is_old), queue.number("backoffmax"))
        };
        let target = self.target(name);
        let has_grave = Self::can_go(name, target, back.same_slot);
        self.count(
            match back.how {
                Back::Expired | Back::Disconnected | Back::Abandoned => "expired",
                Back::Counted | Back::Uncounted | Back::Rejected | Back::InFront => "nacked",
            },
            1,
        );
        let message = self.message(name, id);
        let Place::Inflight { receipt, .. } = message.place else { panic!("not in flight") };
        if !is_old {
            // Of what 0.1.0 delivered only the retries are known, and when the last began.
            let first = if message.retries > 0 { message.last_receipt } else { receipt };
            let (ended, first_ms) = message.deliveries.unwrap_or((message.retries, first >> 20));
            message.deliveries = Some((ended + 1, first_ms));
        }
        message.last_receipt = receipt;
        message.consumer = None;
        message.last_error = back.reason.or(message.last_error);
        let is_dead = message.death.is_some();
        let is_expired = message.is_expired(back.now_ms);
        let is_too_often = max.is_some_and(|max| message.retries + 1 > max);

        if back.how == Back::Rejected {
            assert!(!is_dead);
            if has_grave {
                return self.die(name, id, back.now_ms, Cause::Rejected);
            }
            self.count("dead_letters_refused", 1);
            self.hit("dead letter refused");
        }
        if is_expired {
            return self.expire(name, id, back.now_ms, back.same_slot);
        }
        let is_dying = back.how.is_retry() && is_too_often && !is_dead;
        if is_dying && has_grave {
            return self.die(name, id, back.now_ms, Cause::Retries);
        }
        if is_dying && back.how != Back::Rejected {
            self.count("dead_letters_refused", 1);
            self.hit("dead letter refused");
        }

        let message = self.message(name, id);
        message.end = match back.how {
            Back::Expired | Back::Disconnected => End::Expired,
            Back::Abandoned => End::Abandoned,
            _ => End::Nacked,
        };
        let is_over = message.end != End::Nacked || back.how == Back::InFront;
        let mut delay = 0;
        if back.how.is_retry() {
            message.retries += 1;
            delay = if back.how == Back::Expired && !is_old { 0 } else { backoff };
            for _ in 1..message.retries {
                delay = delay.saturating_mul(2);
            }
        }
        let delay = back.delay_ms.unwrap_or(delay.min(backoff_max));
        let old_place_ms = message.death.as_ref().map_or(message.pushed_ms, |death| death.at_ms);
        let group = message.active_group();
        if delay > 0 {
            message.place = Place::Delayed { due_ms: back.at_ms + delay };
            self.settle(name, group);
            if group.is_some() {
                self.hit("a group was held");
            }
        } else if is_over {
            self.wait(name, id, old_place_ms);
        } else {
            self.wait_behind(name, id, back.now_ms);
        }
    }

    /// The end of its time to live.
    fn expire(&mut self, name: &'static str, id: Id, now: u64, same_slot: bool) {
        if self.message(name, id).dies_at_end() {
            let target = self.target(name);
            if Self::can_go(name, target, same_slot) {
                self.hit("died at the end of its time");
                return self.die(name, id, now, Cause::Expired);
            }
            self.count("dead_letters_refused", 1);
            self.hit("discarded because it could not die");
        }
        self.discard(name, id);
    }

    fn die(&mut self, name: &'static str, id: Id, now: u64, cause: Cause) {
        let mut dead = self.remove(name, id);
        dead.death = Some(Death { from: name, at_ms: now, cause, retries: dead.retries });
        dead.retries = 0;
        dead.end = End::NoneYet;
        dead.key = None;
        dead.sequence = None;
        let target = self.target(name);
        dead.expires_ms = self.retain(target, now);
        dead.dies = false;
        self.queue(target).messages.insert(id, dead);
        self.wait_behind(target, id, now);
        self.count("dead", 1);
        self.hit("dead");
    }

    /// Until when the dead-letter queue keeps a message that dies now; it makes room for it.
    fn retain(&mut self, target: &'static str, now: u64) -> Option<u64> {
        if self.is_old {
            return None;
        }
        let (ttl, max_len) =
            (self.queue(target).number("ttl"), self.queue(target).number("maxlen"));
        for _ in 0..2 {
            let dead = self.due(target, |message| {
                message.death.as_ref().filter(|_| message.is_waiting()).map(|death| death.at_ms)
            });
            let is_full = max_len > 0 && self.queue(target).count(|_| true) >= max_len;
            if let (true, Some((_, oldest))) = (is_full, dead.first()) {
                self.remove(target, *oldest);
                self.count("dead_discarded", 1);
                self.hit("a dead letter was discarded for another one");
            }
        }
        if ttl > 0 {
            self.hit("a dead letter was given an end");
        }
        (ttl > 0).then_some(now + ttl)
    }

    /// 1, 0 (not found) or -1 (bad receipt). Without a time no delivery is over.
    pub fn acknowledge(&mut self, name: &'static str, id: Id, shown: u64, now: Option<u64>) -> i64 {
        let Some(message) = self.queue(name).messages.get(&id) else { return 0 };
        let (fits, is_late) = match message.place {
            Place::Inflight { receipt, until_ms } => {
                (receipt == shown, now.is_some_and(|now| until_ms <= now))
            }
            _ => (message.is_over_by_itself() && message.last_receipt == shown, true),
        };
        if !fits {
            return self.refuse(name, id);
        }
        self.remove(name, id);
        self.count("acked", 1);
        self.count("late_acks", u64::from(is_late));
        1
    }

    pub fn nack(&mut self, name: &'static str, id: Id, shown: u64, back: Comeback) -> i64 {
        let Some(message) = self.queue(name).messages.get(&id) else { return 0 };
        if !Self::is_running(message, shown, back.now_ms) {
            return self.refuse(name, id);
        }
        self.come_back(name, id, back);
        1
    }

    /// True if one of the running deliveries is that of a dead letter: it can't be rejected.
    pub fn has_dead(&mut self, name: &'static str, claims: &[(Id, u64)], now: u64) -> bool {
        let messages = &self.queue(name).messages;
        claims.iter().any(|(id, shown)| {
            messages.get(id).is_some_and(|message| {
                message.death.is_some() && Self::is_running(message, *shown, now)
            })
        })
    }

    /// The new end of visibility, 0 or -1.
    pub fn extend(
        &mut self,
        name: &'static str,
        id: Id,
        shown: u64,
        now: u64,
        visibility: u64,
        only_longer: bool,
    ) -> i64 {
        let is_old = self.is_old;
        let Some(message) = self.queue(name).messages.get_mut(&id) else { return 0 };
        let mut until_ms = now + visibility;
        let is_late = match message.place {
            Place::Inflight { receipt, until_ms: end } if receipt == shown => {
                if only_longer {
                    until_ms = until_ms.max(end);
                }
                end <= now
            }
            Place::Waiting { .. } | Place::Delayed { .. }
                if message.is_over_by_itself() && message.last_receipt == shown && !is_old =>
            {
                // As if it had not been returned.
                message.retries -= u32::from(message.end == End::Expired);
                let deliveries = message.deliveries.map(|(ended, first_ms)| (ended - 1, first_ms));
                message.deliveries = deliveries.filter(|(ended, _)| *ended > 0);
                message.last_receipt -= 1;
                true
            }
            _ => return self.refuse(name, id),
        };
        if is_late && is_old {
            return self.refuse(name, id);
        }
        message.place = Place::Inflight { receipt: shown, until_ms };
        let group = message.active_group();
        self.settle(name, group);
        if is_late {
            self.hit("extended late");
        }
        until_ms as i64
    }

    fn is_running(message: &Message, shown: u64, now: u64) -> bool {
        matches!(message.place, Place::Inflight { receipt, until_ms }
            if receipt == shown && until_ms > now)
    }

    /// The answer to a claim that does not match.
    fn refuse(&mut self, name: &'static str, id: Id) -> i64 {
        let message = self.message(name, id);
        if message.is_inflight() || message.end != End::NoneYet {
            self.count("bad_receipts", 1);
            return -1;
        }
        0
    }
}
