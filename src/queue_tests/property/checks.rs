//! Invariants after every step.

use super::model::{Message, Queue};
use super::*;
use crate::queue::NextDue;
use crate::queue::records::StoredNumber;
use crate::store::flight::is_apart;
use crate::store::keyspace::{Contents, Keyspace};

impl Run<'_> {
    /// The queues that would deliver something.
    pub(super) fn deliverable(&self) -> BTreeSet<&'static str> {
        let now_ms = self.server.now_ms;
        NAMES.into_iter().filter(|name| self.model.can_deliver(name, now_ms)).collect()
    }

    /// Waiting clients and timers are notified: a queue that became deliverable says so, and no deadline
    /// is earlier than the timer knows.
    pub(super) fn check_effects(&mut self) {
        let Some((queue_of, effects)) = self.server.last_effects.clone() else { return };
        let of_queue = NAMES.into_iter().find(|name| queue(name) == queue_of).unwrap();
        for name in self.deliverable().difference(&self.could_deliver).copied() {
            let is_told = if name == of_queue {
                let max_inflight = self.model.queues[name].number("maxinflight");
                effects.became_ready || (effects.delivery_ended && max_inflight > 0)
            } else {
                effects.others.as_ref().is_some_and(|others| others.contains_key(&queue(name)))
            };
            assert!(is_told, "{name} became ready: {effects:?}");
        }
        let told = match effects.next_due {
            NextDue::NotEarlier => self.wakes.get(of_queue).copied().flatten(),
            NextDue::AtMost(at_ms) => {
                let known = self.wakes.get(of_queue).copied().flatten();
                Some(known.map_or(at_ms, |known| known.min(at_ms)))
            }
            NextDue::Exactly(at_ms) => at_ms,
        };
        self.wakes.insert(of_queue, told);
        for (other, next_due) in effects.others.iter().flat_map(|others| others.iter()) {
            let NextDue::AtMost(at_ms) = *next_due else { continue };
            let Some(name) = NAMES.into_iter().find(|name| queue(name) == *other) else { continue };
            let known = self.wakes.get(name).copied().flatten();
            self.wakes.insert(name, Some(known.map_or(at_ms, |known| known.min(at_ms))));
        }
    }

    /// After a pull that the rate sent away empty, the timer wakes when the window opens.
    pub(super) fn check_window(&self, name: &'static str) {
        let Some(opens_at) = self.model.queues[name].opens_at(self.server.now_ms) else { return };
        let wake = self.wakes.get(name).copied().flatten();
        assert!(
            wake.is_some_and(|wake| wake <= opens_at),
            "the window of {name} opens at {opens_at}, the timer wakes at {wake:?}"
        );
    }

    pub(super) fn check_wakes(&mut self) {
        for (name, wake) in self.wakes.clone() {
            if let Some(deadline) = self.model.queue(name).next_deadline() {
                assert!(
                    wake.is_some_and(|wake| wake <= deadline),
                    "the timer of {name} wakes at {wake:?}, what is due is due at {deadline}"
                );
            }
        }
    }

    /// The queue of the last op is compared in full, the others now and then.
    pub(super) fn check(&mut self, last: &'static str, step: usize) {
        self.check_wakes();
        let mut present = 0;
        for name in NAMES.into_iter().chain(["{graves}:dead:dead", "{orders}:dead:dead:dead"]) {
            present += self.model.queue(name).messages.len() as u64;
            if name != last && !step.is_multiple_of(10) {
                continue;
            }
            let queue_name = queue(name);
            let found = self.server.store(&queue_name).check();
            assert_eq!(found, [], "step {step}: MQ.CHECK of {name}");
            let default = Queue::default();
            let queue = self.model.queues.get(name).unwrap_or(&default);
            let len = |part| self.server.len(&queue_name, part);
            let count = |fits: fn(&Message) -> bool| queue.count(fits);
            let waiting = count(Message::is_waiting);
            let grouped = count(|m| m.is_waiting() && m.active_group().is_some());
            let ready = Part::READY.iter().map(|list| len(*list)).sum::<u64>();
            let ranked = len(Part::Ranked);
            // Deliveries of version 1 go on as they were.
            let in_flight = len(Part::Flight);
            let old = count(Message::is_inflight).saturating_sub(in_flight);
            let large = self.large_in_flight(&queue_name);
            assert!(self.server.rules == Rules::V2 || in_flight == 0, "step {step}: {name}");
            self.check_deadlines(&queue_name);
            assert_eq!(ready + ranked, waiting - grouped, "step {step}: ready in {name}");
            let dead = |m: &Message| m.is_waiting() && m.death.is_some();
            let expiring = |m: &Message| !m.is_inflight() && m.expires_ms.is_some();
            for (part, expected) in [
                (Part::Inflight, old),
                (Part::Bodies, large),
                (Part::Delayed, count(Message::is_delayed)),
                (Part::Expiring, count(expiring)),
                (Part::Dead, count(dead)),
                (Part::Messages, count(|_| true) - ready - in_flight),
                (Part::Groups, queue.groups().len() as u64),
                (Part::Turns, (queue.turns.len() + queue.blocked().len()) as u64),
                (Part::Dedup, queue.keys.len() as u64),
                (
                    Part::Deduped,
                    queue.keys.values().filter(|k| k.until_ms.is_some()).count() as u64,
                ),
                (Part::Damaged, 0),
                (Part::Schedules, queue.schedules.len() as u64),
                (Part::Ticks, queue.schedules.len() as u64),
            ] {
                assert_eq!(len(part), expected, "step {step}: {part:?} of {name}");
            }
            let is_long = len(Part::Grouped) > 0;
            self.check_details(name, queue, step);
            self.check_schedules(&queue_name, queue, step);
            if large > 0 {
                self.hit("a large message was in flight");
            }
            if is_long {
                self.hit("a group has more than its record names");
            }
        }
        self.check_counts(present, step);
    }

    /// How many deliveries have their body beside them.
    fn large_in_flight(&self, queue: &QueueName) -> u64 {
        let mut large = 0;
        let mut store = self.server.store(queue);
        store.0.each_field(Part::Flight, |_, record| large += u64::from(is_apart(record)));
        large
    }

    /// What is remembered of the order of `Flight` is what a walk over it says.
    fn check_deadlines(&self, queue: &QueueName) {
        let mut store = self.server.store(queue);
        let fields = store.len(Part::Flight);
        let mut walked = Deadlines::default();
        store.0.each_field(Part::Flight, |field, record| walked.read(field, record));
        store.0.deadlines(|known| assert!(!known.is_known(fields) || *known == walked));
    }

    fn check_details(&self, name: &'static str, queue: &Queue, step: usize) {
        let mut store = self.server.store(&super::queue(name));
        let highest = queue.messages.values().map(|message| message.retries).max();
        assert_eq!(store.highest_retry_count(), highest.unwrap_or_default(), "step {step}");
        for group in queue.groups() {
            let record = store.group(group.as_bytes());
            let mut waiting = record.head;
            waiting.extend(store.grouped(group.as_bytes(), 0, u64::MAX));
            let ids: Vec<_> = waiting.iter().map(|(_, id)| id.0).collect();
            assert_eq!(ids, queue.waiting_in(group), "step {step}: those of {group}");
            let counts = record.counts;
            let expected = (
                queue.of_group(group, Message::is_waiting),
                queue.of_group(group, Message::is_inflight),
                queue.of_group(group, Queue::is_held),
            );
            assert_eq!((counts.waiting, counts.inflight, counts.held), expected, "{group}: {step}");
        }
        let tickets: Vec<_> =
            queue.turns.iter().map(|group| store.ticket(group.as_bytes())).collect();
        let is_line = tickets.is_sorted_by(|a, b| a < b) && !tickets.contains(&None);
        assert!(is_line, "step {step}: the line {:?} of {name} has {tickets:?}", queue.turns);
        for (key, known) in &queue.keys {
            let duplicate = store.duplicate(key.as_bytes()).unwrap();
            assert_eq!((duplicate.id.0, duplicate.until_ms), (known.id, known.until_ms));
        }
        let window = queue.window;
        assert_eq!(
            store.stored_number(StoredNumber::RateWindowStart),
            window.map(|(start_ms, _)| start_ms)
        );
        assert_eq!(
            store.stored_number(StoredNumber::RateWindowCount),
            window.map(|(_, used)| used)
        );
        assert_eq!(store.stored_number(StoredNumber::UsedAt), queue.used_ms, "step {step}");
        for setting in Setting::ALL {
            let text = store.setting(setting);
            let expected = queue.settings.get(setting.name());
            assert_eq!(text.as_deref(), expected.map(|text| text.as_bytes()), "step {step}");
        }
        let until_ms = store.stored_number(StoredNumber::PausedUntil);
        let is_paused = until_ms.is_some_and(|ms| ms == 0 || ms > self.server.now_ms);
        assert_eq!(is_paused, queue.is_paused(self.server.now_ms), "step {step}: pause of {name}");
    }

    fn check_counts(&self, present: u64, step: usize) {
        let counts = &self.server.counts;
        for (what, number) in [
            ("pushed", counts.pushed),
            ("pulled", counts.pulled),
            ("acked", counts.acked),
            ("late_acks", counts.late_acks),
            ("nacked", counts.nacked),
            ("expired", counts.expired),
            ("dead", counts.dead),
            ("bad_receipts", counts.bad_receipts),
            ("dead_letters_refused", counts.dead_letters_refused),
            ("dead_discarded", counts.dead_discarded),
            ("ttl_expired", counts.ttl_expired),
            ("deduplicated", counts.deduplicated),
            ("redriven", counts.redriven),
            ("refused_full", counts.refused_full),
            ("deleted", counts.deleted),
            ("damaged", counts.damaged),
            ("ticks", counts.ticks),
            ("ticks_missed", counts.ticks_missed),
            ("ticks_skipped", counts.ticks_skipped),
        ] {
            let expected = self.model.counts.get(what).copied().unwrap_or_default();
            assert_eq!(number, expected, "step {step}: counted {what}");
        }
        let discarded = counts.ttl_expired + counts.dead_discarded;
        let gone = counts.acked + self.final_deliveries + discarded + counts.deleted;
        assert_eq!(counts.pushed, present + gone, "step {step}: pushed = there + gone");
        assert_eq!(counts.pushed, self.pushed.len() as u64);
    }
}
