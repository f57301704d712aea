//! Acknowledgments, returns and extensions.

use super::model::Back;
use super::*;

impl Run<'_> {
    pub(super) fn settle(&mut self) {
        if self.seen.is_empty() {
            return;
        }
        let index = self.random.usize(..self.seen.len());
        let name = self.seen[index].0;
        let mut claims = vec![self.seen[index].1];
        if self.chance(4) {
            claims.extend(self.claims_of(name));
        }
        if !self.chance(6) {
            self.seen.swap_remove(index);
        }
        match self.random.u8(..10) {
            0..=3 => self.acknowledge(name, &claims),
            4..=7 => self.nack(name, &claims),
            _ => self.extend(name, &claims),
        }
    }

    /// Some claims of a queue: good ones, one twice, a wrong receipt, an unknown id.
    pub(super) fn claims_of(&mut self, name: &'static str) -> Vec<Delivery> {
        let of_queue = self.seen.iter().filter(|(queue, _)| *queue == name);
        let mut of_queue: Vec<Delivery> = of_queue.map(|(_, claim)| *claim).collect();
        self.random.shuffle(&mut of_queue);
        of_queue.truncate(3);
        if let Some(claim) = of_queue.first().copied().filter(|_| self.chance(3)) {
            of_queue.push(Delivery { id: claim.id, receipt: Receipt(claim.receipt.0 ^ 1) });
            of_queue.push(Delivery { id: MessageId([0; 16]), receipt: claim.receipt });
            of_queue.push(claim);
        }
        of_queue
    }

    fn acknowledge(&mut self, name: &'static str, claims: &[Delivery]) {
        let mut now_ms = Some(self.server.now_ms);
        let is_running = |claim: &Delivery| {
            let last = self.deliveries.get(&claim.id);
            last.is_none_or(|(_, until_ms)| *until_ms > self.server.now_ms)
        };
        if claims.iter().all(is_running) {
            now_ms = now_ms.filter(|_| self.random.bool());
        }
        let op = op::Acknowledge { now_ms, deliveries: claims.to_vec().into() };
        let settled = self.server.settle(&queue(name), &op);
        let expected: Vec<i64> = claims
            .iter()
            .map(|claim| self.model.acknowledge(name, claim.id.0, claim.receipt.0, now_ms))
            .collect();
        self.compare_acknowledged(claims, &settled, &expected);
    }

    pub(super) fn compare_acknowledged(
        &mut self,
        claims: &[Delivery],
        settled: &[Settled],
        expected: &[i64],
    ) {
        self.compare(settled, expected);
        for (claim, _) in claims.iter().zip(expected).filter(|(_, answer)| **answer == 1) {
            let last = self.deliveries.get(&claim.id);
            let was_over = last.is_some_and(|(_, until_ms)| *until_ms <= self.server.now_ms);
            self.gone.insert(claim.id);
            self.hit(if was_over { "acknowledged late" } else { "acknowledged" });
        }
    }

    fn nack(&mut self, name: &'static str, claims: &[Delivery]) {
        let now_ms = self.server.now_ms;
        let pairs: Vec<_> = claims.iter().map(|claim| (claim.id.0, claim.receipt.0)).collect();
        let is_dead = self.model.has_dead(name, &pairs, now_ms);
        let mut kind = if is_dead && self.chance(3) { 6 } else { self.random.u8(..10) };
        if self.model.is_old {
            kind = kind.min(7);
        }
        let (how, model_how, what) = match kind {
            0..=2 => (Return::Counted, Back::Counted, "given back Counted"),
            3..=4 => (Return::Uncounted, Back::Uncounted, "given back Uncounted"),
            5..=6 => (Return::Rejected, Back::Rejected, "given back Rejected"),
            7 => (Return::Disconnected, Back::Disconnected, "given back Disconnected"),
            8 => (Return::InFront, Back::InFront, "given back InFront"),
            _ => (Return::Abandoned, Back::Abandoned, "given back Abandoned"),
        };
        let is_told = !matches!(how, Return::Disconnected | Return::Abandoned);
        let delay_ms = (is_told && how != Return::InFront && self.random.bool())
            .then(|| self.random.u64(..60));
        let reason = (is_told && self.chance(3)).then(|| self.one_of(&ERRORS));
        let same_slot = self.random.bool();
        let op = op::Nack {
            now_ms,
            deliveries: claims.to_vec().into(),
            delay_ms,
            same_slot,
            how,
            reason: reason.map(str::as_bytes),
        };
        if how == Return::Rejected && is_dead {
            assert!(matches!(self.server.run(&queue(name), &op), Err(QueueError::AlreadyDead)));
            return self.hit("rejected a dead letter");
        }
        let settled = self.server.settle(&queue(name), &op);
        let back =
            model::Comeback { how: model_how, at_ms: now_ms, now_ms, delay_ms, reason, same_slot };
        let expected: Vec<i64> =
            pairs.iter().map(|(id, shown)| self.model.nack(name, *id, *shown, back)).collect();
        self.compare(&settled, &expected);
        for (claim, _) in claims.iter().zip(&expected).filter(|(_, answer)| **answer == 1) {
            self.deliveries.insert(claim.id, (claim.receipt, 0));
            self.hit(what);
        }
    }

    fn extend(&mut self, name: &'static str, claims: &[Delivery]) {
        let visibility_ms = self.random.u64(1..200);
        let now_ms = self.server.now_ms;
        let deliveries = claims.to_vec().into();
        let only_longer = self.random.bool() && !self.model.is_old;
        let (server, queue) = (&mut self.server, queue(name));
        let settled = match only_longer {
            true => server.settle(&queue, &op::Prolong { now_ms, deliveries, visibility_ms }),
            false => server.settle(&queue, &op::Extend { now_ms, deliveries, visibility_ms }),
        };
        let expected: Vec<i64> = claims
            .iter()
            .map(|claim| {
                let (id, shown) = (claim.id.0, claim.receipt.0);
                self.model.extend(name, id, shown, now_ms, visibility_ms, only_longer)
            })
            .collect();
        self.compare(&settled, &expected);
        for (claim, answer) in claims.iter().zip(&expected).filter(|(_, answer)| **answer > 0) {
            self.deliveries.insert(claim.id, (claim.receipt, *answer as u64));
            let only_longer = *answer as u64 > now_ms + visibility_ms;
            self.hit(if only_longer { "extended, but not shortened" } else { "extended" });
        }
    }

    fn compare(&mut self, settled: &[Settled], expected: &[i64]) {
        let answers = settled.iter().map(|settled| match settled {
            Settled::Done(0) => 1,
            Settled::Done(until_ms) => *until_ms as i64,
            Settled::NotFound => 0,
            Settled::BadReceipt => -1,
        });
        assert_eq!(answers.collect::<Vec<_>>(), expected, "answers");
        for answer in expected {
            match answer {
                0 => self.hit("not found"),
                -1 => self.hit("bad receipt"),
                _ => {}
            }
        }
    }
}
