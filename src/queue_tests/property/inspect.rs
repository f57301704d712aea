//! Reads: they change nothing and show what is there.

use super::*;
use crate::queue::inspect::{self, Seen, State, Which};
use crate::queue::limits;

impl Run<'_> {
    pub(super) fn inspect(&mut self, name: &'static str) {
        let before = self.server.database.borrow().clone();
        self.peek(name);
        self.find(name);
        self.look_at_numbers(name);
        assert_eq!(*self.server.database.borrow(), before, "looking changed something");
    }

    fn peek(&mut self, name: &'static str) {
        let now_ms = self.server.now_ms;
        let (skip, count) = (self.random.usize(..4), self.random.usize(1..12));
        let ready = self.model.peek_ready(name, now_ms);
        let queue_of = self.model.queue(name);
        let (inflight, delayed) = (queue_of.peek_inflight(), queue_of.peek_delayed());
        for (which, all) in
            [(Which::Ready(now_ms), ready), (Which::Inflight, inflight), (Which::Delayed, delayed)]
        {
            let mut store = self.server.store(&queue(name));
            let seen = inspect::peek(&mut store, which, skip as u64, count as u64).unwrap();
            let ids: Vec<_> = seen.iter().map(|seen| seen.body.id().0).collect();
            let expected: Vec<_> = all.into_iter().skip(skip).take(count).collect();
            assert_eq!(ids, expected, "{which:?} of {name}");
            for seen in seen {
                self.compare_seen(name, &seen);
                self.hit(match seen.state {
                    State::Ready => "peeked at a ready one",
                    State::Inflight(_) => "peeked at one in flight",
                    State::Delayed(_) => "peeked at a delayed one",
                });
            }
        }
    }

    fn find(&mut self, name: &'static str) {
        let Some(id) = self.some_id(name) else { return };
        let found = inspect::find(&mut self.server.store(&queue(name)), id).unwrap();
        let is_there = self.model.queue(name).messages.contains_key(&id.0);
        assert_eq!(found.is_some(), is_there);
        if let Some(seen) = found {
            assert_eq!(seen.body.id(), id);
            self.compare_seen(name, &seen);
            self.hit("found");
        }
    }

    fn compare_seen(&mut self, name: &'static str, seen: &Seen<impl Body>) {
        let expected = self.model.queue(name).messages[&seen.body.id().0].clone();
        let state = match expected.place {
            model::Place::Waiting { .. } => State::Ready,
            model::Place::Inflight { until_ms, .. } => State::Inflight(until_ms),
            model::Place::Delayed { due_ms } => State::Delayed(due_ms),
        };
        assert_eq!(seen.state, state);
        let record = seen.record.clone().unwrap_or_default();
        assert_eq!(record.consumer, expected.consumer.map(|name| name.as_bytes().into()));
        compare_fields(&got(&seen.body, record, (Receipt::NONE, 0)), &expected);
    }

    fn look_at_numbers(&mut self, name: &'static str) {
        let now_ms = self.server.now_ms;
        let mut store = self.server.store(&queue(name));
        let deliverable = limits::deliverable(&mut store, now_ms);
        assert_eq!(deliverable > 0, self.model.can_deliver(name, now_ms));
        let queue_of = self.model.queue(name);
        assert_eq!(inspect::priorities(&mut store), queue_of.priorities());
        assert_eq!(limits::len(&mut store), queue_of.count(|_| true));
        let oldest = inspect::oldest(&mut store);
        let first = |ids: Vec<model::Id>| ids.first().map(|id| queue_of.messages[id].clone());
        let inflight_ms = first(queue_of.peek_inflight()).map(|message| match message.place {
            // A receipt begins with the time of its delivery.
            model::Place::Inflight { receipt, .. } => receipt >> 20,
            _ => panic!("not in flight"),
        });
        assert_eq!(oldest.inflight_ms, inflight_ms);
        let delayed_ms = first(queue_of.peek_delayed()).map(|message| message.pushed_ms);
        assert_eq!(oldest.delayed_ms, delayed_ms);
        if let Some(ready_ms) = queue_of.oldest_ready_ms() {
            assert_eq!(oldest.ready_ms, Some(ready_ms));
        }
        let is_any_expired = queue_of.messages.values().any(|message| message.is_expired(now_ms));
        if !is_any_expired {
            let how = model::How::Receipt { visibility_ms: 1, consumer: None };
            let (limit, same_slot, acknowledged, receipts) = (0, true, &[], &[]);
            let count = u64::MAX;
            let pull = model::Pull { now_ms, count, how, limit, same_slot, acknowledged, receipts };
            let got = self.model.clone().pull(name, &pull).messages.len() as u64;
            assert!(deliverable <= got, "{deliverable} are deliverable, {got} are delivered");
        }
    }
}
