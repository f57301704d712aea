//! Administration.

use super::*;
use crate::queue::message::Died;
use crate::queue::op::{self, Choice, RedriveSlice, Waiting};
use crate::queue::valid::MAX_TIME_MS;

impl Run<'_> {
    pub(super) fn configure(&mut self, name: &'static str) {
        let number = self.random.u64(..5);
        // None is the default; it comes more often where a limit would stop the run.
        let queue_of = self.model.queue(name);
        let is_busy = |group: &str| queue_of.of_group(group, |message| !message.is_waiting()) > 0;
        let in_line = queue_of.turns.iter().any(|group| !group.is_empty() && is_busy(group));
        let kind = if in_line && self.random.bool() { 8 } else { self.random.u8(..16) };
        let (setting, number) = match kind {
            0 => (Setting::MaxRetries, number.checked_sub(1)),
            1 => (Setting::Backoff, number.checked_sub(1).map(|number| number * 20)),
            2 => (Setting::BackoffMax, Some(number * 30 + 10)),
            3 if name != "orders" => (Setting::MaxLen, Some(number).filter(|number| *number > 0)),
            3 => (Setting::MaxLen, (number > 1).then_some(number * 10)),
            4 => (Setting::MaxInflight, (number > 1).then_some(number * 2)),
            5 => (Setting::Rate, (number > 1).then_some(number)),
            6 => (Setting::RatePeriod, Some(number * 50 + 10)),
            7 => (Setting::Aging, Some(number * 40).filter(|ms| *ms > 0)),
            8..=9 => (Setting::GroupInflight, Some(number).filter(|number| *number > 1)),
            12 => (Setting::MaxRetries, Some(0)),
            14..=15 if self.model.is_old => return,
            15 => (Setting::Expires, Some(number * 50 + 1).filter(|ms| *ms > 1)),
            14 => (Setting::MaxDedup, Some(number.min(2)).filter(|number| *number > 0)),
            13 => (Setting::Ttl, Some(number * 100).filter(|ms| *ms > 0)),
            _ => return self.configure_dead_letter(name),
        };
        let mut text = number.map(|number| number.to_string());
        if setting == Setting::MaxRetries && number.is_none() && self.random.bool() {
            text = Some("-1".to_string());
        }
        self.server.configure(&queue(name), setting, text.as_deref());
        self.model.configure(name, setting.name(), text);
        self.hit(match setting {
            Setting::MaxRetries => "configured maxretries",
            Setting::Backoff => "configured backoff",
            Setting::BackoffMax => "configured backoffmax",
            Setting::MaxLen => "configured maxlen",
            Setting::MaxInflight => "configured maxinflight",
            Setting::Rate => "configured rate",
            Setting::RatePeriod => "configured rateperiod",
            Setting::Aging => "configured aging",
            Setting::GroupInflight => "configured groupinflight",
            _ => "configured another",
        });
    }

    fn configure_dead_letter(&mut self, name: &'static str) {
        let text = (name != "graves" && self.random.bool()).then_some("graves");
        // Only `orders` and its dead letters go elsewhere: dead-letter queues of dead-letter queues have
        // no end.
        if name.starts_with("{graves}") || name == "{orders}:dead:dead" {
            return;
        }
        self.server.configure(&queue(name), Setting::DeadLetter, text);
        self.model.configure(name, Setting::DeadLetter.name(), text.map(str::to_string));
        self.hit("configured deadletter");
    }

    pub(super) fn delete(&mut self, name: &'static str) {
        let mut ids: Vec<MessageId> =
            (0..self.random.usize(1..4)).filter_map(|_| self.some_id(name)).collect();
        if self.chance(4) {
            ids.extend(ids.first().copied());
            ids.push(MessageId([7; 16]));
        }
        let there = ids.iter().filter(|id| self.model.queue(name).messages.contains_key(&id.0));
        let there: Vec<MessageId> = there.copied().collect();
        let deleted = self.server.delete(&queue(name), &ids);
        let raw: Vec<_> = ids.iter().map(|id| id.0).collect();
        assert_eq!(deleted, self.model.delete(name, &raw));
        self.gone.extend(there);
    }

    pub(super) fn remove_all(&mut self, name: &'static str) {
        if self.random.bool() && !self.model.is_old {
            return self.purge_state(name);
        }
        let there = self.model.queue(name).messages.keys().map(|id| MessageId(*id));
        self.gone.extend(there);
        if self.random.bool() {
            assert_eq!(self.server.number(&queue(name), &op::Purge), self.model.purge(name));
            self.hit("purged");
        } else {
            let dropped = self.server.number(&queue(name), &op::Drop) == 1;
            assert_eq!(dropped, self.model.drop_queue(name));
            self.hit("dropped");
        }
    }

    /// How many go is told, not which.
    fn purge_state(&mut self, name: &'static str) {
        let state = if self.random.bool() { Waiting::Ready } else { Waiting::Delayed };
        let limit = if self.random.bool() { 1_000 } else { self.random.u32(1..4) };
        let queue_of = self.model.queue(name);
        let messages = queue_of.messages.iter();
        // In the order in which they go, as far as it matters: held slots are freed in it.
        let wanted: Vec<model::Id> = match state {
            Waiting::Ready => {
                messages.filter(|(_, message)| message.is_waiting()).map(|(id, _)| *id).collect()
            }
            Waiting::Delayed => queue_of.peek_delayed(),
        };
        let (mut left, op) = (wanted.len() as u64, op::PurgeState { state, limit });
        let mut became_ready = false;
        loop {
            let (purged, effects) = self.server.run(&queue(name), &op).unwrap();
            became_ready |= effects.became_ready;
            assert_eq!(purged.deleted, left.min(limit.into()), "{op:?}");
            assert_eq!(purged.has_more, left >= limit.into(), "{op:?}");
            left -= purged.deleted;
            if !purged.has_more {
                break;
            }
            self.hit("purged in slices");
        }
        // Any slice may have freed the slot of a group; the model is told of all of them at once.
        if let Some((_, effects)) = &mut self.server.last_effects {
            effects.became_ready = became_ready;
        }
        self.gone.extend(wanted.iter().map(|id| MessageId(*id)));
        assert_eq!(self.model.delete(name, &wanted), wanted.len() as u64);
        self.hit("purged of one state");
    }

    pub(super) fn reschedule(&mut self, name: &'static str) {
        let now_ms = self.server.now_ms;
        let messages = self.model.queue(name).messages.iter();
        let delayed: Vec<_> =
            messages.filter(|(_, message)| message.is_delayed()).map(|(id, _)| *id).collect();
        let mut id = self.some_id(name).unwrap_or(MessageId([7; 16]));
        if !delayed.is_empty() && !self.chance(4) {
            id = MessageId(delayed[self.random.usize(..delayed.len())]);
        }
        let due_at_ms = match self.random.u8(..3) {
            0 => now_ms,
            1 => now_ms - self.random.u64(1..50),
            _ => now_ms + self.random.u64(1..100),
        };
        let is_moved = self.server.reschedule(&queue(name), id, due_at_ms);
        assert_eq!(is_moved, self.model.reschedule(name, id.0, now_ms, due_at_ms));
        if is_moved {
            self.hit("rescheduled");
        }
    }

    pub(super) fn redrive(&mut self) {
        let name = if self.chance(6) { "orders" } else { self.another_queue() };
        let now = self.server.now_ms;
        let bound = |run: &mut Self| if run.random.bool() { 1_000 } else { run.random.u64(1..5) };
        let mut to = self.chance(3).then(|| self.one_of(&["orders", "graves"]));
        to = to.filter(|to| *to != name);
        let mut ask = model::Redrive {
            now,
            inspect: bound(self),
            count: bound(self),
            to,
            same_slot: self.random.bool(),
            ids: None,
            after: None,
            until_ms: MAX_TIME_MS,
            from: None,
            reason: None,
            takes_others: false,
        };
        if self.server.rules == Rules::V1 || self.chance(4) {
            ask.inspect = ask.count;
            let (to, count) = (ask.to.map(queue), ask.count as u32);
            let op = op::Redrive { now_ms: now, count, to, same_slot: ask.same_slot };
            let moved = self.server.number(&queue(name), &op);
            assert_eq!(moved, self.model.redrive(name, &ask).moved);
            return self.hit("redriven as 0.1.0 does");
        }
        if self.chance(3) {
            let ids = (0..self.random.usize(1..5)).filter_map(|_| self.some_id(name));
            ask.ids = Some(ids.map(|id| id.0).collect());
            self.hit("redriven by id");
        } else if self.chance(3) {
            ask.until_ms = now - self.random.u64(..50);
        }
        if self.chance(4) {
            ask.from = Some(self.one_of(&NAMES));
        }
        if self.chance(4) {
            ask.reason =
                Some(self.one_of(&["retries", "rejected", "expired", ERRORS[0], ERRORS[1]]));
        }
        ask.takes_others = ask.from.is_none() && ask.reason.is_none();
        for _ in 0..3 {
            self.begin();
            let has_more = self.redrive_slice(name, &mut ask);
            self.check_effects();
            self.server.last_effects = None;
            if !has_more {
                return;
            }
            self.hit("redriven in slices");
        }
    }

    /// Leaves what comes next in `ask`; true if there may be more.
    fn redrive_slice(&mut self, name: &'static str, ask: &mut model::Redrive) -> bool {
        let id = |id: &model::Id| MessageId(*id);
        let choice = match &ask.ids {
            Some(ids) => Choice::Ids(ids.iter().map(id).collect()),
            None => Choice::Died {
                after: ask.after.map(|(at_ms, id)| Died { at_ms, id: MessageId(id) }),
                until_ms: ask.until_ms,
            },
        };
        let op = RedriveSlice {
            now_ms: ask.now,
            inspect: ask.inspect as u32,
            count: ask.count as u32,
            to: ask.to.map(queue),
            same_slot: ask.same_slot,
            choice,
            from: ask.from.map(queue),
            reason: ask.reason.map(str::as_bytes),
        };
        let redriven = self.server.run(&queue(name), &op).unwrap().0;
        let last = redriven.last.map(|last| (last.at_ms, last.id.0));
        let redriven = model::Redriven { moved: redriven.moved, last, has_more: redriven.has_more };
        assert_eq!(redriven, self.model.redrive(name, ask));
        if redriven.moved > 0 {
            self.hit("redriven");
        }
        ask.after = last.or(ask.after);
        redriven.has_more
    }

    pub(super) fn pause(&mut self, name: &'static str) {
        let until_ms = (!self.chance(4)).then(|| self.server.now_ms + self.random.u64(1..200));
        self.server.run(&queue(name), &Op::Pause(op::Pause { until_ms })).unwrap();
        self.model.pause(name, until_ms);
        self.hit("paused");
    }

    pub(super) fn resume(&mut self, name: &'static str) {
        self.server.run(&queue(name), &Op::Resume).unwrap();
        self.model.resume(name);
    }

    /// A check finds nothing.
    pub(super) fn repair(&mut self, name: &'static str) {
        assert_eq!(self.server.repair(&queue(name)), [], "a check of {name}");
    }

    /// The id of a message of the queue, or of any that was ever pushed.
    pub(super) fn some_id(&mut self, name: &'static str) -> Option<MessageId> {
        let there: Vec<_> = self.model.queue(name).messages.keys().copied().collect();
        if !there.is_empty() && !self.chance(4) {
            return Some(MessageId(there[self.random.usize(..there.len())]));
        }
        if self.pushed.is_empty() {
            return None;
        }
        Some(self.pushed[self.random.usize(..self.pushed.len())])
    }
}
