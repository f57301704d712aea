//! Pushes.

use super::*;
use crate::store::deliveries::LARGE;

impl Run<'_> {
    pub(super) fn push(&mut self, name: &'static str) {
        let mut asked = self.asked();
        if self.likes(self.taste.dedup) {
            asked.dedup = Some(self.one_of(&KEYS));
            asked.window_ms = self.random.bool().then(|| self.random.u64(1..200));
        }
        let payload = self.payload();
        let pushed = self.server.push_with(&queue(name), &payload, &asked);
        self.compare_push(name, &[payload], &asked, pushed);
    }

    pub(super) fn push_many(&mut self, name: &'static str) {
        let asked = self.asked();
        let payloads: Vec<_> = (0..self.random.usize(1..5)).map(|_| self.payload()).collect();
        let pushed = self.server.push_many(&queue(name), &payloads, &asked);
        if matches!(pushed, Pushed::New(_)) {
            self.hit("pushed many");
        }
        self.compare_push(name, &payloads, &asked, pushed);
    }

    fn compare_push(
        &mut self,
        name: &'static str,
        payloads: &[Vec<u8>],
        asked: &Asked<'static>,
        pushed: Pushed,
    ) {
        let now_ms = self.server.now_ms;
        let push = model::Push {
            now_ms,
            due_ms: (asked.delay_ms > 0).then(|| now_ms + asked.delay_ms),
            expires_ms: (asked.ttl_ms > 0).then(|| now_ms + asked.ttl_ms),
            dies: asked.dies,
            priority: asked.priority,
            group: asked.group,
            dedup: asked.dedup.map(|key| (key, asked.window_ms.map(|ms| now_ms + ms))),
            headers: asked.headers.iter().map(|(name, value)| (*name, value.to_string())).collect(),
        };
        let ids = self.server.last_ids.iter();
        let messages: Vec<_> = ids
            .zip(payloads)
            .map(|(id, payload)| (id.0, id.timestamp_ms(), payload.clone()))
            .collect();
        let answer = self.model.push(name, &messages, &push);
        match (pushed, answer) {
            (Pushed::New(ids), model::Answer::New) => {
                assert_eq!(ids, self.server.last_ids);
                self.pushed.extend(ids);
                self.hit(if asked.delay_ms > 0 { "delayed push" } else { "pushed" });
            }
            (Pushed::Duplicate(id), model::Answer::Duplicate(first)) => assert_eq!(id.0, first),
            (Pushed::Full, model::Answer::Full) => self.hit("full"),
            (Pushed::DedupFull, model::Answer::DedupFull) => self.hit("no room for a key"),
            (pushed, answer) => panic!("{pushed:?}, but the model says {answer:?}"),
        }
    }

    /// A third of all pushes are plain; what the others ask for is a matter of the run's taste.
    fn asked(&mut self) -> Asked<'static> {
        let mut asked = Asked::default();
        if self.chance(3) {
            return asked;
        }
        if self.chance(4) {
            asked.delay_ms = self.random.u64(1..100);
        }
        if self.likes(self.taste.ttl) {
            asked.ttl_ms = self.random.u64(1..150);
            asked.dies = !self.model.is_old && self.random.bool();
        }
        if self.likes(self.taste.groups) {
            asked.group = Some(self.one_of(&GROUPS[..self.taste.names]));
        } else if self.likes(self.taste.priorities) {
            asked.priority = self.random.u8(..10);
        }
        if self.chance(4) {
            asked.headers = &[("kind", "invoice"), ("trace", "")];
        }
        asked
    }

    fn payload(&mut self) -> Vec<u8> {
        if self.chance(12) {
            return vec![self.random.u8(..); LARGE];
        }
        (0..self.random.usize(..6)).map(|_| self.random.u8(..)).collect()
    }
}
